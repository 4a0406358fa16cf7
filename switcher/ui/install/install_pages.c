/* What each page has on it. */
#include "install_picture.h"
#include "install_view_private.h"
#include "style.h"

#include <stdio.h>
#include <string.h>

#define KEYBOARDS  "/usr/share/X11/xkb/rules/base.lst"
#define TIME_ZONES "/usr/share/zoneinfo/tzdata.zi"
#ifndef POLICIES_FOLDER
#define POLICIES_FOLDER "/usr/share/roundhouse/policies"
#endif

static void add(GtkBox *box, GtkWidget *widget)
{
    gtk_box_pack_start(box, widget, FALSE, FALSE, 0);
}

static void add_line(GtkBox *box, const char *text)
{
    g_autofree char *plain = plain_text(text, PLAIN_SENTENCE_MAX);
    add(box, page_line(plain));
}

/* A widget that is the answer to a field, below its words. */
static void add_answer(struct install_view *view, GtkBox *box, GtkWidget *words, GtkWidget *widget,
                       enum install_field field, GCallback changed)
{
    g_object_set_data(G_OBJECT(widget), "field", GINT_TO_POINTER(field));
    g_signal_connect(widget, "changed", changed, view);
    page_speak(widget, gtk_label_get_text(GTK_LABEL(words)), NULL);
    add(box, words);
    add(box, widget);
}

/* ---- typed answers ---- */

static void typed(GtkEditable *entry, gpointer data)
{
    struct install_view *view = data;
    int field = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(entry), "field"));
    install_set(view->model, field, gtk_entry_get_text(GTK_ENTRY(entry)));
    install_view_changed(view);
}

static GtkWidget *add_entry(struct install_view *view, GtkBox *box, enum install_field field, const char *label,
                            gboolean secret)
{
    GtkWidget *entry = gtk_entry_new(), *words = page_label(label, entry);
    gtk_entry_set_text(GTK_ENTRY(entry), view->model->fields[field]);
    gtk_entry_set_visibility(GTK_ENTRY(entry), !secret);
    gtk_entry_set_max_length(GTK_ENTRY(entry), 256);
    add_answer(view, box, words, entry, field, G_CALLBACK(typed));
    return entry;
}

/* ---- choosing from many ---- */

static void chosen(GtkComboBox *combo, gpointer data)
{
    struct install_view *view = data;
    const char *id = gtk_combo_box_get_active_id(combo);
    int field = GPOINTER_TO_INT(g_object_get_data(G_OBJECT(combo), "field"));
    if (!id)
        return;
    install_set(view->model, field, id);
    if (field == FIELD_KEYBOARD) {
        install_keys_free(view->keys);
        view->keys = install_keys_new(id);
    }
    install_view_changed(view);
}

static GtkWidget *add_combo(struct install_view *view, GtkBox *box, enum install_field field, const char *label,
                            GPtrArray *ids, GPtrArray *names)
{
    GtkWidget *combo = gtk_combo_box_text_new(), *words = page_label(label, combo);
    for (guint i = 0; i < ids->len; i++)
        gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(combo), g_ptr_array_index(ids, i), g_ptr_array_index(names, i));
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), view->model->fields[field]);
    add_answer(view, box, words, combo, field, G_CALLBACK(chosen));
    return combo;
}

/* Lines of a file that `take` makes an id and a name of; both lists are the caller's. */
static void read_lines(const char *path, gboolean (*take)(const char *line, char **id, char **name, gboolean *inside),
                       GPtrArray *ids, GPtrArray *names)
{
    g_autofree char *text = NULL;
    gboolean inside = FALSE;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *id = NULL, *name = NULL;
        if (take(*line, &id, &name, &inside)) {
            g_ptr_array_add(ids, id);
            g_ptr_array_add(names, name);
        }
    }
}

