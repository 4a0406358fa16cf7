/*
 * Message-signalled interrupts. x86/msi.c
 * Source: PCI Local Bus 3.0, section 6.8; Intel SDM volume 3, 11.11 (address and data).
 * All but msi_device_get take irq_lock as held by the caller.
 */
#ifndef HV_MSI_H
#define HV_MSI_H

#include <hv/irq.h>
#include <hv/irq_source.h>

/* What we know of a function with MSI; made on first use or by msi_device_get, never freed (a function that is taken out
 * and put back finds its record again, bounded by the number of functions there are). */
struct msi_device;
/* NULL: memory is short. Not under irq_lock. */
struct msi_device *msi_device_get(uint32_t sbdf);
uint32_t msi_device_sbdf(const struct msi_device *device);

/* Takes vectors, programs address and data, masks every one that can be masked, and enables the capability.
 * count > 1: multi-MSI. -ENODEV no such capability, -EINVAL entry or count out of range, -EBUSY entry in use,
 * -ENOSPC no vectors, -ENXIO memory decoding is off. */
int msi_setup(struct msi_device *device, const struct msi_request *request, struct irq **out);
void msi_teardown(struct irq *first, unsigned count);
/* Programs everything again after the function was reset. */
void msi_restore(struct msi_device *device);

#endif
