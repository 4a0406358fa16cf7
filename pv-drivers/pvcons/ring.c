/* The ring of bytes, what waits for it, and its connection. */
#include "cons.h"

static struct console *console_of(struct front *front)
{
    return CONTAINING_RECORD(front, struct console, front);
}

static void complete_all(LIST_ENTRY *done)
{
    while (!IsListEmpty(done)) {
        LIST_ENTRY *entry = RemoveHeadList(done);

        IoCompleteRequest(CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry), IO_NO_INCREMENT);
    }
}

static void is_done(LIST_ENTRY *done, PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    InsertTailList(done, &irp->Tail.Overlay.ListEntry);
}

/* --- bytes, with the lock --- */

static void break_ring(struct console *console)
{
    console->ring = NULL;
    front_break(&console->front, "has an index of the ring that cannot be");
}

/* How many bytes there are to be read, or there is room for. */
static ULONG readable(struct console *console)
{
    ULONG count;

    if (!console->ring)
        return 0;
    count = __atomic_load_n(&console->ring->in_prod, __ATOMIC_SEQ_CST) - console->consumed;
    if (count <= sizeof(console->ring->in))
        return count;
    break_ring(console);
    return 0;
}

static ULONG writable(struct console *console)
{
    ULONG used;

    if (!console->ring)
        return 0;
    used = console->produced - __atomic_load_n(&console->ring->out_cons, __ATOMIC_SEQ_CST);
    if (used <= sizeof(console->ring->out))
        return sizeof(console->ring->out) - used;
    break_ring(console);
    return 0;
}

static void read_bytes(struct console *console, PIRP irp, ULONG count)
{
    char *to = irp->AssociatedIrp.SystemBuffer;

    for (ULONG i = 0; i < count; i++)
        to[i] = console->ring->in[MASK_XENCONS_IDX(console->consumed + i, console->ring->in)];
    console->consumed += count;
    __atomic_store_n(&console->ring->in_cons, console->consumed, __ATOMIC_SEQ_CST); /* now their place is free */
    irp->IoStatus.Information = count;
}

static void write_bytes(struct console *console, PIRP irp, ULONG count)
{
    const char *from = (const char *)irp->AssociatedIrp.SystemBuffer + irp->IoStatus.Information;

    for (ULONG i = 0; i < count; i++)
        console->ring->out[MASK_XENCONS_IDX(console->produced + i, console->ring->out)] = from[i];
    console->produced += count;
    __atomic_store_n(&console->ring->out_prod, console->produced, __ATOMIC_SEQ_CST); /* now they are the back end's */
    irp->IoStatus.Information += count;
}

/* One read is answered by what there is. */
static BOOLEAN answer_read(struct console *console, LIST_ENTRY *done)
{
    ULONG count = readable(console), wanted;
    PIRP irp = count ? irp_queue_take(&console->reads) : NULL;

    if (!irp)
        return FALSE;
    wanted = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length;
    read_bytes(console, irp, count < wanted ? count : wanted);
    is_done(done, irp, STATUS_SUCCESS);
    return TRUE;
}

/* A write goes on where it was, and waits again with what is left. */
static BOOLEAN go_on_with_write(struct console *console, LIST_ENTRY *done)
{
    ULONG room = writable(console), left;
    PIRP irp = room ? irp_queue_take(&console->writes) : NULL;

    if (!irp)
        return FALSE;
    left = IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length - (ULONG)irp->IoStatus.Information;
    write_bytes(console, irp, room < left ? room : left);
    if (room >= left)
        is_done(done, irp, STATUS_SUCCESS);
    else if (!irp_queue_put_back(&console->writes, irp))
        is_done(done, irp, STATUS_CANCELLED);
    return TRUE;
}

/* As far as it goes: each turn ends a request or fills the ring. */
static void pump(struct console *console)
{
    BOOLEAN some = FALSE;
    LIST_ENTRY done;
    KIRQL irql;

    InitializeListHead(&done);
    KeAcquireSpinLock(&console->lock, &irql);
    while (answer_read(console, &done))
        some = TRUE;
    while (go_on_with_write(console, &done))
        some = TRUE;
    if (some)
        shared_ring_notify(&console->front, &console->shared);
    KeReleaseSpinLock(&console->lock, irql);
    complete_all(&done);
}

