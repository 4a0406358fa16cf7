/*
 * The serial line: output is polled, so that it works in every state the machine can be in; input comes by
 * interrupt.
 */
#include <hv/serial.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/irq.h>

#define COM1_PORT  0x3f8
#define COM1_GSI   4
#define UART_CLOCK 115200U /* baud rate at divisor 1 */

enum {
    UART_DATA = 0,
    UART_INTERRUPT_ENABLE = 1,
    UART_FIFO_CONTROL = 2,
    UART_INTERRUPT_ID = 2,
    UART_LINE_CONTROL = 3,
    UART_MODEM_CONTROL = 4,
    UART_LINE_STATUS = 5,
};
#define UART_FIFO_ENABLE_AND_CLEAR 0x07
#define UART_8N1                   0x03
#define UART_DIVISOR_LATCH         0x80
#define UART_DTR_RTS               0x03
#define UART_OUT2                  0x08 /* gates the interrupt line of a PC */
#define UART_RECEIVED              0x01
#define UART_HOLDING_EMPTY         0x20
#define UART_INTERRUPT_ON_RECEIVE  0x01
#define UART_NOTHING_PENDING       0x01
#define UART_FIFO_WORKS            0xc0 /* clear in an 8250, 16450 and in the first, faulty 16550 */

#define FIFO_BYTES          16
#define MAX_INTERRUPT_TURNS 64
/* At 9600 baud a full FIFO drains in 17 ms; a port read takes about 1 us. Beyond this nobody takes what is sent, as
 * when the other end of an emulated line is busy. */
#define MAX_POLLS 1000000

static bool present;
static unsigned transmit_bytes; /* what the UART takes at once when it is empty */
static void (*receiver)(const char *text, size_t bytes);

static uint8_t uart_read(unsigned reg)
{
    return inb((uint16_t)(COM1_PORT + reg));
}

static void uart_write(unsigned reg, uint8_t value)
{
    outb(value, (uint16_t)(COM1_PORT + reg));
}

/* An empty socket reads as all ones; a UART keeps the four bits of its interrupt enable register. */
static bool uart_found(void)
{
    uart_write(UART_INTERRUPT_ENABLE, 0x0f);
    uint8_t ones = uart_read(UART_INTERRUPT_ENABLE);
    uart_write(UART_INTERRUPT_ENABLE, 0);
    return ones == 0x0f && uart_read(UART_INTERRUPT_ENABLE) == 0;
}

bool serial_init(unsigned baud)
{
    present = uart_found();
    if (!present)
        return false;
    if (baud) {
        unsigned divisor = max(UART_CLOCK / min(baud, UART_CLOCK), 1U);
        uart_write(UART_LINE_CONTROL, UART_DIVISOR_LATCH | UART_8N1);
        uart_write(UART_DATA, (uint8_t)divisor);
        uart_write(UART_INTERRUPT_ENABLE, (uint8_t)(divisor >> 8));
        uart_write(UART_LINE_CONTROL, UART_8N1);
    }
    uart_write(UART_FIFO_CONTROL, UART_FIFO_ENABLE_AND_CLEAR);
    bool fifo = (uart_read(UART_INTERRUPT_ID) & UART_FIFO_WORKS) == UART_FIFO_WORKS;
    transmit_bytes = fifo ? FIFO_BYTES : 1;
    uart_write(UART_MODEM_CONTROL, UART_DTR_RTS | UART_OUT2);
    return true;
}

/* Once it has been waited for in vain it is looked at without waiting, until it takes bytes again. */
static bool uart_wait_empty(void)
{
    static bool held_up;
    for (unsigned polls = 0; polls < (held_up ? 1 : MAX_POLLS); polls++) {
        if (uart_read(UART_LINE_STATUS) & UART_HOLDING_EMPTY) {
            held_up = false;
            return true;
        }
        cpu_relax();
    }
    held_up = true;
    return false;
}

/* What a line that is held up cannot take is lost. */
static void uart_put(char c)
{
    static unsigned room; /* how much the FIFO still takes since it was last seen empty */
    if (room == 0) {
        if (!uart_wait_empty())
            return;
        room = transmit_bytes;
    }
    uart_write(UART_DATA, (uint8_t)c);
    room--;
}

void serial_write(const char *text, size_t bytes)
{
    for (size_t i = 0; present && i < bytes; i++) {
        if (text[i] == '\n')
            uart_put('\r');
        uart_put(text[i]);
    }
}

/* The interrupt is edge-triggered: one more comes only after the UART has had nothing to report, so the
 * handler stays until then. The bound is for a UART that always has. */
static void serial_interrupt(void *data)
{
    for (unsigned turns = 0; turns < MAX_INTERRUPT_TURNS; turns++) {
        if (uart_read(UART_INTERRUPT_ID) & UART_NOTHING_PENDING)
            return;
        char text[FIFO_BYTES];
        size_t n = 0;
        while (n < sizeof(text) && (uart_read(UART_LINE_STATUS) & UART_RECEIVED))
            text[n++] = (char)uart_read(UART_DATA);
        if (n)
            receiver(text, n);
    }
}

void serial_init_irq(void (*receive)(const char *text, size_t bytes))
{
    if (!present)
        return;
    receiver = receive;
    int error = irq_request_gsi(COM1_GSI, serial_interrupt, NULL);
    if (error) {
        log_warning("serial line: no interrupt (%d), input will not work", error);
        return;
    }
    uart_write(UART_INTERRUPT_ENABLE, UART_INTERRUPT_ON_RECEIVE);
}
