/*
 * The client of xenstore: requests go one at a time, their answers and the watch events come by the ring's DPC.
 * Whatever the other side writes to the ring is checked: indices that run away or a message that is too long end the
 * connection.
 */
#include "bus.h"

#define RING    XENSTORE_RING_SIZE
#define TIMEOUT (-30ll * 10 * 1000 * 1000) /* 30 s, relative, in units of 100 ns */

static const struct {
    const char *name;
    NTSTATUS status;
} errors[] = {
    {"ENOENT", STATUS_OBJECT_NAME_NOT_FOUND}, {"EACCES", STATUS_ACCESS_DENIED},  {"EINVAL", STATUS_INVALID_PARAMETER},
    {"EEXIST", STATUS_OBJECT_NAME_COLLISION}, {"EQUOTA", STATUS_QUOTA_EXCEEDED}, {"E2BIG", STATUS_BUFFER_OVERFLOW},
};

static NTSTATUS status_of_error(const char *name)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(errors); i++)
        if (!strcmp(errors[i].name, name))
            return errors[i].status;
    return STATUS_UNSUCCESSFUL;
}

static void notify(struct store *store)
{
    struct evtchn_send send = {.port = store->port};

    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (ULONG_PTR)&send, 0);
}

/* The message in store->header and payload is whole. */
static void dispatch(struct bus *bus)
{
    struct store *store = &bus->store;

    store->payload[store->header.len] = 0;
    if (store->header.type == XS_WATCH_EVENT) {
        watch_fire(bus, store->payload, store->header.len);
        return;
    }
    if (!store->request || store->header.req_id != store->request || store->answered)
        return; /* of a request whose time was over */
    store->status = store->header.type == XS_ERROR ? status_of_error(store->payload) : STATUS_SUCCESS;
    store->answer_size = store->header.len;
    memcpy(store->answer, store->payload, store->header.len + 1);
    store->answered = TRUE;
}

/* Takes up to `size` bytes out of the ring; how many. */
static ULONG take(struct store *store, void *to, ULONG size, uint32_t produced)
{
    struct xenstore_domain_interface *ring = store->ring;
    uint32_t consumed = ring->rsp_cons;
    ULONG done = 0;

    while (done < size && consumed != produced)
        ((char *)to)[done++] = ring->rsp[MASK_XENSTORE_IDX(consumed++)];
    __atomic_store_n(&ring->rsp_cons, consumed, __ATOMIC_SEQ_CST);
    return done;
}

/* One piece of the message that comes in; FALSE when the ring has no more, or is broken. */
static BOOLEAN receive(struct bus *bus)
{
    struct store *store = &bus->store;
    uint32_t produced = __atomic_load_n(&store->ring->rsp_prod, __ATOMIC_SEQ_CST);
    const ULONG header = sizeof(store->header);

    if (produced - store->ring->rsp_cons > RING) {
        store->connected = FALSE;
        return FALSE;
    }
    if (store->received < header) {
        store->received += take(store, (char *)&store->header + store->received, header - store->received, produced);
        if (store->received < header)
            return FALSE;
        if (store->header.len > XENSTORE_PAYLOAD_MAX) {
            store->connected = FALSE;
            return FALSE;
        }
    }
    store->received +=
        take(store, store->payload + store->received - header, header + store->header.len - store->received, produced);
    if (store->received < header + store->header.len)
        return FALSE;
    store->received = 0;
    dispatch(bus);
    return TRUE;
}

static void NTAPI on_event(void *context)
{
    struct bus *bus = context;
    struct store *store = &bus->store;
    uint32_t before;

    KeAcquireSpinLockAtDpcLevel(&store->lock);
    before = store->ring->rsp_cons;
    while (store->connected && receive(bus)) {
    }
    if (store->ring->rsp_cons != before)
        notify(store); /* there is room again */
    KeReleaseSpinLockFromDpcLevel(&store->lock);
    KeSetEvent(&store->progress, IO_NO_INCREMENT, FALSE);
}

/* Waits for the other side to move; by the holder of the gate. */
static NTSTATUS wait_for_progress(struct store *store)
{
    LARGE_INTEGER timeout = {.QuadPart = TIMEOUT};
    NTSTATUS status = KeWaitForSingleObject(&store->progress, Executive, KernelMode, FALSE, &timeout);

    if (!store->connected)
        return STATUS_DEVICE_NOT_CONNECTED;
    return status == STATUS_TIMEOUT ? STATUS_IO_TIMEOUT : STATUS_SUCCESS;
}

