/*
 * pvbus: the bus driver on the platform device (PCI 5853:0001). One functional device object (struct bus) on the
 * platform device, and one physical device object (struct child) for each device that the toolstack's folder "device"
 * names.
 */
#ifndef PVBUS_BUS_H
#define PVBUS_BUS_H

#include "pv/bus_interface.h"
#include "pv/irp_queue.h"
#include "pv/nt.h"
#include "pv/user_interface.h"
#include "pv/xen.h"

#define PVBUS_TAG    ((ULONG)0x73756270) /* "pbus" */
#define PATH_SIZE    64
#define EVENT_PORTS  4096 /* ports served, of either ABI */
#define GRANT_FRAMES 32
#define WATCHES      64

#define LOG(format, ...) DbgPrint("pvbus: " format "\n" __VA_OPT__(, ) __VA_ARGS__)

struct bus;

struct pv_event {
    pv_event_handler handler; /* NULL: the port is not in use. Changed under events.lock. */
    void *context;
    ULONG port;
};

/* How a processor hears of its ports: two ways of one ABI. All but init are called with the upcall's DPC as only
 * reader. */
struct event_abi {
    const char *name;
    NTSTATUS (*init)(struct bus *bus);              /* STATUS_NOT_SUPPORTED: the other one may do */
    void (*forget)(struct bus *bus);                /* after resume, before init: the hypervisor knows nothing of us */
    BOOLEAN (*scan)(struct bus *bus, ULONG budget); /* event_deliver for each pending port; TRUE: some are left */
    void (*unmask)(struct bus *bus, ULONG port);
    void (*mask)(struct bus *bus, ULONG port);
};

struct events {
    const struct event_abi *abi;
    KSPIN_LOCK lock;
    struct pv_event ports[EVENT_PORTS];
    KDPC dpc;
    PKINTERRUPT interrupt;
    volatile LONG running; /* interrupts are taken */
};

struct grants {
    KSPIN_LOCK lock;
    ULONG frames, most_frames;
    ULONG free_count;
    ULONG free[GRANT_FRAMES * PV_PAGE_SIZE / sizeof(struct grant_entry_v1)];
};

struct pv_watch {
    char path[PATH_SIZE];
    pv_watch_handler handler; /* NULL: the slot is free */
    void *context;
    ULONG number; /* its token; never used twice */
    BOOLEAN fired, running;
};

struct store {
    struct xenstore_domain_interface *ring;
    ULONG port;
    KEVENT gate;     /* synchronisation: one request at a time */
    KEVENT progress; /* synchronisation: the other side moved an index, or the answer is whole */
    KSPIN_LOCK lock; /* of what follows */
    BOOLEAN connected;
    uint32_t next_request;
    /* The request that waits; request 0 for none. */
    uint32_t request;
    BOOLEAN answered;
    NTSTATUS status;
    ULONG answer_size;
    char answer[XENSTORE_PAYLOAD_MAX + 1];
    /* The message that comes in. */
    ULONG received;
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
    ULONG next_watch;
    struct pv_watch watches[WATCHES];
    PIO_WORKITEM work;
    BOOLEAN work_queued;
    KEVENT work_idle; /* notification: no handler runs and none will for what was removed */
};

/* What struct bus and struct child begin with. */
struct device {
    NTSTATUS (*pnp)(PDEVICE_OBJECT device, PIRP irp);
    NTSTATUS (*power)(PDEVICE_OBJECT device, PIRP irp);
    NTSTATUS (*file)(PDEVICE_OBJECT device, PIRP irp); /* of programs; NULL: none may open it */
    PDEVICE_OBJECT self;
};

enum child_state { CHILD_FOUND, CHILD_MISSING, CHILD_REMOVED };

struct child_class {
    const char *folder, *name; /* in xenstore; in hardware ids */
    const char *description;
    BOOLEAN one_for_all; /* one device stands for all of the class */
};

struct child {
    struct device device;
    struct bus *bus;
    LIST_ENTRY link; /* bus->children, under children_lock */
    const struct child_class *class;
    ULONG number;
    enum child_state state;
    BOOLEAN reported, started;
    char path[PATH_SIZE];
    volatile LONG references;
    pv_resume_handler resume;
    void *resume_context;
};

/* The program that serves what a driver cannot. */
struct user {
    UNICODE_STRING name; /* of the interface; Buffer is NULL: there is none yet */
    KSPIN_LOCK lock;     /* of what follows */
    BOOLEAN enabled;     /* the bus runs */
    BOOLEAN in_use;      /* there is a handle */
    BOOLEAN open;        /* and it is neither being closed nor one of before the bus stopped */
    ULONG asked;         /* a bit for each kind of request that no read was answered with */
    struct irp_queue reads;
};

struct bus {
    struct device device;
    PDEVICE_OBJECT lower, physical;
    BOOLEAN started;
    IO_REMOVE_LOCK remove_lock;
    PHYSICAL_ADDRESS window; /* the platform device's memory: room for frames that are no RAM */
    ULONG window_size, window_mapped;
    unsigned char *window_va;
    struct shared_info *shared_info;
    struct events events;
    struct grants grants;
    struct store store;
    KEVENT children_lock; /* synchronisation */
    LIST_ENTRY children;
    struct pv_watch *device_watch, *shutdown_watch;
    struct user user;
};

/* hypercall.c. Results are 0 or a negative errno of the ABI. */
LONG_PTR hypercall(ULONG number, ULONG_PTR first, ULONG_PTR second, ULONG_PTR third);
BOOLEAN hypervisor_found(void);
NTSTATUS hypercall_init(void); /* at start and after resume */
NTSTATUS hvm_get_param(ULONG index, ULONGLONG *value);
NTSTATUS hvm_set_param(ULONG index, ULONGLONG value);
NTSTATUS add_to_physmap(ULONG space, ULONG index, ULONGLONG frame);
ULONGLONG frame_of(void *address);

