/* What a driver says, and what ends a run. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include "nt.h"
#include "text.h"

static char said[65536];
static size_t said_size;
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noreturn)) void nt_bug(const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "\nnt: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    if (said_size)
        fprintf(stderr, "what was said before:\n%s", said + (said_size > 2000 ? said_size - 2000 : 0));
    _Exit(1);
}

bool nt_said(const char *text)
{
    return strstr(said, text) != NULL;
}

/* One conversion of DbgPrint; the next argument is in a slot of its own, whatever its type. */
static int convert(char *to, size_t size, char kind, uint64_t value)
{
    switch (kind) {
    case 'd':
        return snprintf(to, size, "%d", (int)value);
    case 'u':
        return snprintf(to, size, "%u", (unsigned)value);
    case 'x':
        return snprintf(to, size, "%08x", (unsigned)value);
    case 's':
        return snprintf(to, size, "%s", (const char *)value);
    case 'p':
        return snprintf(to, size, "%p", (void *)value);
    default:
        nt_bug("DbgPrint: a conversion %%%c is not known here", kind);
    }
}

NT_ABI ULONG nt_DbgPrint(PCSTR format, ...)
{
    __builtin_ms_va_list arguments;
    char line[512];
    size_t size = 0;

    __builtin_ms_va_start(arguments, format);
    for (; *format && size < sizeof(line) - 64; format++) {
        if (*format != '%') {
            line[size++] = *format;
            continue;
        }
        format += strspn(format + 1, "0123456789l") + 1;
        size += (size_t)convert(line + size, sizeof(line) - size, *format, __builtin_va_arg(arguments, uint64_t));
        if (size >= sizeof(line))
            size = sizeof(line) - 1;
    }
    __builtin_ms_va_end(arguments);
    line[size] = 0;
    pthread_mutex_lock(&said_lock);
    if (said_size + size < sizeof(said)) {
        memcpy(said + said_size, line, size + 1);
        said_size += size;
    }
    pthread_mutex_unlock(&said_lock);
    return 0;
}

NT_ABI void *nt_memcpy(void *to, const void *from, size_t size)
{
    return memcpy(to, from, size);
}

NT_ABI void *nt_memmove(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

NT_ABI void *nt_memset(void *to, int byte, size_t size)
{
    return memset(to, byte, size);
}

NT_ABI int nt_memcmp(const void *first, const void *second, size_t size)
{
    return memcmp(first, second, size);
}

NT_ABI size_t nt_strlen(const char *text)
{
    return strlen(text);
}

NT_ABI int nt_strcmp(const char *first, const char *second)
{
    return strcmp(first, second);
}

NT_ABI char *nt_strcpy(char *to, const char *from)
{
    return strcpy(to, from);
}

NT_ABI char *nt_strcat(char *to, const char *from)
{
    return strcat(to, from);
}

NT_ABI char *nt_strchr(const char *text, int byte)
{
    return strchr(text, byte);
}

NT_ABI size_t nt_wcslen(const WCHAR *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}
