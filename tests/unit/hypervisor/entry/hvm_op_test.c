/*
 * HVMOP_*, with the real abi/hvm_op.c and core/policy.c: which parameters a guest may read and write of itself, none of
 * anybody else's, and which values are taken.
 */
#include "../../check.h"
#include "../fake/default.h"
#include <hv/abi_internal.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/hvm.h>
#include <hv/hvm_irq.h>
#include <hv/hypercall.h>
#include <hv/p2m.h>
#include <hv/policy.h>
#include <hv/time.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <string.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>
#include <xen/trace.h>

static struct hvm_domain parts[2];
static struct domain control = {.is_privileged = true}, guest = {.id = 1, .hvm = &parts[0], .max_vcpus = 1},
                     other = {.id = 2, .hvm = &parts[1]}, pv = {.id = 3};
static struct hvm_vcpu hvm_vcpu;
static struct vcpu of_control = {.domain = &control}, v = {.domain = &guest, .hvm = &hvm_vcpu}, *list[] = {&v},
                   of_pv = {.domain = &pv};
static int held;
static unsigned flushes, upcalls;
static enum p2m_type type_of_frame;

struct domain *domain_get_any(domid_t id)
{
    struct domain *const all[] = {&control, &guest, &other, &pv};
    if (id == DOMID_SELF)
        id = current->domain->id;
    held += id < ARRAY_SIZE(all);
    return id < ARRAY_SIZE(all) ? all[id] : NULL;
}
void domain_put(struct domain *d)
{
    held--;
}
int domain_get_for_caller(domid_t id, struct domain **out)
{
    *out = domain_get_any(id);
    int error = !*out ? -ESRCH : *out == current->domain ? 0 : allowed_on(current->domain, POLICY_VERB_CONTROL, *out);
    if (*out && error)
        domain_put(*out);
    return error;
}
int hvm_set_callback_via(struct domain *d, uint64_t via)
{
    return via == 0xbad ? -EINVAL : 0;
}
void compat_latch_layout(struct vcpu *vcpu)
{
    CHECK(vcpu->domain == &guest);
}
int vpm_set_ioports(struct domain *d, uint64_t version)
{
    return 0;
}
int viridian_enable(struct domain *d, uint64_t features)
{
    return 0;
}
void p2m_flush(struct domain *d)
{
    flushes++;
}
void hvm_assert_upcall(struct vcpu *vcpu)
{
    upcalls++;
}
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
{
    *type = type_of_frame;
    return 1;
}

static void start(struct vcpu *who)
{
    memset(parts, 0, sizeof(parts));
    fake_current[0] = who;
    guest.vcpu = list;
    v.info = &v.info_of_ours;
}

static long call(unsigned op, void *argument)
{
    struct hypercall made = {.arg = {op, (uintptr_t)argument}};
    long result = do_hvm_op(&made);
    CHECK(!held);
    return result;
}

static long set(domid_t domain, uint32_t index, uint64_t value)
{
    return call(HVMOP_set_param, &(struct xen_hvm_param){.domid = domain, .index = index, .value = value});
}

static long get(domid_t domain, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param p = {.domid = domain, .index = index};
    long result = call(HVMOP_get_param, &p);
    *value = p.value;
    return result;
}

/* What the public header says is the guest's; the rest belongs to its toolstack. */
#define BIT(name) (1UL << HVM_PARAM_##name)
static const uint64_t guest_writes = BIT(CALLBACK_IRQ) | BIT(STORE_EVTCHN) | BIT(VM86_TSS) | BIT(CONSOLE_EVTCHN) |
                                     BIT(ACPI_IOPORTS_LOCATION) | BIT(VM_GENERATION_ID_ADDR) | BIT(X87_FIP_WIDTH) |
                                     BIT(VM86_TSS_SIZED);
static const uint64_t guest_reads = guest_writes | BIT(STORE_PFN) | BIT(CONSOLE_PFN) | BIT(ALTP2M);
static const uint64_t nobodys = 1UL << 3 | 1UL << 7 | 1UL << 8 | BIT(DM_DOMAIN) | BIT(MEMORY_EVENT_CR0) |
                                BIT(MEMORY_EVENT_CR3) | BIT(MEMORY_EVENT_CR4) | BIT(MEMORY_EVENT_INT3) |
                                BIT(NESTEDHVM) | BIT(MEMORY_EVENT_SINGLE_STEP) | BIT(BUFIOREQ_EVTCHN) |
                                BIT(MEMORY_EVENT_MSR);

