/* Which file: those that are there, on this computer and on what is plugged in. */
#include "pages.h"
#include "../style.h"

#include <string.h>

static void chosen(GtkToggleButton *choice, gpointer data)
{
    struct wizard_view *view = data;
    const struct wizard_file *file = g_object_get_data(G_OBJECT(choice), "file");
    if (!gtk_toggle_button_get_active(choice))
        return;
    wizard_set_file(wizard_view_wizard(view), file->path, file->removable);
    wizard_view_look(view);
    wizard_view_changed(view);
}

static GtkWidget *file_choice(GtkWidget *before, const struct wizard_file *file)
{
    g_autofree char *size = g_format_size(file->bytes);
    g_autofree char *name = g_path_get_basename(file->path),
                    *about = g_strdup_printf("%s  \302\267  %s", file->place, size);
    GtkWidget *choice = page_choice(before, name, TRUE, about);
    g_object_set_data(G_OBJECT(choice), "file", (gpointer)file);
    return choice;
}

static void look_again(GtkButton *button, gpointer data)
{
    (void)button;
    wizard_view_find_files(data);
}

static GtkWidget *again_button(struct wizard_view *view)
{
    GtkWidget *button = gtk_button_new_with_mnemonic("_Look again");
    gtk_widget_set_halign(button, GTK_ALIGN_START);
    style_toggle(button, "secondary", TRUE);
    page_speak(button, "Look again", "Looks for files once more, after something was plugged in");
    g_signal_connect(button, "clicked", G_CALLBACK(look_again), view);
    return button;
}

/* Radio buttons have one of them chosen always; this one is it until the person has chosen, and is not shown. */
static GtkWidget *nothing_chosen(void)
{
    GtkWidget *choice = gtk_radio_button_new(NULL);
    gtk_widget_set_no_show_all(choice, TRUE);
    page_speak(choice, "None", "No file is chosen");
    return choice;
}

GtkWidget *page_file_fill(struct wizard_view *view, GtkBox *box)
{
    GPtrArray *files = wizard_view_files(view);
    const char *path = wizard_file(wizard_view_wizard(view));
    GtkWidget *again = again_button(view), *choice = nothing_chosen(), *first = NULL;
    gtk_box_pack_start(box, choice, FALSE, FALSE, 0);
    for (guint i = 0; files && i < files->len; i++) {
        const struct wizard_file *file = g_ptr_array_index(files, i);
        choice = file_choice(choice, file);
        if (!first || g_strcmp0(file->path, path) == 0)
            first = choice;
        gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(choice), g_strcmp0(file->path, path) == 0);
        g_signal_connect(choice, "toggled", G_CALLBACK(chosen), view);
        gtk_box_pack_start(box, choice, FALSE, FALSE, 0);
    }
    if (!files)
        gtk_box_pack_start(box, page_line("Looking for files \342\200\246"), FALSE, FALSE, 0);
    else if (!files->len)
        gtk_box_pack_start(
            box,
            page_line("There is no such file yet. Files are looked for in /var/lib/roundhouse/media and on "
                      "what is mounted below /media and /run/media."),
            FALSE, FALSE, 0);
    gtk_box_pack_start(box, again, FALSE, FALSE, 6);
    return first ? first : again;
}
