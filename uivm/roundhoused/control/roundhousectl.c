/* roundhousectl: guests from the command line, through roundhoused's D-Bus API. */
#include "control.h"

#include <locale.h>
#include <string.h>

#define MANY 64

struct command {
    const char *name;
    gboolean (*run)(struct control *control, GError **error);
    const char *arguments;
    guint min, max; /* words */
    const char *help;
    gboolean json;       /* it knows --json */
    const char *options; /* of its own, as words of unknown_option(); NULL: none */
    gboolean alone;      /* --dry-run works without the service */
    const char *alone_word; /* and so does this first word; NULL: none */
};

/* ---- commands that are one call ---- */

static gboolean call_guest(struct control *control, const char *method, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    g_autoptr(GVariant) answer = guest ? control_call(guest, method, NULL, error) : NULL;
    return answer != NULL;
}

#define GUEST_COMMAND(name, method)                                                                                    \
    static gboolean guest_##name(struct control *control, GError **error)                                              \
    {                                                                                                                  \
        return call_guest(control, method, error);                                                                     \
    }
GUEST_COMMAND(start, "Start")
GUEST_COMMAND(shutdown, "Shutdown")
GUEST_COMMAND(reboot, "Reboot")
GUEST_COMMAND(destroy, "Destroy")
GUEST_COMMAND(pause, "Pause")
GUEST_COMMAND(unpause, "Unpause")
GUEST_COMMAND(suspend, "Suspend")
#undef GUEST_COMMAND

static gboolean power_off(struct control *control, GError **error)
{
    g_autoptr(GVariant) answer = control_call(control->manager, "Shutdown", NULL, error);
    return answer != NULL;
}

static gboolean restart(struct control *control, GError **error)
{
    g_autoptr(GVariant) answer = control_call(control->manager, "Reboot", NULL, error);
    return answer != NULL;
}

/* clang-format off */
static const struct command commands[] = {
    {"list", control_list, "", 0, 0, .help = "list the guests; * marks the one on screen", .json = TRUE},
    {"status", control_status, "[NAME]", 0, 1, .help = "tell all about the machine, or about a guest", .json = TRUE},
    {"start", guest_start, "NAME", 1, 1, .help = "start a guest"},
    {"shutdown", guest_shutdown, "NAME", 1, 1, .help = "ask a guest's system to shut down"},
    {"reboot", guest_reboot, "NAME", 1, 1, .help = "ask a guest's system to restart"},
    {"destroy", guest_destroy, "NAME", 1, 1, .help = "force a guest off at once; unsaved work in it is lost"},
    {"pause", guest_pause, "NAME", 1, 1, .help = "let a guest stand still"},
    {"unpause", guest_unpause, "NAME", 1, 1, .help = "let it go on"},
    {"suspend", guest_suspend, "NAME", 1, 1, .help = "save it on the disk and end it; start lets it go on from there"},
    {"switch", control_switch, "NAME", 1, 1, .help = "bring a guest on screen, or the switcher (name: switcher)"},
    {"volume", control_volume, "PERCENT", 1, 1, .help = "how loud the machine is"},
    {"microphone", control_microphone, "NAME", 1, 1,
     .help = "let one guest hear the microphone, or nobody (name: nobody)"},
    {"console", control_console, "NAME", 1, 1, .help = "join a guest's text console; Ctrl+] leaves it"},
    {"screenshot", control_screenshot, "NAME FILE", 2, 2, .help = "write what a guest shows into a new file, as PNG"},
    {"settings", control_settings, "NAME", 1, 1, .help = "tell a guest's settings, a line each", .json = TRUE},
    {"create", control_create, "NAME [SETTING=VALUE...]", 1, MANY,
     .help = "make a guest; roundhouse-guest(5) has the settings; --disk SIZE, --disk-clone IMAGE[,SIZE], "
             "--disk-import FILE[,SIZE]: with a disk, again for each",
     .options = "disk"},
    {"edit", control_edit, "NAME [SETTING=VALUE...]", 1, MANY,
     .help = "change settings; without any, in $VISUAL or $EDITOR"},
    {"rename", control_rename, "NAME NEW-NAME", 2, 2, .help = "give a guest that is off another name"},
    {"delete", control_delete, "NAME", 1, 1,
     .help = "delete the definition of a guest that is off; --yes: do not ask; --with-images: its disks too",
     .options = "yes with-images"},
    {"import", control_import, "FILE", 1, 1,
     .help = "make a guest of xl's or libvirt's; --name NAME: call it so; --dry-run: only tell",
     .options = "name dry-run", .alone = TRUE},
    {"snapshot", control_snapshot, "NAME [LABEL]", 1, 2, .help = "keep what a guest's disks are now, as a point"},
    {"points", control_points, "NAME", 1, 1, .help = "list its points", .json = TRUE},
    {"revert", control_revert, "NAME TIME", 2, 2, .help = "make the disks of a guest that is off what they were then"},
    {"undo", control_undo, "NAME", 1, 1, .help = "the same, what they were at the newest point"},
    {"forget", control_forget, "NAME TIME", 2, 2, .help = "delete a point; the disks stay what they are"},
    {"disc", control_disc, "NAME [FILE]", 1, 2,
     .help = "put a disc into the drive of a guest that runs; --eject: take it out", .options = "eject"},
    {"image", control_image, "ACTION [WORD...]", 1, 4,
     .help = "look at and change images of disks; -h lists the actions",
     .json = TRUE, .options = "yes"},
    {"jobs", control_list_jobs, "", 0, 0, .help = "list what takes longer, with its progress", .json = TRUE},
    {"cancel", control_cancel, "NUMBER", 1, 1, .help = "cancel a job"},
    {"policy", control_policy, "status|log|explain|check|load [WORD...]", 1, 4,
     .help = "tell of the policy in force, or check and load one", .json = TRUE, .alone_word = "check"},
    {"poweroff", power_off, "", 0, 0, .help = "shut all guests down and power the machine off"},
    {"restart", restart, "", 0, 0, .help = "shut all guests down and restart the machine"},
};
/* clang-format on */