static void whose_parameters(void)
{
    uint64_t value;
    start(&v);
    for (uint32_t index = 0; index < HVM_NR_PARAMS; index++) {
        bool writes = guest_writes >> index & 1, reads = guest_reads >> index & 1, none = nobodys >> index & 1;
        CHECK(set(DOMID_SELF, index, 0) == (none ? -EINVAL : writes ? 0 : -EPERM));
        CHECK(get(guest.id, index, &value) == (none ? -EINVAL : reads ? 0 : -EPERM));
        CHECK(set(other.id, index, 0) == (none ? -EINVAL : -EPERM));
        CHECK(get(other.id, index, &value) == (none ? -EINVAL : -EPERM));
    }
    start(&of_control);
    for (uint32_t index = 0; index < HVM_NR_PARAMS; index++) {
        long expected = nobodys >> index & 1 ? -EINVAL : 0;
        CHECK(set(guest.id, index, 0) == expected && get(guest.id, index, &value) == expected);
    }
    CHECK(set(guest.id, HVM_NR_PARAMS, 0) == -EINVAL && get(guest.id, ~0U, &value) == -EINVAL);
    CHECK(set(77, HVM_PARAM_IDENT_PT, 0) == -ESRCH && set(DOMID_SELF, HVM_PARAM_IDENT_PT, 0) == -EINVAL);
    CHECK(set(pv.id, HVM_PARAM_IDENT_PT, 0) == -EINVAL);
    CHECK(call(HVMOP_set_param, NULL) == -EFAULT && call(HVMOP_get_param, NULL) == -EFAULT);
}

static void which_values(void)
{
    static const struct {
        uint32_t index;
        uint64_t taken, refused;
        int error;
    } rows[] = {
        {HVM_PARAM_CALLBACK_IRQ, 5, 0xbad, -EINVAL},
        {HVM_PARAM_TIMER_MODE, 3, 4, -EINVAL},
        {HVM_PARAM_HPET_ENABLED, 1, 2, -EINVAL},
        {HVM_PARAM_VPT_ALIGN, 1, ~0UL, -EINVAL},
        {HVM_PARAM_ACPI_S_STATE, 0, 3, -EOPNOTSUPP},
        {HVM_PARAM_ACPI_S_STATE, 0, 4, -EINVAL},
        {HVM_PARAM_ACPI_IOPORTS_LOCATION, 1, 2, -EINVAL},
        {HVM_PARAM_TRIPLE_FAULT_REASON, SHUTDOWN_MAX, SHUTDOWN_MAX + 1, -EINVAL},
        {HVM_PARAM_NR_IOREQ_SERVER_PAGES, 64, 65, -EINVAL},
        {HVM_PARAM_ALTP2M, 0, 1, -EOPNOTSUPP},
        {HVM_PARAM_MCA_CAP, 0, 1, -EOPNOTSUPP},
        {HVM_PARAM_X87_FIP_WIDTH, 8, 2, -EINVAL},
        {HVM_PARAM_IOREQ_SERVER_PFN, 0x1000, 0x1001, -EEXIST},
    };
    uint64_t value;
    start(&of_control);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK(!set(guest.id, rows[i].index, rows[i].taken));
        long error = set(guest.id, rows[i].index, rows[i].refused);
        CHECK(error == rows[i].error || (rows[i].index == HVM_PARAM_NR_IOREQ_SERVER_PAGES && error == -EEXIST));
        CHECK(!get(guest.id, rows[i].index, &value) && value == rows[i].taken);
        CHECK(!set(guest.id, rows[i].index, rows[i].taken)); /* the same once more */
    }
    start(&of_control);
    CHECK(set(guest.id, HVM_PARAM_NR_IOREQ_SERVER_PAGES, 65) == -EINVAL);
    hvm_params_init(&guest);
    CHECK(!get(guest.id, HVM_PARAM_TRIPLE_FAULT_REASON, &value) && value == SHUTDOWN_reboot);
}

