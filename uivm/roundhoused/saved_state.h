/*
 * Guests that were suspended to disk: one file each, FOLDER/NAME, which is whole or not there. It begins with the
 * definition that the guest ran with; what follows is libxl's. The steps, and what is left when the machine ends
 * between them:
 *
 *   create   .NAME.part    a save that was cut: nothing. The guest runs on, or the machine has ended under it
 *   keep     NAME          the guest is suspended
 *   use      .NAME.used    it is about to go on. Its disks are no longer those of the file, so it must not go on twice
 *   forget                 nothing
 */
#ifndef RH_SAVED_STATE_H
#define RH_SAVED_STATE_H

#include "guest_config.h"

gboolean saved_state_there(const char *folder, const char *name);

/*
 * Begins a file, in place of one that was cut, makes the folder if need be, and writes the definition. The descriptor
 * for the rest, or -1 with an RH_ERROR_TOOLSTACK: also where there is no room for the guest's memory.
 */
int saved_state_create(const char *folder, const struct guest_config *config, GError **error);

/* All is written: puts it on the disk and gives it its name. Closes the descriptor in any case. */
gboolean saved_state_keep(const char *folder, const char *name, int fd, GError **error);

/* Takes away a file that was begun. TRUE: there was one. */
gboolean saved_state_drop(const char *folder, const char *name);

/*
 * Opens a guest's for reading behind the definition, and what that says of the domain with what the guest's definition
 * says now of people's affairs is the caller's to free. -1 with an RH_ERROR_TOOLSTACK, also where it is of another
 * guest (UUID) that had the name.
 */
int saved_state_open(const char *folder, const struct guest_config *now, struct guest_config **config, GError **error);

gboolean saved_state_use(const char *folder, const char *name, GError **error);

/* The guest has not run a step after all: what was used, if anything, is there again. */
void saved_state_unuse(const char *folder, const char *name);

/*
 * What the service was doing when it ended: a guest that has not run a step since (unrun) may go on from what was used.
 * TRUE: a save was cut; if the guest stands still, that is why.
 */
gboolean saved_state_tidy(const char *folder, const char *name, gboolean unrun);

/* Takes away one that was used, and one that is there. */
gboolean saved_state_forget_used(const char *folder, const char *name);
gboolean saved_state_forget(const char *folder, const char *name, GError **error);

#endif
