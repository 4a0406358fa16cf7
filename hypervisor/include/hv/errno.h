/*
 * Error numbers of the ABI (xen/errno.h), under their usual names. Functions return 0 or a negative one.
 */
#ifndef HV_ERRNO_H
#define HV_ERRNO_H

#define XEN_ERRNO(name, value) name = value,
enum hv_errno {
#include <xen/errno.h>
};

/* Never shown to a guest: the hypercall is not finished and shall be entered again with its current arguments. */
#define ERESTART 85

#endif
