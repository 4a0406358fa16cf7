/* What a guest shows, for who asks on the bus: Screenshot of org.roundhouse.Guest1. */
#ifndef RH_GUEST_PICTURE_H
#define RH_GUEST_PICTURE_H

#include "guest.h"

/* The guest must outlive its skeleton on the bus. */
void guest_picture_serve(struct authority *authority, struct guest *guest);

#endif
