/*
 * Who may do what is asked of the real rules; weak, so that a test may have others.
 */
#pragma weak allowed_call
#pragma weak allowed_on
#pragma weak allowed_to_make
#pragma weak allowed_between
#include "../../../../hypervisor/core/policy.c"
