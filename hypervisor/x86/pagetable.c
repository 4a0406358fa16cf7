/*
 * The hypervisor's own address space: direct map, frame table, machine-to-pfn table, image, small mappings.
 * Everything lies in root slots 256-271, whose next-level tables all exist before the first guest, so that a change
 * below them is at once part of every address space.
 */
#include <hv/boot.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/page_alloc.h>
#include <hv/pagetable.h>
#include <hv/percpu.h>
#include <hv/xen.h>

#define PAGE_2M     (2 * MiB)
#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)
#define DATA_FLAGS  (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_NX | PTE_GLOBAL)

static pte_t idle_root_table[PTES_PER_TABLE] __aligned(4096) __attribute__((section(".bss.page_aligned")));
pte_t *idle_root = idle_root_table;
mfn_t max_mfn;

static paddr_t m2p_start;
static size_t m2p_bytes;
static bool direct_map_ready, allocator_ready;
static unsigned long ioremap_next = IOREMAP_VA;

/* Before the direct map exists the loader's one-to-one map of the first 4 GiB serves. */
static void *table_virt(paddr_t pa)
{
    if (direct_map_ready)
        return paddr_to_virt(pa);
    return (void *)pa;
}

/* RAM we may take during boot: not the image, not the modules, not the first MiB. */
static bool range_is_taken(paddr_t start, paddr_t end, paddr_t *skip_to)
{
    paddr_t image = image_physical_base, image_stop = image + (paddr_t)(image_end - image_start);
    if (start < image_stop && end > image) {
        *skip_to = image_stop;
        return true;
    }
    for (unsigned i = 0; i < bootinfo.module_count; i++) {
        if (start < bootinfo.module[i].end && end > bootinfo.module[i].start) {
            *skip_to = bootinfo.module[i].end;
            return true;
        }
    }
    return false;
}

#define BOOT_RANGES 16
static struct {
    paddr_t start, end;
} boot_taken[BOOT_RANGES];
static unsigned boot_taken_count;

bool boot_frame_taken(paddr_t pa, paddr_t *skip_to)
{
    if (pa < MiB) {
        *skip_to = MiB;
        return true;
    }
    for (unsigned i = 0; i < boot_taken_count; i++) {
        if (pa >= boot_taken[i].start && pa < boot_taken[i].end) {
            *skip_to = boot_taken[i].end;
            return true;
        }
    }
    return range_is_taken(pa, pa + PAGE_SIZE, skip_to);
}

/* Finds `bytes` of free RAM below 4 GiB (reachable before the direct map), lowest first, above
 * what was taken before. */
static paddr_t boot_find(size_t bytes, size_t align)
{
    for (unsigned i = 0; i < bootinfo.memory_count; i++) {
        const struct memory_range *r = &bootinfo.memory[i];
        paddr_t at = ROUND_UP(max(r->start, (paddr_t)MiB), align);
        while (r->kind == MEMORY_RAM && at + bytes <= min(r->end, (paddr_t)(4 * GiB))) {
            paddr_t skip = 0;
            bool taken = range_is_taken(at, at + bytes, &skip);
            for (unsigned t = 0; !taken && t < boot_taken_count; t++) {
                taken = at < boot_taken[t].end && at + bytes > boot_taken[t].start;
                skip = boot_taken[t].end;
            }
            if (!taken)
                return at;
            at = ROUND_UP(skip, align);
        }
    }
    return 0;
}

static void boot_take(paddr_t start, paddr_t end)
{
    if (boot_taken_count && boot_taken[boot_taken_count - 1].end == start) {
        boot_taken[boot_taken_count - 1].end = end;
        return;
    }
    BUG_ON(boot_taken_count == BOOT_RANGES);
    boot_taken[boot_taken_count].start = start;
    boot_taken[boot_taken_count++].end = end;
}

/* Before page_alloc_init: takes from the RAM map, zeroed, never freed. Single pages come from a chunk so that they do
 * not use up the list of taken ranges. */
static paddr_t boot_alloc(size_t bytes, size_t align)
{
    static paddr_t chunk, chunk_end;
    bytes = ROUND_UP(bytes, PAGE_SIZE);
    if (bytes == PAGE_SIZE) {
        if (chunk == chunk_end) {
            chunk = boot_find(MiB, PAGE_SIZE);
            if (!chunk)
                panic("too little memory: no room for page tables below 4 GiB");
            chunk_end = chunk + MiB;
            boot_take(chunk, chunk_end);
        }
        chunk += PAGE_SIZE;
        memset(table_virt(chunk - PAGE_SIZE), 0, PAGE_SIZE);
        return chunk - PAGE_SIZE;
    }
    paddr_t at = boot_find(bytes, align);
    if (!at)
        panic("too little memory: no %lu KiB for the hypervisor's tables below 4 GiB", bytes / KiB);
    boot_take(at, at + bytes);
    memset(table_virt(at), 0, bytes);
    return at;
}

