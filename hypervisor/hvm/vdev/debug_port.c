/*
 * Port 0xe9: firmware and early kernels of HVM guests write text to it, byte by byte. Whole lines go to the log.
 */
#include <hv/domain_log.h>
#include "chip.h"

#define DEBUG_PORT 0xe9

struct debug_port {
    char line[120]; /* what the guest has written of a line */
    unsigned length;
};

/* The line is the domain's; two vcpus that write at once garble it, and nothing else. */
static void put(struct domain *d, char c)
{
    struct debug_port *p = chip_state(d, CHIP_DEBUG_PORT);
    unsigned at = min(p->length, (unsigned)sizeof(p->line) - 1);

    if (c != '\n' && at < sizeof(p->line) - 1) {
        if (c >= ' ' || c == '\t') {
            p->line[at] = c;
            p->length = at + 1;
        }
        return;
    }
    p->line[at] = 0;
    p->length = 0;
    domain_log(LOG_INFO, d, "%s", p->line);
}

/* Reads give the port's own number: firmware finds out by that whether somebody listens. */
static enum io_result access(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    if (bytes != 1)
        return IO_UNHANDLED;
    if (write)
        put(v->domain, (char)*value);
    else
        *value = DEBUG_PORT;
    return IO_OK;
}

const struct chip chip_debug_port = {
    .bytes = sizeof(struct debug_port),
    .ports = {{DEBUG_PORT, 1, access}},
};
