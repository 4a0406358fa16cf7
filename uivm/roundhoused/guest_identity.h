/*
 * What makes a guest the same machine each time it starts: made once on this machine, by chance, and kept in a file of
 * its own, FOLDER/NAME, which is written whole or not at all. A guest under another name, a clone for instance, is
 * another machine.
 */
#ifndef RH_GUEST_IDENTITY_H
#define RH_GUEST_IDENTITY_H

#include "guest_config.h"

/*
 * Gives the definition what it does not say itself: the card's address, which is locally administered, the UUID, and
 * the generation id. What is not there, or is damaged, is made and written first; FALSE with an RH_ERROR_TOOLSTACK
 * where it cannot be written.
 */
gboolean guest_identity_complete(struct guest_config *config, const char *folder, GError **error);

/* The guest has gone back in time: a new generation id at its next start, so that its system makes no number twice. */
gboolean guest_identity_new_generation(const char *folder, const char *name, GError **error);

/* The guest is no more: another one of its name is another machine. */
void guest_identity_forget(const char *folder, const char *name);

#endif
