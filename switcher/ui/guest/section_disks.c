/* A guest's disks with their sizes, and the disc in its drive. */
#include "guest_view_private.h"
#include "../style.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DRIVE "hdc" /* of cdrom=, the one whose disc can be changed */

static const char *setting_text(struct guest_view *view, const char *key)
{
    const char *text = NULL;
    if (view->settings)
        g_variant_lookup(view->settings, key, "&s", &text);
    return text;
}

/* ---- larger ---- */

static void grown(GVariant *answer, const char *sentence, gpointer data)
{
    struct guest_view *view = data;
    (void)answer;
    if (!guest_view_ended(view, sentence, "It is larger. Its system finds the room at the end of the disk."))
        return;
    g_clear_pointer(&view->growing, g_free);
    sheet_refill(view->sheet);
}

static void size_typed(GtkEditable *entry, gpointer data)
{
    struct guest_view *view = data;
    g_free(view->typed_size);
    view->typed_size = g_strdup(gtk_entry_get_text(GTK_ENTRY(entry)));
    sheet_say(view->sheet, SHEET_FINE, NULL);
}

static guint64 size_of(struct guest_view *view, const char *image)
{
    const char *disks = setting_text(view, "disk");
    g_autoptr(GPtrArray) list = disks_read(disks ? disks : "", view->images);
    for (guint i = 0; i < list->len; i++) {
        const struct disk_words *disk = g_ptr_array_index(list, i);
        if (g_strcmp0(disk->image, image) == 0)
            return disk->size;
    }
    return 0;
}

static void grow_clicked(GtkWidget *widget, gpointer data)
{
    struct guest_view *view = data;
    g_autofree char *sentence = NULL;
    guint64 bytes = disk_size_typed(view->typed_size, size_of(view, view->growing), &sentence);
    (void)widget;
    if (bytes)
        guest_view_begin(view, model_manager(view->model), "GrowImage", g_variant_new("(st)", view->growing, bytes),
                         NULL, grown);
    else
        sheet_say(view->sheet, SHEET_WRONG, sentence);
}

static void larger_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    const char *image = g_object_get_data(G_OBJECT(button), "image");
    g_free(view->typed_size);
    view->typed_size = g_strdup_printf("%" G_GUINT64_FORMAT, (size_of(view, image) >> 30) + 1);
    g_free(view->growing);
    view->growing = g_strdup(image);
    sheet_say(view->sheet, SHEET_FINE, NULL);
    sheet_refill(view->sheet);
}

static void not_larger_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    (void)button;
    g_clear_pointer(&view->growing, g_free);
    sheet_say(view->sheet, SHEET_FINE, NULL);
    sheet_refill(view->sheet);
}

static void fill_growing(struct guest_view *view, GtkBox *box)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8), *entry = gtk_entry_new();
    gtk_entry_set_text(GTK_ENTRY(entry), view->typed_size);
    gtk_entry_set_width_chars(GTK_ENTRY(entry), 8);
    page_speak(entry, "New size in GiB", "It can only become larger");
    g_signal_connect(entry, "changed", G_CALLBACK(size_typed), view);
    g_signal_connect(entry, "activate", G_CALLBACK(grow_clicked), view);
    gtk_box_pack_start(GTK_BOX(row), entry, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), gtk_label_new("GiB"), FALSE, FALSE, 0);
    gtk_box_pack_start(
        GTK_BOX(row),
        page_button("Make it lar_ger", "primary", "Cannot be made smaller again", G_CALLBACK(grow_clicked), view),
        FALSE, FALSE, 0);
    gtk_box_pack_start(
        GTK_BOX(row),
        page_button("_Not now", "secondary", "It stays as large as it is", G_CALLBACK(not_larger_clicked), view), FALSE,
        FALSE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
}

static GtkWidget *fill_disk(struct guest_view *view, GtkBox *box, const struct disk_words *disk)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12), *name = gtk_label_new(disk->name), *button = NULL;
    GtkWidget *what = page_line(disk->what);
    gboolean grows = disk->image && disk->writes && disk->size && guest_view_is_off(view);
    style_toggle(name, "choice-title", TRUE);
    gtk_widget_set_size_request(name, 60, -1);
    gtk_label_set_xalign(GTK_LABEL(name), 0);
    gtk_box_pack_start(GTK_BOX(row), name, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), what, TRUE, TRUE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
    if (grows && g_strcmp0(view->growing, disk->image) == 0) {
        fill_growing(view, box);
    } else if (grows) {
        g_autofree char *about = g_strdup_printf("Asks for the new size of %s", disk->image);
        button = page_button("Make larger", "secondary", about, G_CALLBACK(larger_clicked), view);
        g_object_set_data_full(G_OBJECT(button), "image", g_strdup(disk->image), g_free);
        gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
        gtk_box_pack_end(GTK_BOX(row), button, FALSE, FALSE, 0);
    }
    return button;
}

