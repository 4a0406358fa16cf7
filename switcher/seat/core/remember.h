// What the next seat must know when this one dies: who had the focus, and what guests told their display once and will
// not tell again. It lies in a file that is mapped, on a file system in memory, so that it is whole whenever the
// process ends, and nothing is written by calls. Each fact changes in one store, or is marked as being changed. What is
// read back is checked like a request of the guest it is about: the file decides nothing that the guest could not.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "link_protocol.h"

enum { REMEMBER_BUFFERS = 16, REMEMBER_FRAMEBUFFERS = 32 };

struct remembered_buffer {
    uint64_t cookie; // 0: none
    uint32_t width, height, bits, bytes, offset, directory;
};

struct remembered_framebuffer {
    uint64_t cookie, buffer;
    uint32_t width, height, fourcc, unused;
};

struct remembered_displif {
    _Atomic uint32_t domid; // LINK_NO_DOMAIN: nothing is known, or it is just being changed
    struct link_displif_connect connect;
    uint32_t unused;
    struct remembered_buffer buffers[REMEMBER_BUFFERS];
    struct remembered_framebuffer framebuffers[REMEMBER_FRAMEBUFFERS];
    uint64_t shown; // cookie; changes alone
};

// The last size that the guest asked for.
struct remembered_fbif {
    _Atomic uint32_t domid; // as above
    int32_t width, height, stride, depth, offset;
    uint64_t page_frame;
};

struct remembered {
    uint64_t magic;
    _Atomic uint64_t focus; // slot << 32 | domid
    _Atomic uint32_t cut;   // not 0: it is cut off
    struct remembered_displif displif[LINK_SLOTS];
    struct remembered_fbif fbif[LINK_SLOTS];
};

// Every function takes NULL for what nobody remembers any more.

// Maps the file, made new unless it is one of ours; where that fails, or `path` is NULL, what is remembered ends with
// the process. NULL when out of memory.
struct remembered *remember_open(const char *path);
void remember_close(struct remembered *remembered);

// Slot 0 is the switcher, and has no domain.
void remember_focus(struct remembered *remembered, unsigned slot, uint32_t domid); // nobody is cut off
void remember_cut(struct remembered *remembered, bool cut);
bool remember_is_cut(const struct remembered *remembered);
// False: the switcher, or nothing that can be true.
bool remember_focused(const struct remembered *remembered, unsigned *slot, uint32_t *domid);

// What the guest told its display is not to be told again, and is forgotten with it.
void remember_no_display(struct remembered *remembered, unsigned slot);