/* window.c: the platform device's memory. Page 0 is the shared info, those behind it are grant frames. */
NTSTATUS window_init(struct bus *bus, PCM_RESOURCE_LIST translated);
NTSTATUS window_place(struct bus *bus); /* also after resume */
void window_free(struct bus *bus);
ULONGLONG window_frame(struct bus *bus, ULONG page);

/* events.c */
extern const struct event_abi events_two_level, events_fifo;
void events_fifo_unload(void);
NTSTATUS events_init(struct bus *bus, PCM_RESOURCE_LIST raw);
void events_free(struct bus *bus);
void events_resume(struct bus *bus); /* every port of before is forgotten */
void event_deliver(struct bus *bus, ULONG port);
NTSTATUS event_attach(struct bus *bus, ULONG port, pv_event_handler handler, void *context, struct pv_event **event);
NTSTATUS NTAPI event_alloc(void *bus, USHORT domain, pv_event_handler handler, void *context, struct pv_event **event);
void NTAPI event_free(void *bus, struct pv_event *event);
ULONG NTAPI event_port(void *bus, struct pv_event *event);
void NTAPI event_notify(void *bus, struct pv_event *event);

/* grants.c */
NTSTATUS grants_init(struct bus *bus);
void grants_resume(struct bus *bus); /* all grants end */
NTSTATUS NTAPI grant(void *bus, USHORT domain, ULONGLONG frame, BOOLEAN read_only, ULONG *reference);
NTSTATUS NTAPI grant_end(void *bus, ULONG reference);

/* store.c, store_watch.c */
NTSTATUS store_init(struct bus *bus);
NTSTATUS store_connect(struct bus *bus); /* also after resume */
void store_hold(struct bus *bus);        /* no request is under way, and none begins until store_release */
void store_release(struct bus *bus);
void store_free(struct bus *bus);
NTSTATUS store_ask(struct bus *bus, uint32_t type, const char *first, ULONG first_size, const char *second,
                   ULONG second_size, char *answer, ULONG size);
NTSTATUS NTAPI store_read(void *bus, const char *path, char *value, ULONG size);
NTSTATUS NTAPI store_write(void *bus, const char *path, const char *value);
NTSTATUS NTAPI store_remove(void *bus, const char *path);
NTSTATUS NTAPI store_list(void *bus, const char *path, char *names, ULONG size);
NTSTATUS NTAPI watch_add(void *bus, const char *path, pv_watch_handler handler, void *context, struct pv_watch **watch);
void NTAPI watch_remove(void *bus, struct pv_watch *watch);
void watch_fire(struct bus *bus, const char *event, ULONG size); /* an XS_WATCH_EVENT's payload; store.lock held */
void watches_resume(struct bus *bus);
void watches_work(struct bus *bus); /* store.lock held: the fired ones are to run */
void NTAPI watches_run(PDEVICE_OBJECT device, void *context);

/* fdo.c, children.c, pdo.c, interface.c */
NTSTATUS fdo_pnp(PDEVICE_OBJECT device, PIRP irp);
NTSTATUS fdo_power(PDEVICE_OBJECT device, PIRP irp);
void bus_gone(void); /* driver.c: another may come */
NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information);
NTSTATUS children_relations(struct bus *bus, PIRP irp, DEVICE_RELATIONS **relations);
void children_orphan(struct bus *bus); /* none is there any more; those that nobody holds go */
void NTAPI children_changed(void *bus);
void children_resume(struct bus *bus);
void child_delete(struct child *child);
NTSTATUS pdo_pnp(PDEVICE_OBJECT device, PIRP irp);
NTSTATUS pdo_power(PDEVICE_OBJECT device, PIRP irp);
NTSTATUS child_query_interface(struct child *child, PIO_STACK_LOCATION stack, NTSTATUS before);

/* control.c: what the toolstack asks of the machine. */
NTSTATUS control_init(struct bus *bus);
void control_free(struct bus *bus);
NTSTATUS suspend(struct bus *bus); /* suspend.c, PASSIVE_LEVEL; comes back when the machine goes on */
#define FEATURE_SUSPEND "control/feature-suspend"
void control_offer_user(struct bus *bus); /* there is a program; it is told of what waits */
void control_end_user(struct bus *bus);
NTSTATUS control_accept(struct bus *bus, ULONG kind); /* STATUS_INVALID_PARAMETER: that is not asked (any more) */

/* user.c; PASSIVE_LEVEL */
void user_make(struct bus *bus);
NTSTATUS user_init(struct bus *bus);           /* at start */
void user_free(struct bus *bus);               /* before xenstore goes; also without user_init */
void user_remove(struct bus *bus);             /* for good */
void user_resume(struct bus *bus);             /* once xenstore is there again */
BOOLEAN user_ask(struct bus *bus, ULONG kind); /* FALSE: there is no program */
NTSTATUS user_request(PDEVICE_OBJECT device, PIRP irp);

/* clock.c: now, as struct pv_user_request says. DISPATCH_LEVEL. */
ULONGLONG clock_now(struct bus *bus);

/* unplug.c, registry.c */
void unplug_at_boot(void);
NTSTATUS unplug_arm(ULONG what);
BOOLEAN foreign_driver_found(void);
NTSTATUS registry_get(const WCHAR *key, const WCHAR *name, ULONG type, void *value, ULONG *size);
NTSTATUS registry_set_number(const WCHAR *key, const WCHAR *name, ULONG value);
NTSTATUS registry_delete(const WCHAR *key, const WCHAR *name);
BOOLEAN registry_number(const WCHAR *key, const WCHAR *name, ULONG *value);

#endif
