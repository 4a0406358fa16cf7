/*
 * What a virtual chip of an HVM guest is: a file that ends in one `const struct chip chip_NAME`, and NAME's row in
 * chips.h. chip.c takes every chip through a guest's life by its row; nobody else knows which chips there are.
 *
 * Which   A guest has a chip if XEN_DOMCTL_createdomain gave it one of the chip's flags. For one that it has not, no
 *         function is called, nothing is saved, and a record in a stream to be loaded is refused (-ENODEV).
 * State   Zeroed memory of `bytes`, made before init and freed when the last destroy has returned; chip_state() finds
 *         it, NULL where the guest has no such chip. Its type is the chip's file's alone: what others may ask of the
 *         chip is a function in hv/vdev.h.
 * Order   Chips are made in the order of the rows and undone in the reverse order, when all states are still there.
 *         For each: state, claims, init. If one of them fails, creation fails with its error: init has undone what it
 *         did itself, the chip's destroy is not called, those of the chips before it are.
 * Stream  Records are saved by ascending type code, whatever the order of the rows, and loaded as the stream has them.
 * Locks   No lock of the chips is held when a function here is called. No vcpu runs during init, destroy, vcpu_init and
 *         vcpu_destroy; the guest is paused during save and load, but a device model may drive lines meanwhile.
 */
#ifndef HVM_VDEV_CHIP_H
#define HVM_VDEV_CHIP_H

#include <hv/vdev.h>
#include "chips.h"

#define CHIP_PORTS   4
#define CHIP_RECORDS 3

struct chip {
    uint32_t flags; /* XEN_X86_EMU_*; 0: every HVM guest has it */
    size_t bytes;   /* of its state, not 0 */

    /* What it answers; unused rows are left out. Who has several handlers in one place declines by IO_UNHANDLED. */
    struct {
        uint16_t first, count;
        port_handler handler;
    } ports[CHIP_PORTS];
    struct {
        bool (*accepts)(struct vcpu *v, uint64_t gpa);
        memory_handler handler;
    } memory;

    /* Any of these may be NULL. vcpu_reset: at INIT, and at the end of vcpu creation; v is current or off every CPU.
     * vcpu_destroy is also called for a vcpu whose vcpu_init failed or was never reached. */
    int (*init)(struct domain *d);
    void (*destroy)(struct domain *d);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_reset)(struct vcpu *v);
    void (*vcpu_destroy)(struct vcpu *v);

    struct hvm_save_handler records[CHIP_RECORDS]; /* those with type 0 are none */
};

#define CHIP_ID(id, name)     CHIP_##id,
#define CHIP_EXTERN(id, name) extern const struct chip chip_##name;
enum chip_id { CHIPS(CHIP_ID) CHIP_COUNT };
CHIPS(CHIP_EXTERN)

/* The rows, by enum chip_id. chips.c; a test has its own. */
extern const struct chip *const hvm_chips[];
extern const unsigned hvm_chip_count;

static inline void *chip_state(const struct domain *d, enum chip_id id)
{
    return d->hvm->chip[id];
}

#endif
