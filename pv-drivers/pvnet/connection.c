/*
 * The connection to the back end: xenstore's states. All that happens comes to one work item, which looks at what is so
 * now and takes the next step; nobody waits for the back end but who closes.
 */
#include "net.h"

#define POLL  (-10ll * 1000 * 200) /* 200 ms, relative, in units of 100 ns; mostly its watch comes before */
#define POLLS 25

static const char *const feature_names[] = {"feature-rx-notify", "request-rx-copy",   "feature-sg",
                                            "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload"};

static void lock(struct adapter *adapter)
{
    KeWaitForSingleObject(&adapter->connection_lock, Executive, KernelMode, FALSE, NULL);
}

static void unlock(struct adapter *adapter)
{
    KeSetEvent(&adapter->connection_lock, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS publish(struct adapter *adapter, const char *name, ULONG value)
{
    return bus_write_number(&adapter->bus, adapter->bus.path, name, value);
}

static ULONG back_number(struct adapter *adapter, const char *name, ULONG otherwise)
{
    ULONGLONG value = bus_read_number(&adapter->bus, adapter->back, name, otherwise);

    return value <= MAXULONG ? (ULONG)value : otherwise;
}

static ULONG back_state(struct adapter *adapter)
{
    return back_number(adapter, "state", XenbusStateUnknown);
}

/* --- the link, as NDIS sees it --- */

static void indicate_link(struct adapter *adapter, BOOLEAN up)
{
    NDIS_LINK_STATE state = {
        .Header = {NDIS_OBJECT_TYPE_DEFAULT, NDIS_LINK_STATE_REVISION_1, NDIS_SIZEOF_LINK_STATE_REVISION_1},
        .MediaConnectState = up ? MediaConnectStateConnected : MediaConnectStateDisconnected,
        .MediaDuplexState = up ? MediaDuplexStateFull : MediaDuplexStateUnknown,
        .XmitLinkSpeed = up ? LINK_SPEED : NDIS_LINK_SPEED_UNKNOWN,
        .RcvLinkSpeed = up ? LINK_SPEED : NDIS_LINK_SPEED_UNKNOWN,
        .PauseFunctions = NdisPauseFunctionsUnsupported,
    };
    NDIS_STATUS_INDICATION indication = {
        .Header = {NDIS_OBJECT_TYPE_STATUS_INDICATION, NDIS_STATUS_INDICATION_REVISION_1, sizeof(indication)},
        .SourceHandle = adapter->handle,
        .StatusCode = NDIS_STATUS_LINK_STATE,
        .StatusBuffer = &state,
        .StatusBufferSize = sizeof(state),
    };

    NdisMIndicateStatusEx(adapter->handle, &indication);
}

/* With the lock. */
static void set_link(struct adapter *adapter, BOOLEAN up)
{
    if (adapter->up == up || !adapter->started)
        return;
    adapter->up = up;
    indicate_link(adapter, up);
}

/* --- connecting, with the lock --- */

static void read_abilities(struct adapter *adapter)
{
    struct abilities *abilities = &adapter->abilities;

    abilities->split_events = back_number(adapter, "feature-split-event-channels", 0) == 1;
    abilities->scatter = back_number(adapter, "feature-sg", 0) == 1;
    abilities->checksum_v4 = back_number(adapter, "feature-no-csum-offload", 0) == 0;
    abilities->checksum_v6 = back_number(adapter, "feature-ipv6-csum-offload", 0) == 1;
    abilities->large_v4 = back_number(adapter, "feature-gso-tcpv4", 0) == 1;
    abilities->large_v6 = back_number(adapter, "feature-gso-tcpv6", 0) == 1;
}

static ULONG choose_count(struct adapter *adapter)
{
    ULONG count = back_number(adapter, "multi-queue-max-queues", 1);
    ULONG processors = KeQueryActiveProcessorCount(NULL);

    if (count > processors)
        count = processors;
    if (count > MOST_QUEUES)
        count = MOST_QUEUES;
    return count ? count : 1;
}

static NTSTATUS publish_events(struct queue *queue, const char *folder)
{
    struct pv_bus_interface *bus = &queue->adapter->bus;
    ULONG port = bus->event_port(bus->header.Context, queue->receive_event);
    NTSTATUS status;

    if (!queue->transmit_event)
        return bus_write_number(bus, folder, "event-channel", port);
    status = bus_write_number(bus, folder, "event-channel-rx", port);
    if (!NT_SUCCESS(status))
        return status;
    port = bus->event_port(bus->header.Context, queue->transmit_event);
    return bus_write_number(bus, folder, "event-channel-tx", port);
}

/* One queue stands in the device's own folder, several in folders of theirs. */
static NTSTATUS publish_queue(struct queue *queue, ULONG count)
{
    struct pv_bus_interface *bus = &queue->adapter->bus;
    char folder[PATH_SIZE + 16];
    NTSTATUS status;

    strcpy(folder, bus->path);
    if (count > 1) {
        strcat(folder, "/queue-");
        write_decimal(folder + strlen(folder), queue->number);
    }
    status = bus_write_number(bus, folder, "tx-ring-ref", queue->transmit_ring_reference);
    if (NT_SUCCESS(status))
        status = bus_write_number(bus, folder, "rx-ring-ref", queue->receive_ring_reference);
    return NT_SUCCESS(status) ? publish_events(queue, folder) : status;
}

static NTSTATUS publish_all(struct adapter *adapter, ULONG count)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (count > 1)
        status = publish(adapter, "multi-queue-num-queues", count);
    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++)
        status = publish_queue(&adapter->queues[i], count);
    for (ULONG i = 0; i < RTL_NUMBER_OF(feature_names) && NT_SUCCESS(status); i++)
        status = publish(adapter, feature_names[i], 1);
    return NT_SUCCESS(status) ? publish(adapter, "state", XenbusStateConnected) : status;
}

