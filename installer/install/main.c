/* roundhouse-install(8). */
#include "check.h"
#include "install.h"
#include "json.h"
#include "passphrase.h"
#include "request.h"
#include "trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Exit statuses. */
enum { GOOD, FAILED, MISUSED };

struct options {
    gboolean check, json, disks, plan, serve;
    char *answers, *system, *boot, *root, *policies, *refuse_if;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- what is said, and how ---- */

static void say(const GString *text)
{
    fputs(text->str, stdout);
    fflush(stdout);
}

/* The last record. */
static int end(const struct options *options, int status, const char *says)
{
    g_autoptr(GString) line = g_string_new(NULL);
    if (!options->json)
        return status;
    json_begin(line, "end");
    json_number(line, "status", status);
    json_text(line, "says", says);
    json_end(line);
    say(line);
    return status;
}

static int complain(const struct options *options, int status, GError *error)
{
    if (!options->json)
        fprintf(stderr, "roundhouse-install: %s\n", error->message);
    end(options, status, error->message);
    g_error_free(error);
    return status;
}

static gboolean show(void *data, const struct install_progress *p, GError **error)
{
    const struct options *options = data;
    if (options->json) {
        g_autoptr(GString) line = g_string_new(NULL);
        json_begin(line, "progress");
        json_text(line, "stage", p->stage);
        json_text(line, "title", p->title);
        json_number(line, "number", p->number);
        json_number(line, "count", p->count);
        json_number(line, "permille", p->permille);
        json_end(line);
        say(line);
    } else if (p->permille == 0) {
        printf("%u/%u %s\n", p->number, p->count, p->title);
        fflush(stdout);
    }
    gboolean told = stop || (options->serve && (ferror(stdout) || request_stopped(STDIN_FILENO)));
    return !told || trouble(error, "It was told to stop.");
}

/* ---- the commands ---- */

static int run_check(const struct options *options)
{
    g_autoptr(GPtrArray) findings = check_machine(options->root ? options->root : "/");
    g_autoptr(GString) text = g_string_new(NULL);
    (options->json ? check_print_json : check_print)(findings, text);
    say(text);
    return end(options, GOOD, "");
}

static void print_disk(const struct options *options, const char *path, GString *text)
{
    g_autoptr(GError) error = NULL;
    struct disk none = {.path = (char *)path, .model = "", .table = ""}, *disk = disk_read(path, "/sys", &error);
    const char *refused = disk ? disk->in_use : error->message;
    none.parts = g_ptr_array_new();
    if (options->json)
        disk_print_json(disk ? disk : &none, refused ? refused : "", text);
    else if (disk)
        disk_print(disk, text);
    if (!options->json && refused)
        g_string_append_printf(text, "  cannot be installed on: %s\n", refused);
    g_ptr_array_unref(none.parts);
    disk_free(disk);
}

static int run_disks(const struct options *options)
{
    g_auto(GStrv) disks = disk_list("/sys");
    g_autoptr(GString) text = g_string_new(NULL);
    for (char **path = disks; *path; path++)
        print_disk(options, *path, text);
    say(text);
    return end(options, GOOD, "");
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

/* Connections come several at once: each would believe the disk to be its own. The file stays, and says nothing. */
static gboolean alone(GError **error)
{
    int fd = open("/run/roundhouse-install.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return trouble_errno(error, "/run/roundhouse-install.lock cannot be opened");
    return flock(fd, LOCK_EX | LOCK_NB) == 0 || trouble(error, "Another installation is under way.");
}

static int do_install(const struct options *options, struct install *install)
{
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    if (options->plan) {
        (options->json ? install_plan_json : install_plan)(install, text);
        say(text);
        return end(options, GOOD, "");
    }
    if (!prepare(&error) || !install_run(install, &error))
        return complain(options, FAILED, error);
    if (!options->json)
        puts("Roundhouse is installed.");
    return end(options, GOOD, "Roundhouse is installed.");
}

static int run_install(const struct options *options, const struct answers *answers)
{
    GError *error = NULL;
    if (!options->plan && options->serve && !alone(&error))
        return complain(options, FAILED, error);
    if (!options->plan)
        install_close_left();
    /* Pages ask for many plans of a medium that was checked when it started the machine. */
    struct source *source = options->plan && options->serve ? source_glance(options->system, &error)
                                                            : source_open(options->system, options->boot, &error);
    struct disk *disk = source ? disk_read(answers->disk, "/sys", &error) : NULL;
    struct install install = {
        .answers = answers,
        .source = source,
        .disk = disk,
        .policies = options->policies ? options->policies : answer_places.policies,
        .progress = show,
        .progress_data = (void *)options,
    };
    int status;
    if (disk && layout_make(&install.layout, disk, answers, source->files[SOURCE_SYSTEM].size, &error))
        status = do_install(options, &install);
    else
        status = complain(options, FAILED, error);
    install_finish(&install);
    disk_free(disk);
    source_free(source);
    return status;
}

static int tell_mistakes(const struct options *options, const GPtrArray *mistakes)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < mistakes->len; i++) {
        const char *mistake = g_ptr_array_index(mistakes, i);
        if (options->json) {
            json_begin(text, "mistake");
            json_text(text, "says", mistake);
            json_end(text);
        } else {
            fprintf(stderr, "%s\n", mistake);
        }
    }
    say(text);
    return end(options, MISUSED, "The answers have mistakes. Nothing was done.");
}

static struct answer_places places_of(const struct options *options)
{
    struct answer_places places = answer_places;
    if (options->policies)
        places.policies = options->policies;
    return places;
}

static int run_answers(const struct options *options)
{
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    struct answer_places places = places_of(options);
    struct answers *answers = answers_load(options->answers, &places, mistakes);
    int status = answers ? run_install(options, answers) : tell_mistakes(options, mistakes);
    answers_free(answers);
    return status;
}

/* ---- for the switcher ---- */

static gboolean may_install(const struct options *options, GError **error)
{
    return options->plan || !options->refuse_if || !g_file_test(options->refuse_if, G_FILE_TEST_EXISTS) ||
           trouble(error, "A guest has run since this computer was started. Restart it from the boot medium, and "
                          "install before a guest is started. Nothing was done.");
}

static int run_asked_answers(const struct options *options, const char *text)
{
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) disks = disk_list("/sys");
    struct answer_places places = places_of(options);
    GError *error = NULL;
    struct answers *answers = answers_read("answers", text, &places, mistakes);
    int status;
    if (!answers)
        status = tell_mistakes(options, mistakes);
    else if (may_install(options, &error) && request_allows(answers, (const char *const *)disks, &error))
        status = run_install(options, answers);
    else
        status = complain(options, FAILED, error);
    answers_free(answers);
    return status;
}

