/* Style sheets. */
#include "style.h"

#include <math.h>
#include <string.h>

#define STYLE_RESOURCE "/org/roundhouse/switcher/style.css"
#define NEUTRAL_COLOUR "#39414d"

static GtkCssProvider *colours;

static void add_provider(GtkCssProvider *provider, guint priority)
{
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(provider), priority);
}

void style_init(void)
{
    g_autoptr(GtkCssProvider) sheet = gtk_css_provider_new();
    g_object_set(gtk_settings_get_default(), "gtk-application-prefer-dark-theme", TRUE, "gtk-enable-animations", TRUE,
                 "gtk-cursor-blink", FALSE, NULL);
    gtk_css_provider_load_from_resource(sheet, STYLE_RESOURCE);
    add_provider(sheet, GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
    colours = gtk_css_provider_new();
    add_provider(colours, GTK_STYLE_PROVIDER_PRIORITY_APPLICATION + 1);
}

/* Black or white, whichever reads better: WCAG 2.1, relative luminance and contrast ratio. */
static const char *readable_on(const GdkRGBA *colour)
{
    double channels[3] = {colour->red, colour->green, colour->blue};
    for (int i = 0; i < 3; i++)
        channels[i] = channels[i] <= 0.04045 ? channels[i] / 12.92 : pow((channels[i] + 0.055) / 1.055, 2.4);
    double luminance = 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2];
    return luminance > 0.179 ? "#0d1014" : "#ffffff";
}

static void append_colour(GString *sheet, const char *class_name, const char *colour)
{
    GdkRGBA rgba;
    if (!colour || !gdk_rgba_parse(&rgba, colour))
        return;
    g_string_append_printf(sheet, ".%s { background-color: %s; color: %s; }\n", class_name, colour, readable_on(&rgba));
}

char *style_guest_class(RhGuest1 *guest)
{
    const char *path = g_dbus_proxy_get_object_path(G_DBUS_PROXY(guest));
    return g_strconcat("guest-", strrchr(path, '/') + 1, NULL);
}

void style_set_colours(struct model *model)
{
    static char *current;
    g_autoptr(GString) sheet = g_string_new("");
    RhGuest1 *on_screen = model_guest_in_slot(model, model_focused(model));
    GPtrArray *guests = model_guests(model);
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        g_autofree char *class_name = style_guest_class(guest);
        append_colour(sheet, class_name, rh_guest1_get_colour(guest));
    }
    append_colour(sheet, "on-screen", on_screen ? rh_guest1_get_colour(on_screen) : NEUTRAL_COLOUR);
    if (g_strcmp0(current, sheet->str) == 0)
        return;
    g_free(current);
    current = g_strdup(sheet->str);
    gtk_css_provider_load_from_data(colours, sheet->str, -1, NULL);
}

void style_toggle(GtkWidget *widget, const char *class_name, gboolean on)
{
    GtkStyleContext *context = gtk_widget_get_style_context(widget);
    if (on)
        gtk_style_context_add_class(context, class_name);
    else
        gtk_style_context_remove_class(context, class_name);
}

GtkWidget *style_label(const char *class_name, float align)
{
    GtkWidget *label = gtk_label_new(NULL);
    gtk_label_set_xalign(GTK_LABEL(label), align);
    style_toggle(label, class_name, TRUE);
    return label;
}
