/*
 * core/domain_log.c: a domain's flood of lines ends at its limit, is counted, hides neither another domain's lines nor
 * the reason why the domain itself ends, and passes again when it has been quiet.
 */
#include "../../check.h"
#include "../fake/default.h"
#include <stdarg.h>
#include <string.h>
#include <hv/domain.h>
#include <hv/domain_log.h>
#include <hv/time.h>

#define MILLISECOND 1000000ULL

static unsigned lines;
static char last[200], note[200];

void vprintk(enum log_level level, const char *prefix, const char *format, va_list args)
{
    int length = snprintf(last, sizeof(last), "%s", prefix);
    vsnprintf(last + length, sizeof(last) - (size_t)length, format, args);
    lines++;
}
void printk(enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(note, sizeof(note), format, args);
    va_end(args);
    lines++;
}

static unsigned flood(struct domain *d, unsigned count)
{
    unsigned before = lines;
    for (unsigned i = 0; i < count; i++)
        domain_log(LOG_WARNING, d, "line %u", i);
    return lines - before;
}

int main(void)
{
    static struct domain noisy = {.id = 3}, other = {.id = 4};
    struct vcpu v = {.domain = &noisy, .id = 1};
    fake_current[0] = &v;
    fake_now = 5000 * MILLISECOND;

    CHECK(flood(&noisy, 1000) == 32);
    CHECK(!strcmp(last, "d3v1: line 31"));
    CHECK(flood(&other, 1) == 1); /* another's flood is not its own */
    CHECK(!strcmp(last, "d4: line 0"));

    fake_now += 100 * MILLISECOND;
    CHECK(flood(&noisy, 100) == 0); /* the number of those left out would be a second line */
    fake_now += 100 * MILLISECOND;
    CHECK(flood(&noisy, 100) == 2);
    CHECK(!strcmp(note, "d3: 1068 lines are left out here"));
    CHECK(!strcmp(last, "d3v1: line 0"));

    domain_log(LOG_ERROR, &noisy, "its reason");
    CHECK(!strcmp(last, "d3v1: its reason"));
    CHECK(!strcmp(note, "d3: 99 lines are left out here"));
    for (unsigned i = 0; i < 100; i++)
        domain_log(LOG_ERROR, &noisy, "error %u", i);
    CHECK(!strcmp(last, "d3v1: error 5")); /* errors have a limit, too */

    unsigned shown = 0, seconds = 60;
    for (unsigned ms = 0; ms < 1000 * seconds; ms++, fake_now += MILLISECOND)
        shown += flood(&noisy, 3);
    CHECK(shown <= 10 * seconds && shown >= 9 * seconds);
    return 0;
}
