/* roundhouse-install(8). */
#include "check.h"
#include "install.h"
#include "json.h"
#include "trouble.h"

#include <errno.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Exit statuses. */
enum { GOOD, FAILED, MISUSED };

struct options {
    gboolean check, json, disks, plan;
    char *answers, *system, *boot, *progress, *root, *policies;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- progress ---- */

static gboolean show(void *data, const struct install_progress *p, GError **error)
{
    gboolean as_json = *(const gboolean *)data;
    if (as_json) {
        g_autoptr(GString) line = g_string_new("{\"stage\": ");
        json_append(line, p->stage);
        g_string_append(line, ", \"title\": ");
        json_append(line, p->title);
        g_string_append_printf(line, ", \"number\": %u, \"count\": %u, \"permille\": %u}", p->number, p->count,
                               p->permille);
        puts(line->str);
    } else if (p->permille == 0) {
        printf("%u/%u %s\n", p->number, p->count, p->title);
    }
    fflush(stdout);
    return !stop || trouble(error, "It was told to stop.");
}

/* ---- the commands ---- */

static int complain(GError *error)
{
    fprintf(stderr, "roundhouse-install: %s\n", error->message);
    g_error_free(error);
    return FAILED;
}

static int run_check(const struct options *options)
{
    g_autoptr(GPtrArray) findings = check_machine(options->root ? options->root : "/");
    g_autoptr(GString) text = g_string_new(NULL);
    (options->json ? check_print_json : check_print)(findings, text);
    fputs(text->str, stdout);
    return GOOD;
}

static int run_disks(void)
{
    g_auto(GStrv) disks = disk_list("/sys");
    g_autoptr(GString) text = g_string_new(NULL);
    for (char **path = disks; *path; path++) {
        g_autoptr(GError) error = NULL;
        struct disk *disk = disk_read(*path, "/sys", &error);
        if (disk)
            disk_print(disk, text);
        if (!disk || disk->in_use)
            g_string_append_printf(text, "  cannot be installed on: %s\n", disk ? disk->in_use : error->message);
        disk_free(disk);
    }
    fputs(text->str, stdout);
    return GOOD;
}

/* A mount namespace of its own: what is mounted goes with this process, however it ends. */
static gboolean prepare(GError **error)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    umask(022);
    if (geteuid() != 0)
        return trouble(error, "Only root can install.");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return trouble_errno(error, "There is no mount namespace to be had");
    return TRUE;
}

static int do_install(const struct options *options, struct install *install)
{
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    if (options->plan) {
        install_plan(install, text);
        fputs(text->str, stdout);
        return GOOD;
    }
    if (!prepare(&error) || !install_run(install, &error))
        return complain(error);
    puts("Roundhouse is installed.");
    return GOOD;
}

static int run_install(const struct options *options, const struct answers *answers)
{
    GError *error = NULL;
    gboolean as_json = g_strcmp0(options->progress, "json") == 0;
    if (!options->plan)
        install_close_left();
    struct source *source = source_open(options->system, options->boot, &error);
    struct disk *disk = source ? disk_read(answers->disk, "/sys", &error) : NULL;
    struct install install = {
        .answers = answers,
        .source = source,
        .disk = disk,
        .policies = options->policies ? options->policies : answer_places.policies,
        .progress = show,
        .progress_data = &as_json,
    };
    int status;
    if (disk && layout_make(&install.layout, disk, answers, source->files[SOURCE_SYSTEM].size, &error))
        status = do_install(options, &install);
    else
        status = complain(error);
    install_finish(&install);
    disk_free(disk);
    source_free(source);
    return status;
}

static int run_answers(const struct options *options)
{
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    struct answer_places places = answer_places;
    if (options->policies)
        places.policies = options->policies;
    struct answers *answers = answers_load(options->answers, &places, mistakes);
    for (guint i = 0; i < mistakes->len; i++)
        fprintf(stderr, "%s\n", (char *)g_ptr_array_index(mistakes, i));
    if (!answers)
        return MISUSED;
    int status = run_install(options, answers);
    answers_free(answers);
    return status;
}

static int run(const struct options *options)
{
    if (options->check + options->disks + (options->answers != NULL) != 1) {
        fputs("roundhouse-install: one of --check, --disks and --answers is needed. Nothing was done.\n", stderr);
        return MISUSED;
    }
    if (options->check)
        return run_check(options);
    if (options->disks)
        return run_disks();
    if (!options->system || !options->boot) {
        fputs("roundhouse-install: --answers needs --system and --boot. Nothing was done.\n", stderr);
        return MISUSED;
    }
    if (options->progress && strcmp(options->progress, "json") != 0 && strcmp(options->progress, "text") != 0) {
        fputs("roundhouse-install: --progress is \"text\" or \"json\". Nothing was done.\n", stderr);
        return MISUSED;
    }
    return run_answers(options);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    const GOptionEntry entries[] = {
        {"check", 0, 0, G_OPTION_ARG_NONE, &o.check, "Say what of this machine works", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o.json, "--check as JSON", NULL},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &o.root, "--check that machine's proc/ and sys/", "DIR"},
        {"disks", 0, 0, G_OPTION_ARG_NONE, &o.disks, "Say what is on the disks", NULL},
        {"answers", 0, 0, G_OPTION_ARG_FILENAME, &o.answers, "Install as the file says", "FILE"},
        {"plan", 0, 0, G_OPTION_ARG_NONE, &o.plan, "Say what would be done, and write nothing", NULL},
        {"system", 0, 0, G_OPTION_ARG_FILENAME, &o.system, "The system to install", "FILE"},
        {"boot", 0, 0, G_OPTION_ARG_FILENAME, &o.boot, "Its boot files", "DIR"},
        {"policies", 0, 0, G_OPTION_ARG_FILENAME, &o.policies, "Where the policies to start with are", "DIR"},
        {"progress", 0, 0, G_OPTION_ARG_STRING, &o.progress, "How progress is shown: text or json", "HOW"},
        {NULL},
    };
    g_autoptr(GError) error = NULL;
    GOptionContext *context = g_option_context_new(NULL);
    setlocale(LC_ALL, "");
    g_option_context_add_main_entries(context, entries, NULL);
    gboolean parsed = g_option_context_parse(context, &argc, &argv, &error) && argc == 1;
    g_option_context_free(context);
    if (!parsed) {
        fprintf(stderr, "roundhouse-install: %s\n", error ? error->message : "there are words too many.");
        return MISUSED;
    }
    g_autofree char *path =
        g_strconcat(g_getenv("PATH") ? g_getenv("PATH") : "/usr/bin:/bin", ":/usr/sbin:/sbin", NULL);
    g_setenv("PATH", path, TRUE);
    int status = run(&o);
    g_free(o.answers);
    g_free(o.system);
    g_free(o.boot);
    g_free(o.progress);
    g_free(o.root);
    g_free(o.policies);
    return status;
}
