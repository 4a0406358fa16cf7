/* hv/spinlock.h for the host, where interrupts cannot be turned off. One thread takes locks: taking one twice is a
 * deadlock. */
#ifndef HV_SPINLOCK_H
#define HV_SPINLOCK_H
#include <hv/lock_order.h>
#include <hv/types.h>
void fake_deadlock(void);
/* If the test has it: what another CPU does while this one waits for the lock. */
struct spinlock;
__attribute__((weak)) void fake_before_lock(struct spinlock *lock);
struct spinlock {
    uint16_t held, unused[3];
};
_Static_assert(sizeof(struct spinlock) == 8 && _Alignof(struct spinlock) == 2, "as the real one: see fake/default.c");
#define SPINLOCK_INIT(rank)                                                                                            \
    {                                                                                                                  \
        0                                                                                                              \
    }
static inline void spin_lock_init(struct spinlock *lock, enum lock_rank rank)
{
    (void)rank;
    lock->held = 0;
}
static inline void spin_lock(struct spinlock *lock)
{
    if (fake_before_lock)
        fake_before_lock(lock);
    if (lock->held++)
        fake_deadlock();
}
static inline void spin_lock_next(struct spinlock *lock)
{
    spin_lock(lock);
}
static inline bool spin_trylock(struct spinlock *lock)
{
    if (lock->held)
        return false;
    spin_lock(lock);
    return true;
}
static inline void spin_unlock(struct spinlock *lock)
{
    if (--lock->held)
        fake_deadlock();
}
static inline unsigned long spin_lock_irqsave(struct spinlock *lock)
{
    spin_lock(lock);
    return 0;
}
static inline void spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags)
{
    (void)flags;
    spin_unlock(lock);
}
static inline unsigned long irq_save(void)
{
    return 0;
}
static inline void irq_restore(unsigned long flags)
{
    (void)flags;
}
#endif
