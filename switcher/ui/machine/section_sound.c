/* How loud the machine and its guests are, and who hears the microphone. */
#include "machine_view_private.h"
#include "../style.h"

#define NAME_WIDTH         170
#define PAUSE_MILLISECONDS 250 /* a slider that is moved is asked about when it rests */

/* ---- a slider, and what it asks for ---- */

/* One that is moved may be gone before it rests, for the section is filled anew with all that is new: it is asked about
 * all the same, and its successor stands where it stood. */
struct slider {
    struct machine_view *view;
    GDBusProxy *proxy; /* a guest, or the manager */
    guint percent;
    guint timer;
};

static guint told_volume(struct machine_view *view, gpointer proxy)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(view->volumes, g_dbus_proxy_get_object_path(proxy)));
}

static void volume_set(GVariant *answer, const char *sentence, gpointer data)
{
    struct machine_view *view = data;
    RhManager1 *manager = model_manager(view->model);
    (void)answer;
    sheet_say(view->sheet, SHEET_WRONG, sentence);
    if (--view->volumes_changing)
        return;
    if (manager)
        g_hash_table_remove(view->volumes, g_dbus_proxy_get_object_path(G_DBUS_PROXY(manager)));
    if (sentence)
        machine_view_refill_if(view, MACHINE_SOUND);
    machine_view_ask(view);
}

static GVariant *volume_setting(guint percent)
{
    GVariantBuilder settings;
    g_variant_builder_init(&settings, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&settings, "{sv}", "volume", g_variant_new_uint32(percent));
    return g_variant_new("(a{sv})", &settings);
}

static gboolean ask(gpointer data)
{
    struct slider *slider = data;
    struct machine_view *view = slider->view;
    slider->timer = 0;
    if (RH_IS_MANAGER1(slider->proxy))
        errand_begin(view->errands, slider->proxy, "SetVolume", g_variant_new("(u)", slider->percent), NULL, volume_set,
                     view);
    else
        errand_begin(view->errands, slider->proxy, "SetSettings", volume_setting(slider->percent), NULL, volume_set,
                     view);
    return G_SOURCE_REMOVE;
}

static void slider_free(gpointer data)
{
    struct slider *slider = data;
    if (slider->timer) {
        g_source_remove(slider->timer);
        ask(slider);
    }
    g_object_unref(slider->proxy);
    g_free(slider);
}

static void moved(GtkRange *scale, gpointer data)
{
    struct slider *slider = data;
    struct machine_view *view = slider->view;
    slider->percent = (guint)gtk_range_get_value(scale);
    g_hash_table_insert(view->volumes, g_strdup(g_dbus_proxy_get_object_path(slider->proxy)),
                        GUINT_TO_POINTER(slider->percent + 1));
    if (slider->timer)
        g_source_remove(slider->timer);
    else
        view->volumes_changing++;
    slider->timer = g_timeout_add(PAUSE_MILLISECONDS, ask, slider);
}

static char *percent_words(GtkScale *scale, double value, gpointer data)
{
    (void)scale, (void)data;
    return g_strdup_printf("%.0f %%", value);
}

static GtkWidget *fill_slider(struct machine_view *view, GtkBox *box, const char *name, gpointer proxy, guint percent)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12), *label = gtk_label_new(name);
    GtkWidget *scale = gtk_scale_new_with_range(GTK_ORIENTATION_HORIZONTAL, 0, 100, 5);
    struct slider *slider = g_new0(struct slider, 1);
    g_autofree char *spoken = g_strdup_printf("Volume of %s", name);
    *slider = (struct slider){view, g_object_ref(proxy), percent, 0};
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_MIDDLE);
    gtk_label_set_max_width_chars(GTK_LABEL(label), 1);
    gtk_widget_set_size_request(label, NAME_WIDTH, -1);
    gtk_scale_set_value_pos(GTK_SCALE(scale), GTK_POS_RIGHT);
    gtk_range_set_value(GTK_RANGE(scale), percent);
    page_speak(scale, spoken, "In percent");
    g_signal_connect(scale, "format-value", G_CALLBACK(percent_words), NULL);
    g_signal_connect(scale, "value-changed", G_CALLBACK(moved), slider);
    g_object_set_data_full(G_OBJECT(scale), "slider", slider, slider_free);
    gtk_box_pack_start(GTK_BOX(row), label, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), scale, TRUE, TRUE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
    return scale;
}

