/* The page of a guest around its sections: opening, following and closing it. */
#include "guest_view_private.h"
#include "../guest_look.h"
#include "../style.h"

#define ASK_SECONDS 10 /* undo points come by themselves */

static const struct sheet_section sections[SECTION_COUNT] = {
    [SECTION_OVERVIEW] = {"_Overview", "What it is, and what can be done with it", section_overview_fill},
    [SECTION_SETTINGS] = {"_Settings", "All of its definition", section_settings_fill},
    [SECTION_DISKS] = {"_Disks", "Its disks, and the disc in its drive", section_disks_fill},
    [SECTION_POINTS] = {"_Undo", "What its disks were, to go back to", section_points_fill},
    [SECTION_MAY] = {"_May", "What the policy lets it do, and why", section_may_fill},
};

gboolean guest_view_is_off(struct guest_view *view)
{
    return view->guest && (guest_is(view->guest, GUEST_OFF) || guest_is(view->guest, GUEST_CRASHED));
}

/* ---- what roundhoused says ---- */

static gboolean differs(GVariant *one, GVariant *other)
{
    return !one || !g_variant_equal(one, other);
}

/* Sections that are made of it; nobody types there while a list changes but for what the view keeps. */
static void refill_if(struct guest_view *view, gboolean news, enum guest_section section)
{
    if (news && sheet_section(view->sheet) == section)
        sheet_refill(view->sheet);
}

static gboolean is_of(struct guest_view *view, GObject *source)
{
    return view->guest && G_OBJECT(view->guest) == source;
}

static void settings_told(GObject *source, GAsyncResult *result, gpointer data)
{
    struct guest_view *view = data;
    g_autoptr(GVariant) settings = NULL;
    if (!rh_guest1_call_get_settings_finish(RH_GUEST1(source), &settings, result, NULL) || !is_of(view, source))
        return;
    gboolean news = differs(view->settings, settings);
    g_clear_pointer(&view->settings, g_variant_unref);
    view->settings = g_steal_pointer(&settings);
    settings_form_take(view->form, view->settings);
    section_settings_told(view);
    refill_if(view, news, SECTION_OVERVIEW);
    refill_if(view, news, SECTION_DISKS);
}

static void pictures_came(gpointer data)
{
    refill_if(data, TRUE, SECTION_POINTS);
}

static void points_told(GObject *source, GAsyncResult *result, gpointer data)
{
    struct guest_view *view = data;
    g_autoptr(GVariant) told = NULL;
    if (!rh_guest1_call_list_points_finish(RH_GUEST1(source), &told, result, NULL) || !is_of(view, source))
        return;
    GPtrArray *points = points_read(told);
    gboolean news = !view->points || view->points->len != points->len;
    for (guint i = 0; !news && i < points->len; i++) {
        const struct point *one = g_ptr_array_index(points, i), *other = g_ptr_array_index(view->points, i);
        news = one->time != other->time || one->size != other->size || !g_str_equal(one->label, other->label);
    }
    g_clear_pointer(&view->points, g_ptr_array_unref);
    view->points = points;
    if (!view->pictures)
        view->pictures = point_pictures_new(view->guest, pictures_came, view);
    point_pictures_ask(view->pictures, points);
    refill_if(view, news, SECTION_POINTS);
}

static void images_told(GObject *source, GAsyncResult *result, gpointer data)
{
    struct guest_view *view = data;
    g_autoptr(GVariant) images = NULL;
    if (!rh_manager1_call_list_images_finish(RH_MANAGER1(source), &images, result, NULL) || !view->guest)
        return;
    gboolean news = differs(view->images, images);
    g_clear_pointer(&view->images, g_variant_unref);
    view->images = g_steal_pointer(&images);
    refill_if(view, news, SECTION_OVERVIEW);
    refill_if(view, news, SECTION_DISKS);
}

