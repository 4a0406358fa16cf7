/*
 * What the service does with each request, and when it opens the interface. A request that could not be done stays in
 * xenstore, and pvbus tells of it again when the interface is opened the next time: so after a failure it is closed,
 * and opened again after a while. Nothing is kept in between.
 */
#include "service.h"

struct service {
    const struct pvsvc_windows *windows;
    void *context;
    enum pvsvc_end told; /* how the last opening ended, of which the log tells only once */
};

static void tell(const struct service *service, enum pvsvc_importance importance, const char *line)
{
    service->windows->log(service->context, importance, line);
}

/* Windows has begun with it: only now is it taken out of xenstore. If that fails it is told of once more at the worst.
 */
static enum pvsvc_end accept(const struct service *service, uint32_t kind)
{
    enum pvsvc_end end = service->windows->write(service->context, &kind, sizeof(kind));

    if (end == PVSVC_FAILED)
        tell(service, PVSVC_WARN, "The toolstack could not be told that its request is served.");
    return end;
}

static enum pvsvc_end go_down(const struct service *service, const struct pv_user_request *request)
{
    bool restart = request->kind == PV_USER_REBOOT;

    if (service->windows->go_down(service->context, restart) != PVSVC_DONE) {
        tell(service, PVSVC_WARN,
             restart ? "Windows refused to restart; this is tried again."
                     : "Windows refused to shut down; this is tried again.");
        return PVSVC_FAILED;
    }
    tell(service, PVSVC_TELL, restart ? "The toolstack asked for a restart." : "The toolstack asked for a shutdown.");
    return accept(service, request->kind);
}

/* Tried once: the next resume brings another time. */
static enum pvsvc_end set_clock(const struct service *service, const struct pv_user_request *request)
{
    if (!request->clock)
        tell(service, PVSVC_WARN, "The hypervisor does not tell the time; the clock was left as it is.");
    else if (service->windows->set_clock(service->context, request->clock) != PVSVC_DONE)
        tell(service, PVSVC_WARN, "Windows refused to set its clock.");
    else
        tell(service, PVSVC_TELL, "The clock was set after the machine was resumed.");
    return PVSVC_DONE;
}

static const struct {
    uint32_t kind;
    enum pvsvc_end (*serve)(const struct service *service, const struct pv_user_request *request);
} kinds[] = {{PV_USER_POWEROFF, go_down}, {PV_USER_REBOOT, go_down}, {PV_USER_CLOCK, set_clock}};

static enum pvsvc_end serve(const struct service *service, const struct pv_user_request *request)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].kind == request->kind)
            return kinds[i].serve(service, request);
    tell(service, PVSVC_WARN, "A request that this service does not know was left alone.");
    return PVSVC_DONE;
}

/* Until something is not DONE. */
static enum pvsvc_end serve_all(const struct service *service)
{
    struct pv_user_request request;
    enum pvsvc_end end;
    size_t got;

    do {
        end = service->windows->read(service->context, &request, sizeof(request), &got);
        if (end == PVSVC_DONE && got != sizeof(request)) {
            tell(service, PVSVC_WARN, "The driver pvbus answered with a request of another size.");
            end = PVSVC_FAILED;
        }
        if (end == PVSVC_DONE)
            end = serve(service, &request);
    } while (end == PVSVC_DONE);
    return end;
}

static enum pvsvc_end open(struct service *service)
{
    static const char *const lines[] = {
        [PVSVC_DONE] = "The service hears the toolstack's requests.",
        [PVSVC_FAILED] = "The driver pvbus could not be opened; another program may have it. This is tried again.",
        [PVSVC_ABSENT] = "The driver pvbus does not run; the service waits for it.",
    };
    enum pvsvc_end end = service->windows->open(service->context);

    if (end != service->told)
        tell(service, end == PVSVC_DONE ? PVSVC_TELL : PVSVC_WARN, lines[end]);
    service->told = end;
    return end;
}

void pvsvc_run(const struct pvsvc_windows *windows, void *context)
{
    struct service service = {.windows = windows, .context = context, .told = PVSVC_STOP};
    enum pvsvc_end end;

    do {
        end = open(&service);
        if (end == PVSVC_DONE) {
            end = serve_all(&service);
            windows->close(context);
        }
        if (end != PVSVC_STOP)
            end = windows->wait(context, PVSVC_AGAIN);
    } while (end != PVSVC_STOP);
}
