/*
 * For the thread sanitizer, to which a volatile access is one like any other: READ_ONCE and WRITE_ONCE as what they are
 * meant as. Included before everything (-include).
 */
#if !defined(FAKE_READ_ONCE_H) && !defined(__ASSEMBLER__)
#define FAKE_READ_ONCE_H

#include <hv/types.h>
#undef READ_ONCE
#undef WRITE_ONCE
#define READ_ONCE(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)

#endif
