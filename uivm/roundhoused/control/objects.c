/* The service's objects, as commands ask for them. */
#include "control.h"

#include <stdlib.h>
#include <string.h>

/* Creating a guest on a slow machine takes longer than D-Bus usually waits. */
#define CALL_MILLISECONDS (10 * 60 * 1000)

GVariant *control_call_with(gpointer proxy, const char *method, GVariant *parameters, GUnixFDList *files,
                            GError **error)
{
    return g_dbus_proxy_call_with_unix_fd_list_sync(proxy, method, parameters,
                                                    G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
                                                    CALL_MILLISECONDS, files, NULL, NULL, error);
}

GVariant *control_call(gpointer proxy, const char *method, GVariant *parameters, GError **error)
{
    return control_call_with(proxy, method, parameters, NULL, error);
}

RhGuest1 *control_guest(struct control *control, const char *name, GError **error)
{
    g_autofree char *path = NULL;
    if (!rh_manager1_call_get_guest_sync(control->manager, name, &path, NULL, error))
        return NULL;
    return rh_guest1_proxy_new_for_bus_sync(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, BUS_NAME, path,
                                            NULL, error);
}

static int compare_guests(gconstpointer a, gconstpointer b)
{
    RhGuest1 *left = *(RhGuest1 *const *)a, *right = *(RhGuest1 *const *)b;
    guint one = rh_guest1_get_slot(left), other = rh_guest1_get_slot(right);
    if (one != other)
        return one && (!other || one < other) ? -1 : 1;
    return strcmp(rh_guest1_get_name(left), rh_guest1_get_name(right));
}

static guint64 number_of(gconstpointer job)
{
    const char *path = g_dbus_proxy_get_object_path(*(GDBusProxy *const *)job);
    return g_ascii_strtoull(strrchr(path, '/') + 1, NULL, 10);
}

static int compare_jobs(gconstpointer a, gconstpointer b)
{
    guint64 one = number_of(a), other = number_of(b);
    return (one > other) - (one < other);
}

/* All objects that have the interface. */
static GPtrArray *all_with(const char *interface, GCompareFunc compare, GError **error)
{
    GDBusObjectManager *objects = rh_object_manager_client_new_for_bus_sync(
        G_BUS_TYPE_SYSTEM, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START, BUS_NAME, OBJECTS_PATH, NULL, error);
    if (!objects)
        return NULL;
    GPtrArray *proxies = g_ptr_array_new_with_free_func(g_object_unref);
    g_autolist(GDBusObject) list = g_dbus_object_manager_get_objects(objects);
    for (GList *object = list; object; object = object->next) {
        GDBusInterface *proxy = g_dbus_object_get_interface(object->data, interface);
        if (proxy)
            g_ptr_array_add(proxies, proxy);
    }
    g_ptr_array_sort(proxies, compare);
    g_object_unref(objects);
    return proxies;
}

GPtrArray *control_guests(GError **error)
{
    return all_with("org.roundhouse.Guest1", compare_guests, error);
}

GPtrArray *control_jobs(GError **error)
{
    return all_with("org.roundhouse.Job1", compare_jobs, error);
}

GVariant *control_properties(gpointer proxy)
{
    GVariantBuilder properties;
    g_auto(GStrv) names = g_dbus_proxy_get_cached_property_names(proxy);
    g_variant_builder_init(&properties, G_VARIANT_TYPE("a{sv}"));
    for (gsize i = 0; names && names[i]; i++) {
        g_autoptr(GVariant) value = g_dbus_proxy_get_cached_property(proxy, names[i]);
        g_variant_builder_add(&properties, "{sv}", names[i], value);
    }
    g_variant_builder_add(&properties, "{sv}", "Path", g_variant_new_object_path(g_dbus_proxy_get_object_path(proxy)));
    return g_variant_builder_end(&properties);
}
