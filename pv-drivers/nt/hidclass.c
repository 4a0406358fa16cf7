#include "hidclass.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define READS  2u
#define TAG    0x43646948
#define SENDS  65536u
#define LOGGED 65536u

struct class_extension {
    HID_DEVICE_EXTENSION mini; /* first: the minidriver knows it */
    DEVICE_OBJECT *self;
};

static struct {
    HID_MINIDRIVER_REGISTRATION registration;
    PDRIVER_DISPATCH dispatch[IRP_MJ_MAXIMUM_FUNCTION + 1];
    PDRIVER_ADD_DEVICE add_device;
    PDRIVER_UNLOAD unload;
} minidriver;

static struct read {
    IRP *irp;
    UCHAR *buffer;
    unsigned number; /* of its send */
    bool out;
} reads[READS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows; never held while a driver's code runs */
static DEVICE_OBJECT *functional;
static struct hid_items items;
static UCHAR *descriptor;
static unsigned descriptor_size, longest, out, failed, came, taken;
static bool runs, stopping, holds;
static KEVENT all_back;
static struct nt_hid_report *logged;
static struct {
    bool done, pending_returned;
} sends[SENDS];
static unsigned send_number;
bool nt_hid_cancels = true;
void (*nt_hid_on_report)(void);

/* The minidriver's function, for the next stack location of the request. */
static NTSTATUS call_minidriver(DEVICE_OBJECT *device, IRP *irp)
{
    IO_STACK_LOCATION *stack;
    KIRQL irql = nt_irql();
    NTSTATUS status;

    if (--irp->CurrentLocation <= 0)
        nt_bug("a request has no stack location for the minidriver");
    stack = --irp->Tail.Overlay.CurrentStackLocation;
    stack->DeviceObject = device;
    if (!minidriver.dispatch[stack->MajorFunction])
        nt_bug("the minidriver has no function for %#x", stack->MajorFunction);
    status = minidriver.dispatch[stack->MajorFunction](device, irp);
    if (nt_irql() != irql)
        nt_bug("the minidriver changes the IRQL from %u to %u", irql, nt_irql());
    return status;
}

static void set_up(IRP *irp, ULONG code, void *input, void *data, ULONG size)
{
    IO_STACK_LOCATION *stack = IoGetNextIrpStackLocation(irp);

    irp->UserBuffer = data;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    stack->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
    stack->Parameters.DeviceIoControl.IoControlCode = code;
    stack->Parameters.DeviceIoControl.OutputBufferLength = size;
    stack->Parameters.DeviceIoControl.Type3InputBuffer = input;
}

/* --- requests that are waited for --- */

static NTSTATUS NTAPI signal(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(event, 0, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS forward(DEVICE_OBJECT *device, IRP *irp)
{
    KEVENT done;
    NTSTATUS returned;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoSetCompletionRoutine(irp, signal, &done, TRUE, TRUE, TRUE);
    returned = call_minidriver(device, irp);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    if (returned != STATUS_PENDING && returned != irp->IoStatus.Status)
        nt_bug("the minidriver says %08x to a request that is completed as %08x", (unsigned)returned,
               (unsigned)irp->IoStatus.Status);
    return irp->IoStatus.Status;
}

NTSTATUS nt_hid_request(ULONG code, void *input, void *data, ULONG size, ULONG_PTR *information)
{
    IO_STACK_LOCATION none = {0};
    IRP *irp = nt_new_irp(functional, &none);
    NTSTATUS status;

    set_up(irp, code, input, data, size);
    status = forward(functional, irp);
    if (information)
        *information = irp->IoStatus.Information;
    nt_free(irp);
    return status;
}

/* --- reads --- */

static NTSTATUS NTAPI read_done(PDEVICE_OBJECT device, PIRP irp, PVOID context);

static void send(struct read *read)
{
    unsigned number = __atomic_fetch_add(&send_number, 1, __ATOMIC_SEQ_CST) % SENDS;
    NTSTATUS returned;

    sends[number].done = false;
    nt_reuse_irp(read->irp);
    memset(read->buffer, 0xee, longest);
    set_up(read->irp, IOCTL_HID_READ_REPORT, NULL, read->buffer, longest);
    read->number = number;
    IoSetCompletionRoutine(read->irp, read_done, read, TRUE, TRUE, TRUE);
    returned = call_minidriver(functional, read->irp);
    if (returned != STATUS_PENDING && !sends[number].done)
        nt_bug("the minidriver says %08x to a read and has not completed it", (unsigned)returned);
    if (sends[number].done && sends[number].pending_returned != (returned == STATUS_PENDING))
        nt_bug("a read is marked as pending, and that is not what was said of it, or the other way round");
}

/* With the lock. FALSE: it stays here. */
static bool take_out(struct read *read)
{
    if (read->out || stopping || holds || !runs)
        return false;
    read->out = true;
    out++;
    return true;
}

static void send_all(void)
{
    for (unsigned i = 0; i < READS; i++) {
        bool goes;

        pthread_mutex_lock(&lock);
        goes = take_out(&reads[i]);
        pthread_mutex_unlock(&lock);
        if (goes)
            send(&reads[i]);
    }
}

/* With the lock. */
static void log_report(const struct read *read)
{
    ULONG_PTR size = read->irp->IoStatus.Information;

    if (!size || size > longest || size != hid_report_size(&items, HID_INPUT, read->buffer[0]))
        nt_bug("a report %u of %u bytes, of which the descriptor knows nothing", read->buffer[0], (unsigned)size);
    if (!hid_in_range(&items, read->buffer))
        nt_bug("a report %u with a value that its descriptor does not allow", read->buffer[0]);
    if (came - taken == LOGGED)
        nt_bug("more reports than the test takes");
    logged[came % LOGGED].size = (unsigned)size;
    memcpy(logged[came++ % LOGGED].data, read->buffer, size);
}

static NTSTATUS NTAPI read_done(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    struct read *read = context;
    unsigned number = read->number;
    bool again, last;

    UNREFERENCED_PARAMETER(device);
    sends[number].pending_returned = irp->PendingReturned;
    sends[number].done = true;
    pthread_mutex_lock(&lock);
    read->out = false;
    last = !--out;
    again = NT_SUCCESS(irp->IoStatus.Status);
    if (again)
        log_report(read);
    else if (irp->IoStatus.Status != STATUS_CANCELLED)
        failed++;
    again = again && take_out(read);
    pthread_mutex_unlock(&lock);
    if (nt_hid_on_report && NT_SUCCESS(irp->IoStatus.Status))
        nt_hid_on_report();
    if (last && !again)
        KeSetEvent(&all_back, 0, FALSE);
    if (again)
        send(read);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static void wait_for_reads(bool cancel)
{
    bool some = true;

    while (some) {
        pthread_mutex_lock(&lock);
        stopping = true;
        some = out != 0;
        if (some)
            KeClearEvent(&all_back);
        pthread_mutex_unlock(&lock);
        for (unsigned i = 0; i < READS && some && cancel; i++)
            nt_cancel_irp(reads[i].irp);
        if (some)
            KeWaitForSingleObject(&all_back, Executive, KernelMode, FALSE, NULL);
    }
}

void nt_hid_cancel(void)
{
    wait_for_reads(true);
    stopping = false;
    send_all();
}

void nt_hid_hold(bool wanted)
{
    holds = wanted;
    if (!wanted)
        send_all();
}

unsigned nt_hid_reads_out(void)
{
    return out;
}

unsigned nt_hid_reads_failed(void)
{
    return failed;
}

unsigned nt_hid_came(void)
{
    return came;
}

bool nt_hid_take(struct nt_hid_report *report)
{
    bool some;

    pthread_mutex_lock(&lock);
    some = taken != came;
    if (some)
        *report = logged[taken++ % LOGGED];
    pthread_mutex_unlock(&lock);
    return some;
}

/* --- start and stop --- */

static void read_descriptors(void)
{
    HID_DESCRIPTOR *header = nt_allocate(sizeof(*header), TAG);
    HID_DEVICE_ATTRIBUTES *attributes = nt_allocate(sizeof(*attributes), TAG);
    ULONG_PTR size = 0;
    const char *problem;

    if (nt_hid_request(IOCTL_HID_GET_DEVICE_DESCRIPTOR, NULL, header, sizeof(*header), &size) ||
        size != sizeof(*header) || header->bLength != size || header->bDescriptorType != HID_HID_DESCRIPTOR_TYPE ||
        header->bNumDescriptors != 1 || header->bReportType != HID_REPORT_DESCRIPTOR_TYPE || !header->wReportLength)
        nt_bug("the HID descriptor is wrong");
    if (nt_hid_request(IOCTL_HID_GET_DEVICE_ATTRIBUTES, NULL, attributes, sizeof(*attributes), &size) ||
        size != sizeof(*attributes) || attributes->Size != size || !attributes->VendorID)
        nt_bug("the HID attributes are wrong");
    descriptor_size = header->wReportLength;
    descriptor = nt_allocate(descriptor_size, TAG);
    if (nt_hid_request(IOCTL_HID_GET_REPORT_DESCRIPTOR, NULL, descriptor, descriptor_size, &size) ||
        size != descriptor_size)
        nt_bug("the report descriptor is not to be had");
    problem = hid_parse(&items, descriptor, descriptor_size);
    if (problem)
        nt_bug("the report descriptor has %s", problem);
    nt_free(header);
    nt_free(attributes);
}

static void make_reads(void)
{
    longest = 0;
    for (unsigned report = 1; report < 256; report++)
        if (hid_report_size(&items, HID_INPUT, (uint8_t)report) > longest)
            longest = hid_report_size(&items, HID_INPUT, (uint8_t)report);
    for (unsigned i = 0; i < READS; i++) {
        IO_STACK_LOCATION none = {0};

        reads[i] = (struct read){nt_new_irp(functional, &none), nt_allocate(longest, TAG), 0, false};
    }
}

static void begin(void)
{
    read_descriptors();
    make_reads();
    logged = calloc(LOGGED, sizeof(*logged));
    KeInitializeEvent(&all_back, NotificationEvent, FALSE);
    out = failed = came = taken = 0;
    stopping = holds = false;
    runs = true;
    send_all();
}

static void finish(void)
{
    if (!runs)
        return;
    runs = false;
    for (unsigned i = 0; i < READS; i++) {
        nt_free(reads[i].irp);
        nt_free(reads[i].buffer);
    }
    nt_free(descriptor);
    free(logged);
}

bool nt_hid_runs(void)
{
    return runs;
}

const struct hid_items *nt_hid_items(void)
{
    return &items;
}

const unsigned char *nt_hid_descriptor(unsigned *size)
{
    *size = descriptor_size;
    return descriptor;
}

static NTSTATUS pnp_and_wait(DEVICE_OBJECT *device, IRP *irp)
{
    NTSTATUS status;

    IoCopyCurrentIrpStackLocationToNext(irp);
    status = forward(device, irp);
    if (irp->Tail.Overlay.CurrentStackLocation->MinorFunction == IRP_MN_START_DEVICE && NT_SUCCESS(status))
        begin();
    irp->IoStatus.Status = status;
    IofCompleteRequest(irp, 0);
    return status;
}

static NT_ABI NTSTATUS pnp(PDEVICE_OBJECT device, PIRP irp)
{
    struct class_extension *extension = device->DeviceExtension;
    UCHAR minor = irp->Tail.Overlay.CurrentStackLocation->MinorFunction;
    bool ends = minor == IRP_MN_STOP_DEVICE || minor == IRP_MN_REMOVE_DEVICE || minor == IRP_MN_SURPRISE_REMOVAL;
    NTSTATUS status;

    if (ends && runs && nt_hid_cancels)
        wait_for_reads(true);
    status = pnp_and_wait(device, irp);
    if (ends && runs)
        wait_for_reads(false);
    if (minor == IRP_MN_STOP_DEVICE || minor == IRP_MN_REMOVE_DEVICE)
        finish();
    if (minor == IRP_MN_REMOVE_DEVICE) {
        IoDetachDevice(extension->mini.NextDeviceObject);
        IoDeleteDevice(device);
        functional = NULL;
    }
    return status;
}

static NT_ABI NTSTATUS pass(PDEVICE_OBJECT device, PIRP irp)
{
    IoCopyCurrentIrpStackLocationToNext(irp);
    return call_minidriver(device, irp);
}

NTSTATUS nt_hid_power(bool on)
{
    IO_STACK_LOCATION stack = {.MajorFunction = IRP_MJ_POWER, .MinorFunction = IRP_MN_SET_POWER};

    if (!(functional->Flags & DO_POWER_PAGABLE))
        nt_bug("a power request may come at DISPATCH_LEVEL");
    stack.Parameters.Power.Type = DevicePowerState;
    stack.Parameters.Power.State.DeviceState = on ? PowerDeviceD0 : PowerDeviceD3;
    return nt_send_irp(functional, nt_new_irp(functional, &stack), NULL);
}

static NT_ABI NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    ULONG size = sizeof(struct class_extension) + minidriver.registration.DeviceExtensionSize;
    struct class_extension *extension;
    NTSTATUS status = IoCreateDevice(driver, size, NULL, FILE_DEVICE_KEYBOARD, 0, FALSE, &functional);

    if (!NT_SUCCESS(status))
        return status;
    extension = functional->DeviceExtension;
    extension->self = functional;
    extension->mini.PhysicalDeviceObject = physical;
    extension->mini.NextDeviceObject = IoAttachDeviceToDeviceStack(functional, physical);
    extension->mini.MiniDeviceExtension = extension + 1;
    functional->StackSize++; /* the minidriver's own */
    status = minidriver.add_device(driver, functional);
    if (NT_SUCCESS(status))
        return status;
    IoDetachDevice(physical);
    IoDeleteDevice(functional);
    return status;
}

NTSTATUS NTAPI HidRegisterMinidriver(HID_MINIDRIVER_REGISTRATION *registration)
{
    DRIVER_OBJECT *driver = registration->DriverObject;

    if (registration->Revision != HID_REVISION)
        return STATUS_REVISION_MISMATCH;
    if (!registration->RegistryPath || registration->DevicesArePolled || registration->Reserved[0] ||
        registration->Reserved[1] || registration->Reserved[2])
        nt_bug("a HID minidriver's registration that was not filled in");
    if (!driver->DriverExtension->AddDevice || !driver->DriverUnload)
        nt_bug("a HID minidriver registers without AddDevice or unload");
    if (nt_allocation_fails())
        return STATUS_INSUFFICIENT_RESOURCES;
    minidriver.registration = *registration;
    memcpy(minidriver.dispatch, driver->MajorFunction, sizeof(minidriver.dispatch));
    minidriver.add_device = driver->DriverExtension->AddDevice;
    minidriver.unload = driver->DriverUnload;
    driver->DriverExtension->AddDevice = add_device;
    driver->MajorFunction[IRP_MJ_PNP] = pnp;
    driver->MajorFunction[IRP_MJ_POWER] = pass;
    driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = pass;
    return STATUS_SUCCESS;
}

const struct nt_export nt_hid_exports[] = {
    {"HIDCLASS.SYS", "HidRegisterMinidriver", (void *)HidRegisterMinidriver, PASSIVE_LEVEL, DISPATCH_LEVEL},
};
const unsigned nt_hid_export_count = sizeof(nt_hid_exports) / sizeof(nt_hid_exports[0]);