static GtkWidget *fill_disks(struct guest_view *view, GtkBox *box)
{
    const char *setting = setting_text(view, "disk");
    g_autoptr(GPtrArray) disks = disks_read(setting ? setting : "", view->images);
    GtkWidget *first = NULL;
    gtk_box_pack_start(box, page_heading("Disks"), FALSE, FALSE, 4);
    for (guint i = 0; i < disks->len; i++) {
        GtkWidget *button = fill_disk(view, box, g_ptr_array_index(disks, i));
        first = first ? first : button;
    }
    if (!disks->len)
        gtk_box_pack_start(box, page_line(view->settings ? "It has none." : "Looking at them \342\200\246"), FALSE,
                           FALSE, 0);
    return first;
}

/* ---- the disc ---- */

static void disc_changed(GVariant *answer, const char *sentence, gpointer data)
{
    struct guest_view *view = data;
    (void)answer;
    guest_view_ended(view, sentence,
                     guest_view_is_off(view) ? "The drive is as you want it from the next start on."
                                             : "The drive has been told. Its system sees it in a moment.");
}

static void set_cdrom(struct guest_view *view, const char *what)
{
    GVariantBuilder settings;
    g_variant_builder_init(&settings, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&settings, "{sv}", "cdrom", g_variant_new_string(what));
    guest_view_begin(view, view->guest, "SetSettings", g_variant_new("(a{sv})", &settings), NULL, disc_changed);
}

static void insert_running(struct guest_view *view, const char *path)
{
    g_autoptr(GUnixFDList) files = g_unix_fd_list_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || g_unix_fd_list_append(files, fd, NULL) < 0) {
        g_autofree char *sentence =
            g_strdup_printf("%s cannot be read: %s. Choose another file.", path, g_strerror(errno));
        sheet_say(view->sheet, SHEET_WRONG, sentence);
    } else
        guest_view_begin(view, view->guest, "ChangeDisc", g_variant_new("(sh)", DRIVE, 0), files, disc_changed);
    if (fd >= 0)
        close(fd);
}

static void stop_choosing(struct guest_view *view)
{
    view->choosing = FALSE;
    g_cancellable_cancel(view->cancellable);
    g_clear_object(&view->cancellable);
    view->cancellable = g_cancellable_new();
    g_clear_pointer(&view->discs, g_ptr_array_unref);
    sheet_refill(view->sheet);
}

static void insert_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    g_autofree char *path = g_canonicalize_filename(g_object_get_data(G_OBJECT(button), "path"), NULL);
    if (guest_view_is_off(view))
        set_cdrom(view, path);
    else if (view->guest)
        insert_running(view, path);
    stop_choosing(view);
}

static void eject_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    (void)button;
    if (guest_view_is_off(view))
        set_cdrom(view, GUEST_CDROM_EMPTY);
    else
        guest_view_begin(view, view->guest, "EjectDisc", g_variant_new("(s)", DRIVE), NULL, disc_changed);
}

static void discs_found(GObject *source, GAsyncResult *result, gpointer data)
{
    struct guest_view *view = data;
    GPtrArray *discs = wizard_files_find_finish(result, NULL);
    (void)source;
    if (!discs)
        return; /* cancelled: the page asks for something else by now */
    g_clear_pointer(&view->discs, g_ptr_array_unref);
    view->discs = discs;
    if (sheet_section(view->sheet) == SECTION_DISKS)
        sheet_refill(view->sheet);
}

static void choose_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    (void)button;
    view->choosing = TRUE;
    wizard_files_find(&wizard_places, WIZARD_DISC, view->cancellable, discs_found, view);
    sheet_say(view->sheet, SHEET_FINE, NULL);
    sheet_refill(view->sheet);
}

