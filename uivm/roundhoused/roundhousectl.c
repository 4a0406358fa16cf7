/* roundhousectl: guests from the command line, through roundhoused's D-Bus API. */
#include "roundhouse_dbus.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>

#define BUS_NAME     "org.roundhouse.Manager1"
#define MANAGER_PATH "/org/roundhouse/Manager1"

/* Creating a guest on a slow machine takes longer than D-Bus usually waits. */
#define CALL_MILLISECONDS (10 * 60 * 1000)

struct command {
    const char *name;
    gboolean (*run)(RhManager1 *manager, const char *argument, GError **error);
    const char *argument; /* NULL: takes none */
    const char *help;
};

static RhGuest1 *open_guest(const char *path, GError **error)
{
    RhGuest1 *guest = rh_guest1_proxy_new_for_bus_sync(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
                                                       BUS_NAME, path, NULL, error);
    if (guest)
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(guest), CALL_MILLISECONDS);
    return guest;
}

static RhGuest1 *find_guest(RhManager1 *manager, const char *name, GError **error)
{
    g_autofree char *path = NULL;
    if (!rh_manager1_call_get_guest_sync(manager, name, &path, NULL, error))
        return NULL;
    return open_guest(path, error);
}

static gboolean list(RhManager1 *manager, const char *argument, GError **error)
{
    const char *const *paths = rh_manager1_get_guests(manager);
    const char *const *problems = rh_manager1_get_problems(manager);
    (void)argument;
    g_print("%-4s %-24s %-9s %6s %10s %5s\n", "SLOT", "NAME", "STATE", "DOMAIN", "MEMORY", "VCPUS");
    for (gsize i = 0; paths && paths[i]; i++) {
        g_autoptr(RhGuest1) guest = open_guest(paths[i], error);
        if (!guest)
            return FALSE;
        gboolean focused = rh_guest1_get_slot(guest) == rh_manager1_get_focused_slot(manager);
        g_autofree char *domain =
            rh_guest1_get_domain_id(guest) < 0 ? g_strdup("-") : g_strdup_printf("%d", rh_guest1_get_domain_id(guest));
        g_print("%3u%c %-24s %-9s %6s %6" G_GUINT64_FORMAT " MiB %5u\n", rh_guest1_get_slot(guest), focused ? '*' : ' ',
                rh_guest1_get_name(guest), rh_guest1_get_state(guest), domain, rh_guest1_get_memory(guest) / 1024,
                rh_guest1_get_vcpus(guest));
    }
    for (gsize i = 0; problems && problems[i]; i++)
        g_printerr("%s\n", problems[i]);
    return TRUE;
}

static gboolean host_status(RhManager1 *manager)
{
    g_print("roundhoused   %s\nhypervisor    %s\nmemory        %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            " MiB free\non screen     slot %u\nvolume        %u %%\nmicrophone    slot %u\n",
            rh_manager1_get_version(manager), rh_manager1_get_hypervisor_version(manager),
            rh_manager1_get_free_memory(manager) / 1024, rh_manager1_get_total_memory(manager) / 1024,
            rh_manager1_get_focused_slot(manager), rh_manager1_get_volume(manager),
            rh_manager1_get_microphone_slot(manager));
    return TRUE;
}

static gboolean status(RhManager1 *manager, const char *argument, GError **error)
{
    if (!argument)
        return host_status(manager);
    g_autoptr(RhGuest1) guest = find_guest(manager, argument, error);
    if (!guest)
        return FALSE;
    g_print("name        %s\nslot        %u\ncolour      %s\nstate       %s\ndomain      %d\n"
            "memory      %" G_GUINT64_FORMAT " MiB\nvcpus       %u\nautostart   %s\n",
            rh_guest1_get_name(guest), rh_guest1_get_slot(guest), rh_guest1_get_colour(guest),
            rh_guest1_get_state(guest), rh_guest1_get_domain_id(guest), rh_guest1_get_memory(guest) / 1024,
            rh_guest1_get_vcpus(guest), rh_guest1_get_autostart(guest) ? "yes" : "no");
    if (*rh_guest1_get_error(guest))
        g_print("error       %s\n", rh_guest1_get_error(guest));
    return TRUE;
}

static gboolean call_guest(RhManager1 *manager, const char *name,
                           gboolean (*call)(RhGuest1 *, GCancellable *, GError **), GError **error)
{
    g_autoptr(RhGuest1) guest = find_guest(manager, name, error);
    return guest && call(guest, NULL, error);
}

