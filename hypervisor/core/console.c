/*
 * Messages: time stamp, threshold, and the way to ring, serial line and screen.
 */
#include <hv/console.h>
#include <hv/bootinfo.h>
#include <hv/console_ring.h>
#include <hv/domain.h>
#include <hv/event_channel.h>
#include <hv/screen.h>
#include <hv/serial.h>
#include <hv/spinlock.h>
#include <hv/time.h>

#define LINE_BYTES  512
#define INPUT_BYTES 1024U

static struct console_ring ring;
static struct spinlock lock = SPINLOCK_INIT(LOCK_CONSOLE);
static struct cpu_info *volatile owner; /* CPU that holds the lock */
static bool serial_on, screen_on, panicking;
static bool inside_line; /* what was printed last did not end a line */
volatile bool console_ring_grew;

static char input[INPUT_BYTES];
static uint32_t input_start, input_end;

struct console_hold {
    unsigned long flags;
    bool nested;
};

/* An NMI or a fault in the middle of printk prints, too: then this CPU has the lock already and goes on
 * without. */
static struct console_hold console_lock(void)
{
    struct console_hold hold = {.flags = irq_save(), .nested = owner == cpu_info() || panicking};
    if (!hold.nested) {
        spin_lock(&lock);
        owner = cpu_info();
    }
    return hold;
}

static void console_unlock(struct console_hold hold)
{
    if (!hold.nested) {
        owner = NULL;
        spin_unlock(&lock);
    }
    irq_restore(hold.flags);
}

static enum screen_colour level_colour(enum log_level level)
{
    static const enum screen_colour colours[] = {
        [LOG_ERROR] = SCREEN_RED,
        [LOG_WARNING] = SCREEN_YELLOW,
        [LOG_INFO] = SCREEN_GREY,
        [LOG_DEBUG] = SCREEN_DARK,
    };
    return level < ARRAY_SIZE(colours) ? colours[level] : SCREEN_GREY;
}

static void emit_to_devices(const char *text, size_t bytes, enum screen_colour colour)
{
    if (serial_on)
        serial_write(text, bytes);
    if (screen_on)
        screen_write(text, bytes, colour);
}

static void emit_everywhere(const char *text, size_t bytes, enum screen_colour colour)
{
    ring_put(&ring, text, bytes);
    emit_to_devices(text, bytes, colour);
    console_ring_grew = true;
}

static void emit_line(enum log_level level, const char *text, size_t bytes)
{
    struct console_hold hold = console_lock();
    if (inside_line) /* of Domain-0 */
        emit_everywhere("\n", 1, SCREEN_GREY);
    inside_line = false;
    if (panicking || (int)level <= bootinfo.options.log_level)
        emit_everywhere(text, bytes, level_colour(level));
    else
        ring_put(&ring, text, bytes);
    console_unlock(hold);
}

/* 0 until this CPU has its clock. */
static ns_t time_stamp(void)
{
    const struct cpu *cpu = this_cpu();
    return cpu && cpu->clock.multiplier ? now() : 0;
}

static size_t put_time_stamp(char *to, size_t size)
{
    ns_t microseconds = time_stamp() / 1000;
    return (size_t)snprintf(to, size, "[%5lu.%06lu] ", (unsigned long)(microseconds / 1000000),
                            (unsigned long)(microseconds % 1000000));
}

/* Cuts what did not fit and ends the line. */
static size_t end_line(char *line, size_t length)
{
    length = min(length, (size_t)LINE_BYTES - 2);
    if (length == 0 || line[length - 1] != '\n')
        line[length++] = '\n';
    line[length] = 0;
    return length;
}

void vprintk(enum log_level level, const char *prefix, const char *format, va_list args)
{
    char line[LINE_BYTES];
    size_t length = put_time_stamp(line, sizeof(line));
    length += strlcpy(line + length, prefix, sizeof(line) - length);
    length += (size_t)vsnprintf(line + length, sizeof(line) - length, format, args);
    emit_line(level, line, end_line(line, length));
}

void printk(enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintk(level, "", format, args);
    va_end(args);
}

static void write_screen(const char *text, size_t bytes)
{
    screen_write(text, bytes, SCREEN_GREY);
}

/* Shows what was said before this console was there, and turns it on. */
static void start_console(void (*write)(const char *text, size_t bytes), bool *on)
{
    char text[LINE_BYTES];
    size_t bytes;
    struct console_hold hold = console_lock();
    uint32_t index = ring.start;
    while ((bytes = ring_get(&ring, text, sizeof(text), &index)) > 0)
        write(text, bytes);
    *on = true;
    console_unlock(hold);
}

void console_init_early(void)
{
    if (bootinfo.options.serial && serial_init(bootinfo.options.com1_baud))
        start_console(serial_write, &serial_on);
}

void console_init_screen(void)
{
    if (bootinfo.options.screen && screen_init())
        start_console(write_screen, &screen_on);
}

void console_release_screen(void)
{
    struct console_hold hold = console_lock();
    if (screen_on)
        screen_release();
    screen_on = false;
    console_unlock(hold);
}

void console_enter_panic(void)
{
    panicking = true;
}

/* From the serial line, in interrupt context. What Domain-0 does not fetch in time is lost, oldest kept. */
static void console_receive(const char *text, size_t bytes)
{
    struct console_hold hold = console_lock();
    for (size_t i = 0; i < bytes && input_end - input_start < INPUT_BYTES; i++)
        input[input_end++ % INPUT_BYTES] = text[i];
    console_unlock(hold);
    send_guest_global_virq(dom0, VIRQ_CONSOLE);
}

void console_init_irq(void)
{
    if (serial_on)
        serial_init_irq(console_receive);
}

void console_write(const char *text, size_t bytes)
{
    if (bytes == 0)
        return;
    struct console_hold hold = console_lock();
    emit_to_devices(text, bytes, SCREEN_GREY);
    inside_line = text[bytes - 1] != '\n';
    console_unlock(hold);
}

size_t console_read(char *to, size_t bytes)
{
    struct console_hold hold = console_lock();
    size_t n = 0;
    while (n < bytes && input_start != input_end)
        to[n++] = input[input_start++ % INPUT_BYTES];
    console_unlock(hold);
    return n;
}

size_t console_ring_read(char *to, size_t bytes, uint32_t *index, bool clear)
{
    struct console_hold hold = console_lock();
    size_t n = ring_get(&ring, to, bytes, index);
    if (clear)
        ring_clear(&ring);
    console_unlock(hold);
    return n;
}

void console_notify(void)
{
    console_ring_grew = false;
    send_guest_global_virq(dom0, VIRQ_CON_RING);
}
