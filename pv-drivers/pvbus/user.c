/* The program that serves what a driver cannot (pv/user_interface.h): its reads wait here for requests. */
#include "bus.h"

#define BIT(kind) (1u << (kind))

/* The request that is answered first; none: 0. user.lock is held. */
static ULONG first_asked(const struct user *user)
{
    for (ULONG kind = PV_USER_POWEROFF; kind <= PV_USER_CLOCK; kind++)
        if (user->asked & BIT(kind))
            return kind;
    return 0;
}

static PIRP take_answered(struct bus *bus)
{
    struct user *user = &bus->user;
    ULONG kind;
    PIRP irp = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&user->lock, &irql);
    kind = user->open ? first_asked(user) : 0;
    if (kind)
        irp = irp_queue_take(&user->reads);
    if (irp) {
        struct pv_user_request request = {.kind = kind, .clock = clock_now(bus)};

        user->asked &= ~BIT(kind);
        memcpy(irp->AssociatedIrp.SystemBuffer, &request, sizeof(request));
        irp->IoStatus.Information = sizeof(request);
        irp->IoStatus.Status = STATUS_SUCCESS;
    }
    KeReleaseSpinLock(&user->lock, irql);
    return irp;
}

/* Reads that wait, and requests for them, until one of the two has run out. */
static void answer(struct bus *bus)
{
    PIRP irp;

    while ((irp = take_answered(bus)))
        IoCompleteRequest(irp, IO_NO_INCREMENT);
}

BOOLEAN user_ask(struct bus *bus, ULONG kind)
{
    struct user *user = &bus->user;
    BOOLEAN open;
    KIRQL irql;

    KeAcquireSpinLock(&user->lock, &irql);
    open = user->open;
    if (open)
        user->asked |= BIT(kind);
    KeReleaseSpinLock(&user->lock, irql);
    answer(bus);
    return open;
}

/* --- what the program asks --- */

static NTSTATUS open(struct bus *bus, PIRP irp)
{
    struct user *user = &bus->user;
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    KeAcquireSpinLock(&user->lock, &irql);
    if (!user->enabled)
        status = STATUS_DEVICE_NOT_CONNECTED;
    else if (user->in_use)
        status = STATUS_SHARING_VIOLATION;
    else
        user->in_use = user->open = TRUE;
    KeReleaseSpinLock(&user->lock, irql);
    if (NT_SUCCESS(status))
        control_offer_user(bus);
    return complete(irp, status, 0);
}

/* Nobody asks any more: what was asked and is not done stays in xenstore. */
static void end_reads(struct bus *bus, NTSTATUS status)
{
    struct user *user = &bus->user;
    BOOLEAN was_open;
    KIRQL irql;
    PIRP irp;

    KeAcquireSpinLock(&user->lock, &irql);
    was_open = user->open;
    user->open = FALSE;
    user->asked = 0;
    while ((irp = irp_queue_take(&user->reads))) {
        KeReleaseSpinLock(&user->lock, irql);
        complete(irp, status, 0);
        KeAcquireSpinLock(&user->lock, &irql);
    }
    KeReleaseSpinLock(&user->lock, irql);
    if (was_open)
        control_end_user(bus);
}

