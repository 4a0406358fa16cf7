/*
 * The logs that guests and their device models write: xenconsoled and QEMU append whatever comes, so a guest decides
 * how much. Here they are kept short.
 */
#ifndef RH_GUEST_LOGS_H
#define RH_GUEST_LOGS_H

#define GUEST_LOG_MAX  (1024 * 1024) /* bytes; a longer one is cut */
#define GUEST_LOG_KEPT (128 * 1024)  /* of its end */

/* Cuts the *.log files of a folder. Their writers append (O_APPEND), so they go on behind what is kept. */
void guest_logs_trim(const char *folder);

#endif