/* "  de              German" between "! layout" and the next line with "!". */
static gboolean take_keyboard(const char *line, char **id, char **name, gboolean *inside)
{
    char word[33];
    int length = 0;
    if (*line == '!') {
        *inside = g_str_has_prefix(line, "! layout");
        return FALSE;
    }
    if (!*inside || sscanf(line, " %32s %n", word, &length) != 1 || g_str_equal(word, "custom"))
        return FALSE;
    *id = g_strdup(word);
    *name = g_strdup_printf("%s (%s)", line + length, word);
    return TRUE;
}

/* "Z Europe/Berlin ..." is a zone, "L Target Name" another name of one. */
static gboolean take_zone(const char *line, char **id, char **name, gboolean *inside)
{
    char zone[65];
    (void)inside;
    if (sscanf(line, "Z %64s", zone) != 1 && sscanf(line, "L %*s %64s", zone) != 1)
        return FALSE;
    if (!strchr(zone, '/'))
        return FALSE;
    *id = g_strdup(zone);
    *name = g_strdup(zone);
    return TRUE;
}

static gint by_text(gconstpointer one, gconstpointer other)
{
    return g_strcmp0(*(char *const *)one, *(char *const *)other);
}

/* ---- the pages ---- */

static GtkWidget *fill_start(struct install_view *view, GtkBox *box)
{
    (void)view;
    add_line(box, "Install leads through some questions. Nothing is written to a disk before the last page's yes.");
    add_line(box, "Try goes to the switcher: guests can be made and used, and nothing is kept after switching off.");
    return NULL;
}

static const char *verdict_words(const char *verdict)
{
    static const char *const words[][2] = {
        {"works", "works"}, {"does-not", "does not work"}, {"unknown", "not known"}, {"note", "found"}};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(words[i][0], verdict))
            return words[i][1];
    return "not known";
}

static GtkWidget *fill_check(struct install_view *view, GtkBox *box)
{
    GPtrArray *findings = view->model->findings;
    for (guint i = 0; findings && i < findings->len; i++) {
        const struct install_finding *finding = g_ptr_array_index(findings, i);
        g_autofree char *line =
            g_strdup_printf("%s: %s. %s", finding->name, verdict_words(finding->verdict), finding->says);
        add_line(box, line);
    }
    if (findings && !findings->len)
        add_line(box, "The installer says nothing of it.");
    return NULL;
}

static void pick(struct install_view *view, int disk, int use)
{
    install_choose(view->model, disk, use);
    install_view_plan(view);
    install_view_refill_soon(view);
}

static void disk_toggled(GtkToggleButton *button, gpointer data)
{
    if (gtk_toggle_button_get_active(button))
        pick(data, GPOINTER_TO_INT(g_object_get_data(G_OBJECT(button), "index")), -1);
}

static void use_toggled(GtkToggleButton *button, gpointer data)
{
    struct install_view *view = data;
    if (gtk_toggle_button_get_active(button))
        pick(view, view->model->disk, GPOINTER_TO_INT(g_object_get_data(G_OBJECT(button), "index")));
}

static void erase_toggled(GtkToggleButton *button, gpointer data)
{
    struct install_view *view = data;
    view->model->erase_guests = gtk_toggle_button_get_active(button);
    install_view_plan(view);
    install_view_refill_soon(view);
}

/* One of several; the first has no choice before it. */
static GtkWidget *add_choice(GtkBox *box, GtkWidget *before, const char *title, const char *about, int index,
                             gboolean active, GCallback toggled, gpointer user)
{
    GtkWidget *radio = page_choice(before, title, TRUE, about);
    g_object_set_data(G_OBJECT(radio), "index", GINT_TO_POINTER(index));
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(radio), active);
    g_signal_connect(radio, "toggled", toggled, user);
    add(box, radio);
    return radio;
}

/* A row of radios has one that is chosen: this one, which is not shown, before the person has chosen. */
static GtkWidget *none_yet(gboolean active)
{
    GtkWidget *radio = gtk_radio_button_new(NULL);
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(radio), active);
    return radio;
}

