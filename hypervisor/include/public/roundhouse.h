/*
 * What Roundhouse adds to the public Xen ABI: one hypercall in the range that the ABI leaves to the architecture.
 * Another hypervisor answers -ENOSYS. For the hypervisor and for Domain-0's tools alike; include <xen/xen.h> first.
 */
#ifndef ROUNDHOUSE_PUBLIC_H
#define ROUNDHOUSE_PUBLIC_H

#define __HYPERVISOR_roundhouse_op __HYPERVISOR_arch_7

/* arg 1: the domain on screen, which the scheduler lets go first; DOMID_INVALID: none. 0, -EPERM, -ESRCH. */
#define ROUNDHOUSEOP_set_foreground 0

#endif
