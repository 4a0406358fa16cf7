/*
 * Names of code addresses, for backtraces. lib/symbols.c; the table is made at link time
 * (tools/link_image.py).
 */
#ifndef HV_SYMBOLS_H
#define HV_SYMBOLS_H

#include <hv/types.h>

/* The function that contains `address`, and how far into it; NULL when it is not code of ours. */
const char *symbol_find(unsigned long address, unsigned long *offset);
/* True for an address inside our code. */
bool is_code_address(unsigned long address);

#endif
