// The socket and the dispatch of the manager's messages.
#include "sound_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"
#include "sndif.h"

struct sound_link {
    struct sound *sound;
    uid_t uid;
    int listener, peer; // peer is -1 while no manager is connected
    bool greeted;
    struct link_sound_machine told; // to this peer
    struct wl_event_source *listener_source, *peer_source;
};

static void drop_peer(struct sound_link *link)
{
    if (link->peer < 0)
        return;
    wl_event_source_remove(link->peer_source);
    close(link->peer);
    link->peer = -1;
    link->greeted = false;
}

// All that is sent answers the manager or ends a device, so there is never much of it.
static void send_message(struct sound_link *link, const struct link_message *message)
{
    if (!link->greeted)
        return;
    if (send(link->peer, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*message))
        return;
    log_error("the manager does not take messages (%s): dropping the connection", strerror(errno));
    drop_peer(link);
}

static void send_result(struct sound_link *link, uint32_t type, unsigned slot, int error)
{
    struct link_message message = {.type = type, .slot = slot};
    message.closed.error = (uint32_t)error;
    send_message(link, &message);
}

void sound_link_closed(struct sound_link *link, unsigned slot, int error)
{
    send_result(link, LINK_SOUND_CLOSED, slot, error);
}

// The microphone is nobody's any more when its guest goes.
static void tell_machine(struct sound_link *link, bool again)
{
    struct link_message message = {.type = LINK_SOUND_MACHINE};
    message.sound_machine.volume = link->sound->mixer.volume;
    message.sound_machine.microphone = link->sound->mixer.microphone;
    if (!again && memcmp(&link->told, &message.sound_machine, sizeof(link->told)) == 0)
        return;
    link->told = message.sound_machine;
    send_message(link, &message);
}

// ---- what the manager says ----

static void disconnect_card(struct sound_guest *guest)
{
    source_disconnect(guest->source);
    guest->source = NULL;
}

static void remove_guest(struct sound *sound, unsigned slot)
{
    disconnect_card(&sound->guests[slot]);
    mixer_remove(&sound->mixer, slot);
    sound->guests[slot] = (struct sound_guest){0};
}

static void on_hello(struct sound_link *link, const struct link_message *message)
{
    struct sound *sound = link->sound;
    if (message->hello.version != LINK_VERSION) {
        log_error("the manager speaks version %u of the link, not %u", message->hello.version, LINK_VERSION);
        drop_peer(link);
        return;
    }
    link->greeted = true;
    struct link_message answer = {.type = LINK_HELLO};
    answer.hello.version = LINK_VERSION;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        answer.hello.domid[slot] = LINK_NO_DOMAIN;
    send_message(link, &answer);
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (sound->guests[slot].present && sound->guests[slot].domid != message->hello.domid[slot])
            remove_guest(sound, slot);
    tell_machine(link, true);
}

static void on_guest_add(struct sound_link *link, const struct link_message *message)
{
    struct sound_guest *guest = &link->sound->guests[message->slot];
    const struct link_guest_add *add = &message->guest_add;
    if (guest->present && guest->domid != add->domid)
        remove_guest(link->sound, message->slot);
    if (!guest->present) // heard when its rule is known
        mixer_add(&link->sound->mixer, message->slot, GUEST_SOUND_NONE, LINK_VOLUME_MAX);
    guest->present = true;
    guest->domid = add->domid;
    memcpy(guest->name, add->name, sizeof(guest->name));
}

static void on_guest_remove(struct sound_link *link, const struct link_message *message)
{
    remove_guest(link->sound, message->slot);
}

static void on_rule(struct sound_link *link, const struct link_message *message)
{
    struct mixer_guest *guest = &link->sound->mixer.guests[message->slot];
    guest->rule = (enum guest_sound)message->sound_rule.rule;
    guest->volume = message->sound_rule.volume;
}

