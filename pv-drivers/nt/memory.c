/*
 * The machine's memory: one file mapped twice, as the drivers see it, page by page allowed or not, and as the
 * hypervisor does. Each block of pool has pages of its own and an unmapped one behind it, begins so that it ends at
 * that one, and leaves its pages unmapped when it is freed. They are used again only when all others have been.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "nt.h"

#define RAM_PAGES   16384u
#define RAM_FRAME   0x400u
#define WINDOW_AT   RAM_PAGES
#define SPECIAL_AT  (WINDOW_AT + NT_WINDOW_PAGES)
#define ALL_PAGES   (SPECIAL_AT + NT_SPECIAL_PAGES)
#define ALIGNMENT   16u
#define FRESH       0xa5 /* what a new block is full of */
#define SLACK       0x5a /* between a block's end and its last page's */
#define MOST_BLOCKS RAM_PAGES

static unsigned char *view, *other_side;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block {
    unsigned pages; /* 0: no block begins at this page */
    size_t size;
    ULONG tag;
} blocks[MOST_BLOCKS];
static bool used[RAM_PAGES];
static unsigned next_page, live, asked, fails_at, mapped[ALL_PAGES];

/* Neighbours change places, so that what is contiguous for a driver is not in the machine. */
static uint64_t frame_of_page(unsigned page)
{
    if (page < RAM_PAGES)
        return RAM_FRAME + (page ^ 1);
    return page < SPECIAL_AT ? NT_WINDOW_FRAME + page - WINDOW_AT : NT_SPECIAL_FRAME + page - SPECIAL_AT;
}

static bool page_of_frame(uint64_t frame, unsigned *page)
{
    if (frame >= RAM_FRAME && frame < RAM_FRAME + RAM_PAGES)
        *page = (unsigned)(frame - RAM_FRAME) ^ 1;
    else if (frame >= NT_WINDOW_FRAME && frame < NT_WINDOW_FRAME + NT_WINDOW_PAGES)
        *page = (unsigned)(frame - NT_WINDOW_FRAME) + WINDOW_AT;
    else if (frame >= NT_SPECIAL_FRAME && frame < NT_SPECIAL_FRAME + NT_SPECIAL_PAGES)
        *page = (unsigned)(frame - NT_SPECIAL_FRAME) + SPECIAL_AT;
    else
        return false;
    return true;
}

void *nt_frame(uint64_t frame)
{
    unsigned page;

    return page_of_frame(frame, &page) ? other_side + (size_t)page * NT_PAGE : NULL;
}

static void protect(unsigned page, unsigned pages, int protection)
{
    if (mprotect(view + (size_t)page * NT_PAGE, (size_t)pages * NT_PAGE, protection))
        nt_bug("mprotect of page %u failed", page);
}

void nt_memory_boot(void)
{
    int file = memfd_create("nt", MFD_CLOEXEC);
    size_t size = (size_t)ALL_PAGES * NT_PAGE;

    if (file < 0 || ftruncate(file, (off_t)size))
        nt_bug("no memory for the machine");
    view = mmap(NULL, size, PROT_NONE, MAP_SHARED, file, 0);
    other_side = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (view == MAP_FAILED || other_side == MAP_FAILED)
        nt_bug("no memory for the machine");
    memset(blocks, 0, sizeof(blocks));
    memset(used, 0, sizeof(used));
    memset(mapped, 0, sizeof(mapped));
    next_page = live = asked = fails_at = 0;
}

void nt_memory_shutdown(void)
{
    for (unsigned page = 0; page < RAM_PAGES; page++)
        if (blocks[page].pages)
            nt_bug("leak: %zu bytes of pool, tag %.4s", blocks[page].size, (const char *)&blocks[page].tag);
    for (unsigned page = WINDOW_AT; page < ALL_PAGES; page++)
        if (mapped[page])
            nt_bug("leak: frame %#llx is still mapped", (unsigned long long)frame_of_page(page));
    munmap(view, (size_t)ALL_PAGES * NT_PAGE);
    munmap(other_side, (size_t)ALL_PAGES * NT_PAGE);
}

