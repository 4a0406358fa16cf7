/* The main loop until something is so. */
#ifndef RH_TEST_WAIT_FOR_H
#define RH_TEST_WAIT_FOR_H

#include <glib.h>

#define PATIENCE_SECONDS 15

/* For g_timeout_add: sets the gboolean. */
static inline gboolean give_up(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Runs the main loop until the expression is true; fails after a while. */
#define WAIT_FOR(expression)                                                                                           \
    do {                                                                                                               \
        gboolean overdue_ = FALSE;                                                                                     \
        guint timer_ = g_timeout_add_seconds(PATIENCE_SECONDS, give_up, &overdue_);                                    \
        while (!(expression) && !overdue_)                                                                             \
            g_main_context_iteration(NULL, TRUE);                                                                      \
        if (overdue_)                                                                                                  \
            g_error("%s:%d: waited in vain for %s", __FILE__, __LINE__, #expression);                                  \
        g_source_remove(timer_);                                                                                       \
    } while (0)

static inline void pass_time(guint milliseconds)
{
    gboolean over = FALSE;
    g_timeout_add(milliseconds, give_up, &over);
    WAIT_FOR(over);
}

#endif