void section_may_told(struct guest_view *view, char **may)
{
    gboolean news = !view->may || !g_strv_equal((const char *const *)view->may, (const char *const *)may);
    g_strfreev(view->may);
    view->may = may;
    refill_if(view, news, SECTION_MAY);
}

static void ask_for_news(struct guest_view *view)
{
    RhManager1 *manager = model_manager(view->model);
    if (!view->guest || !manager)
        return;
    rh_guest1_call_get_settings(view->guest, NULL, settings_told, view);
    rh_guest1_call_list_points(view->guest, NULL, points_told, view);
    rh_manager1_call_list_images(manager, NULL, images_told, view);
    if (sheet_section(view->sheet) == SECTION_MAY) /* a call for each of its sentences */
        section_may_ask(view);
}

static gboolean ask_again(gpointer data)
{
    struct guest_view *view = data;
    if (view->guest && !view->errand && model_focused(view->model) == 0)
        ask_for_news(view);
    return G_SOURCE_CONTINUE;
}

/* ---- errands ---- */

gboolean guest_view_begin(struct guest_view *view, gpointer proxy, const char *method, GVariant *parameters,
                          GUnixFDList *files, errand_done_fn done)
{
    g_autoptr(GVariant) kept = parameters ? g_variant_ref_sink(parameters) : NULL;
    if (view->errand || !proxy) {
        sheet_say(view->sheet, SHEET_HINT, "Something else that was asked for is not done yet. Wait a moment.");
        return FALSE;
    }
    sheet_say(view->sheet, SHEET_FINE, "Working \342\200\246");
    view->errand = errand_begin(view->errands, proxy, method, kept, files, done, view);
    return TRUE;
}

gboolean guest_view_ended(struct guest_view *view, const char *sentence, const char *success)
{
    view->errand = NULL;
    view->moving = FALSE;
    sheet_say(view->sheet, sentence ? SHEET_WRONG : SHEET_FINE, sentence ? sentence : success);
    ask_for_news(view);
    return !sentence;
}

static void show_progress(struct guest_view *view)
{
    double part = view->errand ? errand_progress(view->errand) : -1;
    g_autofree char *words = part > 0 ? g_strdup_printf("Working \342\200\246  %.0f %%", part * 100) : NULL;
    if (words)
        sheet_say(view->sheet, SHEET_FINE, words);
}

/* ---- opening and closing ---- */

static void forget(struct guest_view *view)
{
    errand_leave(view->errand);
    g_cancellable_cancel(view->cancellable);
    g_clear_object(&view->cancellable);
    g_clear_object(&view->guest);
    g_clear_pointer(&view->path, g_free);
    g_clear_pointer(&view->name, g_free);
    g_clear_pointer(&view->state, g_free);
    g_clear_pointer(&view->form, settings_form_free);
    g_clear_pointer(&view->settings, g_variant_unref);
    g_clear_pointer(&view->images, g_variant_unref);
    g_clear_pointer(&view->points, g_ptr_array_unref);
    g_clear_pointer(&view->pictures, point_pictures_free);
    g_clear_pointer(&view->discs, g_ptr_array_unref);
    g_clear_pointer(&view->may, g_strfreev);
    g_clear_pointer(&view->growing, g_free);
    g_clear_pointer(&view->typed_size, g_free);
    g_clear_pointer(&view->typed_label, g_free);
    view->errand = NULL;
    view->moving = view->choosing = FALSE;
}

void guest_view_leave(gpointer data)
{
    struct guest_view *view = data;
    g_autoptr(RhGuest1) guest = view->guest ? g_object_ref(view->guest) : NULL;
    forget(view);
    view->calls.closed(guest, view->user);
}

/* What was typed and not saved is given up by saying so only. */
static void want_to_close(gpointer data)
{
    struct guest_view *view = data;
    if (!settings_form_edited(view->form)) {
        guest_view_leave(view);
        return;
    }
    confirm_ask(view->confirm, "Leave without saving?", "The changed settings are forgotten; the guest stays as it is.",
                "Leave", guest_view_leave, view, NULL);
}

