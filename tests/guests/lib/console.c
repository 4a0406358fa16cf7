/* Console output and verdicts. */
#include "check.h"
#include <stdarg.h>

static char line[512];
static size_t used;
static unsigned failures;

static void put(char c)
{
    if (used < sizeof(line))
        line[used++] = c;
}

static void put_number(uint64_t n, unsigned base)
{
    char digits[24];
    unsigned count = 0;
    do
        digits[count++] = "0123456789abcdef"[n % base];
    while (n /= base);
    while (count)
        put(digits[--count]);
}

static void put_signed(int64_t n)
{
    if (n < 0)
        put('-');
    put_number(n < 0 ? -(uint64_t)n : (uint64_t)n, 10);
}

/* %s %c %d %u %x, with l. */
static void format(const char *f, va_list args)
{
    for (; *f; f++) {
        if (*f != '%') {
            put(*f);
            continue;
        }
        bool wide = *++f == 'l';
        f += wide;
        switch (*f) {
        case 's':
            for (const char *s = va_arg(args, const char *); *s; s++)
                put(*s);
            break;
        case 'c':
            put((char)va_arg(args, int));
            break;
        case 'd':
            put_signed(wide ? va_arg(args, long) : va_arg(args, int));
            break;
        case 'u':
            put_number(wide ? va_arg(args, unsigned long) : va_arg(args, unsigned), 10);
            break;
        case 'x':
            put_number(wide ? va_arg(args, unsigned long) : va_arg(args, unsigned), 16);
            break;
        default:
            put(*f);
        }
    }
}

static void flush(void)
{
    put('\n');
    line[used - 1] = '\n';
    console_out(line, used);
    used = 0;
}

static void print(const char *prefix, const char *f, va_list args)
{
    while (*prefix)
        put(*prefix++);
    format(f, args);
    flush();
}

void say(const char *f, ...)
{
    va_list args;
    va_start(args, f);
    print("", f, args);
    va_end(args);
}

void failure(const char *f, ...)
{
    va_list args;
    va_start(args, f);
    failures++;
    print("FAIL ", f, args);
    va_end(args);
}

void error(const char *f, ...)
{
    va_list args;
    va_start(args, f);
    print("Test result: ERROR ", f, args);
    va_end(args);
    power_off();
}

void skip(const char *f, ...)
{
    va_list args;
    va_start(args, f);
    print("Test result: SKIP ", f, args);
    va_end(args);
    power_off();
}

void finish(void)
{
    if (failures)
        say("Test result: FAILURE (%u)", failures);
    else
        say("Test result: SUCCESS");
    power_off();
}
