/*
 * systemd's watchdog, fed from the main loop: a loop that does not turn is a service that does not answer, and is
 * started anew. Protocol: sd_notify(3), WATCHDOG=1.
 */
#ifndef RH_WATCHDOG_H
#define RH_WATCHDOG_H

/* Begins to tell, if systemd asked for it in the environment, which is taken out of it: children are not to tell. */
void watchdog_start(void);

#endif
