/* The keys that the seat listens to, as people call them: rows of the seat's own table. Without GTK. */
#ifndef RH_CHORDS_H
#define RH_CHORDS_H

#include <glib.h>

guint chords_count(void);

/* "Ctrl + Alt + 1 to 9"; the caller frees it. */
char *chords_keys(guint row);

/* "Show the guest in that slot"; the caller frees it. */
char *chords_about(guint row);

#endif
