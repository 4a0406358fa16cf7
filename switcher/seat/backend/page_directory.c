// Walks the list. Each page is copied before it is looked at.
#include "page_directory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "foreign.h"

enum { PAGE_BYTES = 4096, REFERENCES_PER_PAGE = PAGE_BYTES / 4 - 1 };

int page_directory_read(uint32_t domid, uint32_t first, uint32_t *references, size_t count)
{
    uint32_t page_reference = first;
    size_t done = 0;
    while (done < count) {
        if (page_reference == 0)
            return EINVAL;
        uint32_t words[PAGE_BYTES / 4];
        void *page = foreign_map_grants(domid, &page_reference, 1, PROT_READ);
        if (!page)
            return errno;
        memcpy(words, page, sizeof(words));
        foreign_unmap_grants(page, 1);
        size_t here = count - done < REFERENCES_PER_PAGE ? count - done : REFERENCES_PER_PAGE;
        memcpy(references + done, words + 1, here * sizeof(uint32_t));
        page_reference = words[0];
        done += here;
    }
    return 0;
}
