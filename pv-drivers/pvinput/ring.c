/* The ring of events and its connection. */
#include "input.h"

static struct device *device_of(struct front *front)
{
    return CONTAINING_RECORD(front, struct device, front);
}

static BOOLEAN offers(struct front *front, const char *feature)
{
    return front_back_number(front, feature, 0) == 1;
}

void ring_read_offers(struct device *device)
{
    struct input *input = &device->input;
    struct front *front = &device->front;

    memset(input, 0, sizeof(*input));
    if (!offers(front, XENKBD_FIELD_FEAT_DSBL_KEYBRD))
        input->offers |= REPORT_BIT(REPORT_KEYBOARD) | REPORT_BIT(REPORT_MEDIA);
    if (!offers(front, XENKBD_FIELD_FEAT_DSBL_POINTER))
        input->offers |= REPORT_BIT(REPORT_RELATIVE) | REPORT_BIT(REPORT_ABSOLUTE);
    if (offers(front, XENKBD_FIELD_FEAT_MTOUCH))
        input->contacts = front_back_number(front, XENKBD_FIELD_MT_NUM_CONTACTS, 1);
    if (input->contacts > MOST_CONTACTS)
        input->contacts = MOST_CONTACTS;
    if (input->contacts)
        input->offers |= REPORT_BIT(REPORT_TOUCH);
}

/* --- events --- */

/* Is there one, by an index that can be? With the lock. */
static BOOLEAN has_event(struct device *device)
{
    ULONG waiting = __atomic_load_n(&device->ring->in_prod, __ATOMIC_SEQ_CST) - device->consumed;

    if (waiting <= XENKBD_IN_RING_LEN)
        return waiting != 0;
    device->ring = NULL;
    front_break(&device->front, "has an index of the ring that cannot be");
    return FALSE;
}

BOOLEAN ring_apply_next(struct device *device)
{
    union xenkbd_in_event event;

    if (!device->ring || !has_event(device))
        return FALSE;
    memcpy(&event, &XENKBD_IN_RING_REF(device->ring, device->consumed), sizeof(event));
    __atomic_store_n(&device->ring->in_cons, ++device->consumed, __ATOMIC_SEQ_CST); /* now its place is free */
    report_apply(&device->input, &event);
    return TRUE;
}

static void NTAPI came(void *context)
{
    reads_pump(context);
}

/* --- the connection, with the front's lock --- */

/* Positions are asked for only if it is known what of: raw ones, or pixels of a known picture. */
static void choose(struct front *front, BOOLEAN *absolute, BOOLEAN *raw)
{
    *raw = offers(front, XENKBD_FIELD_FEAT_RAW_POINTER);
    *absolute =
        offers(front, XENKBD_FIELD_FEAT_ABS_POINTER) &&
        (*raw || (front_back_number(front, XENKBD_FIELD_WIDTH, 0) && front_back_number(front, XENKBD_FIELD_HEIGHT, 0)));
    *raw = *raw && *absolute;
}

static void begin(struct device *device, BOOLEAN absolute)
{
    KIRQL irql;

    KeAcquireSpinLock(&device->lock, &irql);
    device->input.absolute = absolute;
    device->consumed = 0;
    device->ring = device->shared.memory;
    KeReleaseSpinLock(&device->lock, irql);
}

static NTSTATUS publish(struct device *device, BOOLEAN absolute, BOOLEAN raw)
{
    struct front *front = &device->front;
    const struct {
        const char *name;
        ULONG value;
    } nodes[] = {
        {XENKBD_FIELD_RING_GREF, device->shared.reference},
        {XENKBD_FIELD_EVT_CHANNEL, front->bus.event_port(front->bus.header.Context, device->shared.event)},
        {XENKBD_FIELD_REQ_ABS_POINTER, absolute},
        {XENKBD_FIELD_REQ_RAW_POINTER, raw},
        {XENKBD_FIELD_REQ_MTOUCH, device->input.contacts != 0},
        {"state", XenbusStateInitialised},
    };
    NTSTATUS status = STATUS_SUCCESS;

    for (ULONG i = 0; i < RTL_NUMBER_OF(nodes) && NT_SUCCESS(status); i++)
        status = front_publish(front, nodes[i].name, nodes[i].value);
    return status;
}

static BOOLEAN release(struct front *front)
{
    return shared_ring_free(front, &device_of(front)->shared);
}

static void forget(struct front *front)
{
    shared_ring_forget(&device_of(front)->shared);
}

static NTSTATUS connect(struct front *front)
{
    struct device *device = device_of(front);
    BOOLEAN absolute, raw;
    NTSTATUS status;

    choose(front, &absolute, &raw);
    status = shared_ring_make(front, &device->shared, came, device);
    if (!NT_SUCCESS(status))
        return status;
    begin(device, absolute);
    return publish(device, absolute, raw);
}

/* The picture's size may change while it runs. Where positions are raw there is none. */
static void connected(struct front *front)
{
    struct device *device = device_of(front);
    BOOLEAN raw = offers(front, XENKBD_FIELD_FEAT_RAW_POINTER);
    ULONG width = raw ? 0 : front_back_number(front, XENKBD_FIELD_WIDTH, 0);
    ULONG height = raw ? 0 : front_back_number(front, XENKBD_FIELD_HEIGHT, 0);
    ULONG touch_width = front_back_number(front, XENKBD_FIELD_MT_WIDTH, 0);
    ULONG touch_height = front_back_number(front, XENKBD_FIELD_MT_HEIGHT, 0);
    KIRQL irql;

    KeAcquireSpinLock(&device->lock, &irql);
    device->input.width = width;
    device->input.height = height;
    device->input.touch_width = touch_width;
    device->input.touch_height = touch_height;
    KeReleaseSpinLock(&device->lock, irql);
    if (!front->met)
        front_publish(front, "state", XenbusStateConnected);
}

/* What the back end can tell no more is up. */
static void stop(struct front *front)
{
    struct device *device = device_of(front);
    KIRQL irql;

    KeAcquireSpinLock(&device->lock, &irql);
    device->ring = NULL;
    report_release_all(&device->input);
    KeReleaseSpinLock(&device->lock, irql);
    reads_pump(device);
}

const struct front_ops ring_front = {
    .driver = "pvinput",
    .tag = PVINPUT_TAG,
    .connect = connect,
    .connected = connected,
    .stop = stop,
    .release = release,
    .forget = forget,
};
