// Messages on standard error, one line each, for the journal.
#pragma once

__attribute__((format(printf, 1, 2))) void log_info(const char *format, ...);
__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);

// The one place that limits what a guest, or its device model, can make us log: so many lines a minute for each slot
// (link_protocol.h). The line begins with the slot's number.
enum { LOG_GUEST_LINES = 20 };
__attribute__((format(printf, 2, 3))) void log_guest(unsigned slot, const char *format, ...);
