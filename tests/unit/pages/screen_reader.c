/*
 * What somebody hears who does not see the screen: the named program's widgets as AT-SPI tells them, a line each, those
 * that are showing, or would be where they are scrolled to. A line is the depth, the role, the name, the description,
 * the states and the text, with tabs between them. The argument is how the program's name begins; without such a
 * program it ends with status 2.
 */
#include <atspi/atspi.h>
#include <stdio.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AtspiAccessible, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AtspiStateSet, g_object_unref)

static const struct {
    AtspiStateType state;
    const char *word;
} states[] = {
    {ATSPI_STATE_FOCUSED, "focused"},     {ATSPI_STATE_SENSITIVE, "sensitive"}, {ATSPI_STATE_CHECKED, "checked"},
    {ATSPI_STATE_FOCUSABLE, "focusable"}, {ATSPI_STATE_EDITABLE, "editable"},   {ATSPI_STATE_SHOWING, "showing"},
};

static void print_field(const char *text)
{
    g_autofree char *line = g_strdelimit(g_strdup(text ? text : ""), "\t\n", ' ');
    printf("\t%s", line);
}

static void print_states(AtspiStateSet *set)
{
    printf("\t");
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
        if (atspi_state_set_contains(set, states[i].state))
            printf("%s ", states[i].word);
    }
}

static void print_one(AtspiAccessible *one, int depth, AtspiStateSet *set)
{
    g_autofree char *role = atspi_accessible_get_role_name(one, NULL), *name = atspi_accessible_get_name(one, NULL);
    g_autofree char *about = atspi_accessible_get_description(one, NULL), *text = NULL;
    AtspiText *interface = atspi_accessible_get_text_iface(one);
    if (interface)
        text = atspi_text_get_text(interface, 0, -1, NULL);
    printf("%d", depth);
    print_field(role);
    print_field(name);
    print_field(about);
    print_states(set);
    print_field(text);
    printf("\n");
}

/* What is scrolled away does not show; nor does a page that another one is in the place of. */
static void print_tree(AtspiAccessible *one, int depth, gboolean scrolled)
{
    g_autoptr(AtspiStateSet) set = atspi_accessible_get_state_set(one);
    int count = atspi_accessible_get_child_count(one, NULL);
    AtspiStateType wanted = scrolled ? ATSPI_STATE_VISIBLE : ATSPI_STATE_SHOWING;
    if (depth && (!set || !atspi_state_set_contains(set, wanted)))
        return;
    print_one(one, depth, set);
    scrolled = scrolled || atspi_accessible_get_role(one, NULL) == ATSPI_ROLE_SCROLL_PANE;
    for (int i = 0; i < count; i++) {
        g_autoptr(AtspiAccessible) child = atspi_accessible_get_child_at_index(one, i, NULL);
        if (child)
            print_tree(child, depth + 1, scrolled);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 || atspi_init() != 0)
        return 1;
    g_autoptr(AtspiAccessible) desktop = atspi_get_desktop(0);
    for (int i = 0; i < atspi_accessible_get_child_count(desktop, NULL); i++) {
        g_autoptr(AtspiAccessible) program = atspi_accessible_get_child_at_index(desktop, i, NULL);
        g_autofree char *name = program ? atspi_accessible_get_name(program, NULL) : NULL;
        if (!name || !g_str_has_prefix(name, argv[1]))
            continue;
        print_tree(program, 0, FALSE);
        return 0;
    }
    return 2;
}
