// The list of pages by which displif and sndif name a shared buffer (xen/io/displif.h, sndif.h: the same layout): each
// page of it has the reference of the next, 0 in the last, and then references of the buffer's pages.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Collects `count` references. 0, or an errno value: a page cannot be mapped, or the list ends too soon.
int page_directory_read(uint32_t domid, uint32_t first, uint32_t *references, size_t count);
