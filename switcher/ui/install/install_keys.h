/*
 * The keyboard that is chosen, tried out and typed with before it is the machine's: what is typed into an entry is made
 * from the keys themselves. A passphrase typed with another layout than it is asked for with would open nothing.
 */
#ifndef RH_INSTALL_KEYS_H
#define RH_INSTALL_KEYS_H

#include <gtk/gtk.h>

struct install_keys;

/* Of a layout of X's; one that is not known types as the machine does now. */
struct install_keys *install_keys_new(const char *layout);
void install_keys_free(struct install_keys *keys);

/* A key of the window is pressed or let go. TRUE: it typed into the entry (NULL: none has the keyboard). */
gboolean install_keys_event(struct install_keys *keys, const GdkEventKey *event, GtkEntry *entry);

#endif