static void keep_clicked(GtkButton *button, gpointer data)
{
    (void)button;
    stop_choosing(data);
}

static GtkWidget *disc_button(struct guest_view *view, const struct wizard_file *file)
{
    g_autofree char *base = g_path_get_basename(file->path), *size = page_size_words(file->bytes);
    g_autofree char *shown = g_filename_display_name(base), *name = plain_text(shown, PLAIN_LINE_MAX);
    g_autofree char *where = g_strdup_printf("%s, %s", file->place, size), *place = plain_text(where, PLAIN_LINE_MAX);
    GtkWidget *button = gtk_button_new(), *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2),
              *title = gtk_label_new(name);
    gtk_label_set_xalign(GTK_LABEL(title), 0);
    gtk_label_set_ellipsize(GTK_LABEL(title), PANGO_ELLIPSIZE_MIDDLE);
    gtk_box_pack_start(GTK_BOX(words), title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), page_line(place), FALSE, FALSE, 0);
    gtk_container_add(GTK_CONTAINER(button), words);
    style_toggle(button, "answer", TRUE);
    page_speak(button, name, "Puts this disc into the drive");
    g_object_set_data_full(G_OBJECT(button), "path", g_strdup(file->path), g_free);
    g_signal_connect(button, "clicked", G_CALLBACK(insert_clicked), view);
    return button;
}

static void fill_discs(struct guest_view *view, GtkBox *box)
{
    for (guint i = 0; view->discs && i < view->discs->len; i++)
        gtk_box_pack_start(box, disc_button(view, g_ptr_array_index(view->discs, i)), FALSE, FALSE, 0);
    if (!view->discs)
        gtk_box_pack_start(box, page_line("Looking for discs \342\200\246"), FALSE, FALSE, 0);
    else if (!view->discs->len)
        gtk_box_pack_start(box,
                           page_line("No disc was found. Put files whose names end in .iso below " MEDIA_FOLDER
                                     ", or plug in a stick with some."),
                           FALSE, FALSE, 0);
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    gtk_box_pack_start(
        GTK_BOX(row),
        page_button("_Leave the drive as it is", "secondary", "Nothing is changed", G_CALLBACK(keep_clicked), view),
        FALSE, FALSE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
}

static char *drive_words(const char *cdrom)
{
    if (!cdrom)
        return g_strdup("It has no CD drive. The setting \342\200\234CD drive\342\200\235 gives it one.");
    if (g_str_equal(cdrom, GUEST_CDROM_EMPTY))
        return g_strdup("The drive is empty when it starts.");
    g_autofree char *plain = plain_text(cdrom, PLAIN_SENTENCE_MAX);
    return g_strdup_printf("In the drive when it starts: %s", plain);
}

static void fill_drive(struct guest_view *view, GtkBox *box)
{
    const char *cdrom = setting_text(view, "cdrom");
    g_autofree char *words = drive_words(cdrom);
    gboolean can = cdrom && (guest_view_is_off(view) || guest_is(view->guest, GUEST_RUNNING) ||
                             guest_is(view->guest, GUEST_PAUSED));
    gtk_box_pack_start(box, page_heading("Disc"), FALSE, FALSE, 4);
    gtk_box_pack_start(box, page_line(words), FALSE, FALSE, 0);
    if (!cdrom)
        return;
    if (!guest_view_is_off(view))
        gtk_box_pack_start(box, page_line("A disc that is changed now is there until it is ejected or the guest ends."),
                           FALSE, FALSE, 0);
    if (view->choosing) {
        fill_discs(view, box);
        return;
    }
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    GtkWidget *in =
        page_button("_Put a disc in", "secondary", "Shows the discs that were found", G_CALLBACK(choose_clicked), view);
    GtkWidget *out =
        page_button("_Eject", "secondary", "Takes the disc out of the drive", G_CALLBACK(eject_clicked), view);
    gtk_widget_set_sensitive(in, can);
    gtk_widget_set_sensitive(out, can);
    gtk_box_pack_start(GTK_BOX(row), in, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), out, FALSE, FALSE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
}

GtkWidget *section_disks_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct guest_view *view = data;
    (void)buttons;
    if (!view->guest)
        return NULL;
    GtkWidget *first = fill_disks(view, box);
    if (g_strcmp0(rh_guest1_get_guest_type(view->guest), "hvm") == 0)
        fill_drive(view, box);
    return first;
}
