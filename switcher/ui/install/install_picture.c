#include "install_picture.h"
#include "page_parts.h"
#include "plain_text.h"
#include "style.h"

#define BAR_HEIGHT 26
#define LEAST      3.0 /* pixels of a piece: the smallest is to be seen too */

/* Colours by fate, and how it is said. */
static const struct {
    const char *fate, *says;
    double red, green, blue;
} fates[] = {
    {"stays", "stays as it is", 0.35, 0.42, 0.52},
    {"goes", "is lost", 0.91, 0.41, 0.37},
    {"changes", "is written anew", 0.91, 0.64, 0.24},
    {"new", "new", 0.37, 0.72, 0.47},
};

static gsize fate_of(const struct install_part *part)
{
    for (gsize i = 0; i < G_N_ELEMENTS(fates); i++)
        if (g_str_equal(fates[i].fate, part->fate))
            return i;
    return 0;
}

struct bar {
    gint64 size;
    GArray *pieces;
};

struct piece {
    gint64 start, size;
    gsize fate;
};

static gboolean draw(GtkWidget *widget, cairo_t *cr, gpointer data)
{
    const struct bar *bar = data;
    double width = gtk_widget_get_allocated_width(widget), scale = width / (double)MAX(bar->size, 1);
    cairo_set_source_rgb(cr, 0.15, 0.17, 0.21);
    cairo_paint(cr);
    for (guint i = 0; i < bar->pieces->len; i++) {
        const struct piece *piece = &g_array_index(bar->pieces, struct piece, i);
        double x = (double)piece->start * scale, w = MAX((double)piece->size * scale, LEAST);
        cairo_set_source_rgb(cr, fates[piece->fate].red, fates[piece->fate].green, fates[piece->fate].blue);
        cairo_rectangle(cr, MIN(x, width - LEAST), 0, MAX(w - 1, LEAST - 1), BAR_HEIGHT);
        cairo_fill(cr);
    }
    return FALSE;
}

static void bar_free(gpointer data)
{
    struct bar *bar = data;
    g_array_unref(bar->pieces);
    g_free(bar);
}

static char *part_words(const struct install_part *part)
{
    g_autofree char *size = page_size_words((guint64)part->size), *what = plain_text(part->what, PLAIN_LINE_MAX);
    g_autofree char *name = plain_text(part->name, PLAIN_LINE_MAX);
    return g_strdup_printf("%s  %s%s%s%s: %s", size, what, *name ? ", " : "", name,
                           part->encrypted ? ", encrypted" : "", fates[fate_of(part)].says);
}

GtkWidget *install_picture(const struct install_model *model, gboolean after)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 4), *area = gtk_drawing_area_new();
    struct bar *bar = g_new0(struct bar, 1);
    g_autoptr(GString) words = g_string_new(NULL);
    bar->size = install_disk(model)->size;
    bar->pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
    for (guint i = 0; i < model->plan.parts->len; i++) {
        const struct install_part *part = g_ptr_array_index(model->plan.parts, i);
        if (part->after != after)
            continue;
        struct piece piece = {part->start, part->size, fate_of(part)};
        g_autofree char *line = part_words(part);
        g_array_append_val(bar->pieces, piece);
        g_string_append_printf(words, "%s%s", words->len ? "\n" : "", line);
    }
    if (!words->len)
        g_string_append(words, "Nothing is on it.");
    gtk_widget_set_size_request(area, -1, BAR_HEIGHT);
    g_signal_connect(area, "draw", G_CALLBACK(draw), bar);
    g_object_set_data_full(G_OBJECT(area), "bar", bar, bar_free);
    page_speak(area, after ? "The disk afterwards" : "The disk now", words->str);
    gtk_box_pack_start(GTK_BOX(box), page_heading(after ? "Afterwards" : "Now"), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), area, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), page_line(words->str), FALSE, FALSE, 0);
    return box;
}