/* The first run of so many free pages at or behind the hand; ALL_PAGES: none. With the lock. */
static unsigned find_run(unsigned pages)
{
    for (unsigned tried = 0, run = 0, page = next_page; tried < 2 * RAM_PAGES; tried++, page++) {
        if (page >= RAM_PAGES)
            page = run = 0;
        run = used[page] ? 0 : run + 1;
        if (run == pages)
            return page + 1 - pages;
    }
    return ALL_PAGES;
}

static unsigned take_run(unsigned pages)
{
    unsigned page = find_run(pages);

    if (page == ALL_PAGES)
        nt_bug("the machine's memory is used up");
    memset(used + page, 1, pages);
    next_page = page + pages;
    return page;
}

void *nt_image_pages(size_t size)
{
    unsigned pages = (unsigned)(size / NT_PAGE), page;

    pthread_mutex_lock(&lock);
    page = take_run(pages);
    pthread_mutex_unlock(&lock);
    protect(page, pages, PROT_READ | PROT_WRITE);
    memset(view + (size_t)page * NT_PAGE, 0, size);
    return view + (size_t)page * NT_PAGE;
}

void nt_image_free(void *pages, size_t size)
{
    unsigned page = (unsigned)((size_t)((unsigned char *)pages - view) / NT_PAGE);

    protect(page, (unsigned)(size / NT_PAGE), PROT_NONE);
    pthread_mutex_lock(&lock);
    memset(used + page, 0, size / NT_PAGE);
    pthread_mutex_unlock(&lock);
}

void *nt_allocate(size_t size, ULONG tag)
{
    size_t room = size < NT_PAGE ? (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : size;
    unsigned pages = (unsigned)((room + NT_PAGE - 1) / NT_PAGE) + 1, page;
    unsigned char *start, *block;

    pthread_mutex_lock(&lock);
    page = take_run(pages);
    blocks[page] = (struct block){pages, size, tag};
    live++;
    protect(page, pages - 1, PROT_READ | PROT_WRITE);
    start = view + (size_t)page * NT_PAGE;
    memset(start, SLACK, (size_t)(pages - 1) * NT_PAGE);
    block = size < NT_PAGE ? start + NT_PAGE - room : start; /* pool of a page and more begins with one */
    memset(block, FRESH, size);
    pthread_mutex_unlock(&lock);
    return block;
}

static struct block *block_of(void *memory, unsigned *page)
{
    *page = (unsigned)((size_t)((unsigned char *)memory - view) / NT_PAGE);
    if (*page >= RAM_PAGES || !blocks[*page].pages)
        nt_bug("%p is freed and is no block of pool, or none any more", memory);
    return &blocks[*page];
}

static void free_block(void *memory, ULONG tag)
{
    unsigned page;
    struct block *block;
    unsigned char *start, *end;

    pthread_mutex_lock(&lock);
    block = block_of(memory, &page);
    start = view + (size_t)page * NT_PAGE;
    end = start + (size_t)(block->pages - 1) * NT_PAGE;
    if (tag && tag != block->tag)
        nt_bug("a block of pool with the tag %.4s is freed as %.4s", (const char *)&block->tag, (const char *)&tag);
    for (unsigned char *byte = start; byte < end; byte++)
        if ((byte < (unsigned char *)memory || byte >= (unsigned char *)memory + block->size) && *byte != SLACK)
            nt_bug("a block of %zu bytes, tag %.4s, was written outside", block->size, (const char *)&block->tag);
    protect(page, block->pages - 1, PROT_NONE);
    memset(used + page, 0, block->pages);
    memset(block, 0, sizeof(*block));
    live--;
    pthread_mutex_unlock(&lock);
}

void nt_free(void *memory)
{
    free_block(memory, 0);
}

bool nt_allocation_fails(void)
{
    return __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST) == fails_at;
}

void nt_fail_allocation(unsigned number)
{
    __atomic_store_n(&asked, 0, __ATOMIC_SEQ_CST);
    fails_at = number;
}

unsigned nt_allocations(void)
{
    return asked;
}

unsigned nt_live_blocks(void)
{
    return live;
}

PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE type, SIZE_T size, ULONG tag)
{
    if (!size)
        nt_bug("an allocation of no bytes");
    if (type == PagedPool && nt_irql() > APC_LEVEL)
        nt_bug("paged pool is asked for at IRQL %u", nt_irql());
    return nt_allocation_fails() ? NULL : nt_allocate(size, tag);
}

