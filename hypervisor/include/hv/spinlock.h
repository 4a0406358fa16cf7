/*
 * Ticket spin locks. Each has its place in the one order of hv/lock_order.h, which also says whether it is taken with
 * interrupts off (the _irqsave pair).
 */
#ifndef HV_SPINLOCK_H
#define HV_SPINLOCK_H

#include <hv/lock_check.h>
#include <hv/lock_order.h>
#include <hv/types.h>

struct spinlock {
    volatile uint16_t next, serving;
    uint16_t rank; /* enum lock_rank */
    uint16_t unused;
};
#define SPINLOCK_INIT(lock_rank)                                                                                       \
    {                                                                                                                  \
        .rank = (lock_rank)                                                                                            \
    }
static inline void spin_lock_init(struct spinlock *lock, enum lock_rank rank)
{
    *lock = (struct spinlock)SPINLOCK_INIT((uint16_t)rank);
}

static inline void spin_wait_for_turn(struct spinlock *lock)
{
    uint16_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
        __builtin_ia32_pause();
}
static inline void spin_lock(struct spinlock *lock)
{
    lock_check_wait(lock);
    spin_wait_for_turn(lock);
    lock_check_taken(lock);
}
/* While one of the same rank is held: the caller keeps the order of the two. */
static inline void spin_lock_next(struct spinlock *lock)
{
    lock_check_wait_next(lock);
    spin_wait_for_turn(lock);
    lock_check_taken(lock);
}
static inline bool spin_trylock(struct spinlock *lock)
{
    uint16_t serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE);
    uint16_t expected = serving;
    if (!__atomic_compare_exchange_n(&lock->next, &expected, (uint16_t)(serving + 1), false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    lock_check_taken(lock);
    return true;
}
static inline void spin_unlock(struct spinlock *lock)
{
    lock_check_release(lock);
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
