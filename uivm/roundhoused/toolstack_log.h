/*
 * A logger for libxl that passes messages on to GLib's log and remembers the first error, so that a failed
 * operation can say what libxl said. One per operation; not shared between threads.
 */
#ifndef RH_TOOLSTACK_LOG_H
#define RH_TOOLSTACK_LOG_H

#include <xentoollog.h>

/* Freed with xtl_logger_destroy(). */
xentoollog_logger *toolstack_log_new(void);

/* The first error since creation, or "" when there was none. Valid as long as the logger. */
const char *toolstack_log_first_error(xentoollog_logger *logger);

#endif