static NTSTATUS clean_up(struct bus *bus, PIRP irp)
{
    end_reads(bus, STATUS_CANCELLED);
    return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS close(struct bus *bus, PIRP irp)
{
    KIRQL irql;

    KeAcquireSpinLock(&bus->user.lock, &irql);
    bus->user.in_use = FALSE;
    KeReleaseSpinLock(&bus->user.lock, irql);
    return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS read(struct bus *bus, PIRP irp)
{
    struct user *user = &bus->user;
    NTSTATUS status = STATUS_PENDING;
    KIRQL irql;

    if (IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length < sizeof(struct pv_user_request))
        return complete(irp, STATUS_INVALID_PARAMETER, 0);
    KeAcquireSpinLock(&user->lock, &irql);
    if (!user->open)
        status = STATUS_DEVICE_NOT_CONNECTED;
    else if (!irp_queue_add(&user->reads, irp))
        status = STATUS_CANCELLED;
    KeReleaseSpinLock(&user->lock, irql);
    if (status == STATUS_PENDING) {
        answer(bus);
        return STATUS_PENDING;
    }
    complete(irp, status, 0);
    return status == STATUS_CANCELLED ? STATUS_PENDING : status; /* that one is marked so */
}

static NTSTATUS write(struct bus *bus, PIRP irp)
{
    ULONG kind;
    NTSTATUS status;

    if (IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length != sizeof(kind))
        return complete(irp, STATUS_INVALID_PARAMETER, 0);
    if (!bus->user.open)
        return complete(irp, STATUS_DEVICE_NOT_CONNECTED, 0);
    memcpy(&kind, irp->AssociatedIrp.SystemBuffer, sizeof(kind));
    status = control_accept(bus, kind);
    return complete(irp, status, NT_SUCCESS(status) ? sizeof(kind) : 0);
}

static const struct {
    UCHAR major;
    NTSTATUS (*function)(struct bus *bus, PIRP irp);
} majors[] = {
    {IRP_MJ_CREATE, open}, {IRP_MJ_CLEANUP, clean_up}, {IRP_MJ_CLOSE, close},
    {IRP_MJ_READ, read},   {IRP_MJ_WRITE, write},
};

/* A read that waits holds the remove lock no longer than this function: before the bus goes all are completed. */
NTSTATUS user_request(PDEVICE_OBJECT device, PIRP irp)
{
    struct bus *bus = device->DeviceExtension;
    UCHAR major = IoGetCurrentIrpStackLocation(irp)->MajorFunction;
    NTSTATUS status = IoAcquireRemoveLock(&bus->remove_lock, irp);

    if (!NT_SUCCESS(status))
        return complete(irp, status, 0);
    for (ULONG i = 0; i < RTL_NUMBER_OF(majors); i++)
        if (majors[i].major == major)
            status = majors[i].function(bus, irp);
    IoReleaseRemoveLock(&bus->remove_lock, irp);
    return status;
}

/* --- the bus's life --- */

static void enable(struct bus *bus, BOOLEAN enabled)
{
    KIRQL irql;

    KeAcquireSpinLock(&bus->user.lock, &irql);
    bus->user.enabled = enabled;
    KeReleaseSpinLock(&bus->user.lock, irql);
}

NTSTATUS user_init(struct bus *bus)
{
    static const GUID guid = PV_USER_INTERFACE;
    NTSTATUS status = STATUS_SUCCESS;

    if (!bus->user.name.Buffer)
        status = IoRegisterDeviceInterface(bus->physical, &guid, NULL, &bus->user.name);
    if (!NT_SUCCESS(status))
        return status;
    enable(bus, TRUE);
    status = IoSetDeviceInterfaceState(&bus->user.name, TRUE);
    if (!NT_SUCCESS(status))
        enable(bus, FALSE);
    return status;
}

void user_resume(struct bus *bus)
{
    if (!bus->user.open)
        return;
    control_offer_user(bus);
    user_ask(bus, PV_USER_CLOCK);
}

void user_free(struct bus *bus)
{
    if (!bus->user.enabled)
        return;
    enable(bus, FALSE);
    IoSetDeviceInterfaceState(&bus->user.name, FALSE);
    end_reads(bus, STATUS_DEVICE_NOT_CONNECTED);
}

void user_remove(struct bus *bus)
{
    if (bus->user.name.Buffer)
        RtlFreeUnicodeString(&bus->user.name);
}

void user_make(struct bus *bus)
{
    KeInitializeSpinLock(&bus->user.lock);
    irp_queue_init(&bus->user.reads, &bus->user.lock);
}
