/*
 * On the host the locks are real, interrupts are a counter: "off" is per thread.
 */
#ifndef FAKE_HV_SPINLOCK_H
#define FAKE_HV_SPINLOCK_H

#define irq_save               real_irq_save
#define irq_restore            real_irq_restore
#define spin_lock_irqsave      real_spin_lock_irqsave
#define spin_unlock_irqrestore real_spin_unlock_irqrestore
#include_next <hv/spinlock.h>
#undef irq_save
#undef irq_restore
#undef spin_lock_irqsave
#undef spin_unlock_irqrestore

extern __thread unsigned fake_irqs_off;

static inline unsigned long irq_save(void)
{
    return fake_irqs_off++ ? 0 : 0x200;
}
static inline void irq_restore(unsigned long flags)
{
    fake_irqs_off--;
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
