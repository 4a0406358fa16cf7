/*
 * Ticket spin locks. A lock that is ever taken in an interrupt handler is taken with interrupts off everywhere
 * (the _irqsave pair). Lock order, outermost first:
 *   domain list -> domctl -> domain.lock -> grant table -> domain.pt_lock -> event channel -> scheduler -> page
 *   allocator -> irq -> timer -> console
 */
#ifndef HV_SPINLOCK_H
#define HV_SPINLOCK_H

#include <hv/types.h>

struct spinlock {
    volatile uint16_t next, serving;
};
#define SPINLOCK_INIT                                                                                                  \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }

static inline void spin_lock(struct spinlock *lock)
{
    uint16_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
        __builtin_ia32_pause();
}
static inline bool spin_trylock(struct spinlock *lock)
{
    uint16_t serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE);
    uint16_t expected = serving;
    return __atomic_compare_exchange_n(&lock->next, &expected, (uint16_t)(serving + 1), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}
static inline void spin_unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->serving, (uint16_t)(lock->serving + 1), __ATOMIC_RELEASE);
}
static inline bool spin_is_locked(const struct spinlock *lock)
{
    return lock->next != lock->serving;
}

static inline unsigned long irq_save(void)
{
    unsigned long flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
    return flags;
}
static inline void irq_restore(unsigned long flags)
{
    if (flags & 0x200)
        __asm__ volatile("sti" ::: "memory");
}
static inline unsigned long spin_lock_irqsave(struct spinlock *lock)
{
    unsigned long flags = irq_save();
    spin_lock(lock);
    return flags;
}
static inline void spin_unlock_irqrestore(struct spinlock *lock, unsigned long flags)
{
    spin_unlock(lock);
    irq_restore(flags);
}

#endif