static void fill_guests(struct machine_view *view, GtkBox *box)
{
    GPtrArray *guests = model_guests(view->model);
    gtk_box_pack_start(box, page_heading("Guests"), FALSE, FALSE, 4);
    gtk_box_pack_start(box,
                       page_line("Counts from a guest's next start. What is heard of it off screen is among its own "
                                 "settings."),
                       FALSE, FALSE, 0);
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        guint told = told_volume(view, guest);
        g_autofree char *name = plain_text(rh_guest1_get_name(guest), PLAIN_LINE_MAX);
        if (told)
            fill_slider(view, box, name, guest, told - 1);
    }
}

/* ---- the microphone ---- */

static void given(GVariant *answer, const char *sentence, gpointer data)
{
    struct machine_view *view = data;
    (void)answer;
    sheet_say(view->sheet, SHEET_WRONG, sentence);
}

static void give_clicked(GtkButton *button, gpointer data)
{
    struct machine_view *view = data;
    RhManager1 *manager = model_manager(view->model);
    guint slot = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(button), "slot"));
    if (manager)
        errand_begin(view->errands, manager, "GiveMicrophone", g_variant_new("(u)", slot), NULL, given, view);
}

static void fill_giving(struct machine_view *view, GtkBox *box, guint slot, const char *label, const char *about)
{
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
    GtkWidget *button = page_button("", slot ? "secondary" : "primary", about, G_CALLBACK(give_clicked), view);
    GtkWidget *words = gtk_label_new(label);
    gtk_container_remove(GTK_CONTAINER(button), gtk_bin_get_child(GTK_BIN(button)));
    gtk_label_set_ellipsize(GTK_LABEL(words), PANGO_ELLIPSIZE_MIDDLE);
    gtk_container_add(GTK_CONTAINER(button), words);
    page_speak(button, label, NULL);
    g_object_set_data(G_OBJECT(button), "slot", GUINT_TO_POINTER(slot));
    gtk_box_pack_start(GTK_BOX(row), button, FALSE, FALSE, 0);
    gtk_box_pack_start(box, row, FALSE, FALSE, 0);
}

static void fill_microphone(struct machine_view *view, GtkBox *box)
{
    GPtrArray *guests = model_guests(view->model);
    RhManager1 *manager = model_manager(view->model);
    guint slot = manager ? rh_manager1_get_microphone_slot(manager) : 0;
    RhGuest1 *hears = slot ? model_guest_in_slot(view->model, slot) : NULL;
    g_autofree char *name = plain_text(hears ? rh_guest1_get_name(hears) : "", PLAIN_LINE_MAX);
    g_autofree char *words =
        slot ? g_strdup_printf("%s hears it.", *name ? name : "A guest that is not known here")
             : g_strdup("Nobody hears it. It is given to one guest at a time, and taken back when that "
                        "ends.");
    gtk_box_pack_start(box, page_heading("Microphone"), FALSE, FALSE, 4);
    gtk_box_pack_start(box, page_line(words), FALSE, FALSE, 0);
    if (slot)
        fill_giving(view, box, 0, "Take it away", "Nobody hears the microphone afterwards");
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        guint screen = rh_guest1_get_screen(guest);
        g_autofree char *plain = plain_text(rh_guest1_get_name(guest), PLAIN_LINE_MAX);
        g_autofree char *label = g_strdup_printf("Give it to %s", plain);
        if (screen && screen != slot && guest_is_live(guest))
            fill_giving(view, box, screen, label, "It alone hears the microphone afterwards");
    }
}

GtkWidget *section_sound_fill(gpointer data, GtkBox *box, GtkBox *buttons)
{
    struct machine_view *view = data;
    RhManager1 *manager = model_manager(view->model);
    (void)buttons;
    if (!manager) {
        gtk_box_pack_start(box, page_line("The service behind this is being started again."), FALSE, FALSE, 0);
        return NULL;
    }
    gtk_box_pack_start(box, page_heading("Speakers"), FALSE, FALSE, 4);
    guint changing = told_volume(view, manager);
    GtkWidget *first =
        fill_slider(view, box, "this computer", manager, changing ? changing - 1 : rh_manager1_get_volume(manager));
    fill_microphone(view, box);
    fill_guests(view, box);
    return first;
}