static void show_title(struct guest_view *view)
{
    guint digit = guest_digit(view->guest);
    g_autofree char *chip = digit ? g_strdup_printf("%u", digit) : g_strdup("\302\267");
    g_autofree char *class_name = style_guest_class(view->guest);
    sheet_set_title(view->sheet, view->name, guest_state_words(view->guest), chip, class_name);
}

/* The proxy is another one after each restart of the service. */
static void take_guest(struct guest_view *view, RhGuest1 *guest)
{
    if (g_set_object(&view->guest, guest))
        g_clear_pointer(&view->pictures, point_pictures_free);
    g_free(view->name);
    view->name = g_strdup(rh_guest1_get_name(guest));
    g_free(view->state);
    view->state = g_strdup(rh_guest1_get_state(guest));
    show_title(view);
    ask_for_news(view);
}

void guest_view_open(struct guest_view *view, RhGuest1 *guest)
{
    forget(view);
    view->path = g_strdup(g_dbus_proxy_get_object_path(G_DBUS_PROXY(guest)));
    view->form = settings_form_new();
    view->cancellable = g_cancellable_new();
    take_guest(view, guest);
    sheet_show(view->sheet, SECTION_OVERVIEW);
}

gboolean guest_view_is_open(struct guest_view *view)
{
    return view->path != NULL;
}

void guest_view_follow(struct guest_view *view, const char *path)
{
    g_free(view->path);
    view->path = g_strdup(path);
    guest_view_update(view);
}

/* ---- following ---- */

static void lost(struct guest_view *view)
{
    g_autofree char *sentence =
        g_strdup_printf("%s is not there any more: it was deleted, or has got another name.", view->name);
    gpointer user = view->user;
    confirm_cancel(view->confirm);
    guest_view_leave(view);
    view->calls.failed(sentence, user);
}

static void update_guest(struct guest_view *view, RhGuest1 *guest)
{
    if (guest != view->guest) {
        gboolean was_away = !view->guest;
        take_guest(view, guest);
        if (was_away)
            sheet_say(view->sheet, SHEET_FINE, NULL);
        sheet_refill(view->sheet);
        return;
    }
    show_title(view);
    if (g_strcmp0(view->state, rh_guest1_get_state(guest)) == 0)
        return;
    g_free(view->state);
    view->state = g_strdup(rh_guest1_get_state(guest));
    ask_for_news(view);
    if (sheet_section(view->sheet) != SECTION_SETTINGS) /* somebody may be typing there, and its rows are the same */
        sheet_refill(view->sheet);
}

void guest_view_update(struct guest_view *view)
{
    if (!view->path)
        return;
    RhGuest1 *guest = model_find_guest(view->model, view->path);
    show_progress(view);
    if (guest)
        update_guest(view, guest);
    else if (!model_manager(view->model)) {
        g_clear_object(&view->guest);
        sheet_say(view->sheet, SHEET_HINT,
                  "The service behind the guests is being started again. What is typed here stays.");
    } else if (!view->moving)
        lost(view);
}

gboolean guest_view_key(struct guest_view *view, guint key, GdkModifierType modifiers)
{
    return sheet_key(view->sheet, key, modifiers);
}

struct guest_view *guest_view_new(struct model *model, struct errands *errands, struct confirm *confirm,
                                  const struct guest_view_calls *calls, gpointer user)
{
    struct guest_view *view = g_new0(struct guest_view, 1);
    *view = (struct guest_view){.model = model, .errands = errands, .confirm = confirm, .calls = *calls, .user = user};
    view->sheet = sheet_new(sections, SECTION_COUNT, want_to_close, view);
    g_timeout_add_seconds(ASK_SECONDS, ask_again, view);
    return view;
}

GtkWidget *guest_view_widget(struct guest_view *view)
{
    return sheet_widget(view->sheet);
}
