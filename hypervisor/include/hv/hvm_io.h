/*
 * I/O of HVM guests: port and memory accesses go to a chip of ours, to a device model (ioreq server), or nowhere.
 * hvm/io.c (dispatch), hvm/ioreq*.c (device models; ioreq.h). Source: xen/hvm/ioreq.h, xen/hvm/dm_op.h.
 *
 * A read that a device model must answer does not complete at once: the function says IO_RETRY, the vcpu waits
 * (hvm->waits_for_io), and the instruction is run again from its start when the answer is there. A write to a device
 * model is IO_OK at once, and the vcpu waits on its way back to the guest until it is done; a second access to a device
 * model in the same instruction is IO_RETRY meanwhile. Accesses to device models that an instruction has done already
 * are answered from hvm->io_cache when it is run again, so that nothing happens twice there; those to chips of ours are
 * done again.
 *
 * Whoever completes an instruction (or one repetition of a string instruction) that may have done I/O calls
 * hvm_io_instruction_done(), which empties the cache. While hvm_io_answered() says that an answer waits for its
 * instruction, no interrupt may be injected: the instruction at rip comes first.
 */
#ifndef HV_HVM_IO_H
#define HV_HVM_IO_H

#include <hv/hvm.h>

enum io_result { IO_OK, IO_RETRY, IO_UNHANDLED };

/* One access of 1, 2 or 4 (ports), 1, 2, 4 or 8 (memory) bytes. Reads that nobody answers give all ones and IO_OK. */
enum io_result hvm_port_read(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t *value);
enum io_result hvm_port_write(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value);
enum io_result hvm_memory_read(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t *value);
enum io_result hvm_memory_write(struct vcpu *v, uint64_t gpa, unsigned bytes, uint64_t value);

/* `count` items of a string instruction, between the port (or the device at gpa, whose address then moves along) and
 * guest RAM at `buffer`, both upwards or both `down`, in one request to the device model. All of it within one page,
 * count at least 1. IO_UNHANDLED: not possible here (a chip has it, nobody has it): do it item by item. IO_OK: all
 * items are done. */
enum io_result hvm_port_repeat(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint64_t buffer, bool down,
                               uint32_t count);
enum io_result hvm_memory_repeat(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t buffer, bool down,
                                 uint32_t count);

static inline void hvm_io_instruction_done(struct vcpu *v)
{
    v->hvm->io_cache.count = v->hvm->io_cache.used = 0;
}
static inline bool hvm_io_answered(const struct vcpu *v)
{
    return v->hvm->io_cache.count != 0;
}

/* Chips register what they answer; a handler may decline (IO_UNHANDLED) and the next is asked. Domain creation only. */
typedef enum io_result (*port_handler)(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value);
typedef enum io_result (*memory_handler)(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value);
int hvm_claim_ports(struct domain *d, uint16_t first, uint16_t count, port_handler handler);
/* The range may move with the chip (local APIC base): accepts() is asked for each access. */
int hvm_claim_memory(struct domain *d, bool (*accepts)(struct vcpu *v, uint64_t gpa), memory_handler handler);

int hvm_io_init(struct domain *d);
void hvm_io_relinquish(struct domain *d); /* all servers go, waiting vcpus are let go */
void hvm_io_destroy(struct domain *d);
int hvm_io_vcpu_init(struct vcpu *v); /* its event channel in each server there is; they go with the servers */

/* On the way in, v current, interrupts on. True: v may go on, answers are in io_cache. False: it waits (a softirq is
 * raised), or its domain has just been crashed. */
bool hvm_io_take_answers(struct vcpu *v);
static inline bool hvm_io_complete(struct vcpu *v)
{
    return !(v->hvm->io_servers | v->hvm->io_invalidate) || hvm_io_take_answers(v);
}
/* Frames have gone from the memory of v, which is current. Every device model is told (IOREQ_TYPE_INVALIDATE): it keeps
 * mappings, and would go on with frames that are no longer the guest's. v waits for all of them on its way back. */
void hvm_forget_mappings(struct vcpu *v);
/* Resource frames of an ioreq server for XENMEM_acquire_resource: 0 the ring, 1 the slots; both exist as long as the
 * server. -ENOENT no such server, -EINVAL no such frame. */
#define IOREQ_SERVER_FRAMES 2
int ioreq_server_get_frame(struct domain *d, uint32_t id, unsigned index, mfn_t *mfn);

/* hvm/emulate_glue.c: emulates the instruction at rip, with memory and ports through the functions above. */
enum emulate_outcome hvm_emulate_one(struct vcpu *v, struct cpu_user_regs *regs, const uint8_t *bytes, unsigned count);

#endif