static void on_sndif(struct sound_link *link, const struct link_message *message)
{
    struct sound_guest *guest = &link->sound->guests[message->slot];
    disconnect_card(guest);
    guest->source = sndif_connect(link->sound, message->slot, &message->sndif);
    int error = guest->source ? 0 : errno;
    if (error)
        log_guest(message->slot, "cannot connect the sound card: %s", strerror(error));
    else
        log_guest(message->slot, "sound card connected");
    send_result(link, error ? LINK_SOUND_CLOSED : LINK_SOUND_READY, message->slot, error);
}

static void on_disconnect(struct sound_link *link, const struct link_message *message)
{
    disconnect_card(&link->sound->guests[message->slot]);
    send_result(link, LINK_SOUND_CLOSED, message->slot, 0);
}

static void on_machine(struct sound_link *link, const struct link_message *message)
{
    struct mixer *mixer = &link->sound->mixer;
    mixer->volume = message->sound_machine.volume;
    mixer_give_microphone(mixer, message->sound_machine.microphone);
}

static void on_focus(struct sound_link *link, const struct link_message *message)
{
    link->sound->mixer.focus = message->slot;
}

static const struct {
    uint32_t type;
    bool needs_guest; // ignored when the slot is empty
    void (*handle)(struct sound_link *link, const struct link_message *message);
} handlers[] = {
    {LINK_HELLO, false, on_hello},
    {LINK_GUEST_ADD, false, on_guest_add},
    {LINK_GUEST_REMOVE, true, on_guest_remove},
    {LINK_SOUND_RULE, true, on_rule},
    {LINK_SNDIF_CONNECT, true, on_sndif},
    {LINK_SOUND_DISCONNECT, true, on_disconnect},
    {LINK_SOUND_MACHINE, false, on_machine},
    {LINK_FOCUS, false, on_focus},
};

static void handle(struct sound_link *link, const struct link_message *message)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].type != message->type)
            continue;
        if (handlers[i].needs_guest && !link->sound->guests[message->slot].present)
            log_guest(message->slot, "the manager speaks of it, and it is empty");
        else
            handlers[i].handle(link, message);
        return;
    }
}

// ---- the socket ----

// Descriptors are not asked for, so the kernel drops any that come.
static int on_peer(int fd, uint32_t mask, void *data)
{
    (void)mask;
    struct sound_link *link = data;
    struct link_message message = {0};
    ssize_t size = recv(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    bool expected = link->greeted || message.type == LINK_HELLO;
    if (size > 0 && expected && link_message_valid(&message, (size_t)size, 0, LINK_TO_SOUND)) {
        handle(link, &message);
        tell_machine(link, false);
        return 0;
    }
    log_info(size > 0 ? "the manager sent a malformed message (type %u): dropping it" : "the manager is gone",
             message.type);
    drop_peer(link);
    return 0;
}

static int on_listener(int fd, uint32_t mask, void *data)
{
    (void)mask;
    struct sound_link *link = data;
    int peer = listen_accept(fd, link->uid);
    if (peer < 0)
        return 0;
    drop_peer(link);
    link->peer_source = wl_event_loop_add_fd(link->sound->loop, peer, WL_EVENT_READABLE, on_peer, link);
    if (link->peer_source)
        link->peer = peer;
    else
        close(peer);
    return 0;
}

struct sound_link *sound_link_new(struct sound *sound, const char *path, uid_t uid)
{
    struct sound_link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    *link = (struct sound_link){.sound = sound, .uid = uid, .peer = -1};
    link->listener = listen_at(path, SOCK_SEQPACKET, 0600);
    if (link->listener >= 0)
        link->listener_source = wl_event_loop_add_fd(sound->loop, link->listener, WL_EVENT_READABLE, on_listener, link);
    if (link->listener_source)
        return link;
    sound_link_free(link);
    return NULL;
}

void sound_link_free(struct sound_link *link)
{
    if (!link)
        return;
    drop_peer(link);
    if (link->listener_source)
        wl_event_source_remove(link->listener_source);
    if (link->listener >= 0)
        close(link->listener);
    free(link);
}
