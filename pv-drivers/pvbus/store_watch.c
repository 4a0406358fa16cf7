/*
 * Watches: an event marks its watch as fired, and a work item calls the handlers of those that are. However many events
 * come, a watch is marked once, so that nothing here grows.
 */
#include "bus.h"

#define TOKEN_SIZE 16

static ULONG write_token(char *token, ULONG number)
{
    ULONG size = 0;

    for (int shift = 28; shift >= 0; shift -= 4)
        token[size++] = "0123456789abcdef"[number >> shift & 15];
    token[size++] = 0;
    return size;
}

/* The number of a token; 0, which no watch has, for what is none. */
static ULONG read_token(const char *token)
{
    ULONG number = 0;

    if (strlen(token) != 8)
        return 0;
    for (ULONG i = 0; i < 8; i++) {
        const char *digit = strchr("0123456789abcdef", token[i]);

        if (!digit)
            return 0;
        number = number << 4 | (ULONG)(digit - "0123456789abcdef");
    }
    return number;
}

/* With store.lock held. */
void watches_work(struct bus *bus)
{
    struct store *store = &bus->store;

    if (store->work_queued || !store->connected)
        return;
    store->work_queued = TRUE;
    KeClearEvent(&store->work_idle);
    IoQueueWorkItem(store->work, watches_run, DelayedWorkQueue, bus);
}

void watch_fire(struct bus *bus, const char *event, ULONG size)
{
    struct store *store = &bus->store;
    ULONG path_size = (ULONG)strlen(event) + 1, number;

    if (path_size >= size)
        return; /* no token */
    number = read_token(event + path_size);
    for (ULONG i = 0; number && i < WATCHES; i++)
        if (store->watches[i].handler && store->watches[i].number == number) {
            store->watches[i].fired = TRUE;
            watches_work(bus);
        }
}

/* The next watch that fired, marked as running; NULL when there is none, and then the work is done. */
static struct pv_watch *next_fired(struct store *store)
{
    struct pv_watch *found = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&store->lock, &irql);
    for (ULONG i = 0; i < WATCHES && !found; i++)
        if (store->watches[i].handler && store->watches[i].fired)
            found = &store->watches[i];
    if (found) {
        found->fired = FALSE;
        found->running = TRUE;
    } else {
        store->work_queued = FALSE;
        KeSetEvent(&store->work_idle, IO_NO_INCREMENT, FALSE);
    }
    KeReleaseSpinLock(&store->lock, irql);
    return found;
}

void NTAPI watches_run(PDEVICE_OBJECT device, void *context)
{
    struct bus *bus = context;
    struct pv_watch *watch;

    UNREFERENCED_PARAMETER(device);
    while ((watch = next_fired(&bus->store))) {
        watch->handler(watch->context);
        watch->running = FALSE;
    }
}

static NTSTATUS ask(struct bus *bus, uint32_t type, const struct pv_watch *watch)
{
    char token[TOKEN_SIZE];
    ULONG size = write_token(token, watch->number);

    return store_ask(bus, type, watch->path, (ULONG)strlen(watch->path) + 1, token, size, NULL, 0);
}

/* A slot for the watch, which counts at once: its first event may be here before the answer. */
static struct pv_watch *take_slot(struct store *store, pv_watch_handler handler, void *context, const char *path)
{
    struct pv_watch *watch = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&store->lock, &irql);
    for (ULONG i = 0; i < WATCHES && !watch; i++)
        if (!store->watches[i].handler && !store->watches[i].running)
            watch = &store->watches[i];
    if (watch) {
        memset(watch, 0, sizeof(*watch));
        strcpy(watch->path, path);
        watch->context = context;
        watch->number = ++store->next_watch;
        watch->handler = handler;
    }
    KeReleaseSpinLock(&store->lock, irql);
    return watch;
}

static void free_slot(struct store *store, struct pv_watch *watch)
{
    KIRQL irql;

    KeAcquireSpinLock(&store->lock, &irql);
    watch->handler = NULL;
    watch->fired = FALSE;
    KeReleaseSpinLock(&store->lock, irql);
}

NTSTATUS NTAPI watch_add(void *context, const char *path, pv_watch_handler handler, void *argument,
                         struct pv_watch **added)
{
    struct bus *bus = context;
    struct pv_watch *watch;
    NTSTATUS status;

    if (strlen(path) >= PATH_SIZE)
        return STATUS_INVALID_PARAMETER;
    watch = take_slot(&bus->store, handler, argument, path);
    if (!watch)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = ask(bus, XS_WATCH, watch);
    if (!NT_SUCCESS(status)) {
        free_slot(&bus->store, watch);
        return status;
    }
    *added = watch;
    return STATUS_SUCCESS;
}

/* By whoever may wait, and so not by a watch's handler. */
void NTAPI watch_remove(void *context, struct pv_watch *watch)
{
    struct bus *bus = context;

    ask(bus, XS_UNWATCH, watch);
    free_slot(&bus->store, watch);
    KeWaitForSingleObject(&bus->store.work_idle, Executive, KernelMode, FALSE, NULL);
}

void watches_resume(struct bus *bus)
{
    struct store *store = &bus->store;
    KIRQL irql;

    for (ULONG i = 0; i < WATCHES; i++)
        if (store->watches[i].handler && !NT_SUCCESS(ask(bus, XS_WATCH, &store->watches[i])))
            LOG("%s is not watched after the resume", store->watches[i].path);
    KeAcquireSpinLock(&store->lock, &irql);
    for (ULONG i = 0; i < WATCHES; i++)
        store->watches[i].fired = store->watches[i].handler != NULL;
    watches_work(bus);
    KeReleaseSpinLock(&store->lock, irql);
}
