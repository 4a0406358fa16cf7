// Log lines with the journal's priority prefix.
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "link_protocol.h"

#ifndef LOG_NAME // another program's, which is built with its own
#define LOG_NAME "seat"
#endif

static void emit(const char *prefix, const char *format, va_list arguments)
{
    char line[512];
    vsnprintf(line, sizeof(line), format, arguments);
    fprintf(stderr, "%s" LOG_NAME ": %s\n", prefix, line);
}

void log_info(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    emit("<6>", format, arguments);
    va_end(arguments);
}

void log_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    emit("<3>", format, arguments);
    va_end(arguments);
}

// Counts the line, and says when it is the last for now.
static bool may_log(unsigned slot)
{
    static struct {
        time_t begin;
        unsigned lines;
    } minutes[LINK_SLOTS];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - minutes[slot].begin >= 60 || minutes[slot].lines == 0) {
        minutes[slot].begin = now.tv_sec;
        minutes[slot].lines = 0;
    }
    minutes[slot].lines += minutes[slot].lines <= LOG_GUEST_LINES;
    if (minutes[slot].lines == LOG_GUEST_LINES)
        log_info("slot %u: nothing more is logged of it for a minute", slot);
    return minutes[slot].lines < LOG_GUEST_LINES;
}

void log_guest(unsigned slot, const char *format, ...)
{
    char line[256];
    va_list arguments;
    if (slot >= LINK_SLOTS || !may_log(slot))
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log_info("slot %u: %s", slot, line);
}
