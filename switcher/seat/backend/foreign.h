// Memory that belongs to somebody else: pages of guests, and files the interface shares. It can vanish while
// it is mapped. Such an access then reads zeros instead of ending the process.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Installs the SIGBUS handler: from then on a page that vanished is replaced by a zero page on first touch.
void foreign_guard_install(void);

// Maps `count` frames of the guest, in order, through a privcmd descriptor; NULL with errno when any cannot
// be mapped. `protection` is PROT_READ or PROT_READ | PROT_WRITE.
void *foreign_map_frames(int privcmd, uint32_t domid, const uint64_t *frames, size_t count, int protection);
void foreign_unmap_frames(void *address, size_t count); // NULL is ignored

// The same for granted pages. The handle is opened when first needed and kept; NULL with errno.
void *foreign_map_grants(uint32_t domid, uint32_t *references, size_t count, int protection);
void foreign_unmap_grants(void *address, size_t count);