static GtkWidget *add_disk(struct install_view *view, GtkBox *box, GtkWidget *before, guint index)
{
    const struct install_disk *disk = g_ptr_array_index(view->model->disks, index);
    g_autofree char *size = page_size_words((guint64)MAX(disk->size, 0)), *about = NULL;
    g_autofree char *title = g_strdup_printf("%s  %s  %s", disk->path, size, disk->model);
    g_autofree char *plain = plain_text(title, PLAIN_LINE_MAX);
    if (*disk->refused)
        about = g_strdup_printf("It cannot be installed on: %s", disk->refused);
    else
        about = g_strdup_printf("%s. %s", disk->table, *disk->parts ? disk->parts : "Nothing is on it");
    g_autofree char *plain_about = plain_text(about, PLAIN_SENTENCE_MAX);
    GtkWidget *radio = add_choice(box, before, plain, plain_about, (int)index, view->model->disk == (int)index,
                                  G_CALLBACK(disk_toggled), view);
    gtk_widget_set_sensitive(radio, !*disk->refused);
    return radio;
}

static const struct {
    const char *title, *about;
} uses[INSTALL_USE_COUNT] = {
    [INSTALL_WHOLE] = {"The whole disk", "Everything that is on it is lost."},
    [INSTALL_BESIDE] = {"Beside what is there", "Its largest free room is used; everything else stays as it is."},
    [INSTALL_RENEW] = {"Renew Roundhouse", "Guests and settings stay; the system is new."},
};

static GtkWidget *add_uses(struct install_view *view, GtkBox *box)
{
    const struct install_disk *disk = install_disk(view->model);
    GtkWidget *before = none_yet(view->model->use < 0), *current = NULL;
    add(box, page_heading("What becomes of it"));
    for (int use = 0; use < INSTALL_USE_COUNT; use++) {
        const char *why;
        gboolean offered = install_use_offered(disk, use, &why);
        GtkWidget *radio = add_choice(box, before, uses[use].title, offered ? uses[use].about : why, use,
                                      view->model->use == use, G_CALLBACK(use_toggled), view);
        gtk_widget_set_sensitive(radio, offered);
        if (view->model->use == use)
            current = radio;
        before = radio;
    }
    return current;
}

static void add_plan(struct install_view *view, GtkBox *box)
{
    if (!view->model->plan.whole)
        return;
    add(box, install_picture(view->model, FALSE));
    add(box, install_picture(view->model, TRUE));
}

static GtkWidget *fill_disk(struct install_view *view, GtkBox *box)
{
    const struct install_disk *disk = install_disk(view->model);
    GtkWidget *before = none_yet(!disk), *current = NULL, *use;
    GPtrArray *disks = view->model->disks;
    for (guint i = 0; disks && i < disks->len; i++) {
        before = add_disk(view, box, before, i);
        if (view->model->disk == (int)i || !current)
            current = gtk_widget_get_sensitive(before) ? before : current;
    }
    if (disks && !disks->len)
        add_line(box, "There is no disk that Roundhouse could be installed on.");
    if (!disk)
        return current;
    use = add_uses(view, box);
    if (view->model->use == INSTALL_WHOLE && g_str_equal(disk->holds, "roundhouse")) {
        GtkWidget *erase = gtk_check_button_new_with_mnemonic("Its _guests may be lost");
        gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(erase), view->model->erase_guests);
        page_speak(erase, "Its guests may be lost", NULL);
        g_signal_connect(erase, "toggled", G_CALLBACK(erase_toggled), view);
        add(box, erase);
        use = view->model->erase_guests ? erase : use;
    }
    add_plan(view, box);
    return use ? use : current;
}

