/*
 * All of a guest's definition, a row for each setting that the table has. What is wrong is told below its field at
 * once, and what roundhoused refuses as well. Which widget a setting has depends on its kind alone.
 */
#include "guest_view_private.h"
#include "../style.h"

#define LABEL_WIDTH 150

static guint row_of(gpointer widget)
{
    return GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(widget), "row"));
}

/* ---- what is said of the fields ---- */

/* The table's words: what it is about, the limits of a number, and what the word means that is chosen. */
static char *about_words(const struct guest_setting *setting, const char *chosen)
{
    GString *words = g_string_new(setting->about);
    if (setting->max)
        g_string_append_printf(words, ": %u to %u", setting->min, setting->max);
    for (const struct guest_word *word = setting->words; word && word->word; word++) {
        if (g_str_equal(word->word, chosen))
            g_string_append_printf(words, ". %s: %s", word->word, word->about);
    }
    return g_string_free(g_string_append_c(words, '.'), FALSE);
}

static void show_problem(struct guest_view *view, guint row)
{
    g_autofree char *problem = settings_form_problem(view->form, row);
    g_autofree char *text = plain_text(problem, PLAIN_SENTENCE_MAX);
    GtkWidget *label = view->problems[row];
    const struct guest_setting *setting = settings_form_setting(view->form, row);
    g_autofree char *about = about_words(setting, settings_form_text(view->form, row));
    gtk_label_set_text(GTK_LABEL(view->abouts[row]), about);
    gtk_label_set_text(GTK_LABEL(label), text);
    gtk_widget_set_visible(label, problem != NULL);
    style_toggle(view->fields[row], "wrong", problem != NULL);
    page_speak(view->fields[row], NULL, problem ? text : about);
    gtk_widget_set_visible(gtk_widget_get_parent(gtk_widget_get_parent(label)), settings_form_offers(view->form, row));
}

static void show_buttons(struct guest_view *view)
{
    gboolean edited = settings_form_edited(view->form);
    gtk_widget_set_sensitive(view->save, edited && settings_form_wrong(view->form) == settings_form_count(view->form));
    gtk_widget_set_sensitive(view->discard, edited);
}

static void show_all(struct guest_view *view)
{
    for (guint row = 0; row < settings_form_count(view->form); row++)
        show_problem(view, row);
    show_buttons(view);
}

/* What was typed has changed. Which rows there are, and what is wrong with them, may depend on another one. */
static void set(struct guest_view *view, guint row, const char *text)
{
    settings_form_set(view->form, row, text);
    sheet_say(view->sheet, SHEET_FINE, NULL);
    show_all(view);
}

/* ---- fields ---- */

static void entry_changed(GtkEditable *entry, gpointer data)
{
    struct guest_view *view = data;
    if (!view->showing)
        set(view, row_of(entry), gtk_entry_get_text(GTK_ENTRY(entry)));
}

/* Not where it says so already: somebody may be typing in it. */
static void show_entry(struct guest_view *view, guint row)
{
    GtkEntry *entry = GTK_ENTRY(view->fields[row]);
    g_autofree char *typed = g_strstrip(g_strdup(gtk_entry_get_text(entry)));
    if (!g_str_equal(typed, settings_form_text(view->form, row)))
        gtk_entry_set_text(entry, settings_form_text(view->form, row));
}

static GtkWidget *make_entry(struct guest_view *view, const struct guest_setting *setting, GtkBox *box)
{
    GtkWidget *entry = gtk_entry_new();
    g_autofree char *otherwise =
        setting->otherwise && *setting->otherwise ? g_strdup_printf("%s, if left empty", setting->otherwise) : NULL;
    if (otherwise)
        gtk_entry_set_placeholder_text(GTK_ENTRY(entry), otherwise);
    if (setting->max)
        gtk_entry_set_width_chars(GTK_ENTRY(entry), 16);
    g_signal_connect(entry, "changed", G_CALLBACK(entry_changed), view);
    gtk_box_pack_start(box, entry, !setting->max, !setting->max, 0);
    return entry;
}

static void switch_toggled(GtkToggleButton *button, gpointer data)
{
    struct guest_view *view = data;
    if (!view->showing)
        set(view, row_of(button), gtk_toggle_button_get_active(button) ? "true" : "false");
}

static void show_switch(struct guest_view *view, guint row)
{
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(view->fields[row]),
                                 g_str_equal(settings_form_text(view->form, row), "true"));
}

static GtkWidget *make_switch(struct guest_view *view, const struct guest_setting *setting, GtkBox *box)
{
    GtkWidget *check = gtk_check_button_new_with_label("Yes");
    (void)setting;
    g_signal_connect(check, "toggled", G_CALLBACK(switch_toggled), view);
    gtk_box_pack_start(box, check, FALSE, FALSE, 0);
    return check;
}