/* What a connection of before with another number of queues has left there would be read as this one's. */
static void remove_old(struct adapter *adapter)
{
    static const char *const names[] = {
        "multi-queue-num-queues", "queue-0",          "queue-1",          "queue-2",     "queue-3",
        "event-channel",          "event-channel-tx", "event-channel-rx", "tx-ring-ref", "rx-ring-ref"};
    char path[PATH_SIZE + 32];

    for (ULONG i = 0; i < RTL_NUMBER_OF(names); i++) {
        join_path(path, adapter->bus.path, names[i]);
        adapter->bus.store_remove(adapter->bus.header.Context, path);
    }
}

static BOOLEAN free_queues(struct adapter *adapter)
{
    BOOLEAN all = TRUE;

    for (ULONG i = 0; i < MOST_QUEUES; i++)
        all = queue_free(&adapter->queues[i]) && all;
    return all;
}

static void connect(struct adapter *adapter)
{
    ULONG count = choose_count(adapter);
    NTSTATUS status = STATUS_SUCCESS;

    read_abilities(adapter);
    remove_old(adapter);
    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++)
        status = queue_make(&adapter->queues[i]);
    if (NT_SUCCESS(status)) {
        adapter->queue_count = (LONG)count;
        for (ULONG i = 0; i < count; i++)
            queue_start(&adapter->queues[i]);
        adapter->linked = TRUE;
        adapter->met = FALSE;
        status = publish_all(adapter, count);
    }
    if (NT_SUCCESS(status))
        return;
    LOG("%s does not connect: %x", adapter->bus.path, (ULONG)status);
    for (ULONG i = 0; i < MOST_QUEUES; i++)
        queue_stop(&adapter->queues[i]);
    adapter->linked = FALSE;
    free_queues(adapter);
}

/* --- and going, with the lock --- */

