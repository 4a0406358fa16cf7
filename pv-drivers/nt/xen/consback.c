#include "consback.h"
#include <stdlib.h>
#include <string.h>
#include "back.h"
#include "events.h"

#define FRONT HV_DOMAIN_PATH "/device/console/1"
#define BACK  "/local/domain/7/backend/console/1/1"

static struct consback *only;

/* --- bytes, with the lock --- */

static unsigned put(struct consback *console, const unsigned char *data, unsigned size)
{
    struct xencons_interface *ring = console->ring;
    unsigned sent = 0;

    while (sent < size && console->written - __atomic_load_n(&ring->in_cons, __ATOMIC_SEQ_CST) < sizeof(ring->in))
        ring->in[MASK_XENCONS_IDX(console->written++, ring->in)] = (char)data[sent++];
    __atomic_store_n(&ring->in_prod, console->written, __ATOMIC_SEQ_CST);
    return sent;
}

/* One byte; false: there is none, or no room for its echo. */
static bool get(struct consback *console)
{
    struct xencons_interface *ring = console->ring;
    unsigned char byte = (unsigned char)ring->out[MASK_XENCONS_IDX(console->read, ring->out)];

    if (console->read == __atomic_load_n(&ring->out_prod, __ATOMIC_SEQ_CST) ||
        (console->echoes && !put(console, &byte, 1)))
        return false;
    console->got[console->got_size++ % sizeof(console->got)] = byte;
    __atomic_store_n(&ring->out_cons, ++console->read, __ATOMIC_SEQ_CST);
    return true;
}

static void kicked(void *context)
{
    struct consback *console = context;
    bool some = false;

    if (!console->ring || console->deaf)
        return;
    if (console->ring->out_prod - console->read > sizeof(console->ring->out) && !console->careless)
        nt_bug("consback: the front end's index ran away");
    for (unsigned i = 0; i < sizeof(console->ring->out) && get(console); i++)
        some = true;
    if (some)
        hv_notify(console->port);
}

unsigned consback_send(struct consback *console, const void *data, unsigned size)
{
    unsigned sent = 0;

    hv_lock();
    if (console->ring)
        sent = put(console, data, size);
    hv_notify(console->port);
    hv_unlock();
    return sent;
}

void consback_hear(struct consback *console)
{
    hv_lock();
    console->deaf = false;
    kicked(console);
    hv_unlock();
}

void consback_run_away(struct consback *console, bool in)
{
    hv_lock();
    if (in)
        console->ring->in_prod = console->written + 5000;
    else
        console->ring->out_cons = console->read + 5000;
    hv_notify(console->port);
    hv_unlock();
}

/* --- the connection --- */

static void connect(struct consback *console)
{
    console->reference = (uint32_t)back_get(FRONT, "ring-ref");
    console->port = (uint32_t)back_get(FRONT, "port");
    console->ring = hv_map(console->reference, CONSBACK_DOMAIN, true);
    if (!console->ring || !hv_bind(console->port, CONSBACK_DOMAIN, kicked, console))
        nt_bug("consback: the ring or the port is not given");
    console->read = console->ring->out_cons;
    console->written = console->ring->in_prod;
    back_set(BACK, "state", XenbusStateConnected);
    kicked(console);
}

static void disconnect(struct consback *console)
{
    if (!console->ring)
        return;
    hv_unbind(console->port);
    hv_unmap(console->reference, true);
    console->ring = NULL;
}

static void front_changed(struct consback *console)
{
    unsigned state = (unsigned)back_get(FRONT, "state");

    if (state == XenbusStateInitialised && !console->ring)
        connect(console);
    if (state != XenbusStateInitialising && state != XenbusStateClosing && state != XenbusStateClosed)
        return;
    disconnect(console);
    back_set(BACK, "state", state == XenbusStateClosing ? XenbusStateClosing : XenbusStateInitWait);
}

static void observe(const char *path)
{
    if (only && !strcmp(path, FRONT "/state"))
        front_changed(only);
}

static void new_domain(void)
{
    only->ring = NULL;
    back_set(FRONT, "state", XenbusStateInitialising);
}

void consback_set_state(struct consback *console, unsigned state)
{
    UNREFERENCED_PARAMETER(console);
    back_set(BACK, "state", state);
}

void consback_forget(struct consback *console)
{
    hv_lock();
    disconnect(console);
    hv_unlock();
}

void consback_boot(void)
{
    only = NULL;
    store_observe(observe);
    hv_on_new_domain = new_domain;
}

struct consback *consback_add(struct consback wanted)
{
    struct consback *console = malloc(sizeof(*console));

    *console = wanted;
    store_set(FRONT "/backend", BACK);
    back_set(FRONT, "backend-id", CONSBACK_DOMAIN);
    back_set(FRONT, "state", XenbusStateInitialising);
    back_set(BACK, "state", XenbusStateInitWait);
    only = console;
    return console;
}

void consback_end(void)
{
    if (only && only->ring)
        nt_bug("consback: the front end left without a word");
    free(only);
    only = NULL;
    store_observe(NULL);
    hv_on_new_domain = NULL;
}
