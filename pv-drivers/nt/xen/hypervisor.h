/*
 * The hypervisor and the toolstack's side of one domain, for drivers in the user-space kernel: hypercalls, event
 * channels of both ABIs, grants, xenstore, the ports of the unplug protocol. It believes nothing: what a guest must not
 * do is a bug.
 */
#ifndef NT_XEN_HYPERVISOR_H
#define NT_XEN_HYPERVISOR_H

#include "nt.h"
#include "pv/xen.h"

struct hv_options {
    bool absent;         /* no hypervisor's leaves */
    bool two_level;      /* no FIFO ABI */
    bool viridian_first; /* another interface's leaves stand before ours */
    unsigned grant_frames;
    unsigned unplug_version;
    bool unplug_refuses;
    bool unplug_absent;
};

/* Fills nt_machine, and makes the domain: xenstore's page and port, and its nodes of a new guest. After nt_boot. */
void hv_boot(const struct hv_options *options);
void hv_shutdown(void); /* a grant that is still given, or mapped, is a bug; so is a bound port but xenstore's */

/* --- of devices' other sides; all from nt_machine.work, or by the test while the machine is at rest --- */
typedef void hv_handler(void *context);
/* Takes the port that the guest has opened for `domain`; false: it has not. The handler is called when the guest
 * notifies. */
bool hv_bind(uint32_t port, uint16_t domain, hv_handler *handler, void *context);
void hv_unbind(uint32_t port);
void hv_notify(uint32_t port);
/* The page of a grant; NULL: it is not given to `domain`, or for reading alone. */
void *hv_map(uint32_t reference, uint16_t domain, bool write);
void hv_unmap(uint32_t reference, bool write);
unsigned hv_grants(void); /* entries that are given */
unsigned hv_ports(void);  /* open ports, xenstore's among them */

/* What SCHEDOP_shutdown with reason suspend does: cancelled, or resumed in a new domain. How often it came. */
extern bool hv_suspend_cancelled;
unsigned hv_suspends(void);
extern void (*hv_on_new_domain)(void); /* devices' other sides let go of the old one; NULL: there are none */
/* What the machine's clock says, from the next time that the shared page is given, or now if it is; all 0: nothing.
 * `ticks` ago, by the processor's counter, it was system_time nanoseconds after the start, and that was `start` seconds
 * after 1970. */
struct hv_clock {
    uint64_t start, system_time, ticks;
    uint32_t scale;
    int8_t shift;
};
void hv_set_clock(const struct hv_clock *clock);
uint16_t hv_unplugged(void); /* the mask; 0: nothing */
bool hv_uses_fifo(void);

/* --- xenstored.c: paths are absolute, or of the domain --- */
#define HV_DOMAIN_PATH "/local/domain/1"
void store_boot(uint32_t port);
void store_work(void *unused);
void store_set(const char *path, const char *value);
bool store_get(const char *path, char *value, size_t size);
void store_delete(const char *path);
void store_forget_guest(void);                          /* its watches and half messages; after a resume */
void store_silent(bool silent);                         /* requests stay in the ring */
void store_observe(void (*function)(const char *path)); /* called for each node that is written or removed */
unsigned store_watches(void);
unsigned store_requests(void);

#endif
