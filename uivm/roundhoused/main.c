/*
 * roundhoused: the toolstack service. It alone holds toolstack power; everyone else asks it over D-Bus
 * (uivm/interfaces). Runs as root in the UI service machine, after xenstored.
 */
#include "manager.h"
#include "storage/pool.h"
#include "watchdog.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <stdlib.h>

#define BUS_NAME "org.roundhouse.Manager1"

struct service {
    struct manager_options options;
    struct manager *manager;
    GMainLoop *loop;
    int status;
};

static gboolean stop(gpointer data)
{
    struct service *service = data;
    g_main_loop_quit(service->loop);
    return G_SOURCE_CONTINUE;
}

static void bus_acquired(GDBusConnection *bus, const char *name, gpointer data)
{
    struct service *service = data;
    g_autoptr(GError) error = NULL;
    (void)name;
    service->manager = manager_new(bus, &service->options, &error);
    if (!service->manager) {
        g_printerr("roundhoused: %s\n", error->message);
        service->status = EXIT_FAILURE;
        g_main_loop_quit(service->loop);
    }
}

static void name_acquired(GDBusConnection *bus, const char *name, gpointer data)
{
    (void)bus;
    (void)data;
    g_message("ready as %s", name);
}

static void name_lost(GDBusConnection *bus, const char *name, gpointer data)
{
    struct service *service = data;
    if (service->status == EXIT_SUCCESS)
        g_printerr(bus ? "roundhoused: the name %s is not ours: another roundhoused runs, or the bus policy "
                         "org.roundhouse.Manager1.conf is not installed, or this is not root.\n"
                       : "roundhoused: the system bus is not there, so %s cannot be offered. Start D-Bus first.\n",
                   name);
    service->status = EXIT_FAILURE;
    g_main_loop_quit(service->loop);
}

int main(int argc, char **argv)
{
    g_autofree char *guests = NULL, *seat = NULL, *sound = NULL, *state = NULL, *marker = NULL, *notice = NULL;
    g_autofree char *pool = NULL, *policy = NULL, *up = NULL;
    gboolean version = FALSE;
    const GOptionEntry entries[] = {
        {"guests", 0, 0, G_OPTION_ARG_FILENAME, &guests, "Guest definitions (/etc/roundhouse/guests)", "DIRECTORY"},
        {"seat", 0, 0, G_OPTION_ARG_FILENAME, &seat, "The seat's socket (/run/roundhouse/seat.sock)", "SOCKET"},
        {"sound", 0, 0, G_OPTION_ARG_FILENAME, &sound, "The sound's socket (/run/roundhouse-sound/link.sock)",
         "SOCKET"},
        {"state", 0, 0, G_OPTION_ARG_FILENAME, &state, "What is kept of guests (/var/lib/roundhouse)", "DIRECTORY"},
        {"autostart-marker", 0, 0, G_OPTION_ARG_FILENAME, &marker,
         "How far autostart has come; it happens once while this file stays (/run/roundhouse/autostarted)", "FILE"},
        {"notice", 0, 0, G_OPTION_ARG_FILENAME, &notice,
         "A line that the switcher shows, if the file is there (/etc/roundhouse/notice)", "FILE"},
        {"pool", 0, 0, G_OPTION_ARG_FILENAME, &pool, "Guests' disks (" POOL_PATH ")", "DIRECTORY"},
        {"policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "The compiled policy (/etc/roundhouse/policy.table)", "FILE"},
        {"up-marker", 0, 0, G_OPTION_ARG_FILENAME, &up, "Made when seat and switcher are there (/run/roundhouse-up)",
         "FILE"},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version and exit", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the toolstack service");
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1) {
        g_printerr("roundhoused: %s. See --help.\n", error ? error->message : "it takes options only");
        return EXIT_FAILURE;
    }
    if (version) {
        g_print("roundhoused %s\n", ROUNDHOUSE_VERSION);
        return EXIT_SUCCESS;
    }
    struct service service = {
        .options = {guests ? guests : "/etc/roundhouse/guests", seat ? seat : "/run/roundhouse/seat.sock",
                    sound ? sound : "/run/roundhouse-sound/link.sock", state ? state : "/var/lib/roundhouse",
                    marker ? marker : "/run/roundhouse/autostarted", notice ? notice : "/etc/roundhouse/notice",
                    ROUNDHOUSE_VERSION, pool ? pool : POOL_PATH,
                    policy ? policy : "/etc/roundhouse/policy.table", up ? up : "/run/roundhouse-up"},
        .loop = g_main_loop_new(NULL, FALSE),
    };
    guint name = g_bus_own_name(G_BUS_TYPE_SYSTEM, BUS_NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, bus_acquired,
                                name_acquired, name_lost, &service, NULL);
    g_unix_signal_add(SIGTERM, stop, &service);
    g_unix_signal_add(SIGINT, stop, &service);
    watchdog_start();
    g_main_loop_run(service.loop);
    if (service.manager)
        manager_free(service.manager);
    g_bus_unown_name(name);
    g_main_loop_unref(service.loop);
    return service.status;
}
