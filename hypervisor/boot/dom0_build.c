/*
 * Builds Domain-0 from boot modules, the kernel and the initial RAM disk, as a PV guest.
 * Source: xen.h, "Start-of-day memory layout"; xen/elfnote.h.
 *
 * Pseudo-physical layout, in pages from 0: kernel | RAM disk unless the kernel takes it by pfn | p2m unless the kernel
 * names an address for it | start info | page tables | stack | padding - all mapped one to one from virt_base - then,
 * unmapped there: p2m and its tables (mapped at INIT_P2M), RAM disk, the rest.
 */
#include <hv/abi_internal.h>
#include <hv/boot.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/page_alloc.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/unpack.h>

#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

struct build {
    struct elf_kernel kernel;
    const uint8_t *image;  /* unpacked kernel file */
    struct page *unpacked; /* the frames it was unpacked to, NULL if the module itself is used */
    unsigned unpacked_order;
    const uint8_t *ramdisk;
    size_t ramdisk_bytes;
    struct domain *d;
    unsigned long pages; /* of the domain at start */
    mfn_t *p2m;          /* our copy, pfn -> mfn */
    unsigned p2m_order;
    unsigned long kernel_pages, ramdisk_pages, p2m_pages;
    unsigned long ramdisk_pfn, p2m_pfn, start_info_pfn, table_pfn, stack_pfn, mapped_pages, end_pfn;
    unsigned long tables; /* page tables for the mapped region */
    unsigned long p2m_tables_pfn, p2m_tables;
    unsigned long next_table, table_limit;
};

/* Not our fault and not a guest's: what was given to boot cannot run. One line, then wait for a person. */
static void refuse(const char *format, ...) __printf(1, 2) __noreturn;
static void refuse(const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_error("Cannot start Domain-0: %s", text);
    for (;;)
        irq_enable_and_halt();
}

static void *pfn_to_virt(const struct build *b, unsigned long pfn)
{
    return mfn_to_virt(b->p2m[pfn]);
}

static unsigned order_for(uint64_t bytes)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

/* The first module behind the kernel that is no policy. */
static void find_ramdisk(struct build *b)
{
    for (unsigned i = 1; i < bootinfo.module_count && !b->ramdisk_bytes; i++) {
        const struct boot_module *m = &bootinfo.module[i];
        if (is_policy_module(m))
            continue;
        b->ramdisk = paddr_to_virt(m->start);
        b->ramdisk_bytes = m->end - m->start;
    }
}

static void unpack_kernel(struct build *b)
{
    if (bootinfo.module_count == 0)
        refuse("the boot entry names no kernel; add a module2 line with a Linux kernel after the multiboot2 line");
    const struct boot_module *m = &bootinfo.module[0];
    const uint8_t *payload = paddr_to_virt(m->start);
    size_t bytes = m->end - m->start;
    const char *error = bzimage_payload(payload, bytes, &payload, &bytes);
    uint64_t size = bytes;
    b->image = payload;
    if (!error && packing_name(payload, bytes) && !is_xz(payload, bytes))
        refuse("the kernel is packed with %s, and only xz is unpacked here: unpack it to its vmlinux, and boot that",
               packing_name(payload, bytes));
    if (!error && is_xz(payload, bytes)) {
        error = unxz_size(payload, bytes, &size);
        if (!error) {
            b->unpacked_order = order_for(size);
            b->unpacked = size <= GiB ? alloc_pages(b->unpacked_order, ANY_ADDRESS) : NULL;
            if (!b->unpacked)
                refuse("too little memory to unpack the kernel (%lu MiB)", size / MiB);
            b->image = page_to_virt(b->unpacked);
            error = unxz(payload, bytes, (uint8_t *)b->image, size);
        }
    }
    if (!error)
        error = elf_parse(b->image, size, &b->kernel);
    if (error)
        refuse("the kernel module is damaged or not a kernel: %s", error);
    if (!b->kernel.has_xen_notes || !b->kernel.supports_pv)
        refuse("the kernel module cannot run as a PV guest; use a Linux kernel with CONFIG_XEN_PV");
    find_ramdisk(b);
}

