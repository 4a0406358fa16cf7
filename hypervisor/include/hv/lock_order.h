/*
 * Every lock's place. A CPU that holds a lock may wait only for locks that stand below it here; what it may not wait
 * for it may try (spin_trylock()). Two locks of one rank are taken in an order of their own (spin_lock_next()).
 *
 * CALLED  held while other CPUs are called and waited for (TLB flushes): nobody may wait for it with interrupts off,
 *         for such a CPU does not answer.
 * SHORT   no CPU is called while it is held; an interrupt handler does not take it.
 * IRQ     taken in interrupt handlers, so with interrupts off everywhere; no CPU is called while it is held.
 *
 * Builds for tests check all of it at each step (x86/lock_check.c).
 */
#ifndef HV_LOCK_ORDER_H
#define HV_LOCK_ORDER_H

#define LOCK_ORDER(LOCK)                                                                                               \
    LOCK(PLATFORM, CALLED)          /* abi/platform_op.c: one caller of platform_op */                                 \
    LOCK(POLICY, CALLED)            /* abi/xsm_op.c: one loader of a policy */                                         \
    LOCK(DOMCTL, CALLED)            /* abi/domctl.c: one caller of domctl */                                           \
    LOCK(DOMAIN, CALLED)            /* struct domain: fields marked [d] */                                             \
    LOCK(EVENT_BIND, CALLED)        /* struct event_channels: making and ending of ports */                            \
    LOCK(GRANT_TABLE, CALLED)       /* struct grant_table */                                                           \
    LOCK(IOREQ, CALLED)             /* struct hvm_io: servers and their ranges */                                      \
    LOCK(IOREQ_RING, CALLED)        /* struct ioreq_server: its buffered ring */                                       \
    LOCK(DIRTY_VRAM, CALLED)        /* struct p2m: one caller of dirty_vram */                                         \
    LOCK(PAGE_TABLES, CALLED)       /* struct domain: all page tables it owns */                                       \
    LOCK(RESERVATION, CALLED)       /* abi/memory_populate.c: claims and what is left */                               \
    LOCK(GRANT_HANDLES, CALLED)     /* struct grant_table: handles */                                                  \
    LOCK(P2M, IRQ)                  /* struct p2m; off so that its holder is not held up */                            \
    LOCK(DOMAIN_LIST, SHORT)        /* core/domain.c: which domain has which number */                                 \
    LOCK(DOMAIN_PAGES, SHORT)       /* struct domain: lists and counts of its frames */                                \
    LOCK(DESCRIPTOR_WINDOWS, SHORT) /* pv/descriptor.c: which are in use */                                            \
    LOCK(WATCHDOG, SHORT)           /* abi/sched_op.c */                                                               \
    LOCK(HVM_TIMERS, IRQ)           /* struct hvm_timers: all timer chips of a domain */                               \
    LOCK(EVENTS, IRQ)               /* struct event_channels; two by domain id */                                      \
    LOCK(HVM_IRQS, IRQ)             /* struct hvm_irqs: its interrupt controllers and lines */                         \
    LOCK(LAPIC_STARTUP, IRQ)        /* struct vlapic: INIT and STARTUP that wait */                                    \
    LOCK(SCHEDULER, IRQ)            /* core/sched.c: the run queue */                                                  \
    LOCK(VPID, IRQ)                 /* hvm/vmx/vmcs.c: which numbers are in use */                                     \
    LOCK(INTERRUPTS, IRQ)           /* x86: IO-APIC, MSI, pirqs */                                                     \
    LOCK(TIMERS, IRQ)               /* core/timer.c: one for each CPU; two by CPU */                                   \
    LOCK(WALL_CLOCK, IRQ)           /* core/guest_time.c */                                                            \
    LOCK(PCI_CONFIG, IRQ)           /* x86/pci.c: the address port */                                                  \
    LOCK(HEAP, IRQ)                 /* core/heap.c */                                                                  \
    LOCK(PAGE_ALLOCATOR, IRQ)       /* core/page_alloc.c */                                                            \
    LOCK(CONSOLE, IRQ)              /* core/console.c; printing works everywhere */

#define LOCK_RANK(name, kind) LOCK_##name,
enum lock_rank { LOCK_WITHOUT_RANK, LOCK_ORDER(LOCK_RANK) LOCK_RANKS };

#endif
