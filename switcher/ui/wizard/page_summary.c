/* All answers once more; each row is a button that leads to its question. */
#include "pages.h"
#include "../style.h"

static char *memory_words(struct wizard *wizard)
{
    return g_format_size_full((guint64)wizard_value(wizard, WIZARD_MEMORY_MIB) << 20, G_FORMAT_SIZE_IEC_UNITS);
}

static char *disk_words(struct wizard *wizard)
{
    return g_format_size_full((guint64)wizard_value(wizard, WIZARD_DISK_GIB) << 30, G_FORMAT_SIZE_IEC_UNITS);
}

static char *name_words(struct wizard *wizard)
{
    return g_strdup(wizard_name(wizard));
}

static char *processors_words(struct wizard *wizard)
{
    return g_strdup_printf("%u", wizard_value(wizard, WIZARD_PROCESSORS));
}

static char *firmware_words(struct wizard *wizard)
{
    return g_strdup(wizard_value(wizard, WIZARD_UEFI) ? "UEFI" : "BIOS");
}

static char *windows_words(struct wizard *wizard)
{
    return g_strdup(wizard_value(wizard, WIZARD_WINDOWS) ? "Windows" : "Another system");
}

static char *network_words(struct wizard *wizard)
{
    return g_strdup(wizard_value(wizard, WIZARD_CONNECTED) ? "The computer's network" : "None");
}

static const struct row {
    enum wizard_page page;
    const char *label; /* with its access key */
    char *(*words)(struct wizard *);
} rows[] = {
    {WIZARD_PAGE_NAME, "N_ame", name_words},
    {WIZARD_PAGE_MEMORY, "M_emory", memory_words},
    {WIZARD_PAGE_PROCESSORS, "_Processors", processors_words},
    {WIZARD_PAGE_DISK, "_Disk", disk_words},
    {WIZARD_PAGE_NETWORK, "Ne_twork", network_words},
    {WIZARD_PAGE_FIRMWARE, "_Firmware", firmware_words},
    {WIZARD_PAGE_WINDOWS, "Made fo_r", windows_words},
};

static void clicked(GtkButton *button, gpointer data)
{
    wizard_view_change(data, GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(button), "page")));
}

static GtkWidget *row_button(struct wizard_view *view, const struct row *row)
{
    g_autofree char *words = row->words(wizard_view_wizard(view));
    GtkWidget *button = gtk_button_new(), *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *label = page_label(row->label, button), *value = gtk_label_new(words), *change = gtk_label_new("Change");
    g_autofree char *spoken = g_strdup_printf("%s: %s", gtk_label_get_text(GTK_LABEL(label)), words);
    gtk_widget_set_size_request(label, 110, -1);
    style_toggle(label, "quiet", TRUE);
    style_toggle(change, "quiet", TRUE);
    gtk_label_set_xalign(GTK_LABEL(value), 0);
    gtk_label_set_ellipsize(GTK_LABEL(value), PANGO_ELLIPSIZE_END);
    gtk_box_pack_start(GTK_BOX(line), label, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(line), value, TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(line), change, FALSE, FALSE, 0);
    gtk_container_add(GTK_CONTAINER(button), line);
    style_toggle(button, "answer", TRUE);
    page_speak(button, spoken, "Changes this answer");
    g_object_set_data(G_OBJECT(button), "page", GUINT_TO_POINTER(row->page));
    g_signal_connect(button, "clicked", G_CALLBACK(clicked), view);
    return button;
}

/* What it is made from is said, and changed by going back: another one has other answers. */
static char *source_words(struct wizard *wizard)
{
    g_autofree char *file = wizard_file(wizard) ? g_path_get_basename(wizard_file(wizard)) : NULL;
    const struct wizard_system *system = wizard_system(wizard);
    switch (wizard_source(wizard)) {
    case WIZARD_CLONE:
        return g_strdup_printf("A copy of %s.", wizard_origin(wizard));
    case WIZARD_NETWORK:
        return g_strdup("Debian from the network.");
    default:
        return system ? g_strdup_printf("%s, from %s.", system->name, file) : g_strdup_printf("From %s.", file);
    }
}

GtkWidget *page_summary_fill(struct wizard_view *view, GtkBox *box)
{
    struct wizard *wizard = wizard_view_wizard(view);
    g_autofree char *source = source_words(wizard);
    gtk_box_pack_start(box, page_line(source), FALSE, FALSE, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (wizard_asks(wizard, rows[i].page))
            gtk_box_pack_start(box, row_button(view, &rows[i]), FALSE, FALSE, 0);
    }
    return NULL;
}
