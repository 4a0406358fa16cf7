// roundhouse-seat: options, start, loop, end.
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "foreign.h"
#include "input.h"
#include "kept.h"
#include "link.h"
#include "link_protocol.h"
#include "log.h"
#include "notify.h"
#include "remember.h"
#include "seat.h"
#include "ui.h"

enum { PAUSE_US = 200000, GUEST_FIRST_MS = 1000 };

struct options {
    const char *link_path, *ui_path, *memory_path; // memory: NULL for none
    const char *ui_user;                           // NULL: the seat's own user
    uid_t manager_uid;
    bool headless, legacy;
    uint32_t width, height;
    enum session_kind session;
};

// What does not depend on a former seat.
struct prepared {
    uid_t ui_uid;
    struct output_cards cards;
    struct input *input; // NULL when headless
};

static const char usage[] =
    "Usage: roundhouse-seat [OPTION]...\n"
    "Owns screen, keyboard and pointer, and shows one guest, or the switcher, at a time.\n"
    "\n"
    "  --link=PATH          socket for roundhoused (" LINK_SOCKET_PATH ")\n"
    "  --ui=PATH            Wayland socket for the interface (" LINK_UI_SOCKET_PATH ")\n"
    "  --memory=PATH        file for what the next seat must know if this one dies (none)\n"
    "  --ui-user=NAME       only this user may be the interface (rh-ui)\n"
    "  --manager-uid=UID    only this user may be the manager (0)\n"
    "  --mode=WxH           screen mode; the monitor's preferred one otherwise\n"
    "  --headless           no screen and no input devices, a picture in memory (default 1280x800)\n"
    "  --session=KIND       auto, libseat or direct: who opens the devices\n"
    "  --legacy             no atomic mode setting\n"
    "  --help               this text\n";

static int on_signal(int number, void *data)
{
    (void)number;
    struct seat *seat = data;
    seat->ending = true;
    wl_display_terminate(seat->display);
    return 0;
}

static bool parse_session(const char *text, enum session_kind *kind)
{
    static const char *const names[] = {"auto", "libseat", "direct"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *kind = (enum session_kind)i;
            return true;
        }
    }
    fprintf(stderr, "--session: want auto, libseat or direct, not \"%s\"\n", text);
    return false;
}

static bool parse_mode(const char *text, struct options *options)
{
    char rest;
    if (sscanf(text, "%ux%u%c", &options->width, &options->height, &rest) == 2 && options->width >= 320 &&
        options->height >= 200 && options->width <= LINK_MAX_SIZE && options->height <= LINK_MAX_SIZE)
        return true;
    fprintf(stderr, "--mode: want a size such as 1280x800, not \"%s\"\n", text);
    return false;
}

static bool parse_uid(const char *text, uid_t *uid)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text && !*end && value < UINT32_MAX) {
        *uid = (uid_t)value;
        return true;
    }
    fprintf(stderr, "--manager-uid: want a number, not \"%s\"\n", text);
    return false;
}

enum {
    OPT_LINK = 1,
    OPT_UI,
    OPT_MEMORY,
    OPT_UI_USER,
    OPT_MANAGER_UID,
    OPT_MODE,
    OPT_HEADLESS,
    OPT_SESSION,
    OPT_LEGACY,
    OPT_HELP
};

static bool take_option(int option, struct options *options)
{
    switch (option) {
    case OPT_LINK:
        options->link_path = optarg;
        return true;
    case OPT_UI:
        options->ui_path = optarg;
        return true;
    case OPT_MEMORY:
        options->memory_path = optarg;
        return true;
    case OPT_UI_USER:
        options->ui_user = optarg;
        return true;
    case OPT_MANAGER_UID:
        return parse_uid(optarg, &options->manager_uid);
    case OPT_MODE:
        return parse_mode(optarg, options);
    case OPT_HEADLESS:
        options->headless = true;
        return true;
    case OPT_SESSION:
        return parse_session(optarg, &options->session);
    case OPT_LEGACY:
        options->legacy = true;
        return true;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(EXIT_SUCCESS);
    default:
        return false;
    }
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"link", required_argument, NULL, OPT_LINK},
        {"ui", required_argument, NULL, OPT_UI},
        {"memory", required_argument, NULL, OPT_MEMORY},
        {"ui-user", required_argument, NULL, OPT_UI_USER},
        {"manager-uid", required_argument, NULL, OPT_MANAGER_UID},
        {"mode", required_argument, NULL, OPT_MODE},
        {"headless", no_argument, NULL, OPT_HEADLESS},
        {"session", required_argument, NULL, OPT_SESSION},
        {"legacy", no_argument, NULL, OPT_LEGACY},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (!take_option(option, options))
            return false;
    if (optind == argc)
        return true;
    fprintf(stderr, "unexpected argument \"%s\"; --help lists the options\n", argv[optind]);
    return false;
}