/* FALSE: it is not there in time. A back end that is away, or begins anew, has let go. */
static BOOLEAN wait_until_gone(struct adapter *adapter, ULONG at_least)
{
    LARGE_INTEGER poll = {.QuadPart = POLL};

    for (ULONG i = 0; i < POLLS; i++) {
        ULONG state = back_state(adapter);

        if (state < XenbusStateInitialised || state > XenbusStateClosed || state >= at_least)
            return TRUE;
        KeWaitForSingleObject(&adapter->back_changed, Executive, KernelMode, FALSE, &poll);
    }
    return FALSE;
}

static void stop_queues(struct adapter *adapter)
{
    for (ULONG i = 0; i < MOST_QUEUES; i++)
        queue_stop(&adapter->queues[i]);
    adapter->linked = FALSE;
    set_link(adapter, FALSE);
}

/* The back end has the rings mapped until it is told that this end closes; Linux' lets go at "closing", others at
 * "closed". */
static void disconnect(struct adapter *adapter)
{
    if (adapter->linked) {
        stop_queues(adapter);
        publish(adapter, "state", XenbusStateClosing);
        wait_until_gone(adapter, XenbusStateClosing);
        publish(adapter, "state", XenbusStateClosed);
        if (!wait_until_gone(adapter, XenbusStateClosed))
            LOG("the back end of %s does not close", adapter->bus.path);
    }
    if (!free_queues(adapter))
        LOG("the back end of %s keeps pages of the rings", adapter->bus.path);
}

static void find_back(struct adapter *adapter, char *path)
{
    char name[PATH_SIZE + 16];

    join_path(name, adapter->bus.path, "backend");
    if (!NT_SUCCESS(adapter->bus.store_read(adapter->bus.header.Context, name, path, PATH_SIZE)))
        *path = 0;
    adapter->domain = (USHORT)bus_read_number(&adapter->bus, adapter->bus.path, "backend-id", 0);
}

static void report(struct adapter *adapter)
{
    LOG("%s is closed: its back end does not keep to the protocol", adapter->bus.path);
    NdisWriteErrorLogEntry(adapter->handle, NDIS_ERROR_CODE_HARDWARE_FAILURE, 1, (ULONG)adapter->domain);
    disconnect(adapter);
    adapter->failed = TRUE;
}

/* The back end was begun anew without a word, and has let go of all. */
static void start_over(struct adapter *adapter)
{
    stop_queues(adapter);
    free_queues(adapter);
    adapter->met = FALSE;
}

static void follow(struct adapter *adapter, ULONG state)
{
    if (state == XenbusStateConnected && adapter->linked) {
        adapter->met = TRUE;
        set_link(adapter, back_number(adapter, "carrier", 1) != 0);
    } else if (adapter->linked && state >= XenbusStateClosing) {
        disconnect(adapter);
    } else if (adapter->linked && adapter->met && state <= XenbusStateInitWait) {
        start_over(adapter);
    }
    if (state == XenbusStateInitWait && !adapter->linked)
        connect(adapter);
}

static void step(struct adapter *adapter)
{
    if (adapter->broken && !adapter->failed)
        report(adapter);
    if (!adapter->gone && !adapter->asleep && !adapter->failed && *adapter->back)
        follow(adapter, back_state(adapter));
}

/* --- what comes, and the work item --- */

static IO_WORKITEM_ROUTINE work;

/* At DISPATCH_LEVEL at most. However much comes, the item is queued once. */
static void want_work(struct adapter *adapter)
{
    KIRQL irql;

    KeAcquireSpinLock(&adapter->work_lock, &irql);
    adapter->work_wanted = TRUE;
    if (!adapter->work_queued) {
        adapter->work_queued = TRUE;
        KeClearEvent(&adapter->work_idle);
        IoQueueWorkItem(adapter->work, work, DelayedWorkQueue, adapter);
    }
    KeReleaseSpinLock(&adapter->work_lock, irql);
}

