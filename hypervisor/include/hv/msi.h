/*
 * Message-signalled interrupts. x86/msi.c
 * Source: PCI Local Bus 3.0, section 6.8; Intel SDM volume 3, 11.11 (address and data).
 */
#ifndef HV_MSI_H
#define HV_MSI_H

#include <hv/irq.h>
#include <hv/irq_source.h>

/* What we know of a function with MSI; made on first use and never freed (a function that is taken out and put back
 * finds its record again, so there are never more than functions). */
struct msi_device;
/* Not under irq_lock. msi_prepare also finds and maps the MSI-X table when the request is for an entry of it.
 * -ENODEV no such function or capability, -EINVAL the table would be in RAM, -ENOMEM. */
int msi_prepare(const struct msi_request *request, struct msi_device **out);
struct msi_device *msi_device_find(uint32_t sbdf); /* NULL: never prepared */

/* The rest: under irq_lock. */

/* Takes vectors (count rounded up to a power of two), programs address and data, masks what can be masked, and enables
 * the capability. -EINVAL entry or count out of range, -EBUSY entry or capability in use, -ENOSPC no vectors, -ENXIO
 * the function does not decode memory. */
int msi_setup(struct msi_device *device, const struct msi_request *request, struct irq **out);
void msi_teardown(struct irq *first, unsigned count);
/* Programs everything again after the function was reset. */
void msi_restore(struct msi_device *device);

#endif
