/*
 * HYPERVISOR_hvm_op: parameters of HVM guests, and small services to them. Source: xen/hvm/hvm_op.h, xen/hvm/params.h.
 */
#include <hv/abi_internal.h>
#include <hv/compat.h>
#include <hv/domain_log.h>
#include <hv/event_channel.h>
#include <hv/guest_copy.h>
#include <hv/hvm_irq.h>
#include <hv/ioreq.h>
#include <hv/operation.h>
#include <hv/p2m.h>
#include <hv/time.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <xen/hvm/hvm_op.h>
#include <xen/sched.h>
#include <xen/trace.h>

_Static_assert(sizeof(struct xen_hvm_param) == 16, "ABI");
_Static_assert(sizeof(struct xen_hvm_evtchn_upcall_vector) == 8, "ABI");
_Static_assert(sizeof(struct xen_hvm_get_mem_type) == 16, "ABI");

#define FIRST_INTERRUPT_VECTOR 0x10 /* what a local APIC delivers; Intel SDM volume 3, 11.5.2 */
#define MAX_IOREQ_SERVER_PAGES 64

/* ---- parameters that do something when they are set, or do not take every value ---- */

static int set_callback(struct domain *d, uint64_t value)
{
    int error = hvm_set_callback_via(d, value);

    /* The kernel that says how it wants its events also shows how wide its shared info is. */
    if (!error && is_current_domain(d))
        compat_latch_layout(current);
    return error;
}

static int set_timer_mode(struct domain *d, uint64_t value)
{
    return value > HVMPTM_one_missed_tick_pending ? -EINVAL : 0;
}

static int check_boolean(struct domain *d, uint64_t value)
{
    return value > 1 ? -EINVAL : 0;
}

static int check_off(struct domain *d, uint64_t value)
{
    return value ? -EOPNOTSUPP : 0;
}

/* Awake is what the guest is; it is not put to sleep from outside. */
static int set_acpi_state(struct domain *d, uint64_t value)
{
    return value == 0 ? 0 : value == 3 ? -EOPNOTSUPP : -EINVAL;
}

static int set_acpi_ports(struct domain *d, uint64_t value)
{
    return value > 1 ? -EINVAL : vpm_set_ioports(d, value);
}

static int check_shutdown_reason(struct domain *d, uint64_t value)
{
    return value > SHUTDOWN_MAX ? -EINVAL : 0;
}

static int check_server_pages(struct domain *d, uint64_t value)
{
    return value > MAX_IOREQ_SERVER_PAGES ? -EINVAL : 0;
}

static int check_fip_width(struct domain *d, uint64_t value)
{
    return value == 0 || value == 4 || value == 8 ? 0 : -EINVAL;
}

#define GUEST_READS  1
#define GUEST_WRITES 2
#define ONCE         4 /* a value that is not 0 stays */

#define PARAM(name, flags, set) [HVM_PARAM_##name] = {#name, flags, set}
static const struct {
    const char *name; /* NULL: there is none of this number */
    uint8_t flags;
    int (*set)(struct domain *d, uint64_t value); /* NULL: only kept, for whoever looks */
} parameters[HVM_NR_PARAMS] = {
    PARAM(CALLBACK_IRQ, GUEST_READS | GUEST_WRITES, set_callback),
    PARAM(STORE_PFN, GUEST_READS, NULL),
    PARAM(STORE_EVTCHN, GUEST_READS | GUEST_WRITES, NULL),
    PARAM(PAE_ENABLED, 0, NULL),
    PARAM(IOREQ_PFN, 0, NULL),
    PARAM(BUFIOREQ_PFN, 0, NULL),
    PARAM(VIRIDIAN, 0, viridian_enable),
    PARAM(TIMER_MODE, 0, set_timer_mode),
    PARAM(HPET_ENABLED, 0, check_boolean),
    PARAM(IDENT_PT, 0, NULL),
    PARAM(ACPI_S_STATE, 0, set_acpi_state),
    PARAM(VM86_TSS, GUEST_READS | GUEST_WRITES, NULL),
    PARAM(VPT_ALIGN, 0, check_boolean),
    PARAM(CONSOLE_PFN, GUEST_READS, NULL),
    PARAM(CONSOLE_EVTCHN, GUEST_READS | GUEST_WRITES, NULL),
    PARAM(ACPI_IOPORTS_LOCATION, GUEST_READS | GUEST_WRITES, set_acpi_ports),
    PARAM(PAGING_RING_PFN, 0, NULL),
    PARAM(MONITOR_RING_PFN, 0, NULL),
    PARAM(SHARING_RING_PFN, 0, NULL),
    PARAM(TRIPLE_FAULT_REASON, 0, check_shutdown_reason),
    PARAM(IOREQ_SERVER_PFN, ONCE, NULL),
    PARAM(NR_IOREQ_SERVER_PAGES, ONCE, check_server_pages),
    PARAM(VM_GENERATION_ID_ADDR, GUEST_READS | GUEST_WRITES, NULL),
    PARAM(ALTP2M, GUEST_READS, check_off),
    PARAM(X87_FIP_WIDTH, GUEST_READS | GUEST_WRITES, check_fip_width),
    PARAM(VM86_TSS_SIZED, GUEST_READS | GUEST_WRITES, NULL),
    PARAM(MCA_CAP, 0, check_off),
};