static int print_help(void)
{
    g_print("Usage: roundhousectl COMMAND [WORD...]\n\n");
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        g_print("  %-10s %-24s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    g_print("\n  -h, --help     this text, or with a command what it does\n"
            "  --json         for list, status, settings, points, image list, jobs, policy: one line of JSON, with\n"
            "                 the names of the D-Bus API\n"
            "  --version      the version of this program\n");
    return EXIT_DONE;
}

static int print_command_help(const struct command *command)
{
    g_print("Usage: roundhousectl %s %s%s\n\n%s\n", command->name, command->json ? "[--json] " : "", command->arguments,
            command->help);
    if (command->run == control_image)
        control_image_help();
    return EXIT_DONE;
}

static const struct command *find_command(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_str_equal(commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}

static int wrong(const char *format, ...) G_GNUC_PRINTF(1, 2);

static int wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sentence = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_printerr("roundhousectl: %s. See roundhousectl --help.\n", sentence);
    return EXIT_USAGE;
}

static gboolean has_option(const struct command *command, const char *option)
{
    return command->options && strstr(command->options, option);
}

/* An option that a command does not know is told, not ignored. */
static const char *unknown_option(const struct command *command, const struct control *control)
{
    if (control->json && !command->json)
        return "--json";
    if (control->yes && !has_option(command, "yes"))
        return "--yes";
    if (control->name && !has_option(command, "name"))
        return "--name";
    if (control->eject && !has_option(command, "eject"))
        return "--eject";
    if (control->with_images && !has_option(command, "with-images"))
        return "--with-images";
    if (control->disks->len && !has_option(command, "disk"))
        return "--disk";
    return control->dry_run && !has_option(command, "dry-run") ? "--dry-run" : NULL;
}

/* NULL: it is there. */
static const char *find_service(struct control *control)
{
    control->manager = rh_manager1_proxy_new_for_bus_sync(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
                                                          BUS_NAME, MANAGER_PATH, NULL, NULL);
    g_autofree char *owner = control->manager ? g_dbus_proxy_get_name_owner(G_DBUS_PROXY(control->manager)) : NULL;
    if (!owner)
        return "roundhoused is not running. Start it with \"systemctl start roundhoused\".";
    return rh_manager1_get_version(control->manager) ? NULL : "roundhoused does not answer this user.";
}

static int exit_status(const GError *error)
{
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    static const char *const not_allowed[] = {"org.roundhouse.Error.NotAllowed", "org.roundhouse.Error.DeniedByPolicy",
                                              "org.roundhouse.Error.NotAgreed", NULL};
    if (name && g_strv_contains(not_allowed, name))
        return EXIT_NOT_ALLOWED;
    return error->domain == G_OPTION_ERROR ? EXIT_USAGE : EXIT_FAILED;
}

