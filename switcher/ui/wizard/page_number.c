/* Memory, disk and processors: a number each, and what there is of it. */
#include "pages.h"

struct number {
    enum wizard_value value;
    const char *label, *unit, *name;
    guint max, step;
};

static const struct number numbers[] = {
    {WIZARD_MEMORY_MIB, "_Memory", "MiB", "Memory in MiB", 16 << 20, 256},
    {WIZARD_DISK_GIB, "_Size of the disk", "GiB", "Size of the disk in GiB", 1 << 20, 1},
    {WIZARD_PROCESSORS, "_Processors", "", "Processors", 1000, 1},
};

/* While it is typed the text is not the button's number yet. */
static void typed(GtkEditable *spin, gpointer data)
{
    const struct number *number = g_object_get_data(G_OBJECT(spin), "number");
    guint64 value = g_ascii_strtoull(gtk_entry_get_text(GTK_ENTRY(spin)), NULL, 10);
    wizard_set_value(wizard_view_wizard(data), number->value, (guint)MIN(value, number->max));
    wizard_view_changed(data);
}

static GtkWidget *fill(struct wizard_view *view, GtkBox *box, const struct number *number, const char *there)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *spin = gtk_spin_button_new_with_range(0, number->max, number->step);
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(spin), wizard_value(wizard_view_wizard(view), number->value));
    gtk_entry_set_width_chars(GTK_ENTRY(spin), 10);
    page_speak(spin, number->name, there);
    g_object_set_data(G_OBJECT(spin), "number", (gpointer)number);
    g_signal_connect(spin, "changed", G_CALLBACK(typed), view);
    gtk_box_pack_start(GTK_BOX(row), spin, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), gtk_label_new(number->unit), FALSE, FALSE, 0);
    gtk_box_pack_start(box, page_label(number->label, spin), FALSE, FALSE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
    gtk_box_pack_start(box, page_line(there), FALSE, FALSE, 6);
    return spin;
}

static char *free_words(guint64 free_bytes, guint64 all_bytes, const char *what)
{
    g_autofree char *part = g_format_size_full(free_bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *all = g_format_size_full(all_bytes, G_FORMAT_SIZE_IEC_UNITS);
    return g_strdup_printf("%s of %s %s free now.", part, all, what);
}

GtkWidget *page_memory_fill(struct wizard_view *view, GtkBox *box)
{
    const struct wizard_facts *facts = wizard_facts(wizard_view_wizard(view));
    g_autofree char *there = free_words(facts->free_memory_kib * 1024, facts->memory_kib * 1024, "of memory are");
    return fill(view, box, &numbers[0], there);
}

GtkWidget *page_disk_fill(struct wizard_view *view, GtkBox *box)
{
    const struct wizard_facts *facts = wizard_facts(wizard_view_wizard(view));
    g_autofree char *there = free_words(facts->pool_free_bytes, facts->pool_bytes, "in the pool of guests' disks are");
    return fill(view, box, &numbers[1], there);
}

GtkWidget *page_processors_fill(struct wizard_view *view, GtkBox *box)
{
    return fill(view, box, &numbers[2], "More than the computer has make nothing faster.");
}