/* An answer that nobody takes must not hold a disk half done: it is an error after a while, and the end. */
static void do_not_wait_for_ever(void)
{
    struct timeval patience = {.tv_sec = 30};
    setsockopt(STDOUT_FILENO, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    signal(SIGPIPE, SIG_IGN);
}

static int run_serve(struct options *options)
{
    enum request_kind kind;
    char *answers = NULL;
    GError *error = NULL;
    int status;
    options->json = TRUE;
    do_not_wait_for_ever();
    if (!request_read(STDIN_FILENO, &kind, &answers, &error))
        return complain(options, MISUSED, error);
    options->plan = kind == REQUEST_PLAN;
    if (kind == REQUEST_CHECK)
        status = run_check(options);
    else if (kind == REQUEST_DISKS)
        status = run_disks(options);
    else
        status = run_asked_answers(options, answers);
    secret_free(answers);
    return status;
}

static int run(struct options *options)
{
    if (options->check + options->disks + options->serve + (options->answers != NULL) != 1) {
        fputs("roundhouse-install: one of --check, --disks, --answers and --serve is needed. Nothing was done.\n",
              stderr);
        return MISUSED;
    }
    if (options->check)
        return run_check(options);
    if (options->disks)
        return run_disks(options);
    if (!options->system || !options->boot) {
        fputs("roundhouse-install: --answers and --serve need --system and --boot. Nothing was done.\n", stderr);
        return MISUSED;
    }
    return options->serve ? run_serve(options) : run_answers(options);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    const GOptionEntry entries[] = {
        {"check", 0, 0, G_OPTION_ARG_NONE, &o.check, "Say what of this machine works", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o.json, "What is said is records, a line of JSON each", NULL},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &o.root, "--check that machine's proc/ and sys/", "DIR"},
        {"disks", 0, 0, G_OPTION_ARG_NONE, &o.disks, "Say what is on the disks", NULL},
        {"answers", 0, 0, G_OPTION_ARG_FILENAME, &o.answers, "Install as the file says", "FILE"},
        {"plan", 0, 0, G_OPTION_ARG_NONE, &o.plan, "Say what would be done, and write nothing", NULL},
        {"system", 0, 0, G_OPTION_ARG_FILENAME, &o.system, "The system to install", "FILE"},
        {"boot", 0, 0, G_OPTION_ARG_FILENAME, &o.boot, "Its boot files", "DIR"},
        {"policies", 0, 0, G_OPTION_ARG_FILENAME, &o.policies, "Where the policies to start with are", "DIR"},
        {"serve", 0, 0, G_OPTION_ARG_NONE, &o.serve, "Do what the switcher asks for on standard input", NULL},
        {"refuse-if", 0, 0, G_OPTION_ARG_FILENAME, &o.refuse_if, "--serve does not install when it is there", "FILE"},
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
    g_free(o.refuse_if);
    g_free(o.root);
    g_free(o.policies);
    return status;
}
