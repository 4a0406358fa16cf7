/*
 * Port 0xe9: firmware and early kernels of HVM guests write text to it, byte by byte. Whole lines go to the log.
 */
#include <hv/domain_log.h>
#include <hv/hvm_io.h>

#define DEBUG_PORT 0xe9

/* The line is the domain's; two vcpus that write at once garble it, and nothing else. */
static void put(struct vcpu *v, char c)
{
    struct hvm_domain *h = v->domain->hvm;
    unsigned at = min(h->debug_length, (unsigned)sizeof(h->debug_line) - 1);

    if (c != '\n' && at < sizeof(h->debug_line) - 1) {
        if (c >= ' ' || c == '\t') {
            h->debug_line[at] = c;
            h->debug_length = at + 1;
        }
        return;
    }
    h->debug_line[at] = 0;
    h->debug_length = 0;
    domain_log(LOG_INFO, v->domain, "%s", h->debug_line);
}

/* Reads give the port's own number: firmware finds out by that whether somebody listens. */
static enum io_result debug_port(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value)
{
    if (bytes != 1)
        return IO_UNHANDLED;
    if (write)
        put(v, (char)*value);
    else
        *value = DEBUG_PORT;
    return IO_OK;
}

int hvm_debug_port_init(struct domain *d)
{
    return hvm_claim_ports(d, DEBUG_PORT, 1, debug_port);
}