static GtkWidget *fill_keyboard(struct install_view *view, GtkBox *box)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free), names = g_ptr_array_new_with_free_func(g_free);
    read_lines(KEYBOARDS, take_keyboard, ids, names);
    if (!view->keys)
        view->keys = install_keys_new(view->model->fields[FIELD_KEYBOARD]);
    GtkWidget *combo = add_combo(view, box, FIELD_KEYBOARD, "_Keyboard", ids, names);
    GtkWidget *entry = gtk_entry_new(), *words = page_label("_Try it out here", entry);
    page_speak(entry, "Try it out here", "What is typed here is not kept");
    add(box, words);
    add(box, entry);
    add_line(box,
             "The passphrase is asked for with this keyboard at each start. Keys that wait for another key, as some "
             "accents do, type nothing.");
    return combo;
}

static void encrypt_toggled(GtkToggleButton *button, gpointer data)
{
    struct install_view *view = data;
    view->model->encrypt = gtk_toggle_button_get_active(button);
    install_view_plan(view);
    install_view_refill_soon(view);
}

static GtkWidget *fill_encryption(struct install_view *view, GtkBox *box)
{
    GtkWidget *encrypt = gtk_check_button_new_with_mnemonic("_Encrypt settings and guests");
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(encrypt), view->model->encrypt);
    page_speak(encrypt, "Encrypt settings and guests", "Without the passphrase nobody reads them");
    g_signal_connect(encrypt, "toggled", G_CALLBACK(encrypt_toggled), view);
    add(box, encrypt);
    if (!view->model->encrypt) {
        add_line(box, "Who takes the disk can read everything on it.");
        return encrypt;
    }
    GtkWidget *first = add_entry(view, box, FIELD_PASSPHRASE, "_Passphrase", TRUE);
    add_entry(view, box, FIELD_PASSPHRASE_AGAIN, "The _same again", TRUE);
    return first;
}

static GtkWidget *fill_key(struct install_view *view, GtkBox *box)
{
    GtkWidget *key = gtk_label_new(view->model->key ? view->model->key : "");
    gtk_label_set_line_wrap(GTK_LABEL(key), TRUE);
    gtk_label_set_max_width_chars(GTK_LABEL(key), 36);
    gtk_label_set_selectable(GTK_LABEL(key), FALSE);
    style_toggle(key, "code", TRUE);
    add(box, key);
    add_line(box, "Write it down and keep it apart from this computer. It is shown here and nowhere else.");
    return add_entry(view, box, FIELD_KEY_AGAIN, "Its last _eight letters", FALSE);
}

static GtkWidget *fill_person(struct install_view *view, GtkBox *box)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free), names = g_ptr_array_new_with_free_func(g_free);
    read_lines(TIME_ZONES, take_zone, ids, names);
    g_ptr_array_sort(ids, by_text);
    g_ptr_array_sort(names, by_text);
    GtkWidget *first = add_entry(view, box, FIELD_PERSON, "Your _login name", FALSE);
    add_entry(view, box, FIELD_PASSWORD, "_Password", TRUE);
    add_entry(view, box, FIELD_PASSWORD_AGAIN, "The _same again", TRUE);
    add_entry(view, box, FIELD_HOST_NAME, "Name of the _computer", FALSE);
    if (ids->len)
        add_combo(view, box, FIELD_TIME_ZONE, "_Time zone", ids, names);
    else
        add_entry(view, box, FIELD_TIME_ZONE, "_Time zone", FALSE);
    return first;
}

static GtkWidget *fill_policy(struct install_view *view, GtkBox *box)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) folder = g_dir_open(POLICIES_FOLDER, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (g_str_has_suffix(name, ".policy"))
            g_ptr_array_add(ids, g_strndup(name, strlen(name) - strlen(".policy")));
    g_ptr_array_sort(ids, by_text);
    add_line(box, "A policy says what guests may do. It can be changed later.");
    if (ids->len)
        return add_combo(view, box, FIELD_POLICY, "_Policy", ids, ids);
    return add_entry(view, box, FIELD_POLICY, "_Policy", FALSE);
}

