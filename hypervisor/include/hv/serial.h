/*
 * The serial line: one 16550 at COM1. x86/serial.c
 * Source: National Semiconductor PC16550D data sheet.
 */
#ifndef HV_SERIAL_H
#define HV_SERIAL_H

#include <hv/types.h>

/* False when there is no UART; every other call is then harmless. baud 0: as the firmware left it. */
bool serial_init(unsigned baud);
/* Waits until the UART has taken everything; \n becomes \r\n. The console lock is held. */
void serial_write(const char *text, size_t bytes);
/* From now on `receive` gets every character that arrives, in interrupt context. */
void serial_init_irq(void (*receive)(const char *text, size_t bytes));

#endif