/* The mapped region ends at least 512 KiB after the stack and on a 4 MiB boundary; it holds its own tables. */
static void lay_out(struct build *b)
{
    const struct elf_kernel *k = &b->kernel;
    unsigned long at = DIV_ROUND_UP(k->high - k->virt_base, PAGE_SIZE);
    b->kernel_pages = at;
    b->ramdisk_pages = DIV_ROUND_UP(b->ramdisk_bytes, PAGE_SIZE);
    b->p2m_pages = DIV_ROUND_UP(b->pages * sizeof(mfn_t), PAGE_SIZE);
    if (!k->mod_start_pfn) {
        b->ramdisk_pfn = at;
        at += b->ramdisk_pages;
    }
    if (!k->init_p2m) {
        b->p2m_pfn = at;
        at += b->p2m_pages;
    }
    b->start_info_pfn = at++;
    b->table_pfn = at;
    for (b->tables = 4;; b->tables++) {
        unsigned long end = k->virt_base + (at + b->tables + 1) * PAGE_SIZE + 512 * KiB;
        end = ROUND_UP(end, 4 * MiB);
        unsigned long need = 2;
        for (unsigned level = 1; level <= 2; level++) {
            unsigned shift = PAGE_SHIFT + 9 * level;
            need += ((end - 1) >> shift) - (k->virt_base >> shift) + 1;
        }
        b->mapped_pages = (end - k->virt_base) / PAGE_SIZE;
        if (need <= b->tables)
            break;
    }
    at += b->tables;
    b->stack_pfn = at;
    at = b->mapped_pages;
    if (k->init_p2m) {
        b->p2m_pfn = at;
        at += b->p2m_pages;
        b->p2m_tables_pfn = at;
        b->p2m_tables = 2 + DIV_ROUND_UP(b->p2m_pages, 512) + DIV_ROUND_UP(b->p2m_pages, 512 * 512);
        at += b->p2m_tables;
    }
    if (k->mod_start_pfn) {
        b->ramdisk_pfn = at;
        at += b->ramdisk_pages;
    }
    b->end_pfn = at;
}

static unsigned long choose_size(void)
{
    uint64_t free_pages = free_page_count(), wanted = bootinfo.options.dom0_memory >> PAGE_SHIFT;
    uint64_t reserve = min((uint64_t)(128 * MiB) >> PAGE_SHIFT, free_pages / 8);
    if (!wanted)
        wanted = free_pages - reserve;
    if (wanted > free_pages - reserve)
        log_warning("memory is short: dom0_mem= asks for %lu MiB, only %lu MiB are there for Domain-0", wanted >> 8,
                    (free_pages - reserve) >> 8);
    return min(wanted, free_pages - reserve);
}

static void create_domain(struct build *b)
{
    unsigned vcpus = bootinfo.options.dom0_vcpus;
    struct xen_domctl_createdomain config = {
        .max_vcpus = min(vcpus ? vcpus : cpu_count, (unsigned)MAX_VCPUS),
        .max_evtchn_port = 0x7fffffff,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = 2,
    };
    int err = domain_create(0, &config, true, &dom0);
    for (unsigned id = 0; !err && id < config.max_vcpus; id++)
        err = vcpu_create(dom0, id, NULL);
    if (err)
        refuse("too little memory (%d)", err);
    b->d = dom0;
    uint64_t limit = bootinfo.options.dom0_memory_max >> PAGE_SHIFT;
    b->d->max_pages = max((uint64_t)b->pages, limit ? limit : b->pages) + 256;
}

/* In blocks of 2 MiB where possible, so that the guest's contiguous buffers often are contiguous already. */
static void give_memory(struct build *b)
{
    b->p2m_order = order_for(b->pages * sizeof(mfn_t));
    b->p2m = alloc_zeroed_pages(b->p2m_order);
    if (!b->p2m)
        refuse("too little memory for its page list");
    for (unsigned long pfn = 0; pfn < b->pages;) {
        unsigned order = 9;
        struct page *page = NULL;
        while ((1UL << order) > b->pages - pfn)
            order--;
        while (!(page = domain_alloc_pages(b->d, order, ANY_ADDRESS)) && order > 0)
            order--;
        if (!page)
            refuse("too little memory: %lu of %lu MiB found", pfn >> 8, b->pages >> 8);
        for (unsigned long i = 0; i < 1UL << order; i++, pfn++) {
            b->p2m[pfn] = page_to_mfn(page + i);
            m2p_set(b->p2m[pfn], pfn);
        }
    }
    b->d->max_pages = max(b->d->max_pages - 256, (uint64_t)b->d->pages);
}

