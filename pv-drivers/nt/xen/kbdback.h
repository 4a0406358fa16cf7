/* The back end of a keyboard and pointer, as the seat's, Linux' and QEMU's are: it believes nothing that its guest
 * does. */
#ifndef NT_XEN_KBDBACK_H
#define NT_XEN_KBDBACK_H

#include "hypervisor.h"

#define KBDBACK_DOMAIN 7

struct kbdback {
    /* What it offers. */
    bool absolute, raw, no_keyboard, no_pointer;
    unsigned width, height, contacts, touch_width, touch_height;
    bool silent;     /* it does nothing, and says so by its state */
    bool stays_away; /* after it has closed it waits for the front end to begin anew */
    bool careless;   /* the front end's index is not looked at */

    /* What is so. */
    struct xenkbd_page *page; /* NULL: not connected */
    uint32_t reference, port, produced;
    unsigned kicks; /* notifications of the front end */
    bool asked_absolute, asked_raw, asked_touch;
};

void kbdback_boot(void);                              /* after hv_boot: none is there */
struct kbdback *kbdback_add(struct kbdback keyboard); /* there is one at most */
/* Puts an event into the ring and notifies; false: there is no room. */
bool kbdback_send(struct kbdback *keyboard, const union xenkbd_in_event *event);
bool kbdback_key(struct kbdback *keyboard, unsigned code, bool pressed);
bool kbdback_move(struct kbdback *keyboard, int x, int y, int z);
bool kbdback_place(struct kbdback *keyboard, int x, int y, int z);
bool kbdback_touch(struct kbdback *keyboard, unsigned type, unsigned contact, int x, int y);
void kbdback_run_away(struct kbdback *keyboard);                              /* an index of the ring that cannot be */
void kbdback_set(struct kbdback *keyboard, const char *name, unsigned value); /* a node of its folder */
void kbdback_close(struct kbdback *keyboard);  /* it goes; kbdback_set("state", 2): it comes back */
void kbdback_forget(struct kbdback *keyboard); /* lets go of the ring without a word */
void kbdback_end(void);                        /* a page that is still mapped is a bug of this file */

#endif
