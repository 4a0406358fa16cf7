/*
 * Domains and virtual processors. core/domain.c, core/vcpu.c
 *
 * Life: domain_create -> (building, paused) -> unpause -> running -> shutdown (reason) -> domain_kill -> dying -> the
 * last reference goes -> freed. Every lookup takes a reference that domain_put gives back.
 *
 * Locks, written at each field: [c] constant after creation; [d] domain.lock; [p] page_lock; [t] pt_lock; [s] scheduler
 * lock; [v] only the vcpu itself, or others while it is paused; [a] atomic.
 */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include <hv/clock_scale.h>
#include <hv/domain_log.h>
#include <hv/lib.h>
#include <hv/page.h>
#include <hv/percpu.h>
#include <hv/spinlock.h>
#include <hv/timer.h>
#include <hv/xen.h>
#include <xen/vcpu.h>
#include <xen/domctl.h>

#define MAX_VCPUS   64 /* per domain */
#define DOMID_IDLE_ 0x7fffU

struct event_channels; /* core/event_channel.c */
struct grant_table;    /* abi/grant_table.c */
struct hvm_domain;     /* hvm.h */
struct hvm_vcpu;

struct pv_callback {
    unsigned long address; /* 0: not registered */
    bool mask_events;
};

/* What a PV vcpu has beside its registers. pv/ */
struct pv_vcpu {
    struct trap_info trap[256]; /* [v] */
    unsigned long kernel_sp;    /* [v] stack for entry from guest user mode */
    uint16_t kernel_ss;         /* [v] kept for those who ask; a 64-bit kernel is entered with its flat one */
    struct pv_callback event, failsafe, syscall, syscall32, nmi; /* [v] */
    struct pv_callback sysenter;                                 /* [v] of a guest saved elsewhere: kept, not used */
    bool kernel_mode;                                            /* [v] runs on root_kernel */
    bool selectors_lost;          /* [v] its tables no longer have one that it had loaded: failsafe callback */
    uint16_t lost_selectors[4];   /* [v] all of them as it had them: ds, es, fs, gs */
    mfn_t root_kernel, root_user; /* [v] root tables, each holding a type reference; 0 = none */
    unsigned long fs_base, gs_base_kernel, gs_base_user; /* saved while not on a CPU */
    uint16_t gdt_count;                                  /* entries */
    uint8_t gdt_frames;
    mfn_t gdt_mfn[14];
    mfn_t ldt_mfn[16];
    uint16_t ldt_entries;
    unsigned long ldt_base;
    uint8_t iopl;         /* virtual IOPL, 0..3 */
    unsigned long cr0_ts; /* guest asked for a trap on first FPU use */
    unsigned long cr4;    /* what the guest sees */
    unsigned long dr[8];
    uint8_t *iobitmap;
    unsigned iobitmap_ports;
    unsigned descriptor_window; /* index of its window at DESCRIPTOR_VA */
};

struct vcpu {
    struct domain *domain;     /* [c] */
    unsigned id;               /* [c] */
    struct cpu_user_regs regs; /* [v] while not on a CPU; on one, guest_regs() of that CPU */
    struct pv_vcpu pv;         /* PV domains only */
    struct hvm_vcpu *hvm;      /* [c] HVM domains only; NULL for PV */

    /* Scheduling; sched.h says more. */
    struct list run_link;                   /* [s] in the run queue while runnable and not running */
    volatile bool is_running;               /* [s] on a CPU now */
    volatile bool context_saved;            /* [a] its registers and FPU state are in memory */
    bool initialised;                       /* [d] has had its registers set */
    volatile bool offline, blocked;         /* [a] VCPUF_down, waiting for an event */
    evtchn_port_t poll_port;                /* while polling; 0 = a list of several: any event wakes */
    volatile int pause_count;               /* [a] */
    struct cpu *cpu;                        /* [s] where it runs or ran last */
    cpumask_t hard_affinity, soft_affinity; /* [s] */
    uint64_t virtual_time;                  /* [s] weighted run time */
    ns_t slice_start;                       /* [s] */
    ns_t state_entry;                       /* [s] when the present run state began */
    struct vcpu_runstate_info runstate;     /* [s] */
    struct timer singleshot, periodic, poll_timer;
    ns_t periodic_period;

    /* Shared with the guest. */
    struct vcpu_info *info;        /* [d] in shared_info or a registered page, or info_of_ours; never NULL */
    struct vcpu_info info_of_ours; /* takes what is written while the guest has no place for it */
    mfn_t info_mfn;                /* INVALID_MFN while in shared_info */
    unsigned long runstate_guest;  /* [v] linear address the guest registered; 0 none */
    unsigned long time_guest;

