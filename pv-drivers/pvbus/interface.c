/* The table of functions that a device's driver gets (pv/bus_interface.h). Its context is the child; the bus's own is
 * the bus. */
#include "bus.h"

static struct bus *bus_of(void *context)
{
    return ((struct child *)context)->bus;
}

static VOID NTAPI reference(PVOID context)
{
    struct child *child = context;

    InterlockedIncrement(&child->references);
}

static VOID NTAPI dereference(PVOID context)
{
    struct child *child = context;

    InterlockedDecrement(&child->references);
}

static NTSTATUS NTAPI child_store_read(void *context, const char *path, char *value, ULONG size)
{
    return store_read(bus_of(context), path, value, size);
}

static NTSTATUS NTAPI child_store_write(void *context, const char *path, const char *value)
{
    return store_write(bus_of(context), path, value);
}

static NTSTATUS NTAPI child_store_remove(void *context, const char *path)
{
    return store_remove(bus_of(context), path);
}

static NTSTATUS NTAPI child_store_list(void *context, const char *path, char *names, ULONG size)
{
    return store_list(bus_of(context), path, names, size);
}

static NTSTATUS NTAPI child_watch_add(void *context, const char *path, pv_watch_handler handler, void *argument,
                                      struct pv_watch **watch)
{
    return watch_add(bus_of(context), path, handler, argument, watch);
}

static void NTAPI child_watch_remove(void *context, struct pv_watch *watch)
{
    watch_remove(bus_of(context), watch);
}

static NTSTATUS NTAPI child_event_alloc(void *context, USHORT domain, pv_event_handler handler, void *argument,
                                        struct pv_event **event)
{
    return event_alloc(bus_of(context), domain, handler, argument, event);
}

static void NTAPI child_event_free(void *context, struct pv_event *event)
{
    event_free(bus_of(context), event);
}

static ULONG NTAPI child_event_port(void *context, struct pv_event *event)
{
    return event_port(bus_of(context), event);
}

static void NTAPI child_event_notify(void *context, struct pv_event *event)
{
    event_notify(bus_of(context), event);
}

static NTSTATUS NTAPI child_grant(void *context, USHORT domain, ULONGLONG frame, BOOLEAN read_only, ULONG *number)
{
    return grant(bus_of(context), domain, frame, read_only, number);
}

static NTSTATUS NTAPI child_grant_end(void *context, ULONG number)
{
    return grant_end(bus_of(context), number);
}

static void NTAPI child_set_resume_handler(void *context, pv_resume_handler handler, void *argument)
{
    struct child *child = context;

    KeWaitForSingleObject(&child->bus->children_lock, Executive, KernelMode, FALSE, NULL);
    child->resume = handler;
    child->resume_context = argument;
    KeSetEvent(&child->bus->children_lock, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS NTAPI child_arm_unplug(void *context, ULONG what)
{
    UNREFERENCED_PARAMETER(context);
    return unplug_arm(what);
}

static const struct pv_bus_interface table = {
    .header = {.Size = sizeof(table),
               .Version = PV_BUS_INTERFACE_VERSION,
               .InterfaceReference = reference,
               .InterfaceDereference = dereference},
    .store_read = child_store_read,
    .store_write = child_store_write,
    .store_remove = child_store_remove,
    .store_list = child_store_list,
    .watch_add = child_watch_add,
    .watch_remove = child_watch_remove,
    .event_alloc = child_event_alloc,
    .event_free = child_event_free,
    .event_port = child_event_port,
    .event_notify = child_event_notify,
    .grant = child_grant,
    .grant_end = child_grant_end,
    .set_resume_handler = child_set_resume_handler,
    .arm_unplug = child_arm_unplug,
};

NTSTATUS child_query_interface(struct child *child, PIO_STACK_LOCATION stack, NTSTATUS before)
{
    static const GUID guid = PV_BUS_INTERFACE_GUID;
    struct pv_bus_interface *wanted = (struct pv_bus_interface *)stack->Parameters.QueryInterface.Interface;

    if (memcmp(stack->Parameters.QueryInterface.InterfaceType, &guid, sizeof(guid)))
        return before;
    if (stack->Parameters.QueryInterface.Version != PV_BUS_INTERFACE_VERSION ||
        stack->Parameters.QueryInterface.Size != sizeof(*wanted))
        return STATUS_NOT_SUPPORTED;
    *wanted = table;
    wanted->header.Context = child;
    wanted->path = child->path;
    reference(child);
    return STATUS_SUCCESS;
}
