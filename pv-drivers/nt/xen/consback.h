/* The back end of a console or channel, as QEMU's is. */
#ifndef NT_XEN_CONSBACK_H
#define NT_XEN_CONSBACK_H

#include "hypervisor.h"

#define CONSBACK_DOMAIN 7

struct consback {
    bool echoes;   /* what comes is sent back */
    bool deaf;     /* what comes stays in the ring */
    bool careless; /* the front end's indices are not looked at */

    struct xencons_interface *ring; /* NULL: not connected */
    uint32_t reference, port, read, written;
    unsigned char got[1 << 16]; /* of those that were read, the last */
    unsigned got_size;
};

void consback_boot(void);                                                          /* after hv_boot: none is there */
struct consback *consback_add(struct consback console);                            /* there is one at most */
unsigned consback_send(struct consback *console, const void *data, unsigned size); /* as many as there is room for */
void consback_hear(struct consback *console);                                      /* it is not deaf any more */
void consback_run_away(struct consback *console, bool in); /* an index that cannot be: of what it writes, or reads */
void consback_set_state(struct consback *console, unsigned state);
void consback_forget(struct consback *console); /* lets go of the ring without a word */
void consback_end(void);

#endif