static void copy_in(struct build *b, unsigned long pfn, size_t offset, const void *from, size_t bytes)
{
    const uint8_t *p = from;
    pfn += offset / PAGE_SIZE;
    offset %= PAGE_SIZE;
    while (bytes) {
        size_t n = min(bytes, PAGE_SIZE - offset);
        memcpy((char *)pfn_to_virt(b, pfn) + offset, p, n);
        p += n, bytes -= n, pfn++, offset = 0;
    }
}

static void load_images(struct build *b)
{
    for (unsigned i = 0; i < b->kernel.segments; i++)
        copy_in(b, 0, b->kernel.segment[i].virt - b->kernel.virt_base, b->image + b->kernel.segment[i].file_offset,
                b->kernel.segment[i].file_bytes);
    copy_in(b, b->ramdisk_pfn, 0, b->ramdisk, b->ramdisk_bytes);
    copy_in(b, b->p2m_pfn, 0, b->p2m, b->pages * sizeof(mfn_t));
}

static pte_t *table_entry(struct build *b, unsigned long root_pfn, unsigned long va)
{
    unsigned long pfn = root_pfn;
    for (unsigned level = 4; level > 1; level--) {
        pte_t *e = (pte_t *)pfn_to_virt(b, pfn) + PTE_INDEX(va, level);
        if (!*e) {
            BUG_ON(b->next_table == b->table_limit);
            *e = make_pte(b->p2m[b->next_table++], TABLE_FLAGS);
        }
        pfn = m2p_get(pte_mfn(*e));
    }
    return (pte_t *)pfn_to_virt(b, pfn) + PTE_INDEX(va, 1);
}

static bool is_table_pfn(const struct build *b, unsigned long pfn)
{
    return pfn >= b->table_pfn && pfn < b->table_pfn + b->tables;
}

static void make_tables(struct build *b)
{
    b->next_table = b->table_pfn + 1;
    b->table_limit = b->table_pfn + b->tables;
    for (unsigned long pfn = 0; pfn < b->mapped_pages; pfn++) {
        uint64_t flags = TABLE_FLAGS & ~(is_table_pfn(b, pfn) ? PTE_WRITE : 0);
        *table_entry(b, b->table_pfn, b->kernel.virt_base + pfn * PAGE_SIZE) = make_pte(b->p2m[pfn], flags);
    }
    if (!b->kernel.init_p2m)
        return;
    b->next_table = b->p2m_tables_pfn;
    b->table_limit = b->p2m_tables_pfn + b->p2m_tables;
    for (unsigned long i = 0; i < b->p2m_pages; i++)
        *table_entry(b, b->table_pfn, b->kernel.init_p2m + i * PAGE_SIZE) =
            make_pte(b->p2m[b->p2m_pfn + i], TABLE_FLAGS);
}

static void fill_screen_info(struct dom0_vga_console_info *to)
{
    const struct boot_framebuffer *f = &bootinfo.framebuffer;
    if (!f->present || f->text) {
        to->video_type = XEN_VGATYPE_TEXT_MODE_3;
        to->u.text_mode_3.font_height = 16;
        to->u.text_mode_3.rows = 25;
        to->u.text_mode_3.columns = 80;
        to->u.text_mode_3.cursor_y = 24;
        return;
    }
    to->video_type = bootinfo.efi ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
    to->u.vesa_lfb.width = (uint16_t)f->width;
    to->u.vesa_lfb.height = (uint16_t)f->height;
    to->u.vesa_lfb.bytes_per_line = (uint16_t)f->pitch;
    to->u.vesa_lfb.bits_per_pixel = f->bits_per_pixel;
    to->u.vesa_lfb.lfb_base = (uint32_t)f->address;
    to->u.vesa_lfb.ext_lfb_base = (uint32_t)(f->address >> 32);
    to->u.vesa_lfb.lfb_size = (uint32_t)DIV_ROUND_UP((uint64_t)f->pitch * f->height, 64 * KiB);
    to->u.vesa_lfb.red_pos = f->red_position;
    to->u.vesa_lfb.red_size = f->red_size;
    to->u.vesa_lfb.green_pos = f->green_position;
    to->u.vesa_lfb.green_size = f->green_size;
    to->u.vesa_lfb.blue_pos = f->blue_position;
    to->u.vesa_lfb.blue_size = f->blue_size;
}

