/*
 * What the toolstack asks of the machine by its node control/shutdown. "suspend" is this driver's work; the others are
 * a program's (user.c), and the toolstack is told that they are understood, by feature nodes, only while there is one.
 */
#include "bus.h"

#define SHUTDOWN     "control/shutdown"
#define REQUEST_SIZE 32

static const struct {
    const char *request;
    ULONG kind;
} of_user[] = {{"poweroff", PV_USER_POWEROFF}, {"halt", PV_USER_POWEROFF}, {"reboot", PV_USER_REBOOT}};

static const char *const user_features[] = {"control/feature-poweroff", "control/feature-reboot"};

/* 0: no request that is a program's. */
static ULONG kind_of(const char *request)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(of_user); i++)
        if (!strcmp(request, of_user[i].request))
            return of_user[i].kind;
    return 0;
}

static BOOLEAN read_request(struct bus *bus, char request[REQUEST_SIZE])
{
    return NT_SUCCESS(store_read(bus, SHUTDOWN, request, REQUEST_SIZE)) && request[0];
}

static void NTAPI shutdown_changed(void *context)
{
    struct bus *bus = context;
    char request[REQUEST_SIZE];

    if (!read_request(bus, request))
        return;
    if (kind_of(request)) {
        if (!user_ask(bus, kind_of(request)))
            LOG("control/shutdown: \"%s\" waits for a program that does it", request);
    } else if (strcmp(request, "suspend")) {
        LOG("control/shutdown: \"%s\" is not understood", request);
    } else if (NT_SUCCESS(store_write(bus, SHUTDOWN, ""))) {
        suspend(bus);
    }
}

void control_offer_user(struct bus *bus)
{
    char request[REQUEST_SIZE];

    for (ULONG i = 0; i < RTL_NUMBER_OF(user_features); i++)
        store_write(bus, user_features[i], "1");
    if (read_request(bus, request) && kind_of(request))
        user_ask(bus, kind_of(request));
}

void control_end_user(struct bus *bus)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(user_features); i++)
        store_remove(bus, user_features[i]);
}

NTSTATUS control_accept(struct bus *bus, ULONG kind)
{
    char request[REQUEST_SIZE];

    if (!kind || !read_request(bus, request) || kind_of(request) != kind)
        return STATUS_INVALID_PARAMETER;
    return store_write(bus, SHUTDOWN, "");
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
