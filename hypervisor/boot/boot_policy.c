/*
 * The policy that the loader brings: a compiled table as a module behind the kernel, known by how it begins. One that
 * cannot be used stops the machine: guests that were meant to be held apart shall not run as if nobody had said so.
 */
#include <hv/boot.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/page.h>
#include <hv/page_alloc.h>
#include <hv/policy.h>
#include <hv/lib.h>
#include "../../policies/table.h"

bool is_policy_module(const struct boot_module *m)
{
    return m->end - m->start >= sizeof(uint64_t) && *(const uint64_t *)paddr_to_virt(m->start) == POLICY_FILE_MAGIC;
}

/* Returns NULL, or what is wrong. */
static const char *load(const struct boot_module *m)
{
    size_t bytes = m->end - m->start;
    unsigned order = 0;
    if (bytes > POLICY_MAX_FILE)
        return policy_load_text(POLICY_WRONG_SIZE);
    while ((PAGE_SIZE << order) < bytes)
        order++;
    void *copy = alloc_zeroed_pages(order);
    if (!copy)
        return "too large for what memory there is";
    memcpy(copy, paddr_to_virt(m->start), bytes);
    return policy_load(copy, order, bytes);
}

void boot_policy(void)
{
    for (unsigned i = 1; i < bootinfo.module_count; i++) {
        if (!is_policy_module(&bootinfo.module[i]))
            continue;
        const char *wrong = load(&bootinfo.module[i]);
        if (wrong)
            panic("the policy, module %u, cannot be used: %s. Boot one that can, or take the module2 line out", i + 1,
                  wrong);
        log_info("policy loaded, %lu bytes", bootinfo.module[i].end - bootinfo.module[i].start);
    }
}
