/* What each state of a guest is called, and what can be done in it. */
#ifndef RH_GUEST_LOOK_H
#define RH_GUEST_LOOK_H

#include "model.h"

#define GUEST_LOOK_CARD 4 /* so many of its buttons a card has, from the first */
#define GUEST_LOOK_ALL  6

struct guest_look {
    enum guest_state state;
    const char *words; /* as the user reads it: "Running", "Starting ..." */
    struct {
        const char *label; /* NULL: no more */
        enum guest_action action;
    } buttons[GUEST_LOOK_ALL]; /* the first is what Enter and a digit do */
};

/* Of the guest's state; a state that is not known looks like "off". */
const struct guest_look *guest_look(RhGuest1 *guest);

/* The state as the user reads it. */
const char *guest_state_words(RhGuest1 *guest);

/* What Enter and a click do in the guest's state: switch, or start, or unpause; FALSE when nothing. */
gboolean guest_primary_action(RhGuest1 *guest, enum guest_action *action);

/* The digit that brings it on screen, now or when it runs; 0: that is not known before. */
guint guest_digit(RhGuest1 *guest);

/* "512 MiB", "1.5 GiB"; the caller frees it. */
char *guest_memory_words(RhGuest1 *guest);

#endif
