/*
 * The policy that the loader brings: which module it is, and what is done when it cannot be used.
 */
#include "../../check.h"
#include <hv/boot.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/page.h>
#include <hv/page_alloc.h>
#include <hv/policy.h>
#include <setjmp.h>
#include <string.h>
#include "../../../../policies/table.h"

static unsigned loads;
static size_t loaded_bytes;
static const char *answer;
static jmp_buf stopped;

const char *policy_load(void *table, unsigned order, size_t size)
{
    CHECK(*(uint64_t *)table == POLICY_FILE_MAGIC && (PAGE_SIZE << order) >= size);
    loads++;
    loaded_bytes = size;
    free(table);
    return answer;
}

void *alloc_zeroed_pages(unsigned order)
{
    return calloc(1, PAGE_SIZE << order);
}

void panic(const char *format, ...)
{
    longjmp(stopped, 1);
}

/* Module `number` at that frame: a policy, or something else. */
static void module_at(unsigned number, mfn_t frame, size_t bytes, bool is_policy)
{
    paddr_t start = frame << PAGE_SHIFT;
    *(uint64_t *)paddr_to_virt(start) = is_policy ? POLICY_FILE_MAGIC : 0x070701;
    bootinfo.module[number].start = start;
    bootinfo.module[number].end = start + bytes;
    bootinfo.module_count = number + 1;
}

static bool stops(void)
{
    loads = 0;
    if (setjmp(stopped))
        return true;
    boot_policy();
    return false;
}

int main(void)
{
    module_at(0, 0, 4096, true); /* a kernel is a kernel, however it begins */
    CHECK(!stops() && loads == 0);
    module_at(1, 1, 4096, false);
    CHECK(!stops() && loads == 0);
    module_at(2, 2, 5000, true);
    CHECK(!stops() && loads == 1 && loaded_bytes == 5000);
    CHECK(!is_policy_module(&bootinfo.module[1]) && is_policy_module(&bootinfo.module[2]));
    module_at(1, 1, 4096, true); /* before the RAM disk */
    module_at(2, 2, 5000, false);
    CHECK(!stops() && loads == 1 && loaded_bytes == 4096);
    module_at(1, 1, 7, true); /* too short to say what it is */
    module_at(2, 2, 5000, false);
    CHECK(!stops() && loads == 0);
    module_at(1, 1, 4096, true);
    answer = "damaged";
    CHECK(stops() && loads == 1);
    answer = NULL;
    module_at(1, 1, POLICY_MAX_FILE + 1, true);
    CHECK(stops() && loads == 0);
    return 0;
}
