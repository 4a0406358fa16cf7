/*
 * A small machine for the emulator's tests: flat memory with one page that faults, a device page, ports, segments with
 * base and limit, a few system registers. machine.c
 */
#ifndef EMULATE_MACHINE_H
#define EMULATE_MACHINE_H

#include <hv/emulate.h>

#define MACHINE_MEMORY 0x20000UL
#define DEVICE_PAGE    0x1f000UL /* device: reads count up, may have to wait */
#define FAULT_PAGE     0x1e000UL /* not present */

struct machine {
    uint8_t memory[MACHINE_MEMORY];
    uint64_t base[6];
    uint32_t limit[6];
    uint16_t selector[6];
    uint64_t cr[9], dr[8], table_base[2];
    uint16_t table_limit[2];
    uint8_t vector[16][32];
    bool waits;          /* the next device access must wait first */
    bool loses_exchange; /* the next exchange finds other contents */
    bool has_bulk;
    unsigned device_reads, device_writes, bulk_calls;
    uint64_t device_last; /* written last */
    uint16_t port;
    uint32_t port_value; /* written last; what is read next, counting up */
    uint64_t msr;
    uint64_t invalidated;
};

struct machine *machine_of(struct emulate_context *c);
/* Flat segments up to the end of 32 bits, everything else zero. */
void machine_reset(struct machine *m);
extern const struct emulate_operations machine_operations, machine_bulk_operations;

#endif
