/*
 * A test is told of each READ_ONCE, and may change what was read, as a guest on another processor does between two
 * reads. Included before everything (-include).
 */
#if !defined(FAKE_READ_HOOK_H) && !defined(__ASSEMBLER__)
#define FAKE_READ_HOOK_H

#include <hv/types.h>
#undef READ_ONCE
#define READ_ONCE(x)                                           \
    ({                                                         \
        __typeof__(x) read_ = *(volatile __typeof__(x) *)&(x); \
        after_read(&(x));                                      \
        read_;                                                 \
    })

void after_read(const volatile void *place); /* the test's */

#endif
