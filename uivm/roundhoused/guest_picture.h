/* What a guest shows, for who asks on the bus: Screenshot of org.roundhouse.Guest1. */
#ifndef RH_GUEST_PICTURE_H
#define RH_GUEST_PICTURE_H

#include "guest.h"

/* The environment must outlive the skeleton on the bus. */
void guest_picture_serve(const struct guest_environment *environment, struct guest *guest);

#endif
