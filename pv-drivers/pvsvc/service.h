/*
 * The service that does what pvbus asks of a program (pv/user_interface.h). requests.c has its rules and calls nothing
 * of Windows; windows.c is what it asks of Windows, by the functions below, and how the service manager sees it.
 */
#ifndef PVSVC_SERVICE_H
#define PVSVC_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pv/user_interface.h"

/* How a call ended. */
enum pvsvc_end {
    PVSVC_DONE,
    PVSVC_FAILED, /* it may be done later */
    PVSVC_STOP,   /* the service shall end; once told it is told at each call that waits */
    PVSVC_ABSENT, /* the interface is not there, or goes away */
};

/* What a line of the event log is of. */
enum pvsvc_importance { PVSVC_TELL, PVSVC_WARN };

struct pvsvc_windows {
    /* The interface, of which one at a time is open; DONE, FAILED (another program has it) or ABSENT. */
    enum pvsvc_end (*open)(void *context);
    void (*close)(void *context);
    /* Waits for a request. `got` is what came of `size` bytes, if DONE. */
    enum pvsvc_end (*read)(void *context, void *buffer, size_t size, size_t *got);
    enum pvsvc_end (*write)(void *context, const void *buffer, size_t size);
    /* Waits until an interface comes or `milliseconds` have passed, then DONE; else STOP. */
    enum pvsvc_end (*wait)(void *context, uint32_t milliseconds);
    /* Has Windows begin to go down; DONE, too, if it goes down already. */
    enum pvsvc_end (*go_down)(void *context, bool restart);
    /* `now` in 100 ns since 1601, of the zone of the real-time clock. */
    enum pvsvc_end (*set_clock)(void *context, uint64_t now);
    void (*log)(void *context, enum pvsvc_importance importance, const char *line);
};

/* The time after which the interface is tried again. */
#define PVSVC_AGAIN 10000

/* Serves until the service shall stop. */
void pvsvc_run(const struct pvsvc_windows *windows, void *context);

#endif