void hvm_params_init(struct domain *d)
{
    d->hvm->param[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_reboot;
}

/* The domain that has the parameter, with a reference. */
static int param_target(const struct xen_hvm_param *p, uint8_t guest_right, struct domain **out)
{
    struct domain *d;
    int error = 0;

    if (p->index >= HVM_NR_PARAMS || !parameters[p->index].name)
        return -EINVAL;
    d = domain_get_any(p->domid);
    if (!d)
        return -ESRCH;
    if (!is_hvm(d))
        error = -EINVAL;
    else if (!is_current_domain(d) || !(parameters[p->index].flags & guest_right))
        error = allowed_on(current->domain, POLICY_VERB_CONTROL, d);
    if (error)
        domain_put(d);
    else
        *out = d;
    return error;
}

static int set_value(struct domain *d, uint32_t index, uint64_t value)
{
    uint64_t old = READ_ONCE(d->hvm->param[index]);
    int error = 0;

    if (parameters[index].flags & ONCE && old && old != value)
        return -EEXIST;
    if (parameters[index].set)
        error = parameters[index].set(d, value);
    if (!error)
        WRITE_ONCE(d->hvm->param[index], value);
    else
        domain_log(LOG_WARNING, d, "refused (error %d): %#lx as HVM parameter %s", -error, (unsigned long)value,
                   parameters[index].name);
    return error;
}

static long set_param(struct request *r)
{
    struct xen_hvm_param *p = r->argument;
    struct domain *d;
    int error = param_target(p, GUEST_WRITES, &d);

    if (error)
        return error;
    error = set_value(d, p->index, p->value);
    domain_put(d);
    return error;
}

static long get_param(struct request *r)
{
    struct xen_hvm_param *p = r->argument;
    struct domain *d;
    int error = param_target(p, GUEST_READS, &d);

    if (error)
        return error;
    p->value = READ_ONCE(d->hvm->param[p->index]);
    domain_put(d);
    return 0;
}

/* ---- services to the guest itself ---- */

static long flush_tlbs(struct request *r)
{
    if (r->address)
        return -EINVAL;
    p2m_flush(current->domain);
    return 0;
}

static long set_upcall_vector(struct request *r)
{
    struct xen_hvm_evtchn_upcall_vector *op = r->argument;
    struct vcpu *v;

    if (op->vector < FIRST_INTERRUPT_VECTOR)
        return -EINVAL;
    v = domain_vcpu(current->domain, op->vcpu);
    if (!v)
        return -ENOENT;
    v->hvm->upcall_vector = op->vector;
    if (vcpu_event_pending(v))
        hvm_assert_upcall(v);
    return 0;
}

/* There are no shadows of its page tables that would want to know. */
static long page_table_dying(struct request *r)
{
    return -EINVAL;
}

static long get_time(struct request *r)
{
    struct xen_hvm_get_time *op = r->argument;

    op->now = now();
    return 0;
}

/* No trace is taken; what would go into it is checked. */
static long trace(struct request *r)
{
    struct xen_hvm_xentrace *op = r->argument;

    return op->extra_bytes > sizeof(op->extra) || op->event >> TRC_SUBCLS_SHIFT ? -EINVAL : 0;
}

static uint16_t public_mem_type(enum p2m_type type)
{
    switch (type) {
    case P2M_RAM_READONLY:
    case P2M_GRANT_READONLY:
        return HVMMEM_ram_ro;
    case P2M_HOLE:
    case P2M_MMIO_DM:
        return HVMMEM_mmio_dm;
    case P2M_IOREQ_SERVER:
        return HVMMEM_ioreq_server;
    default:
        return HVMMEM_ram_rw;
    }
}

static long get_mem_type(struct request *r)
{
    struct xen_hvm_get_mem_type *op = r->argument;
    enum p2m_type type;
    struct domain *d;
    int error = domain_get_for_caller(op->domid, &d);

    if (error)
        return error;
    if (is_hvm(d)) {
        p2m_lookup(d, op->pfn, &type, NULL);
        op->mem_type = public_mem_type(type);
    } else {
        error = -EINVAL;
    }
    domain_put(d);
    return error;
}

static long refuse_watching(struct request *r)
{
    return domain_refuse(current->domain, -EOPNOTSUPP, "altp2m= and others: watching a guest");
}

/* ---- dispatch ---- */

static const struct operation operations[] = {
    [HVMOP_set_param] = {set_param, sizeof(struct xen_hvm_param)},
    [HVMOP_get_param] = {get_param, sizeof(struct xen_hvm_param), POLICY_ANYONE, ANSWER_DONE},
    [HVMOP_flush_tlbs] = {flush_tlbs, 0, POLICY_HVM},
    [HVMOP_pagetable_dying] = {page_table_dying},
    [HVMOP_get_time] = {get_time, sizeof(struct xen_hvm_get_time), POLICY_ANYONE, ANSWER_ONLY},
    [HVMOP_xentrace] = {trace, sizeof(struct xen_hvm_xentrace)},
    [HVMOP_get_mem_type] = {get_mem_type, sizeof(struct xen_hvm_get_mem_type), POLICY_ANYONE, ANSWER_DONE},
    [HVMOP_set_evtchn_upcall_vector] = {set_upcall_vector, sizeof(struct xen_hvm_evtchn_upcall_vector), POLICY_HVM},
    [HVMOP_guest_request_vm_event] = {refuse_watching},
    [HVMOP_altp2m] = {refuse_watching},
};

/* arg[0] HVMOP_*, arg[1] address of its structure. */
long do_hvm_op(struct hypercall *call)
{
    struct request r = {.call = call, .address = call->arg[1]};

    return operation_serve(operations, ARRAY_SIZE(operations), call->arg[0], &r);
}
