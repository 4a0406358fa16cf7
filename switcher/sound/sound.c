// roundhouse-sound: options, start, loop, end.
#include "sound.h"

#include <getopt.h>
#include <pulse/mainloop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "foreign.h"
#include "log.h"
#include "notify.h"
#include "pulse.h"
#include "sound_link.h"

static const char usage[] = "Usage: roundhouse-sound [OPTION]...\n"
                            "Plays what the guest on screen plays, and what others do as their rules say.\n"
                            "\n"
                            "  --link=PATH          socket for roundhoused (" LINK_SOUND_PATH ")\n"
                            "  --manager-uid=UID    only this user may be the manager (0)\n"
                            "  --help               this text\n"
                            "\n"
                            "PulseAudio's server is the one that its own environment variables name.\n";

struct options {
    const char *link_path;
    uid_t manager_uid;
};

void sound_source_failed(struct sound *sound, unsigned slot, int error)
{
    struct sound_guest *guest = &sound->guests[slot];
    log_guest(slot, "its sound card is closed: it broke the protocol");
    source_disconnect(guest->source);
    guest->source = NULL;
    sound_link_closed(sound->link, slot, error);
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

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"link", required_argument, NULL, 'l'},
                                          {"manager-uid", required_argument, NULL, 'm'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'l')
            options->link_path = optarg;
        else if (option == 'h') {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        } else if (option != 'm' || !parse_uid(optarg, &options->manager_uid))
            return false;
    }
    if (optind == argc)
        return true;
    fprintf(stderr, "unexpected argument \"%s\"; --help lists the options\n", argv[optind]);
    return false;
}

static int on_signal(int number, void *data)
{
    (void)number;
    pa_mainloop_quit(data, EXIT_SUCCESS);
    return 0;
}

// The loop that all but libpulse runs on is one descriptor of libpulse's.
static void on_loop(pa_mainloop_api *api, pa_io_event *event, int fd, pa_io_event_flags_t flags, void *data)
{
    (void)api, (void)event, (void)fd, (void)flags;
    wl_event_loop_dispatch(data, 0);
}

static int run(struct sound *sound, pa_mainloop *outer)
{
    pa_mainloop_api *api = pa_mainloop_get_api(outer);
    struct wl_event_source *terminate = wl_event_loop_add_signal(sound->loop, SIGTERM, on_signal, outer);
    struct wl_event_source *interrupt = wl_event_loop_add_signal(sound->loop, SIGINT, on_signal, outer);
    struct notify *notify = notify_start(sound->loop);
    int status = EXIT_FAILURE;
    pa_io_event *inner = api->io_new(api, wl_event_loop_get_fd(sound->loop), PA_IO_EVENT_INPUT, on_loop, sound->loop);
    pa_mainloop_run(outer, &status);
    api->io_free(inner);
    notify_stop(notify);
    wl_event_source_remove(terminate);
    wl_event_source_remove(interrupt);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {.link_path = LINK_SOUND_PATH};
    if (!parse_options(argc, argv, &options))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    foreign_guard_install();
    struct sound sound = {.loop = wl_event_loop_create(), .mixer = {.volume = LINK_VOLUME_MAX}};
    pa_mainloop *outer = pa_mainloop_new();
    sound.ports = ports_new(sound.loop);
    struct pulse *pulse = pulse_new(pa_mainloop_get_api(outer), sound.loop);
    sound.player = pulse ? player_new(sound.loop, &sound.mixer, pulse) : NULL;
    sound.link = sound.player ? sound_link_new(&sound, options.link_path, options.manager_uid) : NULL;
    int status = sound.link ? run(&sound, outer) : EXIT_FAILURE;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        source_disconnect(sound.guests[slot].source);
    sound_link_free(sound.link);
    player_free(sound.player);
    pulse_free(pulse);
    ports_free(sound.ports);
    wl_event_loop_destroy(sound.loop);
    pa_mainloop_free(outer);
    return status;
}
