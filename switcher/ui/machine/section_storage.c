/* The pool of guests' disks: what is free of it, and which images are in it. */
#include "machine_view_private.h"
#include "../style.h"

static void deleted(GVariant *answer, const char *sentence, gpointer data)
{
    struct machine_view *view = data;
    (void)answer;
    view->deleting = NULL;
    sheet_say(view->sheet, sentence ? SHEET_WRONG : SHEET_FINE, sentence ? sentence : "The image is deleted.");
    machine_view_ask(view);
}

static void delete_image(gpointer data)
{
    struct machine_view *view = data;
    RhManager1 *manager = model_manager(view->model);
    if (manager && !view->deleting)
        view->deleting = errand_begin(view->errands, manager, "DeleteImage", g_variant_new("(s)", view->doomed), NULL,
                                      deleted, view);
}

static void delete_clicked(GtkButton *button, gpointer data)
{
    struct machine_view *view = data;
    const char *image = g_object_get_data(G_OBJECT(button), "image");
    g_autofree char *title = g_strdup_printf("Delete the image %s?", image);
    g_free(view->doomed);
    view->doomed = g_strdup(image);
    confirm_ask(
        view->confirm, title,
        "No guest has it. What is on it is lost, with all its snapshots and undo points. This cannot be undone.",
        "Delete", delete_image, view, NULL);
}

static GtkWidget *fill_image(struct machine_view *view, GtkBox *box, GVariant *image)
{
    const char *name = "", *guest = "";
    guint64 size = 0, used = 0;
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12), *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);
    GtkWidget *button = NULL;
    g_variant_lookup(image, "name", "&s", &name);
    g_variant_lookup(image, "guest", "&s", &guest);
    g_variant_lookup(image, "size", "t", &size);
    g_variant_lookup(image, "used", "t", &used);
    g_autofree char *plain = plain_text(name, PLAIN_LINE_MAX), *users = plain_text(guest, PLAIN_LINE_MAX);
    g_autofree char *whole = page_size_words(size), *taken = page_size_words(used);
    g_autofree char *about =
        g_strdup_printf("%s, takes %s  \302\267  %s%s", whole, taken, *users ? "of " : "no guest has it", users);
    GtkWidget *title = gtk_label_new(plain);
    gtk_label_set_xalign(GTK_LABEL(title), 0);
    gtk_label_set_ellipsize(GTK_LABEL(title), PANGO_ELLIPSIZE_MIDDLE);
    style_toggle(title, "choice-title", TRUE);
    style_toggle(row, "point", TRUE);
    gtk_box_pack_start(GTK_BOX(words), title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), page_line(about), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), words, TRUE, TRUE, 0);
    if (!*guest) {
        g_autofree char *spoken = g_strdup_printf("Delete: %s", plain);
        button = page_button("Delete", "secondary", "Asks first", G_CALLBACK(delete_clicked), view);
        page_speak(button, spoken, NULL);
        gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
        g_object_set_data_full(G_OBJECT(button), "image", g_strdup(name), g_free);
        gtk_box_pack_end(GTK_BOX(row), button, FALSE, FALSE, 0);
    }
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
    return button;
}

static void fill_space(struct machine_view *view, GtkBox *box)
{
    RhManager1 *manager = model_manager(view->model);
    guint64 size = manager ? rh_manager1_get_pool_size(manager) : 0;
    guint64 left = manager ? rh_manager1_get_pool_free(manager) : 0;
    g_autofree char *all = page_size_words(size), *part = page_size_words(left);
    g_autofree char *words = g_strdup_printf("%s of %s are free.", part, all);
    if (!size) {
        gtk_box_pack_start(box, page_line("There is no pool of guests' disks on this computer."), FALSE, FALSE, 0);
        return;
    }
    GtkWidget *level = gtk_progress_bar_new();
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(level), (double)MIN(left, size) / (double)size);
    page_speak(level, words, NULL);
    gtk_box_pack_start(box, page_line(words), FALSE, FALSE, 0);
    gtk_box_pack_start(box, level, FALSE, FALSE, 0);
    gtk_box_pack_start(box,
                       page_line("Disks take room only as they are written to. Before the pool is full, guests that "
                                 "write to it are paused, so that nothing is lost."),
                       FALSE, FALSE, 0);
}

GtkWidget *section_storage_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct machine_view *view = data;
    gsize count = view->images ? g_variant_n_children(view->images) : 0;
    GtkWidget *first = NULL;
    (void)buttons;
    gtk_box_pack_start(box, page_heading("Free space"), FALSE, FALSE, 4);
    fill_space(view, box);
    gtk_box_pack_start(box, page_heading("Images"), FALSE, FALSE, 4);
    for (gsize i = 0; i < count; i++) {
        g_autoptr(GVariant) image = g_variant_get_child_value(view->images, i);
        GtkWidget *button = fill_image(view, box, image);
        first = first ? first : button;
    }
    if (!count)
        gtk_box_pack_start(box, page_line(view->images ? "There are none." : "Looking at them \342\200\246"), FALSE,
                           FALSE, 0);
    return first;
}