static void fill_start_info(struct build *b)
{
    struct start_info *si = pfn_to_virt(b, b->start_info_pfn);
    const struct elf_kernel *k = &b->kernel;
    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64p");
    si->nr_pages = b->pages;
    si->shared_info = virt_to_paddr(b->d->shared_info);
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN | (k->mod_start_pfn ? SIF_MOD_START_PFN : 0);
    si->pt_base = k->virt_base + b->table_pfn * PAGE_SIZE;
    si->nr_pt_frames = b->tables;
    si->mfn_list = k->init_p2m ? k->init_p2m : k->virt_base + b->p2m_pfn * PAGE_SIZE;
    if (k->init_p2m) {
        si->first_p2m_pfn = b->p2m_pfn;
        si->nr_p2m_frames = b->p2m_pages + b->p2m_tables;
    }
    if (b->ramdisk_bytes) {
        si->mod_start = k->mod_start_pfn ? b->ramdisk_pfn : k->virt_base + b->ramdisk_pfn * PAGE_SIZE;
        si->mod_len = b->ramdisk_bytes;
    }
    strlcpy((char *)si->cmd_line, bootinfo.module[0].cmdline, sizeof(si->cmd_line));
    si->console.dom0.info_off = sizeof(*si);
    si->console.dom0.info_size = sizeof(struct dom0_vga_console_info);
    fill_screen_info((void *)(si + 1));
}

static void start_vcpu(struct build *b)
{
    struct vcpu *v = b->d->vcpu[0];
    const struct elf_kernel *k = &b->kernel;
    int err;
    do
        err = pv_pin_table(b->d, b->p2m[b->table_pfn], 4); /* the guest unpins it when it has tables of its own */
    while (err == -ERESTART);
    if (!err)
        err = pv_set_root(v, b->p2m[b->table_pfn]);
    if (err)
        panic("Domain-0's first page tables do not pass the checks (%d)", err);
    v->regs = (struct cpu_user_regs){
        .rip = k->entry,
        .rsp = k->virt_base + (b->stack_pfn + 1) * PAGE_SIZE,
        .rsi = k->virt_base + b->start_info_pfn * PAGE_SIZE,
        .cs = GUEST_CS64,
        .ss = GUEST_DS,
        .rflags = X86_EFLAGS_IF | 2,
    };
    v->initialised = true;
    v->offline = false;
}

/* What was only needed to get here: the unpacked kernel and the modules themselves. */
static void free_boot_memory(struct build *b)
{
    if (b->unpacked)
        free_pages(b->unpacked, b->unpacked_order);
    for (unsigned i = 0; i < bootinfo.module_count; i++)
        page_alloc_add(ROUND_UP(bootinfo.module[i].start, PAGE_SIZE), ROUND_DOWN(bootinfo.module[i].end, PAGE_SIZE));
    bootinfo.module_count = 0;
}

void dom0_build(void)
{
    static struct build build;
    struct build *b = &build;
    unpack_kernel(b);
    b->pages = choose_size();
    lay_out(b);
    if (b->end_pfn + 1024 > b->pages)
        refuse("too little memory: kernel and RAM disk need %lu MiB, Domain-0 has %lu MiB; raise dom0_mem=",
               (b->end_pfn >> 8) + 4, b->pages >> 8);
    create_domain(b);
    give_memory(b);
    load_images(b);
    make_tables(b);
    fill_start_info(b);
    start_vcpu(b);
    log_info("Domain-0: %lu MiB, %u vcpus, kernel entry %#lx, %lu KiB RAM disk", b->pages >> 8, b->d->max_vcpus,
             b->kernel.entry, b->ramdisk_bytes / KiB);
    free_virtual_pages(b->p2m, b->p2m_order);
    free_boot_memory(b);
}
