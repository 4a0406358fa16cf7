/*
 * What pvbus offers one program of the machine, by a device interface: the toolstack's requests that a driver cannot
 * serve. While a program has it open the toolstack is told that they are heard.
 *
 * ReadFile waits for a request, and answers one struct pv_user_request; a buffer that is smaller is an invalid
 * parameter. WriteFile of that request's `kind` alone says that Windows has begun with it: only then is it taken out of
 * xenstore, so that the next program hears of what the last one did not bring about. Only the system and
 * administrators may open it.
 */
#ifndef PV_USER_INTERFACE_H
#define PV_USER_INTERFACE_H

#include <stdint.h>

/* {3e0f3f0b-8f52-4d5c-9c55-0a4f2f6d1b19} */
#define PV_USER_INTERFACE                                                                                              \
    {                                                                                                                  \
        0x3e0f3f0b, 0x8f52, 0x4d5c,                                                                                    \
        {                                                                                                              \
            0x9c, 0x55, 0x0a, 0x4f, 0x2f, 0x6d, 0x1b, 0x19                                                             \
        }                                                                                                              \
    }

enum pv_user_kind {
    PV_USER_POWEROFF = 1,
    PV_USER_REBOOT = 2,
    PV_USER_CLOCK = 3, /* the machine was resumed or restored, and its clock stood still; nothing to be written back */
};

struct pv_user_request {
    uint32_t kind, zero;
    /* Now, by the machine's clock, in 100 ns since 1601: of the zone that its real-time clock has. 0: the hypervisor
     * does not tell. */
    uint64_t clock;
};
_Static_assert(sizeof(struct pv_user_request) == 16, "pv_user_request");

#endif