VOID NTAPI ExFreePoolWithTag(PVOID memory, ULONG tag)
{
    free_block(memory, tag);
}

PHYSICAL_ADDRESS NTAPI MmGetPhysicalAddress(PVOID address)
{
    size_t offset = (size_t)((unsigned char *)address - view);
    PHYSICAL_ADDRESS physical = {.QuadPart = 0};

    if (offset >= (size_t)ALL_PAGES * NT_PAGE)
        nt_bug("the physical address of %p is asked for, which is none of the machine's memory", address);
    physical.QuadPart = (LONGLONG)(frame_of_page((unsigned)(offset / NT_PAGE)) * NT_PAGE + offset % NT_PAGE);
    return physical;
}

VOID NTAPI MmBuildMdlForNonPagedPool(PMDL mdl)
{
    unsigned char *bytes = (unsigned char *)mdl->StartVa + mdl->ByteOffset;
    PFN_NUMBER *frames = (PFN_NUMBER *)(mdl + 1);
    unsigned pages = (unsigned)ADDRESS_AND_SIZE_TO_SPAN_PAGES(bytes, mdl->ByteCount);

    if (mdl->MdlFlags || mdl->Size != (CSHORT)(sizeof(*mdl) + pages * sizeof(*frames)))
        nt_bug("an MDL of %u bytes is built that is not initialized", (unsigned)mdl->ByteCount);
    for (unsigned i = 0; i < pages; i++)
        frames[i] = (PFN_NUMBER)(MmGetPhysicalAddress((unsigned char *)mdl->StartVa + i * NT_PAGE).QuadPart / NT_PAGE);
    mdl->MdlFlags = MDL_SOURCE_IS_NONPAGED_POOL;
    mdl->MappedSystemVa = bytes;
}

/* Of MDLs of a test's: all memory is mapped already. */
PVOID NTAPI MmMapLockedPagesSpecifyCache(PMDL mdl, KPROCESSOR_MODE mode, MEMORY_CACHING_TYPE type, PVOID wanted,
                                         ULONG stop, ULONG priority)
{
    UNREFERENCED_PARAMETER(priority);
    if (mode != KernelMode || type != MmCached || wanted || stop)
        nt_bug("an MDL is mapped as no driver of ours does");
    if (mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL))
        nt_bug("an MDL is mapped that is mapped");
    if (nt_allocation_fails())
        return NULL;
    mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
    mdl->MappedSystemVa = (unsigned char *)mdl->StartVa + mdl->ByteOffset;
    return mdl->MappedSystemVa;
}

PVOID NTAPI MmMapIoSpace(PHYSICAL_ADDRESS address, SIZE_T size, MEMORY_CACHING_TYPE type)
{
    unsigned page, pages = (unsigned)((size + NT_PAGE - 1) / NT_PAGE);

    UNREFERENCED_PARAMETER(type);
    if (!page_of_frame((uint64_t)address.QuadPart / NT_PAGE, &page) || page < WINDOW_AT || page + pages > ALL_PAGES)
        nt_bug("MmMapIoSpace of %#llx, which is no device's", (unsigned long long)address.QuadPart);
    if (nt_allocation_fails())
        return NULL;
    pthread_mutex_lock(&lock);
    for (unsigned i = page; i < page + pages; i++)
        mapped[i]++;
    protect(page, pages, PROT_READ | PROT_WRITE);
    pthread_mutex_unlock(&lock);
    return view + (size_t)page * NT_PAGE + (size_t)address.QuadPart % NT_PAGE;
}

VOID NTAPI MmUnmapIoSpace(PVOID address, SIZE_T size)
{
    unsigned page = (unsigned)((size_t)((unsigned char *)address - view) / NT_PAGE);

    pthread_mutex_lock(&lock);
    for (unsigned i = page; i < page + (size + NT_PAGE - 1) / NT_PAGE; i++) {
        if (i < WINDOW_AT || i >= ALL_PAGES || !mapped[i])
            nt_bug("MmUnmapIoSpace of %p, which is not mapped", address);
        if (!--mapped[i])
            protect(i, 1, PROT_NONE);
    }
    pthread_mutex_unlock(&lock);
}