static gboolean is_alone(const struct command *command, const struct control *control)
{
    return (command->alone && control->dry_run) ||
           (command->alone_word && g_strcmp0(command->alone_word, control->words[0]) == 0);
}

static int run(const struct command *command, struct control *control)
{
    g_autoptr(GError) error = NULL;
    const char *missing = is_alone(command, control) ? NULL : find_service(control);
    int status = EXIT_DONE;
    if (missing) {
        g_printerr("roundhousectl: %s\n", missing);
        status = EXIT_NO_SERVICE;
    } else if (!command->run(control, &error)) {
        status = exit_status(error);
        g_dbus_error_strip_remote_error(error);
        g_printerr("roundhousectl: %s\n", error->message);
    }
    g_clear_object(&control->manager);
    return status;
}

/* What is left of the arguments: the command and its words. */
static int run_words(char **words, struct control *control, gboolean help)
{
    const struct command *command = words[0] ? find_command(words[0]) : NULL;
    if (!words[0] || (!command && g_str_equal(words[0], "help")))
        return help || words[0] ? print_help() : (print_help(), EXIT_USAGE);
    if (!command)
        return wrong("there is no command \"%s\"", words[0]);
    if (help)
        return print_command_help(command);
    const char *option = unknown_option(command, control);
    if (option)
        return wrong("%s does not know %s", command->name, option);
    guint count = g_strv_length(words + 1);
    if (count < command->min || count > command->max)
        return wrong("it is \"roundhousectl %s%s%s\"", command->name, *command->arguments ? " " : "",
                     command->arguments);
    control->words = words + 1;
    return run(command, control);
}

static void disk_free(gpointer data)
{
    struct control_disk *disk = data;
    g_free(disk->word);
    g_free(disk);
}

/* In the order in which they are said, whatever kind they are. */
static gboolean take_disk(const char *option, const char *value, gpointer data, GError **error)
{
    struct control *control = data;
    const char *dash = strchr(option + strlen("--"), '-');
    struct control_disk *disk = g_new(struct control_disk, 1);
    (void)error;
    *disk = (struct control_disk){!dash ? "size" : g_str_equal(dash, "-clone") ? "clone" : "import", g_strdup(value)};
    g_ptr_array_add(control->disks, disk);
    return TRUE;
}

static gboolean parse(struct control *control, const GOptionEntry *entries, int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    GOptionGroup *group = g_option_group_new("", "", "", control, NULL);
    g_option_group_add_entries(group, entries);
    g_option_context_set_main_group(context, group);
    g_option_context_set_help_enabled(context, FALSE);
    return g_option_context_parse(context, argc, argv, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GPtrArray) disks = g_ptr_array_new_with_free_func(disk_free);
    struct control control = {.disks = disks};
    gboolean help = FALSE, version = FALSE;
    g_auto(GStrv) words = NULL;
    g_autofree char *name = NULL;
    setlocale(LC_CTYPE, ""); /* words are in the locale's characters */
    const GOptionEntry entries[] = {
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, NULL, NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, NULL, NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &control.json, NULL, NULL},
        {"yes", 0, 0, G_OPTION_ARG_NONE, &control.yes, NULL, NULL},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &control.dry_run, NULL, NULL},
        {"name", 0, 0, G_OPTION_ARG_STRING, &name, NULL, NULL},
        {"eject", 0, 0, G_OPTION_ARG_NONE, &control.eject, NULL, NULL},
        {"with-images", 0, 0, G_OPTION_ARG_NONE, &control.with_images, NULL, NULL},
        {"disk", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer)take_disk, NULL, NULL},
        {"disk-clone", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer)take_disk, NULL, NULL},
        {"disk-import", 0, G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK, (gpointer)take_disk, NULL, NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &words, NULL, NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    static char *none[] = {NULL};
    g_autoptr(GError) error = NULL;
    if (!parse(&control, entries, &argc, &argv, &error))
        return wrong("%s", error->message);
    if (version) {
        g_print("roundhousectl %s\n", ROUNDHOUSE_VERSION);
        return EXIT_DONE;
    }
    control.name = name;
    return run_words(words ? words : none, &control, help);
}
