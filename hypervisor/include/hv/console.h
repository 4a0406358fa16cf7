/*
 * The hypervisor's own messages: log ring, serial line, screen, and the stop of the machine.
 *
 * Every line goes to the ring and, at or above the `loglvl=` threshold, to the serial line and the screen.
 * printk may be called from any context, interrupts and NMIs included. One call is one line: it gets a time
 * stamp in front and a newline at its end unless it has one; what is longer than 500 characters is cut.
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include <hv/types.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void printk(enum log_level level, const char *format, ...) __printf(2, 3);
/* `prefix` stands between the time and the text. */
void vprintk(enum log_level level, const char *prefix, const char *format, va_list args) __printf(3, 0);

/* What a domain can cause is not said by these but by domain_log (hv/domain_log.h). */
#define log_error(...)   printk(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) printk(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    printk(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   printk(LOG_DEBUG, __VA_ARGS__)

/* Our own fault: prints the message, registers and a symbolised backtrace on every console, stops all CPUs,
 * then reboots after 5 s unless `noreboot` was given. */
void panic(const char *format, ...) __printf(1, 2) __noreturn;
struct cpu_user_regs;
void panic_regs(const struct cpu_user_regs *regs, const char *format, ...) __printf(2, 3) __noreturn;

/* Called on every NMI: does not return if another CPU has panicked. */
void panic_nmi(const struct cpu_user_regs *regs);

#define BUG_ON(condition)                                                                                              \
    do {                                                                                                               \
        if (unlikely(condition))                                                                                       \
            panic("%s:%d: %s: bug: %s", __FILE__, __LINE__, __func__, #condition);                                     \
    } while (0)
#define ASSERT(condition) BUG_ON(!(condition))

/* Early: serial only (options com1=<baud>, console=com1,vga). Called before memory is set up. */
void console_init_early(void);
/* Second step: the screen (text mode or linear framebuffer from bootinfo), needs ioremap. */
void console_init_screen(void);
/* Domain-0 takes the screen: stop drawing to it (messages still go to ring and serial). */
void console_release_screen(void);
/* Receive interrupts of the serial line; input goes to Domain-0 (VIRQ_CONSOLE, CONSOLEIO_read). */
void console_init_irq(void);

/* Stops waiting for locks and ignores the threshold: the machine is about to stop and every word counts. */
void console_enter_panic(void);
/* Tells Domain-0 that the ring has grown (VIRQ_CON_RING). printk cannot, for it may be called under any lock;
 * so the way back to the guest and the idle loop call this when the flag is set. No locks held. */
extern volatile bool console_ring_grew;
void console_notify(void);

/* Raw text from Domain-0 (CONSOLEIO_write): to serial and screen as it is. Not to the ring: Domain-0 has a log of its
 * own. */
void console_write(const char *text, size_t bytes);
/* Takes up to `bytes` received characters; returns how many. */
size_t console_read(char *to, size_t bytes);

/* For XEN_SYSCTL_readconsole. Copies from the ring starting at *index (clamped to what is still there) up to
 * `bytes`; *index becomes the next position; returns the number of bytes; clear empties the ring afterwards.
 */
size_t console_ring_read(char *to, size_t bytes, uint32_t *index, bool clear);

#endif
