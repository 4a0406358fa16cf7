/* The table of states. */
#include "guest_look.h"

static const struct guest_look looks[] = {
    {GUEST_OFF, "Off", {{"Start", ACTION_START}}},
    {GUEST_STARTING, "Starting \342\200\246", {{NULL, 0}}},
    {GUEST_RUNNING,
     "Running",
     {{"Switch", ACTION_SWITCH},
      {"Pause", ACTION_PAUSE},
      {"Restart", ACTION_REBOOT},
      {"Shut down", ACTION_SHUTDOWN},
      {"Suspend", ACTION_SUSPEND},
      {"Force off", ACTION_DESTROY}}},
    {GUEST_PAUSED, "Paused", {{"Continue", ACTION_UNPAUSE}, {"Switch", ACTION_SWITCH}, {"Force off", ACTION_DESTROY}}},
    {GUEST_STOPPING, "Shutting down \342\200\246", {{"Switch", ACTION_SWITCH}, {"Force off", ACTION_DESTROY}}},
    {GUEST_UNRESPONSIVE,
     "Does not answer",
     {{"Switch", ACTION_SWITCH},
      {"Shut down", ACTION_SHUTDOWN},
      {"Force off", ACTION_DESTROY},
      {"Pause", ACTION_PAUSE},
      {"Restart", ACTION_REBOOT},
      {"Suspend", ACTION_SUSPEND}}},
    {GUEST_SUSPENDING, "Suspending \342\200\246", {{"Force off", ACTION_DESTROY}}},
    {GUEST_SUSPENDED, "Suspended", {{"Continue", ACTION_START}, {"Force off", ACTION_DESTROY}}},
    {GUEST_CRASHED, "Crashed", {{"Start again", ACTION_START}}},
};

const struct guest_look *guest_look(RhGuest1 *guest)
{
    for (gsize i = 0; i < G_N_ELEMENTS(looks); i++) {
        if (guest_is(guest, looks[i].state))
            return &looks[i];
    }
    return &looks[0];
}

const char *guest_state_words(RhGuest1 *guest)
{
    return guest_look(guest)->words;
}

gboolean guest_primary_action(RhGuest1 *guest, enum guest_action *action)
{
    const struct guest_look *look = guest_look(guest);
    *action = look->buttons[0].action;
    return look->buttons[0].label != NULL;
}

guint guest_digit(RhGuest1 *guest)
{
    guint screen = rh_guest1_get_screen(guest);
    return screen ? screen : rh_guest1_get_slot(guest);
}

char *guest_memory_words(RhGuest1 *guest)
{
    guint64 mib = rh_guest1_get_memory(guest) / 1024;
    if (mib < 1024)
        return g_strdup_printf("%" G_GUINT64_FORMAT " MiB", mib);
    return g_strdup_printf("%.*f GiB", mib % 1024 ? 1 : 0, (double)mib / 1024);
}