static void word_toggled(GtkToggleButton *button, gpointer data)
{
    struct guest_view *view = data;
    const struct guest_word *word = g_object_get_data(G_OBJECT(button), "word");
    if (!view->showing && gtk_toggle_button_get_active(button))
        set(view, row_of(gtk_widget_get_parent(GTK_WIDGET(button))), word->word);
}

static void show_word(struct guest_view *view, guint row)
{
    g_autoptr(GList) buttons = gtk_container_get_children(GTK_CONTAINER(view->fields[row]));
    for (GList *button = buttons; button; button = button->next) {
        const struct guest_word *word = g_object_get_data(button->data, "word");
        if (g_str_equal(word->word, settings_form_text(view->form, row)))
            gtk_toggle_button_set_active(button->data, TRUE);
    }
}

static GtkWidget *make_word(struct guest_view *view, const struct guest_setting *setting, GtkBox *box)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6), *before = NULL;
    for (const struct guest_word *word = setting->words; word->word; word++) {
        GtkWidget *button = gtk_radio_button_new_with_label_from_widget(GTK_RADIO_BUTTON(before), word->word);
        g_autofree char *name = g_strdup_printf("%s: %s", setting->title ? setting->title : setting->key, word->word);
        gtk_toggle_button_set_mode(GTK_TOGGLE_BUTTON(button), FALSE);
        style_toggle(button, "tab", TRUE);
        page_speak(button, name, word->about);
        gtk_widget_set_tooltip_text(button, word->about);
        g_object_set_data(G_OBJECT(button), "word", (gpointer)word);
        g_signal_connect(button, "toggled", G_CALLBACK(word_toggled), view);
        gtk_box_pack_start(GTK_BOX(row), button, FALSE, FALSE, 0);
        before = button;
    }
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
    return row;
}

struct field_kind {
    const struct guest_kind *kind; /* NULL: all others */
    GtkWidget *(*make)(struct guest_view *view, const struct guest_setting *setting, GtkBox *box);
    void (*show)(struct guest_view *view, guint row);
};

static const struct field_kind field_kinds[] = {
    {&guest_kind_switch, make_switch, show_switch},
    {&guest_kind_word, make_word, show_word},
    {NULL, make_entry, show_entry},
};

static const struct field_kind *field_kind(const struct guest_setting *setting)
{
    const struct field_kind *kind = field_kinds;
    while (kind->kind && kind->kind != setting->kind)
        kind++;
    return kind;
}

/* Fields say what the form says. */
static void show_fields(struct guest_view *view)
{
    view->showing = TRUE;
    for (guint row = 0; row < settings_form_count(view->form); row++)
        field_kind(settings_form_setting(view->form, row))->show(view, row);
    view->showing = FALSE;
    show_all(view);
}

/* ---- rows ---- */

/* What is wrong is not to be below the edge of what is shown, where its field is. */
static void problem_placed(GtkWidget *problem, GdkRectangle *place, gpointer data)
{
    struct guest_view *view = data;
    (void)place;
    sheet_reveal(view->sheet, gtk_widget_get_parent(problem));
}

static GtkWidget *make_row(struct guest_view *view, guint row)
{
    const struct guest_setting *setting = settings_form_setting(view->form, row);
    const char *title = setting->title ? setting->title : setting->key;
    GtkWidget *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 4),
              *field_row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
    GtkWidget *label = page_line(title), *problem = page_line(""), *about = page_line("");
    style_toggle(label, "quiet", FALSE);
    style_toggle(problem, "quiet", FALSE);
    style_toggle(problem, "error", TRUE);
    gtk_widget_set_size_request(label, LABEL_WIDTH, -1);
    gtk_label_set_max_width_chars(GTK_LABEL(label), 16);
    gtk_widget_set_valign(label, GTK_ALIGN_START);
    gtk_widget_set_margin_top(label, 6);
    gtk_widget_set_no_show_all(problem, TRUE);
    GtkWidget *field = field_kind(setting)->make(view, setting, GTK_BOX(field_row));
    g_object_set_data(G_OBJECT(field), "row", GUINT_TO_POINTER(row));
    page_speak(field, title, setting->about);
    view->fields[row] = field;
    view->problems[row] = problem;
    view->abouts[row] = about;
    g_signal_connect(problem, "size-allocate", G_CALLBACK(problem_placed), view);
    gtk_box_pack_start(GTK_BOX(column), field_row, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), problem, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), about, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(line), label, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(line), column, TRUE, TRUE, 0);
    return line;
}