static void NTAPI came(void *context)
{
    pump(context);
}

/* --- requests --- */

NTSTATUS ring_add(struct console *console, struct irp_queue *queue, PIRP irp)
{
    NTSTATUS status = STATUS_PENDING;
    KIRQL irql;

    irp->IoStatus.Information = 0;
    KeAcquireSpinLock(&console->lock, &irql);
    if (console->closed)
        status = STATUS_DEVICE_NOT_CONNECTED;
    else if (!irp_queue_add(queue, irp))
        status = STATUS_CANCELLED;
    KeReleaseSpinLock(&console->lock, irql);
    if (status == STATUS_PENDING) {
        pump(console);
        return STATUS_PENDING;
    }
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status == STATUS_CANCELLED ? STATUS_PENDING : status; /* that one is marked so */
}

void ring_open(struct console *console)
{
    KIRQL irql;

    KeAcquireSpinLock(&console->lock, &irql);
    console->closed = FALSE;
    KeReleaseSpinLock(&console->lock, irql);
}

static void end_all(struct irp_queue *queue, LIST_ENTRY *done, NTSTATUS status)
{
    PIRP irp;

    while ((irp = irp_queue_take(queue)))
        is_done(done, irp, status);
}

void ring_end(struct console *console, NTSTATUS status)
{
    LIST_ENTRY done;
    KIRQL irql;

    InitializeListHead(&done);
    KeAcquireSpinLock(&console->lock, &irql);
    end_all(&console->reads, &done, status);
    end_all(&console->writes, &done, status);
    KeReleaseSpinLock(&console->lock, irql);
    complete_all(&done);
}

void ring_close(struct console *console)
{
    KIRQL irql;

    KeAcquireSpinLock(&console->lock, &irql);
    console->closed = TRUE;
    KeReleaseSpinLock(&console->lock, irql);
    ring_end(console, STATUS_DEVICE_NOT_CONNECTED);
}

/* --- the connection, with the front's lock --- */

static BOOLEAN release(struct front *front)
{
    return shared_ring_free(front, &console_of(front)->shared);
}

static void forget(struct front *front)
{
    shared_ring_forget(&console_of(front)->shared);
}

static NTSTATUS publish(struct console *console)
{
    struct front *front = &console->front;
    NTSTATUS status = front_publish(front, "ring-ref", console->shared.reference);

    if (NT_SUCCESS(status))
        status = front_publish(front, "port", front->bus.event_port(front->bus.header.Context, console->shared.event));
    return NT_SUCCESS(status) ? front_publish(front, "state", XenbusStateInitialised) : status;
}

static void begin(struct console *console)
{
    KIRQL irql;

    KeAcquireSpinLock(&console->lock, &irql);
    console->consumed = console->produced = 0;
    console->ring = console->shared.memory;
    KeReleaseSpinLock(&console->lock, irql);
}

static NTSTATUS connect(struct front *front)
{
    struct console *console = console_of(front);
    NTSTATUS status = shared_ring_make(front, &console->shared, came, console);

    if (!NT_SUCCESS(status))
        return status;
    begin(console);
    return publish(console);
}

/* What was written before is in the ring already, or waits for its room. */
static void connected(struct front *front)
{
    if (!front->met)
        front_publish(front, "state", XenbusStateConnected);
    pump(console_of(front));
}

static void stop(struct front *front)
{
    struct console *console = console_of(front);
    KIRQL irql;

    KeAcquireSpinLock(&console->lock, &irql);
    console->ring = NULL;
    KeReleaseSpinLock(&console->lock, irql);
}

const struct front_ops ring_front = {
    .driver = "pvcons",
    .tag = PVCONS_TAG,
    .connect = connect,
    .connected = connected,
    .stop = stop,
    .release = release,
    .forget = forget,
};
