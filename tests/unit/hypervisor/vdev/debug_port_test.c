/* The debug port: lines of text, of any length and with any bytes in them. */
#include <hv/domain_log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "rig.h"

static char logged[200];
static unsigned lines;

void domain_log(enum log_level level, struct domain *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(logged, sizeof(logged), format, args);
    va_end(args);
    lines++;
}

static void write_text(const char *text)
{
    for (; *text; text++)
        outb_(0xe9, (uint8_t)*text);
}

static void expect_line(const char *wanted)
{
    CHECK_EQUAL(1, lines);
    CHECK(!strcmp(logged, wanted), "\"%s\", not \"%s\"", logged, wanted);
    lines = 0;
}

int main(void)
{
    uint32_t value;

    rig_start(1, XEN_X86_EMU_LAPIC); /* every HVM guest has it */
    CHECK_EQUAL(0xe9, inb_(0xe9));
    CHECK_EQUAL(IO_UNHANDLED, port_in(0, 0xe9, 2, &value));
    write_text("SeaBIOS\r\n");
    expect_line("SeaBIOS");
    write_text("\x1b[1ma\tb\n");
    expect_line("[1ma\tb");
    for (unsigned i = 0; i < 119; i++)
        outb_(0xe9, 'x');
    CHECK_EQUAL(0, lines);
    outb_(0xe9, 'y'); /* the line is full */
    CHECK_EQUAL(1, lines);
    CHECK_EQUAL(119, strlen(logged));
    lines = 0;
    write_text("z\n");
    expect_line("z");
    rig_stop();
    return 0;
}