/* The heading over the rows of each group, in the order in which groups begin. */
static void fill_rows(struct guest_view *view, GtkBox *box)
{
    guint count = settings_form_count(view->form);
    g_autofree gboolean *there = g_new0(gboolean, count);
    for (guint first = 0; first < count; first++) {
        const char *group = settings_form_setting(view->form, first)->group;
        if (there[first])
            continue;
        gtk_box_pack_start(box, page_heading(group ? group : "Other"), FALSE, FALSE, 4);
        for (guint row = first; row < count; row++) {
            if (there[row] || g_strcmp0(settings_form_setting(view->form, row)->group, group) != 0)
                continue;
            there[row] = TRUE;
            gtk_box_pack_start(box, make_row(view, row), FALSE, FALSE, 4);
        }
    }
}

/* ---- saving ---- */

static const char *saved_words(struct guest_view *view)
{
    return guest_view_is_off(view) ? "Saved." : "Saved. It counts when the guest is started the next time.";
}

/* A choice of words has the keyboard in one of its buttons. */
static void focus_field(GtkWidget *field)
{
    if (GTK_IS_BOX(field))
        gtk_widget_child_focus(field, GTK_DIR_TAB_FORWARD);
    else
        gtk_widget_grab_focus(field);
}

/* Told on the field that it is about, where it is about one. */
static void refused(struct guest_view *view, const char *sentence)
{
    guint row = settings_form_refuse(view->form, sentence);
    if (row == settings_form_count(view->form) || !view->fields)
        return;
    sheet_say(view->sheet, SHEET_WRONG, "Nothing was changed. What is wrong is told on its field.");
    show_all(view);
    focus_field(view->fields[row]);
}

static void renamed(GVariant *answer, const char *sentence, gpointer data)
{
    struct guest_view *view = data;
    const char *path = NULL;
    if (!sentence) {
        settings_form_renamed(view->form);
        g_variant_get(answer, "(&o)", &path);
        guest_view_follow(view, path);
    }
    if (!guest_view_ended(view, sentence, saved_words(view)))
        refused(view, sentence);
}

static void rename_guest(struct guest_view *view, const char *name)
{
    view->moving = guest_view_begin(view, view->guest, "Rename", g_variant_new("(s)", name), NULL, renamed);
}

static void set_settings(GVariant *answer, const char *sentence, gpointer data)
{
    struct guest_view *view = data;
    const char *name = settings_form_new_name(view->form);
    (void)answer;
    if (!sentence)
        settings_form_saved(view->form);
    if (!guest_view_ended(view, sentence, saved_words(view)))
        refused(view, sentence);
    else if (name)
        rename_guest(view, name);
}

static void save_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    GVariant *changes = settings_form_changes(view->form);
    const char *name = settings_form_new_name(view->form);
    (void)button;
    if (changes)
        guest_view_begin(view, view->guest, "SetSettings", g_variant_new("(@a{sv})", changes), NULL, set_settings);
    else if (name)
        rename_guest(view, name);
}

static void discard_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    (void)button;
    settings_form_revert(view->form);
    sheet_say(view->sheet, SHEET_FINE, NULL);
    show_fields(view);
    focus_field(view->fields[0]);
}

/* ---- the section ---- */

void section_settings_told(struct guest_view *view)
{
    if (view->fields)
        show_fields(view);
}

static void gone(GtkWidget *box, gpointer data)
{
    struct guest_view *view = data;
    (void)box;
    g_clear_pointer(&view->fields, g_free);
    g_clear_pointer(&view->problems, g_free);
    g_clear_pointer(&view->abouts, g_free);
}

GtkWidget *section_settings_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct guest_view *view = data;
    guint count = settings_form_count(view->form);
    view->fields = g_new0(GtkWidget *, count);
    view->problems = g_new0(GtkWidget *, count);
    view->abouts = g_new0(GtkWidget *, count);
    g_signal_connect(box, "destroy", G_CALLBACK(gone), view);
    view->discard =
        page_button("Dis_card", "secondary", "Puts back what the guest has", G_CALLBACK(discard_clicked), view);
    view->save = page_button("Sa_ve", "primary", "Changes the guest's definition; it counts from its next start",
                             G_CALLBACK(save_clicked), view);
    gtk_box_pack_start(buttons, view->discard, FALSE, FALSE, 0);
    gtk_box_pack_start(buttons, view->save, FALSE, FALSE, 0);
    gtk_box_pack_start(box,
                       page_line("They count from its next start. A field left empty is as it goes without saying."),
                       FALSE, FALSE, 0);
    fill_rows(view, box);
    gtk_widget_show_all(GTK_WIDGET(box));
    show_fields(view);
    return view->fields[0];
}
