/* The methods of a guest's object on the bus (org.roundhouse.Guest1). Main thread only. */
#ifndef RH_GUEST_BUS_H
#define RH_GUEST_BUS_H

#include "guest.h"
#include "roundhouse_dbus.h"

/* Calls that the authority allows reach the guest until g_signal_handlers_disconnect_by_data(skeleton, guest). */
void guest_bus_serve(struct authority *authority, RhGuest1 *skeleton, struct guest *guest);

#endif
