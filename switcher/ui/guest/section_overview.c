/* What a guest is, how it is, what can be done with it, and the end of it. */
#include "guest_view_private.h"
#include "../guest_look.h"
#include "../style.h"

#define BUTTONS_IN_ROW 4
#define LABEL_WIDTH    130

/* ---- facts ---- */

static void fact(GtkBox *box, const char *label, const char *words)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *name = page_line(label), *value = gtk_label_new(words);
    gtk_widget_set_size_request(name, LABEL_WIDTH, -1);
    gtk_widget_set_valign(name, GTK_ALIGN_START);
    gtk_label_set_xalign(GTK_LABEL(value), 0);
    gtk_label_set_line_wrap(GTK_LABEL(value), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(value), PANGO_WRAP_WORD_CHAR);
    gtk_label_set_max_width_chars(GTK_LABEL(value), 52);
    gtk_box_pack_start(GTK_BOX(row), name, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), value, TRUE, TRUE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
}

/* "hvm: a whole PC ...", in the words of the table of settings. */
static char *type_words(struct guest_view *view)
{
    const char *type = rh_guest1_get_guest_type(view->guest);
    guint row = settings_form_find(view->form, "type");
    const struct guest_word *word =
        row < settings_form_count(view->form) ? settings_form_setting(view->form, row)->words : NULL;
    while (word && word->word && !g_str_equal(word->word, type))
        word++;
    g_autofree char *plain = plain_text(type, PLAIN_LINE_MAX);
    return word && word->word ? g_strdup_printf("%s, %s", plain, word->about) : g_steal_pointer(&plain);
}

static void fill_facts(struct guest_view *view, GtkBox *box)
{
    RhGuest1 *guest = view->guest;
    guint digit = guest_digit(guest), vcpus = rh_guest1_get_vcpus(guest);
    g_autofree char *type = type_words(view), *memory = guest_memory_words(guest);
    g_autofree char *processors = g_strdup_printf("%u", vcpus);
    g_autofree char *chord = digit ? g_strdup_printf("Ctrl + Alt + %u", digit)
                                   : g_strdup("No key of its own; one that is free while it runs");
    fact(box, "State", guest_state_words(guest));
    fact(box, "Runs as", type);
    fact(box, "Memory", memory);
    fact(box, "Processors", processors);
    fact(box, "On screen by", chord);
    fact(box, "Started", rh_guest1_get_autostart(guest) ? "By itself, when the machine has started" : "By hand");
}

static void fill_error(struct guest_view *view, GtkBox *box)
{
    g_autofree char *text = plain_text(rh_guest1_get_error(view->guest), PLAIN_SENTENCE_MAX);
    if (!*text)
        return;
    GtkWidget *error = page_line(text);
    style_toggle(error, "quiet", FALSE);
    style_toggle(error, "error", TRUE);
    gtk_box_pack_start(box, error, FALSE, FALSE, 4);
}

/* ---- what can be done ---- */

static void action_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    if (view->guest)
        view->calls.wish(view->guest, GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(button), "action")), view->user);
}

static GtkWidget *fill_actions(struct guest_view *view, GtkBox *box)
{
    const struct guest_look *look = guest_look(view->guest);
    GtkWidget *row = NULL, *first = NULL;
    for (gsize i = 0; i < GUEST_LOOK_ALL && look->buttons[i].label; i++) {
        const char *class_name = look->buttons[i].action == ACTION_DESTROY ? "danger" : i ? "secondary" : "primary";
        g_autofree char *about = g_strdup_printf("%s: %s", look->buttons[i].label, view->name);
        GtkWidget *button = page_button(look->buttons[i].label, class_name, about, G_CALLBACK(action_clicked), view);
        g_object_set_data(G_OBJECT(button), "action", GUINT_TO_POINTER(look->buttons[i].action));
        if (i % BUTTONS_IN_ROW == 0) {
            row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
            gtk_box_pack_start(box, row, FALSE, FALSE, 0);
        }
        gtk_box_pack_start(GTK_BOX(row), button, FALSE, FALSE, 0);
        first = first ? first : button;
    }
    return first;
}

/* ---- deleting ---- */

static void deleted(GVariant *answer, const char *sentence, gpointer data)
{
    struct guest_view *view = data;
    (void)answer;
    if (guest_view_ended(view, sentence, NULL))
        guest_view_leave(view);
}

static void delete_whole(gpointer data)
{
    struct guest_view *view = data;
    view->moving = guest_view_begin(view, view->guest, "DeleteWithImages", NULL, NULL, deleted);
}

static void delete_alone(gpointer data)
{
    struct guest_view *view = data;
    view->moving = guest_view_begin(view, view->guest, "Delete", NULL, NULL, deleted);
}

static GPtrArray *disks_of(struct guest_view *view)
{
    const char *disks = "";
    if (view->settings)
        g_variant_lookup(view->settings, "disk", "&s", &disks);
    return disks_read(disks, view->images);
}

static void whole_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    g_autoptr(GPtrArray) disks = disks_of(view);
    g_autofree char *title = g_strdup_printf("Delete %s and its disks?", view->name);
    g_autofree char *loss = disks_loss_words(view->name, disks, view->images);
    g_autofree char *text = plain_text(loss, PLAIN_SENTENCE_MAX);
    (void)button;
    confirm_ask(view->confirm, title, text, "Delete", delete_whole, view, NULL);
}

static void alone_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    g_autofree char *title = g_strdup_printf("Delete %s, and keep its disks?", view->name);
    (void)button;
    confirm_ask(
        view->confirm, title,
        "Its settings are lost. Its disks stay in the pool, with what is on them; another guest can be given them.",
        "Delete", delete_alone, view, NULL);
}

static void fill_delete(struct guest_view *view, GtkBox *box)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    gboolean off = guest_view_is_off(view), known = view->settings && view->images;
    GtkWidget *whole = page_button("Delete it _with its disks", "danger", "Asks first, and says what is lost",
                                   G_CALLBACK(whole_clicked), view);
    GtkWidget *alone = page_button("Delete it, _keep its disks", "secondary", "Asks first; what is on its disks stays",
                                   G_CALLBACK(alone_clicked), view);
    gtk_widget_set_sensitive(whole, off && known);
    gtk_widget_set_sensitive(alone, off);
    gtk_box_pack_start(GTK_BOX(row), whole, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), alone, FALSE, FALSE, 0);
    gtk_box_pack_start(box, page_heading("The end of it"), FALSE, FALSE, 6);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
    if (!off)
        gtk_box_pack_start(box, page_line("It can be deleted when it is off."), FALSE, FALSE, 0);
}

GtkWidget *section_overview_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct guest_view *view = data;
    (void)buttons;
    if (!view->guest)
        return NULL;
    fill_facts(view, box);
    fill_error(view, box);
    gtk_box_pack_start(box, page_heading("What can be done"), FALSE, FALSE, 6);
    GtkWidget *first = fill_actions(view, box);
    fill_delete(view, box);
    return first;
}
