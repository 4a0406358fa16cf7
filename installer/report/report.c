/* The parts of a report. */
#include "report.h"
#include "redact.h"

#include <string.h>

#define FIRST_PERSON 1000 /* numbers of accounts that are people's, as Debian's adduser gives them */
#define LAST_PERSON  59999
#define PART_MAX     (1 << 20) /* of what a part says its end is kept */

#define SERVICES                                                                                                       \
    "_TRANSPORT=kernel", "+", "SYSLOG_IDENTIFIER=systemd", "+", "_SYSTEMD_UNIT=roundhoused.service", "+",              \
        "_SYSTEMD_UNIT=roundhouse-seat.service", "+", "_SYSTEMD_UNIT=roundhouse-sound.service", "+",                   \
        "_SYSTEMD_UNIT=roundhouse-ui.service", "+", "_SYSTEMD_UNIT=roundhouse-pool-check.service", "+",                \
        "_SYSTEMD_UNIT=roundhouse-good.service", "+", "_SYSTEMD_UNIT=xenstored.service", "+",                          \
        "_SYSTEMD_UNIT=xenconsoled.service"

/* The time limit is before each: a tool that waits for a service that hangs must not take the report with it. */
static const struct {
    const char *title;
    const char *command[40];
} parts[] = {
    {"Versions", {"roundhousectl", "--version", NULL}},
    {"System", {"uname", "-srvm", NULL}},
    {"Hypervisor", {"xl", "info", NULL}},
    {"Check of this machine", {"roundhouse-install", "--check", NULL}},
    {"Guests", {"roundhousectl", "list", NULL}},
    {"What takes longer", {"roundhousectl", "jobs", NULL}},
    {"Policy", {"roundhousectl", "policy", "status", NULL}},
    {"Room", {"df", "-hT", "-x", "tmpfs", "-x", "devtmpfs", NULL}},
    {"Devices", {"lspci", "-nnk", NULL}},
    {"Services that failed", {"systemctl", "--failed", "--plain", "--no-pager", "--no-legend", NULL}},
    {"What the hypervisor said", {"xl", "dmesg", NULL}},
    {"What kernel and services said since the start",
     {"journalctl", "--boot", "--quiet", "--no-pager", "--no-hostname", "--output=short-monotonic", "--lines=4000",
      SERVICES, NULL}},
    {"What they said before that",
     {"journalctl", "--boot=-1", "--quiet", "--no-pager", "--no-hostname", "--output=short-monotonic", "--lines=1000",
      SERVICES, NULL}},
};

/* ---- whose names are taken out ---- */

static void name_files(struct redaction *redaction, const char *root, const char *folder, const char *kind)
{
    g_autofree char *path = g_build_filename(root, folder, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *file; dir && (file = g_dir_read_name(dir));) {
        g_autofree char *name = g_str_has_suffix(file, ".conf") ? g_strndup(file, strlen(file) - 5) : g_strdup(file);
        redaction_name(redaction, kind, name);
    }
}

static void name_people(struct redaction *redaction, const char *root)
{
    g_autofree char *path = g_build_filename(root, "etc/passwd", NULL), *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, ":", 7);
        guint64 number = g_strv_length(fields) > 4 ? g_ascii_strtoull(fields[2], NULL, 10) : 0;
        if (number < FIRST_PERSON || number > LAST_PERSON)
            continue;
        redaction_name(redaction, "person", fields[0]);
        g_auto(GStrv) said = g_strsplit(fields[4], ",", 2);
        if (*said)
            redaction_name(redaction, "person", *said);
    }
}

static void name_machine(struct redaction *redaction, const char *root)
{
    g_autofree char *path = g_build_filename(root, "etc/hostname", NULL), *text = NULL;
    if (g_file_get_contents(path, &text, NULL, NULL))
        redaction_name(redaction, "machine", g_strstrip(text));
}

/* ---- the parts ---- */

/* What the tool said, or why there is nothing of it. */
static char *ask(const char *const *command)
{
    const char *words[48] = {"timeout", "--kill-after=5", "20"};
    g_autofree char *said = NULL, *complained = NULL;
    g_autoptr(GError) error = NULL;
    int status = 0;
    for (guint i = 0; command[i]; i++)
        words[3 + i] = command[i];
    if (!g_spawn_sync("/", (char **)words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, &complained, &status, &error))
        return g_strdup_printf("(%s cannot be run: %s)\n", *command, error->message);
    gsize length = strlen(said), skipped = length > PART_MAX ? length - PART_MAX : 0;
    if (g_spawn_check_wait_status(status, NULL))
        return g_strconcat(skipped ? "(what came before this is left out)\n" : "", said + skipped, NULL);
    return g_strdup_printf("%s%s(%s did not do it)\n", said + skipped, complained, *command);
}

char *report_make(const char *root)
{
    struct redaction *redaction = redaction_new();
    g_autoptr(GString) all = g_string_new(NULL);
    name_files(redaction, root, "etc/roundhouse/guests", "guest");
    name_files(redaction, root, "var/lib/roundhouse/images", "image");
    name_people(redaction, root);
    name_machine(redaction, root);
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *said = ask(parts[i].command);
        g_string_append_printf(all, "== %s ==\n%s%s\n", parts[i].title, *said ? said : "(nothing)\n",
                               *said && !g_str_has_suffix(said, "\n") ? "\n" : "");
    }
    char *text = redact(redaction, all->str);
    redaction_free(redaction);
    return text;
}