    void *xstate;   /* [v] xsave area, 64-byte aligned; x86/xstate.c */
    uint64_t xcr0;  /* [v] */
    bool fpu_dirty; /* its state is in the processor's registers */
    bool fpu_initialised;

    volatile bool nmi_pending;    /* [a] anybody may set it */
    evtchn_port_t virq[NR_VIRQS]; /* event channel lock; 0 = unbound */
    struct list notify;
    void *evtchn_fifo; /* core/event_channel_fifo.c: control block of this vcpu */
};

/* Page tables being made or taken apart, in pieces; pv/table_tree.c. */
struct table_work {
    struct table_step {
        mfn_t table;
        pte_t entry;      /* the one being looked at, read once */
        unsigned index;   /* entries below it have their references */
    } path[5];            /* by level, from root down to level: the tree being made */
    unsigned root, level; /* root 0: none */
    int result;           /* -ERESTART: under way; 0: made, its reference is kept for who asked; else why not */
    mfn_t closing;        /* first table to be taken apart; 0: none */
};

enum domain_dying { DOMAIN_ALIVE, DOMAIN_DYING, DOMAIN_DEAD };

struct domain {
    domid_t id;                 /* [c] */
    xen_domain_handle_t handle; /* uuid [d] */
    uint32_t ssidref;       /* [c] the sid of its label */
    uint64_t policy_label;  /* [a] whom the policy takes this domain for, and some answers; core/policy_table.c */
    volatile int references; /* [a] */
    bool listed;             /* domain list lock: has all its parts, so that lookups find it */
    struct spinlock lock;    /* [d] */
    bool is_privileged;      /* [c] control and hardware domain (Domain-0) */
    bool is_idle;
    uint32_t create_flags; /* [c] XEN_DOMCTL_CDF_* */

    unsigned max_vcpus; /* [c] */
    struct vcpu **vcpu; /* [c] max_vcpus slots, NULL until created */

    struct spinlock page_lock;     /* [p] lists and counts; leaf lock */
    uint32_t page_list;            /* [p] first mfn, PAGE_NONE */
    uint32_t parked_list;          /* [p] of a dying domain: frames that only others' references keep */
    uint32_t xenheap_list;         /* [p] */
    uint32_t pages, xenheap_pages; /* [p] tot_pages */
    uint64_t max_pages;            /* [d] */
    uint64_t outstanding_pages;    /* claimed */
    uint32_t relinquish_step;      /* [d] progress of domain_kill */

    struct hvm_domain *hvm; /* [c] NULL: a PV domain */

    struct spinlock pt_lock;      /* [t] all page tables owned by this domain */
    struct table_work table_work; /* [t] */

    struct shared_info
        *shared_info;              /* one page of ours; NULL from some moment of DOMAIN_DYING on, wallclock_take_page */
    struct event_channels *events; /* [c] */
    struct grant_table *grants;    /* [c] */
    unsigned long vm_assist;       /* [d] VMASST_TYPE_* bits */

    unsigned long polling;                        /* [a] a bit per vcpu in SCHEDOP_poll */
    int pause_count;                              /* [a] */
    unsigned controller_pauses;                   /* [d] XEN_DOMCTL_pausedomain without their unpausedomain */
    bool creation_finished;                       /* [d] first unpause has happened */
    volatile bool is_shutting_down, is_shut_down; /* [d] */
    unsigned shutdown_code;                       /* [d] SHUTDOWN_* */
    enum domain_dying dying;                      /* [d] */
    unsigned long watchdog_mask;

    /* Rights to the machine. A bit or range: allowed. */
    bool all_io; /* hardware domain: every port, MMIO frame and GSI we do not keep for ourselves */
    BITMAP(irq_allowed, 512);
    mfn_t eoi_map_mfn; /* PHYSDEVOP_pirq_eoi_gmfn; INVALID_MFN none */
    unsigned long *eoi_map;

    uint32_t weight, cap; /* [s] */
    int64_t time_offset_seconds;
    struct { /* hv/domain_tsc.h */
        uint32_t mode, incarnation;
        ns_t ahead;    /* of system time; may be negative, modulo 2^64; 0 if not emulated */
        bool emulated; /* the rest counts only then */
        uint32_t khz;
        uint64_t counts_per_ns; /* 32.32 */
        struct clock_scale scale;
    } tsc;
    struct {
        uint32_t nr_leaves;
        struct xen_cpuid_leaf *leaf; /* [d] cpu policy set by the toolstack; NULL = host policy */
        uint32_t nr_msrs;
        struct xen_msr_entry *msr;
    } cpu_policy;
    uint32_t pci_cf8;       /* configuration address port as the hardware domain last wrote it */
    struct e820entry *e820; /* [d] PV memory map (XENMEM_set_memory_map) */
    unsigned e820_count;
    struct domain_log log;
};

