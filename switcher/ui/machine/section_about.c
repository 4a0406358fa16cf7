/* What runs here, and under which licences. */
#include "machine_view_private.h"

/* What its licences ask to be told to whoever uses it (docs/architecture.md). */
static const char *const licences[] = {
    "Roundhouse is free software under the MIT licence.",
    "Its hypervisor and its strip draw letters of GNU Unifont, which is under the GPL, version 2 or later, with the "
    "font "
    "embedding exception, and under the SIL Open Font License 1.1.",
    "The rest of what runs here are packages of Debian. Each has its licence in its folder below /usr/share/doc.",
};

static void fill_version(GtkBox *box, const char *what, const char *version)
{
    g_autofree char *plain = plain_text(version, PLAIN_LINE_MAX);
    g_autofree char *line = g_strdup_printf("%s: %s", what, *plain ? plain : "not known just now");
    gtk_box_pack_start(box, page_line(line), FALSE, FALSE, 0);
}

GtkWidget *section_about_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct machine_view *view = data;
    RhManager1 *manager = model_manager(view->model);
    (void)buttons;
    gtk_box_pack_start(box, page_heading("Versions"), FALSE, FALSE, 4);
    fill_version(box, "Roundhouse", manager ? rh_manager1_get_version(manager) : NULL);
    fill_version(box, "Hypervisor", manager ? rh_manager1_get_hypervisor_version(manager) : NULL);
    gtk_box_pack_start(box, page_heading("Licences"), FALSE, FALSE, 4);
    for (gsize i = 0; i < G_N_ELEMENTS(licences); i++)
        gtk_box_pack_start(box, page_line(licences[i]), FALSE, FALSE, 0);
    return NULL;
}