static NTSTATUS put(struct store *store, const void *from, ULONG size)
{
    struct xenstore_domain_interface *ring = store->ring;
    ULONG done = 0;

    while (done < size) {
        uint32_t consumed = __atomic_load_n(&ring->req_cons, __ATOMIC_SEQ_CST), produced = ring->req_prod;
        NTSTATUS status;

        if (produced - consumed > RING)
            return STATUS_DEVICE_NOT_CONNECTED;
        while (done < size && produced - consumed < RING)
            ring->req[MASK_XENSTORE_IDX(produced++)] = ((const char *)from)[done++];
        __atomic_store_n(&ring->req_prod, produced, __ATOMIC_SEQ_CST);
        if (done == size)
            break;
        notify(store);
        status = wait_for_progress(store);
        if (!NT_SUCCESS(status))
            return status;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS send_and_wait(struct store *store, const struct xsd_sockmsg *header, const char *first,
                              ULONG first_size, const char *second, ULONG second_size)
{
    NTSTATUS status = put(store, header, sizeof(*header));

    if (NT_SUCCESS(status))
        status = put(store, first, first_size);
    if (NT_SUCCESS(status))
        status = put(store, second, second_size);
    if (!NT_SUCCESS(status)) {
        store->connected = FALSE; /* half a message is in the ring: nothing can follow it */
        return status;
    }
    notify(store);
    while (!store->answered && NT_SUCCESS(status))
        status = wait_for_progress(store);
    return store->answered ? store->status : status;
}

/* The names of a folder stand with an end mark each; a value has none. Both get one more here. */
static NTSTATUS copy_answer(const struct store *store, char *answer, ULONG size)
{
    if (!answer)
        return STATUS_SUCCESS;
    if (store->answer_size + 1 > size)
        return STATUS_BUFFER_OVERFLOW;
    memcpy(answer, store->answer, store->answer_size);
    answer[store->answer_size] = 0;
    return STATUS_SUCCESS;
}

NTSTATUS store_ask(struct bus *bus, uint32_t type, const char *first, ULONG first_size, const char *second,
                   ULONG second_size, char *answer, ULONG size)
{
    struct store *store = &bus->store;
    struct xsd_sockmsg header = {.type = type, .len = first_size + second_size};
    NTSTATUS status = STATUS_DEVICE_NOT_CONNECTED;
    KIRQL irql;

    if (header.len > XENSTORE_PAYLOAD_MAX)
        return STATUS_INVALID_PARAMETER;
    KeWaitForSingleObject(&store->gate, Executive, KernelMode, FALSE, NULL);
    KeAcquireSpinLock(&store->lock, &irql);
    if (!++store->next_request)
        store->next_request = 1;
    header.req_id = store->request = store->next_request;
    store->answered = FALSE;
    KeReleaseSpinLock(&store->lock, irql);
    if (store->connected)
        status = send_and_wait(store, &header, first, first_size, second, second_size);
    if (NT_SUCCESS(status))
        status = copy_answer(store, answer, size);
    store->request = 0;
    KeSetEvent(&store->gate, IO_NO_INCREMENT, FALSE);
    return status;
}

static ULONG marked_size(const char *path)
{
    return (ULONG)strlen(path) + 1;
}

NTSTATUS NTAPI store_read(void *bus, const char *path, char *value, ULONG size)
{
    return store_ask(bus, XS_READ, path, marked_size(path), "", 0, value, size);
}

NTSTATUS NTAPI store_write(void *bus, const char *path, const char *value)
{
    return store_ask(bus, XS_WRITE, path, marked_size(path), value, (ULONG)strlen(value), NULL, 0);
}

NTSTATUS NTAPI store_remove(void *bus, const char *path)
{
    return store_ask(bus, XS_RM, path, marked_size(path), "", 0, NULL, 0);
}

NTSTATUS NTAPI store_list(void *bus, const char *path, char *names, ULONG size)
{
    return store_ask(bus, XS_DIRECTORY, path, marked_size(path), "", 0, names, size);
}

/* Finds the ring and its port, which the toolstack has made. */
NTSTATUS store_connect(struct bus *bus)
{
    struct store *store = &bus->store;
    ULONGLONG frame, port;
    PHYSICAL_ADDRESS address;
    struct pv_event *event;

    if (!NT_SUCCESS(hvm_get_param(HVM_PARAM_STORE_PFN, &frame)) || !frame ||
        !NT_SUCCESS(hvm_get_param(HVM_PARAM_STORE_EVTCHN, &port)) || !port || port > MAXULONG)
        return STATUS_DEVICE_NOT_CONNECTED;
    address.QuadPart = (LONGLONG)(frame * PV_PAGE_SIZE);
    if (store->ring)
        MmUnmapIoSpace(store->ring, PV_PAGE_SIZE);
    store->ring = MmMapIoSpace(address, PV_PAGE_SIZE, MmCached);
    if (!store->ring)
        return STATUS_INSUFFICIENT_RESOURCES;
    store->port = (ULONG)port;
    store->received = 0;
    store->connected = TRUE;
    return event_attach(bus, store->port, on_event, bus, &event);
}

void store_hold(struct bus *bus)
{
    KeWaitForSingleObject(&bus->store.gate, Executive, KernelMode, FALSE, NULL);
}

void store_release(struct bus *bus)
{
    KeSetEvent(&bus->store.gate, IO_NO_INCREMENT, FALSE);
}

NTSTATUS store_init(struct bus *bus)
{
    struct store *store = &bus->store;

    KeInitializeEvent(&store->gate, SynchronizationEvent, TRUE);
    KeInitializeEvent(&store->progress, SynchronizationEvent, FALSE);
    KeInitializeEvent(&store->work_idle, NotificationEvent, TRUE);
    KeInitializeSpinLock(&store->lock);
    store->work = IoAllocateWorkItem(bus->device.self);
    if (!store->work)
        return STATUS_INSUFFICIENT_RESOURCES;
    return store_connect(bus);
}

/* The port stays open: it is the toolstack's, and the next driver's. */
void store_free(struct bus *bus)
{
    struct store *store = &bus->store;
    KIRQL irql;

    if (!store->work)
        return;
    KeAcquireSpinLock(&store->lock, &irql);
    store->connected = FALSE;
    KeReleaseSpinLock(&store->lock, irql);
    if (store->port && bus->events.abi) {
        bus->events.abi->mask(bus, store->port);
        KeAcquireSpinLock(&bus->events.lock, &irql);
        bus->events.ports[store->port].handler = NULL;
        KeReleaseSpinLock(&bus->events.lock, irql);
        KeFlushQueuedDpcs();
    }
    KeWaitForSingleObject(&store->work_idle, Executive, KernelMode, FALSE, NULL);
    IoFreeWorkItem(store->work);
    store->work = NULL;
    if (store->ring)
        MmUnmapIoSpace(store->ring, PV_PAGE_SIZE);
    store->ring = NULL;
}