static void upcall_vectors(void)
{
    start(&v);
    struct xen_hvm_evtchn_upcall_vector op = {.vcpu = 0, .vector = 0x0f};
    CHECK(call(HVMOP_set_evtchn_upcall_vector, &op) == -EINVAL && !hvm_vcpu.upcall_vector);
    op = (struct xen_hvm_evtchn_upcall_vector){.vcpu = 1, .vector = 0x10};
    CHECK(call(HVMOP_set_evtchn_upcall_vector, &op) == -ENOENT);
    op.vcpu = 0;
    CHECK(!call(HVMOP_set_evtchn_upcall_vector, &op) && hvm_vcpu.upcall_vector == 0x10 && !upcalls);
    v.info->evtchn_upcall_pending = 1;
    CHECK(!call(HVMOP_set_evtchn_upcall_vector, &op) && upcalls == 1);
    CHECK(call(HVMOP_set_evtchn_upcall_vector, NULL) == -EFAULT);
}

static void kinds_of_memory(void)
{
    static const uint16_t expected[P2M_TYPE_COUNT] = {
        [P2M_HOLE] = HVMMEM_mmio_dm,
        [P2M_MMIO_DM] = HVMMEM_mmio_dm,
        [P2M_RAM_READONLY] = HVMMEM_ram_ro,
        [P2M_GRANT_READONLY] = HVMMEM_ram_ro,
        [P2M_IOREQ_SERVER] = HVMMEM_ioreq_server,
    };
    start(&v);
    for (type_of_frame = 0; type_of_frame < P2M_TYPE_COUNT; type_of_frame++) {
        struct xen_hvm_get_mem_type op = {.domid = DOMID_SELF, .pfn = 5};
        CHECK(!call(HVMOP_get_mem_type, &op) && op.mem_type == expected[type_of_frame]);
    }
    struct xen_hvm_get_mem_type op = {.domid = other.id};
    CHECK(call(HVMOP_get_mem_type, &op) == -EPERM);
    op.domid = 77;
    CHECK(call(HVMOP_get_mem_type, &op) == -ESRCH);
    start(&of_control);
    op.domid = pv.id;
    CHECK(call(HVMOP_get_mem_type, &op) == -EINVAL);
}

static void smaller_ones(void)
{
    struct xen_hvm_get_time time = {0};
    struct xen_hvm_xentrace line = {.event = 1, .extra_bytes = sizeof(line.extra)};
    start(&v);
    CHECK(!call(HVMOP_get_time, &time) && time.now == fake_now && call(HVMOP_get_time, NULL) == -EFAULT);
    CHECK(!call(HVMOP_xentrace, &line));
    line.extra_bytes++;
    CHECK(call(HVMOP_xentrace, &line) == -EINVAL);
    line = (struct xen_hvm_xentrace){.event = 1U << TRC_SUBCLS_SHIFT};
    CHECK(call(HVMOP_xentrace, &line) == -EINVAL);
    CHECK(!call(HVMOP_flush_tlbs, NULL) && flushes == 1 && call(HVMOP_flush_tlbs, &line) == -EINVAL);
    CHECK(call(HVMOP_pagetable_dying, &line) == -EINVAL && call(HVMOP_altp2m, &line) == -EOPNOTSUPP);
    for (unsigned op = 0; op < 64; op++) {
        bool known = op <= HVMOP_get_param || op == HVMOP_flush_tlbs || op == HVMOP_pagetable_dying ||
                     op == HVMOP_get_time || op == HVMOP_xentrace || op == HVMOP_get_mem_type ||
                     op == HVMOP_set_evtchn_upcall_vector || op == HVMOP_guest_request_vm_event || op == HVMOP_altp2m;
        CHECK(known || call(op, NULL) == -ENOSYS);
    }
    start(&of_pv); /* which has no such vcpu */
    CHECK(call(HVMOP_set_evtchn_upcall_vector, &line) == -EINVAL && call(HVMOP_flush_tlbs, NULL) == -EINVAL);
    CHECK(flushes == 1);
}

int main(void)
{
    whose_parameters();
    which_values();
    upcall_vectors();
    kinds_of_memory();
    smaller_ones();
    puts("hvm_op: ok");
    return 0;
}
