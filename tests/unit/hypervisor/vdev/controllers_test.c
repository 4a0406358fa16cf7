/* IO-APIC, PICs, the lines that lead to them, and event channel upcalls. */
#include "rig.h"

#define V(n)   (rig_domain.vcpu[n])
#define LAPIC  0xfee00000ULL
#define IOAPIC 0xfec00000ULL

static void start(unsigned vcpus, uint32_t emulation)
{
    rig_start(vcpus, emulation);
    for (unsigned i = 0; i < vcpus; i++)
        write32(i, LAPIC + APIC_SPURIOUS, 0x1ff);
}

static uint32_t ioapic_read(unsigned index)
{
    write32(0, IOAPIC, index);
    return read32(0, IOAPIC + 0x10);
}

static void ioapic_write(unsigned index, uint32_t value)
{
    write32(0, IOAPIC, index);
    write32(0, IOAPIC + 0x10, value);
}

static void route(unsigned pin, uint32_t low, unsigned destination)
{
    ioapic_write(0x11 + 2 * pin, destination << 24);
    ioapic_write(0x10 + 2 * pin, low);
}

static void eoi(unsigned vcpu)
{
    write32(vcpu, LAPIC + APIC_EOI, 0);
}

#define LEVEL 0x8000
#define MASK  0x10000
#define IRR   0x4000

