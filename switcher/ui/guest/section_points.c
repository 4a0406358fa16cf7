/* What a guest's disks were: undo points and snapshots, the newest first, to go back to. */
#include "guest_view_private.h"
#include "../style.h"

#define LABEL_BYTES_MAX 128

/* ---- going back, and deleting ---- */

/* A question's own copy of what it is about. */
struct question {
    struct guest_view *view;
    gint64 time;
};

static struct question *question_new(GtkButton *button, struct guest_view *view)
{
    struct question *question = g_new(struct question, 1);
    *question = (struct question){view, *(gint64 *)g_object_get_data(G_OBJECT(button), "time")};
    return question;
}

static char *words_of(gint64 time)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    return points_time_words(time, now);
}

static void reverted(GVariant *answer, const char *sentence, gpointer data)
{
    (void)answer;
    guest_view_ended(data, sentence, "It has gone back. What its disks were before is kept as the newest undo point.");
}

static void revert(gpointer data)
{
    struct question *question = data;
    guest_view_begin(question->view, question->view->guest, "Revert", g_variant_new("(x)", question->time), NULL,
                     reverted);
}

static void deleted(GVariant *answer, const char *sentence, gpointer data)
{
    (void)answer;
    guest_view_ended(data, sentence, "It is deleted.");
}

static void delete_point(gpointer data)
{
    struct question *question = data;
    guest_view_begin(question->view, question->view->guest, "DeletePoint", g_variant_new("(x)", question->time), NULL,
                     deleted);
}

static void back_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    struct question *question = question_new(button, view);
    g_autofree char *when = words_of(question->time);
    g_autofree char *title = g_strdup_printf("Take %s back to %s?", view->name, when);
    confirm_ask(
        view->confirm, title,
        "Its disks become what they were then. What they are now is kept as an undo point first, so this can be "
        "undone.",
        "Go back", revert, question, g_free);
}

static void delete_clicked(GtkButton *button, gpointer data)
{
    struct guest_view *view = data;
    struct question *question = question_new(button, view);
    g_autofree char *when = words_of(question->time);
    g_autofree char *title = g_strdup_printf("Delete the point of %s?", when);
    confirm_ask(view->confirm, title,
                "Nobody can go back to it afterwards. The guest's disks stay what they are. This cannot be undone.",
                "Delete", delete_point, question, g_free);
}

/* ---- a snapshot ---- */

static void snapshot_made(GVariant *answer, const char *sentence, gpointer data)
{
    struct guest_view *view = data;
    (void)answer;
    if (!guest_view_ended(view, sentence, "It is kept."))
        return;
    g_clear_pointer(&view->typed_label, g_free);
    sheet_refill(view->sheet);
}

static void keep(GtkWidget *widget, gpointer data)
{
    struct guest_view *view = data;
    g_autofree char *label = g_strstrip(g_strdup(view->typed_label ? view->typed_label : ""));
    (void)widget;
    if (!*label)
        sheet_say(view->sheet, SHEET_WRONG, "It needs a name, by which you find it again. Type one.");
    else if (strchr(label, '/') || strlen(label) > LABEL_BYTES_MAX)
        sheet_say(view->sheet, SHEET_WRONG, "A name can have 128 bytes, and no / in it. Type another one.");
    else
        guest_view_begin(view, view->guest, "Snapshot", g_variant_new("(s)", label), NULL, snapshot_made);
}

static void label_typed(GtkEditable *entry, gpointer data)
{
    struct guest_view *view = data;
    g_free(view->typed_label);
    view->typed_label = g_strdup(gtk_entry_get_text(GTK_ENTRY(entry)));
    sheet_say(view->sheet, SHEET_FINE, NULL);
}

static GtkWidget *fill_snapshot(struct guest_view *view, GtkBox *box)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8), *entry = gtk_entry_new();
    gtk_entry_set_text(GTK_ENTRY(entry), view->typed_label ? view->typed_label : "");
    gtk_entry_set_placeholder_text(GTK_ENTRY(entry), "before the upgrade");
    page_speak(entry, "Name of the snapshot", "By which you find it again");
    g_signal_connect(entry, "changed", G_CALLBACK(label_typed), view);
    g_signal_connect(entry, "activate", G_CALLBACK(keep), view);
    gtk_box_pack_start(GTK_BOX(row), entry, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(row),
                       page_button("_Keep what it is now", "primary", "Makes a snapshot of its disks; takes a moment",
                                   G_CALLBACK(keep), view),
                       FALSE, FALSE, 0);
    gtk_box_pack_start(box, page_label("_Name of a new snapshot", entry), FALSE, FALSE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
    return entry;
}

