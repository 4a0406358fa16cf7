/*
 * guest.h
 */
#include "guest.h"
#include <hv/abi_internal.h>
#include <hv/console.h>
#include <hv/irq.h>
#include <hv/sched.h>

void hv_free(void *object);

struct domain *guest, *control, *other;
unsigned crashes, wakes, kinds_changed, marked;
bool isa_line[16];
int shutdown_reason;
bool fill_p2m;
enum p2m_type kind_of[FAKE_GFNS];
mfn_t frame_of[FAKE_GFNS];
void (*during_lookup)(void), (*during_pause)(void);

/* ---- the rest of the hypervisor ---- */

void vcpu_unblock(struct vcpu *v)
{
    v->blocked = false;
}
void vcpu_wake(struct vcpu *v)
{
    wakes++;
}
void apic_send_ipi(struct cpu *cpu, uint8_t vector)
{
}
int pirq_bind(struct domain *d, int pirq, bool share)
{
    return -EINVAL;
}
void pirq_unbind(struct domain *d, int pirq)
{
}
int domain_gfn_to_mfn(struct domain *d, uint64_t gfn, mfn_t *mfn)
{
    return -EINVAL;
}
void domain_pause_sync(struct domain *d)
{
    if (d == current->domain)
        panic("a domain waits for itself");
    d->pause_count++;
    if (during_pause)
        during_pause();
}
void domain_unpause(struct domain *d)
{
    d->pause_count--;
}
void vcpu_pause_sync(struct vcpu *v)
{
    v->pause_count++;
}
void vcpu_unpause(struct vcpu *v)
{
    v->pause_count--;
}
void domain_crash(struct domain *d, const char *format, ...)
{
    CHECK(d == guest && !fake_irqs_off);
    crashes++;
    d->is_shut_down = true;
}
void domain_shutdown(struct domain *d, unsigned reason)
{
    shutdown_reason = (int)reason;
}
void hvm_assert_upcall(struct vcpu *v)
{
}
int hvm_pending_interrupt(struct vcpu *v, bool acknowledge)
{
    return -1;
}
void hvm_isa_irq(struct domain *d, unsigned line, bool level)
{
    isa_line[line] = level;
}
void hvm_pci_intx(struct domain *d, unsigned device, unsigned pin, bool level)
{
    if (device > 31 || pin > 3)
        panic("PCI line %u %u", device, pin);
}
int hvm_set_pci_link(struct domain *d, unsigned link, unsigned isa)
{
    if (link > 3 || isa > 15)
        panic("PCI link %u %u", link, isa);
    return 0;
}
int hvm_msi(struct domain *d, uint64_t address, uint32_t data)
{
    return address >> 20 == 0xfee ? 0 : -EINVAL;
}
void hvm_inject_event(struct vcpu *v, const struct hvm_event *event)
{
    CHECK(v->pause_count == 1);
    v->hvm->pending = *event;
}
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
{
    *type = gfn < FAKE_GFNS ? kind_of[gfn] : P2M_HOLE;
    if (during_lookup)
        during_lookup();
    return gfn < FAKE_GFNS && *type != P2M_MMIO_DM ? frame_of[gfn] : INVALID_MFN;
}
int p2m_set(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type type)
{
    if (gfn >= FAKE_GFNS || order)
        return -ENOMEM;
    kind_of[gfn] = type;
    frame_of[gfn] = mfn;
    return 0;
}
int p2m_clear(struct domain *d, gfn_t gfn, unsigned order)
{
    return p2m_set(d, gfn, INVALID_MFN, order, P2M_HOLE);
}
int memory_move_page(struct domain *d, uint64_t from, uint64_t to)
{
    if (from >= FAKE_GFNS || kind_of[from] != P2M_RAM)
        return -EINVAL;
    if (to >= FAKE_GFNS)
        return -ENOMEM;
    kind_of[to] = P2M_RAM;
    frame_of[to] = frame_of[from];
    return from == to ? 0 : p2m_clear(d, from, 0);
}
int p2m_change_type(struct domain *d, gfn_t gfn, enum p2m_type from, enum p2m_type to)
{
    if (gfn >= FAKE_GFNS || kind_of[gfn] != from || (to != P2M_MMIO_DM && frame_of[gfn] == INVALID_MFN))
        return -EAGAIN;
    kind_of[gfn] = to;
    kinds_changed++;
    return 0;
}
int dirty_vram(struct domain *d, gfn_t first, uint32_t count, unsigned long bitmap)
{
    return 0;
}
void log_dirty_mark(struct domain *d, gfn_t gfn)
{
    marked++;
}

/* ---- the world ---- */

void guest_setup(void)
{
    crashes = wakes = kinds_changed = marked = 0;
    shutdown_reason = -1;
    control = fake_domain(0, 1, true);
    guest = fake_domain(1, 2, false);
    other = fake_domain(2, 1, false);
    CHECK_EQUAL(0, event_channels_init(control, -1));
    CHECK_EQUAL(0, event_channels_init(guest, 1023));
    guest->hvm = calloc(1, sizeof(*guest->hvm));
    for (unsigned i = 0; i < guest->max_vcpus; i++)
        guest->vcpu[i]->hvm = calloc(1, sizeof(*guest->vcpu[i]->hvm));
    for (unsigned gfn = 0; gfn < FAKE_GFNS; gfn++) {
        kind_of[gfn] = P2M_HOLE;
        frame_of[gfn] = INVALID_MFN;
    }
    CHECK_EQUAL(0, hvm_io_init(guest));
    for (unsigned i = 0; i < guest->max_vcpus; i++)
        CHECK_EQUAL(0, hvm_io_vcpu_init(guest->vcpu[i]));
    fake_run(guest->vcpu[0]);
}

