/* A small xenstore: nodes, watches, and the messages of one guest by its ring. */
#include <stdlib.h>
#include <string.h>
#include "events.h"
#include "hypervisor.h"

#define MOST_NODES   256
#define MOST_WATCHES 128
#define PATH         256
#define VALUE        256
#define OUTPUT       (1u << 20)

static struct node {
    char path[PATH], value[VALUE];
} nodes[MOST_NODES];
static unsigned node_count;
static struct watch {
    char path[PATH]; /* as the guest wrote it */
    char token[64];
} watches[MOST_WATCHES];
static unsigned watch_count, requests;
static struct xenstore_domain_interface *ring;
static uint32_t port;
static bool silent;
static char input[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX], *output;
static unsigned input_size, output_size;
static void (*observer)(const char *path);

static void absolute(char *to, const char *path)
{
    if (path[0] == '/')
        snprintf(to, PATH, "%s", path);
    else
        snprintf(to, PATH, HV_DOMAIN_PATH "/%s", path);
}

static bool is_at_or_below(const char *path, const char *top)
{
    size_t length = strlen(top);

    return !strncmp(path, top, length) && (!path[length] || path[length] == '/');
}

static struct node *find(const char *path)
{
    char whole[PATH];

    absolute(whole, path);
    for (unsigned i = 0; i < node_count; i++)
        if (!strcmp(nodes[i].path, whole))
            return &nodes[i];
    return NULL;
}

static bool exists(const char *path)
{
    char whole[PATH];

    absolute(whole, path);
    for (unsigned i = 0; i < node_count; i++)
        if (is_at_or_below(nodes[i].path, whole))
            return true;
    return false;
}

/* --- to the guest --- */

static void flush(void)
{
    uint32_t produced, consumed;
    unsigned sent = 0;

    if (!ring)
        return;
    produced = ring->rsp_prod;
    consumed = __atomic_load_n(&ring->rsp_cons, __ATOMIC_SEQ_CST);
    while (sent < output_size && produced - consumed < XENSTORE_RING_SIZE)
        ring->rsp[MASK_XENSTORE_IDX(produced++)] = output[sent++];
    __atomic_store_n(&ring->rsp_prod, produced, __ATOMIC_SEQ_CST);
    memmove(output, output + sent, output_size - sent);
    output_size -= sent;
    if (sent)
        hv_notify(port);
}

static void say(uint32_t type, uint32_t request, const char *payload, unsigned size)
{
    struct xsd_sockmsg header = {.type = type, .req_id = request, .len = size};

    if (output_size + sizeof(header) + size > OUTPUT)
        nt_bug("the guest does not read what xenstore has for it");
    memcpy(output + output_size, &header, sizeof(header));
    memcpy(output + output_size + sizeof(header), payload, size);
    output_size += (unsigned)sizeof(header) + size;
    flush();
}

static void fire(const struct watch *watch, const char *path)
{
    char event[PATH + 64];
    size_t first = strlen(path) + 1, second = strlen(watch->token) + 1;

    memcpy(event, path, first);
    memcpy(event + first, watch->token, second);
    say(XS_WATCH_EVENT, 0, event, (unsigned)(first + second));
}

static void changed(const char *whole)
{
    if (observer)
        observer(whole);
    for (unsigned i = 0; i < watch_count; i++) {
        char watched[PATH];

        absolute(watched, watches[i].path);
        if (is_at_or_below(whole, watched) || is_at_or_below(watched, whole))
            fire(&watches[i], watches[i].path);
    }
}

/* --- what the toolstack and the guest do alike --- */

static void write_node(const char *path, const char *value)
{
    struct node *node = find(path);

    if (!node) {
        if (node_count == MOST_NODES)
            nt_bug("xenstore is full");
        node = &nodes[node_count++];
        absolute(node->path, path);
    }
    snprintf(node->value, VALUE, "%s", value);
    changed(node->path);
}

static void remove_nodes(const char *path)
{
    char whole[PATH];
    unsigned kept = 0;

    absolute(whole, path);
    for (unsigned i = 0; i < node_count; i++)
        if (!is_at_or_below(nodes[i].path, whole))
            nodes[kept++] = nodes[i];
    node_count = kept;
    changed(whole);
}

/* The names right below a path, each with its end mark. */
static unsigned list(const char *path, char *names)
{
    char whole[PATH];
    unsigned size = 0;

    absolute(whole, path);
    for (unsigned i = 0; i < node_count; i++) {
        const char *name = nodes[i].path + strlen(whole) + 1;
        size_t length;
        bool known = false;

        if (!is_at_or_below(nodes[i].path, whole) || !nodes[i].path[strlen(whole)])
            continue;
        length = strcspn(name, "/");
        for (unsigned at = 0; at < size; at += (unsigned)strlen(names + at) + 1)
            known |= strlen(names + at) == length && !memcmp(names + at, name, length);
        if (known)
            continue;
        memcpy(names + size, name, length);
        names[size + length] = 0;
        size += (unsigned)length + 1;
    }
    return size;
}

