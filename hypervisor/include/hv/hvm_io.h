/*
 * I/O of HVM guests: port and memory accesses go to a chip of ours, to a device model (ioreq server), or nowhere.
 * hvm/io.c (dispatch), hvm/ioreq.c (device models). Source: xen/hvm/ioreq.h, xen/hvm/dm_op.h.
 *
 * An access that a device model must answer does not complete at once: the function says IO_RETRY, the vcpu waits
 * (hvm->waits_for_io), and the instruction is run again from its start when the answer is there; accesses that it has
 * done already are answered from hvm->io_cache, so that nothing happens twice. The cache is emptied when the
 * instruction completes.
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

/* Chips register what they answer; a handler may decline (IO_UNHANDLED) and the next is asked. Domain creation only. */
typedef enum io_result (*port_handler)(struct vcpu *v, uint16_t port, unsigned bytes, bool write, uint32_t *value);
typedef enum io_result (*memory_handler)(struct vcpu *v, uint64_t gpa, unsigned bytes, bool write, uint64_t *value);
int hvm_claim_ports(struct domain *d, uint16_t first, uint16_t count, port_handler handler);
/* The range may move with the chip (local APIC base): accepts() is asked for each access. */
int hvm_claim_memory(struct domain *d, bool (*accepts)(struct vcpu *v, uint64_t gpa), memory_handler handler);

int hvm_io_init(struct domain *d);
void hvm_io_relinquish(struct domain *d); /* all servers go, waiting vcpus are let go */
void hvm_io_destroy(struct domain *d);
int hvm_io_vcpu_init(struct vcpu *v); /* its slot in each server's page and its event channel */
void hvm_io_vcpu_destroy(struct vcpu *v);

/* On the way in: 1 v may go on (answer taken into io_cache), 0 it waits still. */
bool hvm_io_complete(struct vcpu *v);
/* Is any device model there? Without one (PVH) unclaimed accesses are answered at once. */
bool hvm_has_device_model(const struct domain *d);
/* Tells every device model that mappings have changed (IOREQ_TYPE_INVALIDATE); v waits for all of them. */
void hvm_broadcast_invalidate(struct vcpu *v);
/* Resource frames of an ioreq server for XENMEM_acquire_resource. -errno */
int ioreq_server_get_frame(struct domain *d, uint32_t id, unsigned index, mfn_t *mfn);

/* hvm/emulate_glue.c: emulates the instruction at rip, with memory and ports through the functions above. */
enum emulate_outcome hvm_emulate_one(struct vcpu *v, struct cpu_user_regs *regs, const uint8_t *bytes, unsigned count);

#endif
