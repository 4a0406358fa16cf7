/*
 * Another disc in the drive of a guest that runs: ChangeDisc and EjectDisc of org.roundhouse.Guest1.
 *
 * The caller passes a descriptor. It is open here until libxl, in this process, has opened the same file by /proc and
 * has handed QEMU a descriptor of its own (toolstack_change_cd()): so QEMU, which is confined and has no files, needs
 * no path, and the disc may lie anywhere, and be moved or deleted meanwhile.
 */
#ifndef RH_GUEST_DISC_H
#define RH_GUEST_DISC_H

#include "guest.h"

/* The environment must outlive the skeleton on the bus. */
void guest_disc_serve(const struct guest_environment *environment, struct guest *guest);

#endif