/* ---- the list ---- */

static GtkWidget *point_button(struct guest_view *view, const struct point *point, const char *label, const char *when,
                               GCallback clicked)
{
    g_autofree char *spoken = g_strdup_printf("%s: %s", label, when);
    GtkWidget *button = page_button(label, "secondary", "Asks first", clicked, view);
    page_speak(button, spoken, NULL);
    g_object_set_data_full(G_OBJECT(button), "time", g_memdup2(&point->time, sizeof(point->time)), g_free);
    gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
    return button;
}

/* What it is called and how large it is stand apart: a name may be written from right to left. */
static GtkWidget *point_words(const struct point *point, const char *when)
{
    GtkWidget *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2), *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
    GtkWidget *title = gtk_label_new(when), *label = gtk_label_new(*point->label ? point->label : "Undo point");
    g_autofree char *bytes = page_size_words(point->size);
    GtkWidget *size = gtk_label_new(bytes);
    gtk_label_set_xalign(GTK_LABEL(title), 0);
    gtk_widget_set_valign(words, GTK_ALIGN_CENTER);
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_MIDDLE);
    style_toggle(title, "choice-title", TRUE);
    style_toggle(label, "quiet", TRUE);
    style_toggle(size, "quiet", TRUE);
    gtk_box_pack_start(GTK_BOX(line), label, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(line), size, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), title, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(words), line, FALSE, FALSE, 0);
    return words;
}

static gboolean have_pictures(const GPtrArray *points)
{
    for (guint i = 0; i < points->len && i < POINTS_MAX; i++) {
        const struct point *point = g_ptr_array_index(points, i);
        if (point->picture)
            return TRUE;
    }
    return FALSE;
}

static void fill_point(struct guest_view *view, GtkBox *box, const struct point *point, gboolean pictures,
                       GDateTime *now)
{
    g_autofree char *when = points_time_words(point->time, now);
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    GtkWidget *back = point_button(view, point, "Go back", when, G_CALLBACK(back_clicked));
    style_toggle(row, "point", TRUE);
    gtk_widget_set_sensitive(back, guest_view_is_off(view));
    if (pictures)
        gtk_box_pack_start(GTK_BOX(row), point_picture_widget(view->pictures, point->time), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), point_words(point, when), TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(row), back, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), point_button(view, point, "Delete", when, G_CALLBACK(delete_clicked)), FALSE,
                       FALSE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
}

static void fill_points(struct guest_view *view, GtkBox *box)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    gboolean pictures = have_pictures(view->points); /* or there would be a gap before all of them */
    for (guint i = 0; i < view->points->len && i < POINTS_MAX; i++)
        fill_point(view, box, g_ptr_array_index(view->points, i), pictures, now);
    if (view->points->len > POINTS_MAX) {
        g_autofree char *more =
            g_strdup_printf("And %u older ones; roundhousectl shows them.", view->points->len - POINTS_MAX);
        gtk_box_pack_start(box, page_line(more), FALSE, FALSE, 0);
    }
}

GtkWidget *section_points_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct guest_view *view = data;
    (void)buttons;
    if (!view->guest)
        return NULL;
    GtkWidget *first = fill_snapshot(view, box);
    gtk_box_pack_start(box, page_heading("Go back to"), FALSE, FALSE, 4);
    if (!view->points)
        gtk_box_pack_start(box, page_line("Looking at them \342\200\246"), FALSE, FALSE, 0);
    else if (!view->points->len)
        gtk_box_pack_start(box,
                           page_line("There is nothing yet. Undo points are made by themselves when the setting "
                                     "\342\200\234Undo points\342\200\235 says how many."),
                           FALSE, FALSE, 0);
    else if (!guest_view_is_off(view))
        gtk_box_pack_start(box, page_line("It can go back while it is off: shut it down first."), FALSE, FALSE, 0);
    if (view->points)
        fill_points(view, box);
    return first;
}