static bool open_devices(struct seat *seat, const struct options *options, const struct prepared *prepared)
{
    if (options->headless) {
        seat->output = output_headless_open(seat->loop, options->width ? options->width : 1280,
                                            options->height ? options->height : 800);
        return seat->output != NULL;
    }
    seat->session = session_open(seat->loop, options->session);
    if (seat->session)
        seat->output = output_drm_open(seat->loop, seat->session, &prepared->cards, options->width, options->height,
                                       options->legacy);
    return seat->output != NULL;
}

// A process that waits for its turn has done this by then.
static bool prepare(struct prepared *prepared, const struct options *options)
{
    struct passwd *user = getpwnam(options->ui_user);
    if (!user) {
        log_error("there is no user %s; --ui-user names the interface's user", options->ui_user);
        return false;
    }
    prepared->ui_uid = user->pw_uid;
    if (options->headless)
        return true;
    output_drm_cards(&prepared->cards);
    prepared->input = input_prepare();
    return prepared->input != NULL;
}

static bool start(struct seat *seat, const struct options *options, const struct prepared *prepared)
{
    if (!open_devices(seat, options, prepared))
        return false;
    if (seat->output->former)
        log_info("the screen shows what it showed before");
    seat->remembered = remember_open(options->memory_path);
    if (!seat->remembered)
        return false;
    seat->ui = ui_new(seat, options->ui_path, prepared->ui_uid);
    seat->link = seat->ui ? link_new(seat, options->link_path, options->manager_uid) : NULL;
    kept_close_rest();
    if (!seat->link || !seat_start(seat))
        return false;
    seat_await_guest(seat, GUEST_FIRST_MS); // opening the input devices takes as long as all the rest
    if (!prepared->input)
        return true;
    seat->input = prepared->input;
    return input_start(seat->input, seat, seat->session);
}

int main(int argc, char **argv)
{
    struct options options = {.link_path = LINK_SOCKET_PATH, .ui_path = LINK_UI_SOCKET_PATH, .ui_user = "rh-ui"};
    if (!parse_options(argc, argv, &options))
        return 2;
    struct prepared prepared = {0};
    bool ready = prepare(&prepared, &options);
    if (!kept_wait())
        return EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    foreign_guard_install();
    struct seat *seat = calloc(1, sizeof(*seat));
    seat->display = wl_display_create();
    seat->loop = wl_display_get_event_loop(seat->display);
    struct wl_event_source *terminate = wl_event_loop_add_signal(seat->loop, SIGTERM, on_signal, seat);
    struct wl_event_source *interrupt = wl_event_loop_add_signal(seat->loop, SIGINT, on_signal, seat);
    bool started = ready && start(seat, &options, &prepared);
    struct remembered *remembered = seat->remembered;
    struct notify *notify = started ? notify_start(seat->loop) : NULL;
    if (started && !seat->ending)
        wl_display_run(seat->display);
    if (started)
        seat_stop(seat);
    notify_stop(notify);
    input_close(prepared.input);
    link_free(seat->link);
    ui_free(seat->ui);
    output_destroy(seat->output);
    session_close(seat->session);
    remember_close(remembered);
    bool well = started && !seat->failed;
    if (!started)
        usleep(PAUSE_US); // the next one is started at once
    wl_event_source_remove(terminate);
    wl_event_source_remove(interrupt);
    wl_display_destroy(seat->display);
    free(seat);
    return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