static GtkWidget *fill_summary(struct install_view *view, GtkBox *box)
{
    const struct install_model *model = view->model;
    char *const *fields = model->fields;
    g_autofree char *disk =
        g_strdup_printf("%s: %s. %s", install_disk(model)->path, uses[model->use].title, uses[model->use].about);
    add_line(box, disk);
    if (model->use != INSTALL_RENEW) {
        g_autofree char *machine = g_strdup_printf(
            "%s on %s, time zone %s, keyboard %s, policy %s", fields[FIELD_PERSON], fields[FIELD_HOST_NAME],
            fields[FIELD_TIME_ZONE], fields[FIELD_KEYBOARD], fields[FIELD_POLICY]);
        add_line(box, model->encrypt ? "Settings and guests are encrypted." : "Nothing is encrypted.");
        add_line(box, machine);
    }
    add_plan(view, box);
    return view->back;
}

void install_show_progress(struct install_view *view)
{
    const struct install_model *model = view->model;
    if (!view->bar)
        return;
    gint64 seconds = install_seconds_left(model, g_get_monotonic_time());
    g_autofree char *plain = plain_text(model->title, PLAIN_LINE_MAX), *left = NULL;
    g_autofree char *stage = model->number ? g_strdup_printf("%u of %u: %s", model->number, model->count, plain)
                                           : g_strdup("Checking the boot medium \342\200\246");
    if (seconds >= 60)
        left = g_strdup_printf("This step: about %" G_GINT64_FORMAT " min left", (seconds + 59) / 60);
    else if (seconds >= 0)
        left = g_strdup_printf("This step: about %" G_GINT64_FORMAT " s left", seconds);
    gtk_label_set_text(GTK_LABEL(view->stage), stage);
    gtk_label_set_text(GTK_LABEL(view->left), left ? left : "");
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(view->bar),
                                  model->count ? (model->number - 1 + model->permille / 1000.0) / model->count : 0);
}

static GtkWidget *fill_progress(struct install_view *view, GtkBox *box)
{
    const struct install_model *model = view->model;
    if (model->state == INSTALL_WORKING || model->state == INSTALL_STOPPING) {
        add(box, view->stage = page_line(""));
        add(box, view->bar = gtk_progress_bar_new());
        add(box, view->left = page_line(""));
        page_speak(view->bar, "How far it is", NULL);
        if (model->state == INSTALL_STOPPING)
            add_line(box, "Stopping: the disk is put in order first.");
        install_show_progress(view);
        return view->leave;
    }
    if (model->state == INSTALL_DONE)
        add_line(box, "Roundhouse is installed. Take out the boot medium before the restart.");
    else
        add_line(box, model->said ? model->said : "");
    return view->next;
}

const struct install_page_kind install_page_kinds[INSTALL_PAGE_COUNT] = {
    [INSTALL_START] = {"Try Roundhouse, or install it?", "This computer was started from the boot medium.", "_Install",
                       fill_start},
    [INSTALL_CHECK] = {"This computer", "What of it works with Roundhouse. Nothing is tried out.", "_Next", fill_check},
    [INSTALL_DISK] = {"Where is it installed?", "Nothing is written yet.", "_Next", fill_disk},
    [INSTALL_KEYBOARD] = {"Which keyboard is it?", "What is typed from here on is typed with it.", "_Next",
                          fill_keyboard},
    [INSTALL_ENCRYPTION] = {"Is it encrypted?", "At each start the passphrase is asked for.", "_Next", fill_encryption},
    [INSTALL_KEY] = {"The recovery key", "It opens the disk when the passphrase is forgotten.", "_Next", fill_key},
    [INSTALL_PERSON] = {"Who uses it?", "The name and password to log in with.", "_Next", fill_person},
    [INSTALL_POLICY] = {"Which policy does it start with?", "", "_Next", fill_policy},
    [INSTALL_SUMMARY] = {"Install Roundhouse like this?", "Nothing has been written yet. With yes it begins.",
                         "_Yes, install", fill_summary},
    [INSTALL_PROGRESS] = {"Installation", "", "_Restart", fill_progress},
};