static void finish(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    if (d->hvm)
        hvm_io_relinquish(d);
    while (event_channels_close_all(d) == -ERESTART)
        ;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        event_channels_free_vcpu(d->vcpu[i]);
    event_channels_free(d);
}

void guest_teardown(void)
{
    fake_run(control->vcpu[0]);
    CHECK_EQUAL(0, guest->pause_count);
    finish(guest);
    finish(control);
    hvm_io_destroy(guest);
    for (unsigned i = 0; i < guest->max_vcpus; i++)
        free(guest->vcpu[i]->hvm);
    free(guest->hvm);
    fake_domain_free(guest);
    fake_domain_free(control);
    fake_domain_free(other);
}

static long as(struct domain *d, hypercall_handler handler, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct vcpu *before = current;
    long result;

    fake_run(d->vcpu[0]);
    result = fake_hypercall(handler, a0, a1, a2, NULL);
    fake_run(before);
    return result;
}

long event_op(struct domain *d, unsigned command, void *argument)
{
    return as(d, do_event_channel_op, command, (uintptr_t)argument, 0);
}

long dm_op_with(domid_t domain, struct xen_dm_op *op, size_t size, void *data, size_t bytes)
{
    struct xen_dm_op_buf buffers[2] = {{{op}, size}, {{data}, bytes}};

    return as(control, do_dm_op, domain, data ? 2 : 1, (uintptr_t)buffers);
}

long dm_op(domid_t domain, struct xen_dm_op *op, size_t size)
{
    return dm_op_with(domain, op, size, NULL, 0);
}

/* ---- a device model ---- */

static void map(struct model *m, unsigned type, uint64_t first, uint64_t last)
{
    struct xen_dm_op op = {.op = XEN_DMOP_map_io_range_to_ioreq_server,
                           .u.map_io_range_to_ioreq_server = {m->id, 0, type, first, last}};

    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
}

void model_create(struct model *m, unsigned handling)
{
    struct xen_dm_op op = {.op = XEN_DMOP_create_ioreq_server,
                           .u.create_ioreq_server.handle_bufioreq = (uint8_t)handling};
    mfn_t mfn;

    memset(m, 0, sizeof(*m));
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    m->id = op.u.create_ioreq_server.id;
    CHECK_EQUAL(0, ioreq_server_get_frame(guest, m->id, 1, &mfn));
    m->slots = mfn_to_virt(mfn);
    if (handling) {
        CHECK_EQUAL(0, ioreq_server_get_frame(guest, m->id, 0, &mfn));
        m->ring = mfn_to_virt(mfn);
    } else {
        CHECK_EQUAL(-EINVAL, ioreq_server_get_frame(guest, m->id, 0, &mfn));
    }
    op = (struct xen_dm_op){.op = XEN_DMOP_set_ioreq_server_state, .u.set_ioreq_server_state = {m->id, 1, 0}};
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    map(m, XEN_DMOP_IO_RANGE_PORT, 0x100, 0x1ff);
    map(m, XEN_DMOP_IO_RANGE_MEMORY, 0xa0000, 0xfffff);
}

static evtchn_port_t bind_to(evtchn_port_t port)
{
    struct evtchn_bind_interdomain bind = {.remote_dom = 1, .remote_port = port};

    CHECK_EQUAL(0, event_op(control, EVTCHNOP_bind_interdomain, &bind));
    return bind.local_port;
}

void model_bind(struct model *m)
{
    struct xen_dm_op op = {.op = XEN_DMOP_get_ioreq_server_info,
                           .u.get_ioreq_server_info = {.id = m->id, .flags = XEN_DMOP_no_gfns}};

    for (unsigned i = 0; i < 2; i++)
        m->port[i] = bind_to(m->slots[i].vp_eport);
    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
    CHECK((op.u.get_ioreq_server_info.bufioreq_port != 0) == (m->ring != NULL));
    if (m->ring)
        m->ring_port = bind_to(op.u.get_ioreq_server_info.bufioreq_port);
}

void model_destroy(struct model *m)
{
    struct xen_dm_op op = {.op = XEN_DMOP_destroy_ioreq_server, .u.destroy_ioreq_server.id = m->id};

    CHECK_EQUAL(0, dm_op(1, &op, sizeof(op)));
}

struct ioreq model_take(struct model *m, unsigned vcpu)
{
    struct ioreq request = m->slots[vcpu];

    CHECK_EQUAL(STATE_IOREQ_READY, request.state);
    CHECK_EQUAL(1, event_channel_is_pending(control, m->port[vcpu]));
    control->shared_info->evtchn_pending[0] = 0;
    m->slots[vcpu].state = STATE_IOREQ_INPROCESS;
    return request;
}

void model_send(struct model *m, unsigned vcpu)
{
    struct evtchn_send send = {m->port[vcpu]};

    CHECK_EQUAL(0, event_op(control, EVTCHNOP_send, &send));
}

void model_answer(struct model *m, unsigned vcpu, uint64_t data)
{
    m->slots[vcpu].data = data;
    m->slots[vcpu].state = STATE_IORESP_READY;
    model_send(m, vcpu);
}