static void refuse(const struct xsd_sockmsg *header, const char *error)
{
    say(XS_ERROR, header->req_id, error, (unsigned)strlen(error) + 1);
}

static void watch(const struct xsd_sockmsg *header, const char *path, const char *token)
{
    if (watch_count == MOST_WATCHES)
        nt_bug("too many watches");
    snprintf(watches[watch_count].path, PATH, "%.255s", path);
    snprintf(watches[watch_count].token, sizeof(watches[0].token), "%.63s", token);
    watch_count++;
    say(header->type, header->req_id, "OK", 3);
    fire(&watches[watch_count - 1], path);
}

static void unwatch(const struct xsd_sockmsg *header, const char *path, const char *token)
{
    for (unsigned i = 0; i < watch_count; i++)
        if (!strcmp(watches[i].path, path) && !strcmp(watches[i].token, token)) {
            watches[i] = watches[--watch_count];
            say(header->type, header->req_id, "OK", 3);
            return;
        }
    refuse(header, "ENOENT");
}

static void serve(const struct xsd_sockmsg *header, char *payload)
{
    char names[XENSTORE_PAYLOAD_MAX], *second = payload + strlen(payload) + 1;
    struct node *node = find(payload);

    requests++;
    switch (header->type) {
    case XS_READ:
        if (node)
            say(XS_READ, header->req_id, node->value, (unsigned)strlen(node->value));
        else
            refuse(header, exists(payload) ? "EINVAL" : "ENOENT");
        break;
    case XS_DIRECTORY:
        if (exists(payload))
            say(XS_DIRECTORY, header->req_id, names, list(payload, names));
        else
            refuse(header, "ENOENT");
        break;
    case XS_WRITE:
        write_node(payload, second);
        say(XS_WRITE, header->req_id, "OK", 3);
        break;
    case XS_RM:
        remove_nodes(payload);
        say(XS_RM, header->req_id, "OK", 3);
        break;
    case XS_WATCH:
        watch(header, payload, second);
        break;
    case XS_UNWATCH:
        unwatch(header, payload, second);
        break;
    default:
        nt_bug("a message of type %u to xenstore", header->type);
    }
}

static bool receive(void)
{
    struct xsd_sockmsg header;
    uint32_t consumed = ring->req_cons, produced = __atomic_load_n(&ring->req_prod, __ATOMIC_SEQ_CST);
    unsigned wanted = sizeof(header);

    if (produced - consumed > XENSTORE_RING_SIZE)
        nt_bug("the guest's index of xenstore's ring ran away");
    while (consumed != produced) {
        input[input_size++] = ring->req[MASK_XENSTORE_IDX(consumed++)];
        if (input_size >= sizeof(header)) {
            memcpy(&header, input, sizeof(header));
            if (header.len > XENSTORE_PAYLOAD_MAX)
                nt_bug("a message to xenstore of %u bytes", header.len);
            wanted = (unsigned)sizeof(header) + header.len;
        }
        if (input_size == wanted && wanted >= sizeof(header) && input_size >= sizeof(header))
            break;
    }
    __atomic_store_n(&ring->req_cons, consumed, __ATOMIC_SEQ_CST);
    if (input_size < sizeof(header) || input_size < wanted)
        return false;
    input_size = 0;
    {
        char payload[XENSTORE_PAYLOAD_MAX + 2] = {0};

        memcpy(payload, input + sizeof(header), header.len);
        serve(&header, payload);
    }
    return true;
}

void store_work(void *unused)
{
    uint32_t before = ring->req_cons;

    (void)unused;
    if (silent)
        return;
    while (receive()) {
    }
    flush();
    if (ring->req_cons != before)
        hv_notify(port);
}

/* --- of the test --- */

void store_boot(uint32_t store_port)
{
    ring = nt_frame(NT_SPECIAL_FRAME);
    memset(ring, 0, NT_PAGE);
    port = store_port;
    node_count = watch_count = requests = input_size = output_size = 0;
    silent = false;
    observer = NULL;
    free(output);
    output = malloc(OUTPUT);
    write_node("name", "guest");
    write_node("control/shutdown", "");
}

void store_forget_guest(void)
{
    watch_count = input_size = output_size = 0;
    memset(ring, 0, NT_PAGE);
    port += 4; /* as events_forget has it */
}

void store_observe(void (*function)(const char *path))
{
    observer = function;
}

void store_silent(bool is_silent)
{
    silent = is_silent;
}

void store_set(const char *path, const char *value)
{
    hv_lock();
    write_node(path, value);
    hv_unlock();
}

bool store_get(const char *path, char *value, size_t size)
{
    struct node *node;

    hv_lock();
    node = find(path);
    if (node)
        snprintf(value, size, "%s", node->value);
    hv_unlock();
    return node != NULL;
}

void store_delete(const char *path)
{
    hv_lock();
    remove_nodes(path);
    hv_unlock();
}

unsigned store_watches(void)
{
    return watch_count;
}

unsigned store_requests(void)
{
    return requests;
}