/* 0: no memory. */
static paddr_t new_table(void)
{
    if (!allocator_ready)
        return boot_alloc(PAGE_SIZE, PAGE_SIZE);
    void *table = alloc_zeroed_pages(0);
    return table ? virt_to_paddr(table) : 0;
}

/* Tables are made without a lock, because giving out a frame may flush other CPUs' TLBs, and they only ever come: of
 * two that are made for one entry one stays. */
static bool make_table(pte_t *entry)
{
    pte_t none = 0;
    paddr_t table = new_table();
    if (!table)
        return false;
    if (!__atomic_compare_exchange_n(entry, &none, table | TABLE_FLAGS, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        free_virtual_pages(paddr_to_virt(table), 0);
    return true;
}

/* The entry for va at `level` (1 = 4 KiB); where a table is missing on the way it is made, or NULL is the answer. A
 * large page on the way is a bug. */
static pte_t *find_entry(unsigned long va, unsigned level, bool make)
{
    pte_t *table = idle_root;
    for (unsigned l = 4; l > level; l--) {
        pte_t *e = &table[PTE_INDEX(va, l)];
        if (!(READ_ONCE(*e) & PTE_PRESENT) && !(make && make_table(e)))
            return NULL;
        BUG_ON(*e & PTE_PSE);
        table = table_virt(*e & PTE_ADDRESS);
    }
    return &table[PTE_INDEX(va, level)];
}

static pte_t *entry_at(unsigned long va, unsigned level)
{
    pte_t *entry = find_entry(va, level, true);
    if (!entry)
        panic("no memory for the hypervisor's page tables");
    return entry;
}

int map_tables(unsigned long va, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PAGE_SIZE)
        if (!find_entry(va + at, 1, true))
            return -ENOMEM;
    return 0;
}

void map_page(unsigned long va, mfn_t mfn, uint64_t flags)
{
    pte_t *entry = find_entry(va, 1, false);
    BUG_ON(!entry);
    WRITE_ONCE(*entry, make_pte(mfn, flags));
}

/* Boot: maps a range with the largest pages that fit. */
static void map_range(unsigned long va, paddr_t pa, size_t bytes, uint64_t flags)
{
    while (bytes) {
        if (bytes >= PAGE_2M && !((va | pa) & (PAGE_2M - 1))) {
            *entry_at(va, 2) = pa | flags | PTE_PSE;
            va += PAGE_2M, pa += PAGE_2M, bytes -= PAGE_2M;
        } else {
            *entry_at(va, 1) = pa | flags;
            va += PAGE_SIZE, pa += PAGE_SIZE, bytes -= min(bytes, PAGE_SIZE);
        }
    }
}

static bool is_boot_stack_guard(const char *p)
{
    return p >= boot_cpu_stack && p < boot_cpu_stack + STACK_SIZE && is_stack_guard((unsigned long)p);
}

static void map_image(void)
{
    const struct {
        char *start, *end;
        uint64_t flags;
    } part[] = {
        {text_start, text_end, PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL},
        {rodata_start, rodata_end, PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL | PTE_NX},
        {data_start, bss_end, DATA_FLAGS},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(part); i++)
        for (char *p = part[i].start; p < part[i].end; p += PAGE_SIZE)
            if (!is_boot_stack_guard(p))
                *entry_at((unsigned long)p, 1) = image_to_paddr(p) | part[i].flags;
}

static void map_ram(void)
{
    for (unsigned i = 0; i < bootinfo.memory_count; i++) {
        const struct memory_range *r = &bootinfo.memory[i];
        if (r->kind == MEMORY_RESERVED || r->kind == MEMORY_BAD)
            continue;
        paddr_t start = ROUND_DOWN(r->start, PAGE_SIZE), end = ROUND_UP(r->end, PAGE_SIZE);
        map_range(DIRECTMAP_VA + start, start, end - start, DATA_FLAGS);
        if (r->kind == MEMORY_RAM)
            max_mfn = max(max_mfn, end >> PAGE_SHIFT);
    }
}

/* Frame table and M2P are contiguous tables over all frames up to the last RAM frame, backed by whole 2 MiB pages.
 * Holes in the M2P read as "no pfn". */
static void make_frame_tables(void)
{
    size_t frame_bytes = ROUND_UP(max_mfn * sizeof(struct page), PAGE_2M);
    paddr_t frames = boot_alloc(frame_bytes, PAGE_2M);
    m2p_bytes = ROUND_UP(max_mfn * sizeof(unsigned long), PAGE_2M);
    m2p_start = boot_alloc(m2p_bytes, PAGE_2M);
    map_range(FRAMETABLE_VA, frames, frame_bytes, DATA_FLAGS);
    map_range(M2P_RW_VA, m2p_start, m2p_bytes, DATA_FLAGS);
    /* Not global: it is not in every root table of a guest. */
    map_range(M2P_RO_VA, m2p_start, m2p_bytes, PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_NX);
    memset((void *)m2p_start, 0xff, m2p_bytes);
}

/* Root slots must never change after the first guest root table copied them. */
static void fill_root_slots(void)
{
    for (unsigned slot = FIRST_HYPERVISOR_SLOT; slot <= LAST_HYPERVISOR_SLOT; slot++)
        if (!(idle_root[slot] & PTE_PRESENT))
            idle_root[slot] = new_table() | TABLE_FLAGS;
}

static void classify_frames(void)
{
    for (mfn_t mfn = 0; mfn < max_mfn; mfn++)
        frametable[mfn] = (struct page){.references = PAGE_IO | PAGE_OF(DOMID_IO)};
    for (unsigned i = 0; i < bootinfo.memory_count; i++) {
        const struct memory_range *r = &bootinfo.memory[i];
        if (r->kind != MEMORY_RAM)
            continue;
        for (mfn_t mfn = max(r->start, (paddr_t)MiB) >> PAGE_SHIFT; mfn < r->end >> PAGE_SHIFT; mfn++)
            frametable[mfn] = (struct page){.references = PAGE_OF(DOMID_INVALID), .next = PAGE_NONE, .prev = PAGE_NONE};
    }
    for (mfn_t mfn = m2p_start >> PAGE_SHIFT; mfn < (m2p_start + m2p_bytes) >> PAGE_SHIFT; mfn++)
        /* the toolstack maps it to save guests */
        frametable[mfn] = (struct page){.references = PAGE_XENHEAP | PAGE_OF(DOMID_XEN) | 1};
}

void pagetable_init(void)
{
    map_image();
    map_ram();
    make_frame_tables();
    /* The first 2 MiB one to one, for the other processors' way into long mode (boot/smp.c). */
    map_range(0, 0, PAGE_2M, PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY);
    fill_root_slots();
    cpus[0].root_table = image_to_paddr(idle_root_table);
    cpus[0].current_cr3 = cpus[0].root_table;
    write_cr3(cpus[0].root_table);
    direct_map_ready = true;
    classify_frames();
}

bool mfn_is_ram(mfn_t mfn)
{
    return mfn < max_mfn && !(frametable[mfn].references & PAGE_IO);
}

void m2p_set(mfn_t mfn, unsigned long pfn)
{
    if (mfn < max_mfn)
        WRITE_ONCE(((unsigned long *)M2P_RW_VA)[mfn], pfn);
}

unsigned long m2p_get(mfn_t mfn)
{
    return mfn < max_mfn ? READ_ONCE(((unsigned long *)M2P_RW_VA)[mfn]) : M2P_INVALID;
}

mfn_t m2p_extent_mfn(unsigned long index)
{
    return index * PAGE_2M < m2p_bytes ? (m2p_start + index * PAGE_2M) >> PAGE_SHIFT : 0;
}

void *ioremap(paddr_t pa, size_t bytes, uint64_t cache_flags)
{
    paddr_t start = ROUND_DOWN(pa, PAGE_SIZE), end = ROUND_UP(pa + bytes, PAGE_SIZE);
    size_t taken = end - start + PAGE_SIZE; /* one unmapped page between mappings */
    unsigned long va = __atomic_fetch_add(&ioremap_next, taken, __ATOMIC_RELAXED);
    if (va + taken > IOREMAP_END)
        panic("no address space left for device mappings");
    for (paddr_t p = start; p < end; p += PAGE_SIZE)
        *entry_at(va + (p - start), 1) = p | (DATA_FLAGS & ~PTE_GLOBAL) | cache_flags;
    return (void *)(va + (pa - start));
}

void *map_stack(unsigned cpu)
{
    unsigned long base = STACKS_VA + cpu * (unsigned long)STACK_SIZE;
    if (map_tables(base, STACK_SIZE))
        return NULL;
    for (unsigned long va = base; va < base + STACK_SIZE; va += PAGE_SIZE) {
        if (is_stack_guard(va) || *find_entry(va, 1, false) & PTE_PRESENT)
            continue;
        void *page = alloc_zeroed_pages(0);
        if (!page)
            return NULL;
        map_page(va, virt_to_mfn(page), DATA_FLAGS);
    }
    return (void *)base;
}

void pagetable_use_allocator(void)
{
    allocator_ready = true;
}
