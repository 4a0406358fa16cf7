/* Questions with two answers. */
#include "pages.h"

struct answer {
    const char *label, *about;
};

static void chosen(GtkToggleButton *choice, gpointer data)
{
    enum wizard_value value = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(choice), "value"));
    wizard_set_value(wizard_view_wizard(data), value, gtk_toggle_button_get_active(choice));
    wizard_view_changed(data);
}

/* The second answer is the one that counts as 1. */
static GtkWidget *fill(struct wizard_view *view, GtkBox *box, enum wizard_value value, const struct answer answers[2])
{
    GtkWidget *no = page_choice(NULL, answers[0].label, FALSE, answers[0].about);
    GtkWidget *yes = page_choice(no, answers[1].label, FALSE, answers[1].about);
    gboolean on = wizard_value(wizard_view_wizard(view), value) != 0;
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(on ? yes : no), TRUE);
    g_object_set_data(G_OBJECT(yes), "value", GUINT_TO_POINTER(value));
    g_signal_connect(yes, "toggled", G_CALLBACK(chosen), view);
    gtk_box_pack_start(box, no, FALSE, FALSE, 0);
    gtk_box_pack_start(box, yes, FALSE, FALSE, 0);
    return on ? yes : no;
}

GtkWidget *page_firmware_fill(struct wizard_view *view, GtkBox *box)
{
    static const struct answer answers[2] = {
        {"B_IOS", "Starts nearly every system, and fastest."},
        {"_UEFI", "For systems that want it, such as Windows 11."},
    };
    return fill(view, box, WIZARD_UEFI, answers);
}

GtkWidget *page_windows_fill(struct wizard_view *view, GtkBox *box)
{
    static const struct answer answers[2] = {
        {"_Another system", "Its clock shows universal time, as Linux expects it."},
        {"_Windows", "Its clock shows local time, and it has Hyper-V's calls."},
    };
    return fill(view, box, WIZARD_WINDOWS, answers);
}

GtkWidget *page_network_fill(struct wizard_view *view, GtkBox *box)
{
    static const struct answer answers[2] = {
        {"N_o network", "Nothing comes in, and nothing goes out."},
        {"_The computer's network", "It is there as a computer of its own, beside this one."},
    };
    return fill(view, box, WIZARD_CONNECTED, answers);
}