#define GUEST_COMMAND(method)                                                                                          \
    static gboolean guest_##method(RhManager1 *manager, const char *name, GError **error)                              \
    {                                                                                                                  \
        return call_guest(manager, name, rh_guest1_call_##method##_sync, error);                                       \
    }
GUEST_COMMAND(start)
GUEST_COMMAND(shutdown)
GUEST_COMMAND(reboot)
GUEST_COMMAND(destroy)
GUEST_COMMAND(pause)
GUEST_COMMAND(unpause)
#undef GUEST_COMMAND

static gboolean switch_to(RhManager1 *manager, const char *name, GError **error)
{
    if (g_str_equal(name, "0") || g_str_equal(name, "switcher"))
        return rh_manager1_call_switch_sync(manager, 0, NULL, error);
    return call_guest(manager, name, rh_guest1_call_switch_sync, error);
}

static gboolean volume(RhManager1 *manager, const char *percent, GError **error)
{
    guint64 value;
    return g_ascii_string_to_unsigned(percent, 10, 0, 100, &value, error) &&
           rh_manager1_call_set_volume_sync(manager, (guint)value, NULL, error);
}

static gboolean microphone(RhManager1 *manager, const char *name, GError **error)
{
    if (g_str_equal(name, "0") || g_str_equal(name, "nobody"))
        return rh_manager1_call_give_microphone_sync(manager, 0, NULL, error);
    g_autoptr(RhGuest1) guest = find_guest(manager, name, error);
    return guest && rh_manager1_call_give_microphone_sync(manager, rh_guest1_get_slot(guest), NULL, error);
}

static gboolean power_off(RhManager1 *manager, const char *argument, GError **error)
{
    (void)argument;
    return rh_manager1_call_shutdown_sync(manager, NULL, error);
}

static gboolean restart(RhManager1 *manager, const char *argument, GError **error)
{
    (void)argument;
    return rh_manager1_call_reboot_sync(manager, NULL, error);
}

static const struct command commands[] = {
    {"list", list, NULL, "list the guests; * marks the one on screen"},
    {"status", status, "[NAME]", "tell all about the machine, or about a guest"},
    {"start", guest_start, "NAME", "start a guest"},
    {"shutdown", guest_shutdown, "NAME", "ask a guest's system to shut down"},
    {"reboot", guest_reboot, "NAME", "ask a guest's system to restart"},
    {"destroy", guest_destroy, "NAME", "force a guest off at once; unsaved work in it is lost"},
    {"pause", guest_pause, "NAME", "let a guest stand still"},
    {"unpause", guest_unpause, "NAME", "let it go on"},
    {"switch", switch_to, "NAME", "bring a guest on screen, or the switcher (name: switcher)"},
    {"volume", volume, "PERCENT", "how loud the machine is"},
    {"microphone", microphone, "NAME", "let one guest hear the microphone, or nobody (name: nobody)"},
    {"poweroff", power_off, NULL, "shut all guests down and power the machine off"},
    {"restart", restart, NULL, "shut all guests down and restart the machine"},
};

static void print_help(void)
{
    g_print("Usage: roundhousectl COMMAND [NAME]\n\n");
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        g_print("  %-10s %-7s %s\n", commands[i].name, commands[i].argument ? commands[i].argument : "",
                commands[i].help);
}

static const struct command *find_command(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_str_equal(commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}

/* NULL: the words make sense for the command. */
static const char *check_words(const struct command *command, int argc)
{
    if (!command->argument)
        return argc == 2 ? NULL : "takes no name";
    if (argc == 3 || (argc == 2 && command->argument[0] == '['))
        return NULL;
    if (g_str_equal(command->argument, "PERCENT"))
        return "needs a number from 0 to 100";
    return "needs the name of one guest; \"roundhousectl list\" shows them";
}

static int run(const struct command *command, const char *argument)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RhManager1) manager = rh_manager1_proxy_new_for_bus_sync(
        G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, BUS_NAME, MANAGER_PATH, NULL, &error);
    g_autofree char *owner = manager ? g_dbus_proxy_get_name_owner(G_DBUS_PROXY(manager)) : NULL;
    if (!owner) {
        g_printerr("roundhousectl: roundhoused is not running%s%s. Start it with \"systemctl start roundhoused\".\n",
                   error ? ": " : "", error ? error->message : "");
        return EXIT_FAILURE;
    }
    if (!rh_manager1_get_version(manager)) {
        g_printerr("roundhousectl: roundhoused does not answer this user. Run roundhousectl as root.\n");
        return EXIT_FAILURE;
    }
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(manager), CALL_MILLISECONDS);
    if (command->run(manager, argument, &error))
        return EXIT_SUCCESS;
    g_dbus_error_strip_remote_error(error);
    g_printerr("roundhousectl: %s\n", error->message);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc < 2 || g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "help")) {
        print_help();
        return argc < 2 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    const struct command *command = find_command(argv[1]);
    if (!command) {
        g_printerr("roundhousectl: there is no command \"%s\". See roundhousectl --help.\n", argv[1]);
        return EXIT_FAILURE;
    }
    const char *wrong = check_words(command, argc);
    if (wrong) {
        g_printerr("roundhousectl: %s %s.\n", command->name, wrong);
        return EXIT_FAILURE;
    }
    return run(command, argc == 3 ? argv[2] : NULL);
}
