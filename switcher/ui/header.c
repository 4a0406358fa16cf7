/* The top line of the switcher. */
#include "header.h"
#include "style.h"

#include <math.h>

#define EMBLEM_SIZE 38
#define STALLS      5

struct header {
    GtkWidget *row, *notice, *memory, *memory_level, *clock, *date, *power, *restart;
};

/* A roundhouse from above: stalls in an arc, the turntable before them with its bridge to one of them. */
static gboolean draw_emblem(GtkWidget *widget, cairo_t *cr, gpointer data)
{
    double size = MIN(gtk_widget_get_allocated_width(widget), gtk_widget_get_allocated_height(widget));
    double outer = size * 0.46, wall = size * 0.17, table = size * 0.2;
    (void)data;
    cairo_translate(cr, size / 2, size / 2);
    cairo_set_line_width(cr, wall);
    for (int i = 0; i < STALLS; i++) {
        double from = G_PI * (0.83 + 1.34 * i / STALLS), to = G_PI * (0.83 + 1.34 * (i + 1) / STALLS) - 0.09;
        gboolean chosen = i == STALLS - 2;
        cairo_set_source_rgb(cr, chosen ? 0.95 : 0.40, chosen ? 0.68 : 0.45, chosen ? 0.30 : 0.52);
        cairo_arc(cr, 0, 0, outer - wall / 2, from, to);
        cairo_stroke(cr);
    }
    double bridge = G_PI * (0.83 + 1.34 * (STALLS - 1.5) / STALLS);
    cairo_set_source_rgb(cr, 0.91, 0.92, 0.94);
    cairo_set_line_width(cr, size * 0.055);
    cairo_arc(cr, 0, 0, table, 0, 2 * G_PI);
    cairo_stroke(cr);
    cairo_set_line_width(cr, size * 0.085);
    cairo_move_to(cr, -cos(bridge) * table, -sin(bridge) * table);
    cairo_line_to(cr, cos(bridge) * table, sin(bridge) * table);
    cairo_stroke(cr);
    return TRUE;
}

static GtkWidget *build_name(struct header *header)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *emblem = gtk_drawing_area_new();
    GtkWidget *name = gtk_label_new("Roundhouse");
    gtk_widget_set_size_request(emblem, EMBLEM_SIZE, EMBLEM_SIZE);
    gtk_widget_set_valign(emblem, GTK_ALIGN_CENTER);
    g_signal_connect(emblem, "draw", G_CALLBACK(draw_emblem), NULL);
    style_toggle(name, "product", TRUE);
    header->notice = style_label("quiet", 0);
    gtk_label_set_ellipsize(GTK_LABEL(header->notice), PANGO_ELLIPSIZE_END);
    gtk_box_pack_start(GTK_BOX(row), emblem, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), name, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), header->notice, TRUE, TRUE, 0);
    return row;
}

static GtkWidget *build_memory(struct header *header)
{
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 5);
    header->memory = style_label("quiet", 1);
    header->memory_level = gtk_progress_bar_new();
    gtk_box_pack_start(GTK_BOX(column), header->memory, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), header->memory_level, FALSE, FALSE, 0);
    gtk_widget_set_valign(column, GTK_ALIGN_CENTER);
    return column;
}

static GtkWidget *build_clock(struct header *header)
{
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    header->clock = style_label("clock", 1);
    header->date = style_label("quiet", 1);
    gtk_box_pack_start(GTK_BOX(column), header->clock, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(column), header->date, FALSE, FALSE, 0);
    gtk_widget_set_valign(column, GTK_ALIGN_CENTER);
    return column;
}

static GtkWidget *build_power(struct header *header, GCallback restart_clicked, GCallback power_off_clicked,
                              gpointer user)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    header->restart = gtk_button_new_with_label("Restart");
    header->power = gtk_button_new_with_label("Power off");
    atk_object_set_name(gtk_widget_get_accessible(header->restart), "Restart this computer");
    atk_object_set_name(gtk_widget_get_accessible(header->power), "Power this computer off");
    style_toggle(header->restart, "secondary", TRUE);
    style_toggle(header->power, "secondary", TRUE);
    g_signal_connect(header->restart, "clicked", restart_clicked, user);
    g_signal_connect(header->power, "clicked", power_off_clicked, user);
    gtk_box_pack_start(GTK_BOX(row), header->restart, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), header->power, FALSE, FALSE, 0);
    gtk_widget_set_valign(row, GTK_ALIGN_CENTER);
    return row;
}

/* Setting a label lays the window out again even when nothing is new. */
static void set_text(GtkWidget *label, const char *text)
{
    if (g_strcmp0(gtk_label_get_text(GTK_LABEL(label)), text) != 0)
        gtk_label_set_text(GTK_LABEL(label), text);
}

static gboolean tick(gpointer data)
{
    struct header *header = data;
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *clock = g_date_time_format(now, "%H:%M");
    g_autofree char *date = g_date_time_format(now, "%a %-e %B");
    set_text(header->clock, clock);
    set_text(header->date, date);
    return G_SOURCE_CONTINUE;
}

struct header *header_new(GCallback restart_clicked, GCallback power_off_clicked, gpointer user)
{
    struct header *header = g_new0(struct header, 1);
    header->row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 20);
    style_toggle(header->row, "header", TRUE);
    gtk_box_pack_start(GTK_BOX(header->row), build_name(header), TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(header->row), build_power(header, restart_clicked, power_off_clicked, user), FALSE, FALSE,
                     0);
    gtk_box_pack_end(GTK_BOX(header->row), build_clock(header), FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(header->row), build_memory(header), FALSE, FALSE, 0);
    tick(header);
    g_timeout_add_seconds(1, tick, header);
    return header;
}

GtkWidget *header_widget(struct header *header)
{
    return header->row;
}

void header_update(struct header *header, struct model *model)
{
    RhManager1 *manager = model_manager(model);
    guint64 free_kib = manager ? rh_manager1_get_free_memory(manager) : 0;
    guint64 total_kib = manager ? rh_manager1_get_total_memory(manager) : 0;
    g_autofree char *text = g_strdup_printf("%.1f of %.1f GiB memory free", (double)free_kib / (1024 * 1024),
                                            (double)total_kib / (1024 * 1024));
    const char *notice = manager ? rh_manager1_get_notice(manager) : NULL;
    set_text(header->notice, notice ? notice : "");
    gtk_widget_set_sensitive(header->power, manager != NULL);
    gtk_widget_set_sensitive(header->restart, manager != NULL);
    gtk_widget_set_opacity(gtk_widget_get_parent(header->memory), total_kib ? 1 : 0);
    if (!total_kib)
        return;
    set_text(header->memory, text);
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(header->memory_level),
                                  (double)MIN(free_kib, total_kib) / (double)total_kib);
    atk_object_set_name(gtk_widget_get_accessible(header->memory_level), text);
}