static BOOLEAN take_work(struct adapter *adapter)
{
    BOOLEAN wanted;
    KIRQL irql;

    KeAcquireSpinLock(&adapter->work_lock, &irql);
    wanted = adapter->work_wanted;
    adapter->work_wanted = FALSE;
    if (!wanted) {
        adapter->work_queued = FALSE;
        KeSetEvent(&adapter->work_idle, IO_NO_INCREMENT, FALSE);
    }
    KeReleaseSpinLock(&adapter->work_lock, irql);
    return wanted;
}

static void NTAPI back_changed(void *context)
{
    struct adapter *adapter = context;

    KeSetEvent(&adapter->back_changed, IO_NO_INCREMENT, FALSE);
    want_work(adapter);
}

/* The watch follows the back end's path, which another host has another of. A watch is removed without the lock, since
 * its handler may be waited for. */
static void follow_path(struct adapter *adapter)
{
    char path[PATH_SIZE];
    struct pv_watch *old = NULL;

    lock(adapter);
    find_back(adapter, path);
    if (strcmp(path, adapter->back)) {
        old = adapter->watch;
        adapter->watch = NULL;
        strcpy(adapter->back, path);
    }
    unlock(adapter);
    if (old)
        adapter->bus.watch_remove(adapter->bus.header.Context, old);
    if (!adapter->watch && *adapter->back &&
        !NT_SUCCESS(
            adapter->bus.watch_add(adapter->bus.header.Context, adapter->back, back_changed, adapter, &adapter->watch)))
        LOG("%s is not watched", adapter->back);
}

static VOID NTAPI work(PDEVICE_OBJECT device, PVOID context)
{
    struct adapter *adapter = context;

    UNREFERENCED_PARAMETER(device);
    while (take_work(adapter)) {
        if (!adapter->gone)
            follow_path(adapter);
        lock(adapter);
        step(adapter);
        unlock(adapter);
    }
}

static void NTAPI resumed(void *context)
{
    struct adapter *adapter = context;

    lock(adapter);
    stop_queues(adapter);
    for (ULONG i = 0; i < MOST_QUEUES; i++)
        queue_forget(&adapter->queues[i]);
    free_queues(adapter);
    InterlockedExchange(&adapter->broken, 0);
    adapter->failed = FALSE;
    unlock(adapter);
    want_work(adapter);
}

void connection_break(struct adapter *adapter, const char *what)
{
    if (InterlockedExchange(&adapter->broken, 1))
        return;
    LOG("the back end of %s %s", adapter->bus.path, what);
    want_work(adapter);
}

void connection_open(struct adapter *adapter)
{
    adapter->bus.set_resume_handler(adapter->bus.header.Context, resumed, adapter);
    publish(adapter, "state", XenbusStateInitialising);
    want_work(adapter);
}

void connection_close(struct adapter *adapter)
{
    adapter->bus.set_resume_handler(adapter->bus.header.Context, NULL, NULL);
    InterlockedExchange(&adapter->started, 0);
    lock(adapter);
    disconnect(adapter);
    adapter->gone = TRUE;
    unlock(adapter);
    KeWaitForSingleObject(&adapter->work_idle, Executive, KernelMode, FALSE, NULL);
    if (adapter->watch)
        adapter->bus.watch_remove(adapter->bus.header.Context, adapter->watch);
    KeWaitForSingleObject(&adapter->work_idle, Executive, KernelMode, FALSE, NULL);
}

void connection_sleep(struct adapter *adapter, BOOLEAN asleep)
{
    lock(adapter);
    adapter->asleep = asleep;
    if (asleep) {
        disconnect(adapter);
    } else {
        adapter->failed = FALSE;
        InterlockedExchange(&adapter->broken, 0);
        publish(adapter, "state", XenbusStateInitialising);
    }
    unlock(adapter);
    want_work(adapter);
}

void connection_removed(struct adapter *adapter)
{
    lock(adapter);
    adapter->gone = TRUE;
    stop_queues(adapter);
    unlock(adapter);
}

void connection_tell(struct adapter *adapter)
{
    InterlockedExchange(&adapter->started, 1);
    want_work(adapter);
}
