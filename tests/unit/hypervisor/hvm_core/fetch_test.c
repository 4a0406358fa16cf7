/*
 * hvm/fetch.c: where an instruction is found, what is remembered of the way there, and when that no longer holds.
 */
#include <hv/guest_copy.h>
#include <hv/p2m.h>
#include "machine.h"

#define TABLES 0x1000UL /* four pages, from the top table on */
#define CODE   5UL      /* frame */
#define RIP    0x123456789000UL

static unsigned lookups, walks;

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
{
    CHECK(!interrupts_on); /* what is found must stay while it is used */
    lookups++;
    *type = gfn < FAKE_FRAMES ? P2M_RAM : P2M_HOLE;
    return gfn < FAKE_FRAMES ? gfn : INVALID_MFN;
}
int hvm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, unsigned access, uint32_t *fault,
                    uint64_t *gpa)
{
    CHECK(interrupts_on && access == WALK_FETCH && bytes <= PAGE_SIZE - (linear & ~PAGE_MASK));
    walks++;
    if (linear >> PAGE_SHIFT != RIP >> PAGE_SHIFT)
        return -EFAULT;
    memcpy(buffer, fake_ram[CODE] + (linear & ~PAGE_MASK), bytes);
    return 0;
}
unsigned instruction_length(const uint8_t *bytes, unsigned count, unsigned code_bytes)
{
    return bytes[0] == 0x90 && count ? 1 : 0;
}

static pte_t *entry(unsigned level)
{
    return (pte_t *)fake_ram[1 + 4 - level] + PTE_INDEX(RIP, level);
}

static void start(void)
{
    static uint64_t code_page[HVM_CODE_PAGE_BYTES / 8];
    machine_reset();
    memset(code_page, 0, sizeof(code_page));
    memset(fake_ram, 0, FAKE_FRAMES * PAGE_SIZE);
    hvm_vcpu.code_page = (struct code_page *)code_page;
    hvm_vcpu.efer = EFER_LMA;
    hvm_vcpu.cr3 = TABLES;
    segment[SEG_CS].attributes = SEG_ATTR_L;
    for (unsigned level = 4; level > 1; level--)
        *entry(level) = (TABLES + ((5 - level) << PAGE_SHIFT)) | PTE_PRESENT;
    *entry(1) = CODE << PAGE_SHIFT | PTE_PRESENT;
    memcpy(fake_ram[CODE], "\x0f\xa2\x90", 3);
    interrupts_on = true;
    lookups = walks = 0;
}

static unsigned length_at(uint64_t rip)
{
    fake_regs.rip = rip;
    unsigned length = hvm_instruction_length(&vcpu, &fake_regs);
    CHECK(interrupts_on);
    return length;
}

static void remembering(void)
{
    start();
    CHECK(length_at(RIP) == 2 && lookups == 5 && !walks);
    CHECK(length_at(RIP + 2) == 1 && lookups == 5);
    *entry(1) |= PTE_ACCESSED | PTE_DIRTY;
    CHECK(length_at(RIP) == 2 && lookups == 5);
    *entry(1) = 6UL << PAGE_SHIFT | PTE_PRESENT; /* the guest puts other code there */
    fake_ram[6][0] = 0xf4;
    CHECK(length_at(RIP) == 1 && lookups == 10);
    vcpu.domain->hvm->tlb_generation++; /* the p2m has changed */
    CHECK(length_at(RIP) == 1 && lookups == 15);
    *entry(1) = 0;
    CHECK(length_at(RIP + 2) == 1 && walks == 1); /* the other way: hvm_copy_linear */
}

static void other_ways(void)
{
    start();
    hvm_vcpu.cr4 = X86_CR4_LA57;
    CHECK(length_at(RIP + 2) == 1 && !lookups && walks == 1);
    start();
    fake_ram[CODE][PAGE_SIZE - 1] = 0x90; /* the next page is not there */
    CHECK(length_at(RIP + PAGE_SIZE - 1) == 1 && !lookups && walks == 2);
    CHECK(length_at(RIP + PAGE_SIZE) == 0);
}

int main(void)
{
    remembering();
    other_ways();
    return 0;
}
