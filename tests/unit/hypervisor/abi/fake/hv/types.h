/*
 * The real header, without its promise that every function is in the same image: the tests use the C library.
 */
#ifndef FAKE_HV_TYPES_H
#define FAKE_HV_TYPES_H

#include_next <hv/types.h>
#pragma GCC visibility pop

#endif