extern struct domain *dom0;
extern struct domain idle_domain;
/* Owners of frames that are not a guest's: DOMID_XEN (we, shared), DOMID_IO (MMIO). */
extern struct domain xen_domain, io_domain;

void domain_init(void);
/* A new paused domain without vcpus. id: DOMID_INVALID = choose a free one. -ENOMEM, -EEXIST, -EINVAL. */
int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged, struct domain **out);
/* A domain that has all its parts and is alive; it may begin to die while it is held, so what dies early says how it is
 * to be looked at. NULL: there is none. */
struct domain *domain_get(domid_t id);
/* The living domain with the smallest id >= from; NULL at the end. */
struct domain *domain_get_next(domid_t from);
/* The same for dying and dead ones too, for as long as somebody still holds their memory: for lists, and for what ends
 * them. Nothing but their fields and vcpus may be looked at. */
struct domain *domain_get_in_any_state(domid_t id);
struct domain *domain_get_next_in_any_state(domid_t from);
/* DOMID_SELF allowed. */
struct domain *domain_get_any(domid_t id);
/* No reference, any state: for the owner of a frame, which cannot go away while it owns one. NULL if unknown. */
struct domain *domain_find(domid_t id);
/* One more, for a caller who has one. */
void domain_hold(struct domain *d);
void domain_put(struct domain *d);

/* Stops scheduling of all its vcpus and waits until none is on a CPU. Nested. Not on oneself. */
void domain_pause_sync(struct domain *d);
void domain_unpause(struct domain *d);
/* What XEN_DOMCTL_pausedomain and unpausedomain do: they count. -EOVERFLOW: too many; -EINVAL: it is not paused. */
#define MAX_CONTROLLER_PAUSES 255U
int domain_pause_by_controller(struct domain *d);
int domain_unpause_by_controller(struct domain *d);
/* The guest (or we, for a crash) says it is over: all vcpus stop, VIRQ_DOM_EXC goes to Domain-0. */
void domain_shutdown(struct domain *d, unsigned reason);
/* XEN_DOMCTL_resumedomain. */
void domain_resume(struct domain *d);
/* The guest's fault: log the reason, and its registers if it is the current one; shut it down with SHUTDOWN_crash.
 * The hardware domain: stops the machine with a message. Returns; the vcpu leaves at the next return to guest. */
void domain_crash(struct domain *d, const char *format, ...) __printf(2, 3);
/* Takes everything from the domain. -ERESTART while there is more to do; 0 when dead. */
int domain_kill(struct domain *d);

/* NULL and -errno. On creation a vcpu is down. */
int vcpu_create(struct domain *d, unsigned id, struct vcpu **out);
struct vcpu *domain_vcpu(const struct domain *d, unsigned id);
void vcpu_free(struct vcpu *v);
/* Pauses count. Returns when v, which is not current, is off every CPU with its registers in memory: not to be used by
 * one vcpu of a domain on another, which may be waiting for it. */
void vcpu_pause_sync(struct vcpu *v);
/* Pauses v if that is so already; false: it is on a CPU, and not paused. Never waits. */
bool vcpu_try_pause(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
/* Registers the guest's own vcpu_info area. */
int vcpu_register_info(struct vcpu *v, mfn_t mfn, unsigned offset);
void vcpu_unregister_info(struct vcpu *v);
/* As after its creation; for a vcpu that is off every CPU, with no event channel open. */
void vcpu_reset_info(struct vcpu *v);

/* RAM of a domain. */
/* Takes 2^order fresh frames into d's list, references = 1 | PAGE_ALLOCATED each. NULL: no memory or max_pages. */
struct page *domain_alloc_pages(struct domain *d, unsigned order, unsigned address_bits);
/* Gives frames made by alloc_pages to d (counts against max_pages). */
int domain_assign_pages(struct domain *d, struct page *page, unsigned order);
/* Takes one frame out of d's lists (references unchanged). */
void domain_remove_page(struct domain *d, struct page *page);
/* The last reference of a frame is gone: out of its owner's lists and back to the allocator. */
void domain_free_page(struct page *page);
/* Moves a frame from d's page list to its parked list; page_lock held. */
void domain_park_page_locked(struct domain *d, struct page *page);
/* One zeroed page of ours that d may map (shared info, grant table frames). */
void *domain_alloc_xenheap(struct domain *d);
void domain_free_xenheap(struct domain *d, void *va);

static inline bool is_current_domain(const struct domain *d)
{
    return current->domain == d;
}
#define for_each_vcpu(d, v)                                                                                            \
    for (unsigned _i = 0; _i < (d)->max_vcpus; _i++)                                                                   \
        if (((v) = (d)->vcpu[_i]) != NULL)

#endif
