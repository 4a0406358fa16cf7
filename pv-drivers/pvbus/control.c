/*
 * What the toolstack asks of the machine by its node control/shutdown. Only "suspend" is this driver's work: the others
 * need a program of the machine's user, and until there is one the toolstack is not told that they are understood
 * (feature nodes).
 */
#include "bus.h"

#define SHUTDOWN "control/shutdown"

static void NTAPI shutdown_changed(void *context)
{
    struct bus *bus = context;
    char request[32];

    if (!NT_SUCCESS(store_read(bus, SHUTDOWN, request, sizeof(request))) || !request[0])
        return;
    if (strcmp(request, "suspend")) {
        LOG("control/shutdown: \"%s\" is not understood", request);
        return;
    }
    if (NT_SUCCESS(store_write(bus, SHUTDOWN, "")))
        suspend(bus);
}

NTSTATUS control_init(struct bus *bus)
{
    NTSTATUS status = watch_add(bus, SHUTDOWN, shutdown_changed, bus, &bus->shutdown_watch);

    return NT_SUCCESS(status) ? store_write(bus, FEATURE_SUSPEND, "1") : status;
}

void control_free(struct bus *bus)
{
    if (!bus->shutdown_watch)
        return;
    store_remove(bus, FEATURE_SUSPEND);
    watch_remove(bus, bus->shutdown_watch);
    bus->shutdown_watch = NULL;
}
