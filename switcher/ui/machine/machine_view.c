/* The page of the machine around its sections. */
#include "machine_view_private.h"

static const struct sheet_section sections[MACHINE_SECTION_COUNT] = {
    [MACHINE_SOUND] = {"_Sound", "How loud it is, and who hears the microphone", section_sound_fill},
    [MACHINE_KEYS] = {"_Keys", "What keys do everywhere", section_keys_fill},
    [MACHINE_STORAGE] = {"S_torage", "The pool of guests' disks", section_storage_fill},
    [MACHINE_ABOUT] = {"A_bout", "What runs here", section_about_fill},
};

/* ---- what roundhoused says when it is asked ---- */

void machine_view_refill_if(struct machine_view *view, enum machine_section section)
{
    if (view->open && sheet_section(view->sheet) == section)
        sheet_refill(view->sheet);
}

static void images_told(GObject *source, GAsyncResult *result, gpointer data)
{
    struct machine_view *view = data;
    g_autoptr(GVariant) images = NULL;
    if (!rh_manager1_call_list_images_finish(RH_MANAGER1(source), &images, result, NULL) ||
        (view->images && g_variant_equal(view->images, images)))
        return;
    g_clear_pointer(&view->images, g_variant_unref);
    view->images = g_steal_pointer(&images);
    machine_view_refill_if(view, MACHINE_STORAGE);
}

static void settings_told(GObject *source, GAsyncResult *result, gpointer data)
{
    struct machine_view *view = data;
    g_autoptr(GVariant) settings = NULL;
    const char *path = g_dbus_proxy_get_object_path(G_DBUS_PROXY(source));
    guint volume;
    if (!rh_guest1_call_get_settings_finish(RH_GUEST1(source), &settings, result, NULL) || view->volumes_changing ||
        !g_variant_lookup(settings, "volume", "u", &volume) ||
        g_hash_table_lookup(view->volumes, path) == GUINT_TO_POINTER(volume + 1))
        return;
    g_hash_table_insert(view->volumes, g_strdup(path), GUINT_TO_POINTER(volume + 1));
    machine_view_refill_if(view, MACHINE_SOUND);
}

void machine_view_ask(struct machine_view *view)
{
    RhManager1 *manager = model_manager(view->model);
    GPtrArray *guests = model_guests(view->model);
    if (!manager)
        return;
    rh_manager1_call_list_images(manager, NULL, images_told, view);
    for (guint i = 0; i < guests->len; i++)
        rh_guest1_call_get_settings(g_ptr_array_index(guests, i), NULL, settings_told, view);
}

/* ---- following ---- */

/* What the section that is shown is made of, to know whether anything of it is new. The pool's numbers change all the
 * time: where they are not shown they must not take a slider out of a person's hand. */
static char *news_of(struct machine_view *view)
{
    RhManager1 *manager = model_manager(view->model);
    GPtrArray *guests = model_guests(view->model);
    GString *news = g_string_new(manager ? "there" : "away");
    if (manager)
        g_string_append_printf(news, " %u", rh_manager1_get_microphone_slot(manager));
    if (manager && sheet_section(view->sheet) == MACHINE_STORAGE)
        g_string_append_printf(news, " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, rh_manager1_get_pool_free(manager),
                               rh_manager1_get_pool_size(manager));
    for (guint i = 0; i < guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(guests, i);
        g_string_append_printf(news, "\n%s %u %d", rh_guest1_get_name(guest), rh_guest1_get_screen(guest),
                               guest_is_live(guest));
    }
    return g_string_free(news, FALSE);
}

void machine_view_update(struct machine_view *view)
{
    if (!view->open)
        return;
    char *news = news_of(view);
    gboolean same = g_strcmp0(news, view->told) == 0;
    g_free(view->told);
    view->told = news;
    if (same)
        return;
    machine_view_ask(view);
    sheet_refill(view->sheet);
}

/* ---- opening and closing ---- */

static void leave(gpointer data)
{
    struct machine_view *view = data;
    view->open = FALSE;
    view->closed(view->user);
}

void machine_view_open(struct machine_view *view)
{
    view->open = TRUE;
    g_free(view->told);
    view->told = news_of(view);
    sheet_set_title(view->sheet, "This computer", "", NULL, NULL);
    machine_view_ask(view);
    sheet_show(view->sheet, MACHINE_SOUND);
}

gboolean machine_view_is_open(struct machine_view *view)
{
    return view->open;
}

gboolean machine_view_key(struct machine_view *view, guint key, GdkModifierType modifiers)
{
    return sheet_key(view->sheet, key, modifiers);
}

struct machine_view *machine_view_new(struct model *model, struct errands *errands, struct confirm *confirm,
                                      void (*closed)(gpointer user), gpointer user)
{
    struct machine_view *view = g_new0(struct machine_view, 1);
    *view =
        (struct machine_view){.model = model, .errands = errands, .confirm = confirm, .closed = closed, .user = user};
    view->volumes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    view->sheet = sheet_new(sections, MACHINE_SECTION_COUNT, leave, view);
    return view;
}

GtkWidget *machine_view_widget(struct machine_view *view)
{
    return sheet_widget(view->sheet);
}
