/*
 * Basic types shared by every file of the hypervisor.
 *
 * mfn: machine frame number (physical address >> 12). gfn: guest frame number; for PV guests it is the
 * guest's own numbering ("pfn") and means nothing to us. paddr: machine physical address in bytes.
 */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>

typedef uint64_t paddr_t;
typedef uint64_t mfn_t;
typedef uint64_t ns_t; /* nanoseconds of system time: since boot, monotonic, the same on every CPU */

#define INVALID_MFN ((mfn_t)~0ULL)

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define KiB 1024UL
#define MiB (1024UL * KiB)
#define GiB (1024UL * MiB)

#define ARRAY_SIZE(a)         (sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d)    (((n) + (d)-1) / (d))
#define ROUND_UP(n, a)        (((n) + (a)-1) & ~((__typeof__(n))(a)-1))
#define ROUND_DOWN(n, a)      ((n) & ~((__typeof__(n))(a)-1))
#define container_of(p, t, m) ((t *)((char *)(p)-offsetof(t, m)))
#define min(a, b)                                                                                                      \
    ({                                                                                                                 \
        __typeof__(a) _a = (a);                                                                                        \
        __typeof__(b) _b = (b);                                                                                        \
        _a < _b ? _a : _b;                                                                                             \
    })
#define max(a, b)                                                                                                      \
    ({                                                                                                                 \
        __typeof__(a) _a = (a);                                                                                        \
        __typeof__(b) _b = (b);                                                                                        \
        _a > _b ? _a : _b;                                                                                             \
    })

#define likely(x)        __builtin_expect(!!(x), 1)
#define unlikely(x)      __builtin_expect(!!(x), 0)
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()        __asm__ volatile("" ::: "memory")

#define __init       __attribute__((section(".init.text"), cold))
#define __initdata   __attribute__((section(".init.data")))
#define __noreturn   __attribute__((noreturn))
#define __noinline   __attribute__((noinline))
#define __packed     __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
/* A buffer that is filled before it is read: the compiler need not clear it first. For hot paths. */
#define __uninitialized __attribute__((uninitialized))
#define __must_check    __attribute__((warn_unused_result))
#define __printf(f, a)  __attribute__((format(printf, f, a)))

#endif