static void test_ioapic_registers(void)
{
    start(1, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    CHECK_EQUAL(0x2f0011, ioapic_read(1));
    CHECK_EQUAL(MASK, ioapic_read(0x10));
    CHECK_EQUAL(0, ioapic_read(0x10 + 95));
    CHECK_EQUAL(0, ioapic_read(0x10 + 96));
    ioapic_write(0, 0x5f000000);
    CHECK_EQUAL(0x0f000000, ioapic_read(0));
    route(3, 0xffffffff, 0x12);
    CHECK_EQUAL(0x1ffff & ~0x5000, ioapic_read(0x16)); /* status and remote IRR are not written */
    CHECK_EQUAL(0x12000000, ioapic_read(0x17));
    ioapic_write(0x70, 0x1234); /* beyond the table */
    rig_stop();
}

static void test_edges(void)
{
    start(1, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    route(4, 0x44, 0);
    hvm_isa_irq(&rig_domain, 4, true);
    hvm_isa_irq(&rig_domain, 4, true);
    CHECK_EQUAL(0x44, take(0));
    eoi(0);
    CHECK_EQUAL(-1, take(0));
    hvm_isa_irq(&rig_domain, 4, false);
    hvm_isa_irq(&rig_domain, 4, true);
    CHECK_EQUAL(0x44, take(0));
    eoi(0);
    hvm_isa_irq(&rig_domain, 4, false);
    route(4, MASK | 0x44, 0);
    hvm_isa_irq(&rig_domain, 4, true); /* masked: lost */
    route(4, 0x44, 0);
    CHECK_EQUAL(-1, take(0));
    route(2, 0x42, 0); /* IRQ 0 */
    hvm_isa_irq(&rig_domain, 0, true);
    CHECK_EQUAL(0x42, take(0));
    eoi(0);
    hvm_isa_irq(&rig_domain, 16, true); /* no such line */
    hvm_pci_intx(&rig_domain, 32, 0, true);
    CHECK_EQUAL(-1, take(0));
    rig_stop();
}

static void test_levels(void)
{
    start(1, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    route(28, LEVEL | 0x61, 0); /* device 3, INTA: 16 + 12 */
    hvm_pci_intx(&rig_domain, 3, 0, true);
    CHECK_EQUAL(LEVEL | IRR | 0x61, ioapic_read(0x10 + 56));
    CHECK_EQUAL(0x61, take(0));
    CHECK_EQUAL(-1, take(0));
    eoi(0); /* still high: again */
    CHECK_EQUAL(0x61, take(0));
    hvm_pci_intx(&rig_domain, 3, 0, false);
    eoi(0);
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(LEVEL | 0x61, ioapic_read(0x10 + 56));
    /* Two sources of one line: device 3 INTA, and GSI 28 as such. */
    hvm_pci_intx(&rig_domain, 3, 0, true);
    hvm_chip_line(&rig_domain, 28, true);
    CHECK_EQUAL(0x61, take(0));
    hvm_pci_intx(&rig_domain, 3, 0, false);
    eoi(0);
    CHECK_EQUAL(0x61, take(0));
    hvm_chip_line(&rig_domain, 28, false);
    eoi(0);
    CHECK_EQUAL(-1, take(0));
    route(28, LEVEL | MASK | 0x61, 0);
    hvm_chip_line(&rig_domain, 28, true);
    CHECK_EQUAL(-1, take(0));
    route(28, LEVEL | 0x61, 0); /* unmasked while high */
    CHECK_EQUAL(0x61, take(0));
    route(28, 0x61, 0); /* edge: forgets what it waits for, as Linux relies on */
    CHECK_EQUAL(0x61, ioapic_read(0x10 + 56));
    route(28, LEVEL | 0x61, 0);
    CHECK_EQUAL(LEVEL | IRR | 0x61, ioapic_read(0x10 + 56));
    rig_stop();
}

static void test_links(void)
{
    start(1, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    CHECK_EQUAL(-EINVAL, hvm_set_pci_link(&rig_domain, 4, 5));
    CHECK_EQUAL(-EINVAL, hvm_set_pci_link(&rig_domain, 0, 16));
    CHECK_EQUAL(0, hvm_set_pci_link(&rig_domain, 3, 11));
    route(11, LEVEL | 0x71, 0);
    route(10, LEVEL | 0x72, 0);
    hvm_pci_intx(&rig_domain, 2, 1, true); /* link (2 + 1) & 3 */
    hvm_pci_intx(&rig_domain, 3, 0, true); /* the same */
    CHECK_EQUAL(0x71, take(0));
    hvm_pci_intx(&rig_domain, 3, 0, false);
    eoi(0);
    CHECK_EQUAL(0x71, take(0));                           /* the other holds it */
    CHECK_EQUAL(0, hvm_set_pci_link(&rig_domain, 3, 10)); /* moves while high */
    eoi(0);
    CHECK_EQUAL(0x72, take(0));
    hvm_pci_intx(&rig_domain, 2, 1, false);
    eoi(0);
    CHECK_EQUAL(-1, take(0));
    rig_stop();
}

/* A line that the guest has bound to an event channel says nothing to the controllers. */
static void test_pirqs(void)
{
    start(1, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    route(28, LEVEL | 0x61, 0);
    rig_pirq_bound = 1ULL << 28;
    hvm_pci_intx(&rig_domain, 3, 0, true);
    CHECK_EQUAL(1ULL << 28, rig_pirq_events);
    CHECK_EQUAL(-1, take(0));
    hvm_pci_intx(&rig_domain, 3, 0, false);
    rig_pirq_bound = 0;
    hvm_pci_intx(&rig_domain, 3, 0, true);
    CHECK_EQUAL(0x61, take(0));
    CHECK_EQUAL(0, hvm_msi(&rig_domain, 0x1fee00000, 0));
    CHECK_EQUAL(-EINVAL, hvm_msi(&rig_domain, 0xfee00000, 0));
    rig_stop();
}

/* ---- PIC ---- */

static void pic_setup(void)
{
    outb_(0x20, 0x11);
    outb_(0xa0, 0x11);
    outb_(0x21, 0x30);
    outb_(0xa1, 0x38);
    outb_(0x21, 4);
    outb_(0xa1, 2);
    outb_(0x21, 1);
    outb_(0xa1, 1);
    outb_(0x21, 0);
    outb_(0xa1, 0);
}

static void pulse(unsigned line)
{
    hvm_isa_irq(&rig_domain, line, true);
    hvm_isa_irq(&rig_domain, line, false);
}

static void start_pic(void)
{
    start(1, XEN_X86_EMU_LAPIC | XEN_X86_EMU_PIC);
    write32(0, LAPIC + APIC_LVT_LINT0, APIC_EXTINT << 8);
    pic_setup();
}

static void test_pic_priorities(void)
{
    start_pic();
    pulse(5);
    pulse(3);
    CHECK_EQUAL(1, rig_kicks[0]);
    CHECK_EQUAL(0x33, take(0));
    CHECK_EQUAL(-1, take(0));
    pulse(1);
    CHECK_EQUAL(0x31, take(0));
    outb_(0x20, 0x0b);
    CHECK_EQUAL(1 << 1 | 1 << 3, inb_(0x20));
    outb_(0x20, 0x0a);
    CHECK_EQUAL(1 << 5, inb_(0x20));
    outb_(0x20, 0x20); /* ends 1 */
    CHECK_EQUAL(-1, take(0));
    outb_(0x20, 0x63); /* ends 3 by name */
    CHECK_EQUAL(0x35, take(0));
    outb_(0x20, 0x20);
    pulse(12); /* through the slave */
    CHECK_EQUAL(0x3c, take(0));
    pulse(8); /* before it, but the cascade is in service */
    CHECK_EQUAL(-1, take(0));
    outb_(0xa0, 0x20);
    outb_(0x20, 0x20);
    CHECK_EQUAL(0x38, take(0));
    outb_(0xa0, 0x20);
    outb_(0x20, 0x20);
    outb_(0x21, 0x80);
    CHECK_EQUAL(0x80, inb_(0x21));
    pulse(7);
    CHECK_EQUAL(-1, take(0));
    outb_(0x21, 0);
    CHECK_EQUAL(0x37, take(0));
    rig_stop();
}

static void test_pic_modes(void)
{
    start_pic();
    outb_(0x20, 0xc3); /* lowest priority: 3 */
    pulse(3);
    pulse(4);
    pulse(0);
    CHECK_EQUAL(0x34, take(0));
    outb_(0x20, 0xa0); /* rotates: now 4 is lowest */
    CHECK_EQUAL(0x30, take(0));
    outb_(0x20, 0x20);
    CHECK_EQUAL(0x33, take(0));
    outb_(0x20, 0x20);
    outb_(0x20, 0xc7); /* as it was */
    outb_(0x20, 0x68); /* special mask mode */
    pulse(2 + 1);
    CHECK_EQUAL(0x33, take(0));
    outb_(0x21, 1 << 3);
    pulse(6);
    CHECK_EQUAL(0x36, take(0)); /* the masked one in service does not hold it up */
    outb_(0x20, 0x66);
    outb_(0x20, 0x63);
    outb_(0x20, 0x48);
    outb_(0x21, 0);
    pulse(5);
    outb_(0x20, 0x0c); /* poll */
    CHECK_EQUAL(0x85, inb_(0x20));
    CHECK_EQUAL(-1, take(0));
    outb_(0x20, 0x65);
    outb_(0x20, 0x0c);
    CHECK_EQUAL(0, inb_(0x20));
    outb_(0x20, 0x13); /* single, with automatic EOI */
    outb_(0x21, 0x48);
    outb_(0x21, 3);
    pulse(1);
    CHECK_EQUAL(0x49, take(0));
    outb_(0x20, 0x0b);
    CHECK_EQUAL(0, inb_(0x20));
    rig_stop();
}

static void test_elcr(void)
{
    uint32_t value;

    start_pic();
    CHECK_EQUAL(IO_OK, port_out(0, 0x4d0, 2, 0xffff));
    CHECK_EQUAL(IO_OK, port_in(0, 0x4d0, 2, &value));
    CHECK_EQUAL(0xdef8, value);
    hvm_isa_irq(&rig_domain, 11, true);
    CHECK_EQUAL(0x3b, take(0));
    outb_(0xa0, 0x20);
    outb_(0x20, 0x20);
    CHECK_EQUAL(0x3b, take(0)); /* still high */
    hvm_isa_irq(&rig_domain, 11, false);
    outb_(0xa0, 0x20);
    outb_(0x20, 0x20);
    CHECK_EQUAL(-1, take(0));
    rig_stop();
}

static void test_pic_wiring(void)
{
    start(2, XEN_X86_EMU_LAPIC | XEN_X86_EMU_PIC);
    pic_setup();
    pulse(4);
    CHECK_EQUAL(-1, take(0)); /* LINT0 is masked */
    write32(0, LAPIC + APIC_LVT_LINT0, APIC_EXTINT << 8);
    CHECK_EQUAL(-1, take(1));
    CHECK_EQUAL(0x34, take(0));
    outb_(0x20, 0x20);
    write32(0, LAPIC + APIC_LVT_LINT0, 0x99); /* LINT0 as a plain interrupt */
    pulse(4);
    CHECK_EQUAL(0x99, take(0));
    eoi(0);
    wrmsr_(0, MSR_APIC_BASE, 0xfee00100); /* without APIC the line goes straight to the first processor */
    CHECK_EQUAL(0x34, take(0));
    rig_stop();
}

/* As firmware leaves it: LINT0 masked, pin 0 of the IO-APIC hands the PIC's interrupts to the processor it names. */
static void test_pic_by_ioapic(void)
{
    start(2, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC | XEN_X86_EMU_PIC);
    pic_setup();
    route(0, APIC_EXTINT << 8, 2); /* the second one */
    pulse(4);
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(0x34, take(1));
    outb_(0x20, 0x20);
    ioapic_write(0x10, MASK | APIC_EXTINT << 8);
    pulse(4);
    CHECK_EQUAL(-1, take(1));
    rig_stop();
}

/* ---- upcalls ---- */

static void event(unsigned vcpu)
{
    V(vcpu)->info->evtchn_upcall_pending = 1;
    hvm_assert_upcall(V(vcpu));
}

static void test_callback_vector(void)
{
    start(2, XEN_X86_EMU_LAPIC);
    CHECK_EQUAL(-EINVAL, hvm_set_callback_via(&rig_domain, 2ULL << 56 | 0x05));
    CHECK_EQUAL(-EINVAL, hvm_set_callback_via(&rig_domain, 9ULL << 56 | 0x50));
    CHECK_EQUAL(-EINVAL, hvm_set_callback_via(&rig_domain, 48));
    event(1);
    CHECK_EQUAL(-1, take(1));
    CHECK_EQUAL(0, hvm_set_callback_via(&rig_domain, 2ULL << 56 | 0xf3));
    CHECK_EQUAL(1, rig_kicks[1]);
    write32(1, LAPIC + APIC_TASK_PRIORITY, 0xff); /* does not ask the APIC */
    CHECK_EQUAL(0xf3, take(1));
    CHECK_EQUAL(0xf3, take(1)); /* as long as it is pending */
    V(1)->info->evtchn_upcall_mask = 1;
    CHECK_EQUAL(-1, take(1));
    event(1);
    CHECK_EQUAL(1, rig_kicks[1]);
    V(1)->info->evtchn_upcall_mask = 0;
    V(1)->info->evtchn_upcall_pending = 0;
    CHECK_EQUAL(-1, take(1));
    rig_stop();
}

static void test_upcall_vector(void)
{
    start(2, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    route(1, 0x41, 0);
    CHECK_EQUAL(0, hvm_set_callback_via(&rig_domain, 1)); /* as Linux does beside it */
    V(0)->hvm->upcall_vector = 0xf3;
    event(0);
    CHECK_EQUAL(0xf3, take(0));
    CHECK_EQUAL(-1, take(0));
    eoi(0);
    CHECK_EQUAL(-1, take(0)); /* once for each event */
    event(0);
    CHECK_EQUAL(0xf3, take(0));
    rig_stop();
}

static void test_callback_lines(void)
{
    start(2, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC);
    route(28, LEVEL | 0x66, 0);
    CHECK_EQUAL(0, hvm_set_callback_via(&rig_domain, 1ULL << 56 | 3 << 11 | 0)); /* device 3, INTA */
    event(1);                                                                    /* not the first vcpu */
    CHECK_EQUAL(-1, take(0));
    V(1)->info->evtchn_upcall_pending = 0;
    event(0);
    CHECK_EQUAL(0x66, take(0));
    V(0)->info->evtchn_upcall_pending = 0;
    CHECK_EQUAL(-1, take(0)); /* on the way in the line falls */
    eoi(0);
    CHECK_EQUAL(-1, take(0));
    event(0);
    CHECK_EQUAL(0x66, take(0));
    eoi(0);
    CHECK_EQUAL(0x66, take(0));
    CHECK_EQUAL(0, hvm_set_callback_via(&rig_domain, 0)); /* the line must not stay up */
    eoi(0);
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(0, irqs_of(&rig_domain)->gsi_count[28]);
    rig_stop();
}

int main(void)
{
    test_ioapic_registers();
    test_edges();
    test_levels();
    test_links();
    test_pirqs();
    test_pic_priorities();
    test_pic_modes();
    test_elcr();
    test_pic_wiring();
    test_pic_by_ioapic();
    test_callback_vector();
    test_upcall_vector();
    test_callback_lines();
    return 0;
}
