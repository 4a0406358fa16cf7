/*
 * The public ABI headers, with the definitions they expect from their includer.
 */
#ifndef HV_XEN_H
#define HV_XEN_H

#define __XEN_INTERFACE_VERSION__ 0x00041100
#define __XEN_TOOLS__             1

#include <stdint.h>
#include <xen/xen.h>
#include <hv/errno.h>

#endif
