/* The orderly end of the machine: every guest is shut down, then systemd powers off or restarts. */
#ifndef RH_MACHINE_END_H
#define RH_MACHINE_END_H

#include <gio/gio.h>

enum machine_end_kind { MACHINE_POWER_OFF, MACHINE_RESTART };

struct machine_end;

/*
 * Asks every guest to shut down, a paused one when it runs again; those that have not done so after a minute are
 * destroyed. guests
 * (struct guest) must stay valid until machine_end_free.
 */
struct machine_end *machine_end_begin(GDBusConnection *bus, GPtrArray *guests, enum machine_end_kind kind);

/* A guest's state has changed: goes on when none is left. */
void machine_end_advance(struct machine_end *end);

void machine_end_free(struct machine_end *end);

#endif
