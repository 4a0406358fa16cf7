// Log lines with the journal's priority prefix.
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static void emit(const char *prefix, const char *format, va_list arguments)
{
    char line[512];
    vsnprintf(line, sizeof(line), format, arguments);
    fprintf(stderr, "%sseat: %s\n", prefix, line);
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
