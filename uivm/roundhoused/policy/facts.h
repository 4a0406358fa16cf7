/*
 * What is so at this moment: the conditions of policies, each from one source. A condition that has no source, or whose
 * source cannot be read, is unknown, and a question is then answered by the worse of both (asker.h).
 */
#ifndef RH_POLICY_FACTS_H
#define RH_POLICY_FACTS_H

#include <glib.h>

struct policy_facts {
    guint16 holds, unknown; /* sets of enum policy_condition; ON_SCREEN is about a guest, so it is in neither */
    guint16 minute;         /* of the day, local time */
    char on_screen[64];     /* the guest on screen; "": none */
};

/* The machine's screen. Whoever locks it says so here. */
struct policy_screen {
    const char *guest; /* that is on it; NULL: none */
    gboolean locked;
};

/* supplies: the folder with the machine's power supplies, /sys/class/power_supply. Screen shared has no source. */
struct policy_facts policy_facts_now(const char *supplies, const struct policy_screen *screen);

#endif
