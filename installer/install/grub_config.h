/*
 * What GRUB reads on the boot partition. The counters are those of RAUC's back end for GRUB (rauc.conf(5),
 * bootloader=grub): ORDER, and for each slot OK and TRY in grub/grubenv. A slot is started at most GRUB_TRIES times
 * without being marked good (TRY back to 0, by roundhouse-good.service, when the switcher is on screen); then the next
 * of ORDER takes its turn. So does the other one when boot files are damaged. When none is left the first of ORDER is
 * started all the same: a laptop that asks is better than one that does nothing. What a person chooses in the menu is
 * not counted.
 */
#ifndef INSTALL_GRUB_CONFIG_H
#define INSTALL_GRUB_CONFIG_H

#include "source.h"

#define GRUB_TRIES 3

/* grub/grub.cfg, to be freed. The same for every machine and every version of the system. */
char *grub_menu(void);

/* a/start.cfg or b/start.cfg, to be freed: loads the slot's boot files if they are whole, and says so by started=yes;
 * the kernel gets $words too. `slot` 'A' or 'B'; the ids are PARTUUIDs. */
char *grub_start(char slot, const struct source *source, const char *slot_id, const char *state_id);

/* a/sha256 or b/sha256, to be freed: the sums of the boot files. */
char *grub_sums(const struct source *source);

/* grub/grubenv, exactly GRUB_ENVIRONMENT_SIZE bytes, to be freed. `first` is started first; the other one, if it
 * `has_other`, after that. */
#define GRUB_ENVIRONMENT_SIZE 1024
char *grub_environment(char first, gboolean has_other);

/* Of a grubenv: the slot that starts next, or 0 if it does not say. */
char grub_turn(const char *environment, gsize length);

#endif
