/*
 * On the host the locks are real, interrupts are a counter: "off" is per thread. Who waits lets others run, and now
 * and then a thread gives up its processor before it takes a lock, with one it has just taken, or when it has let go
 * of one, so that threads meet also where there are few processors.
 */
#ifndef FAKE_HV_SPINLOCK_H
#define FAKE_HV_SPINLOCK_H

int fake_let_others_run(void) __asm__("sched_yield"); /* by another name: we have functions of that name too */
extern int fake_threads_meet __attribute__((weak)); /* is there in tests that want it */
static inline void fake_meet_others(void)
{
    static __thread unsigned state;
    if (!state)
        state = (unsigned)(unsigned long)&state; /* each thread has moments of its own */
    state = state * 1664525 + 1013904223;
    if (&fake_threads_meet && state >> 26 == 0)
        fake_let_others_run();
}

#define __builtin_ia32_pause   fake_let_others_run
#define spin_lock              real_spin_lock
#define spin_unlock            real_spin_unlock
#define irq_save               real_irq_save
#define irq_restore            real_irq_restore
#define spin_lock_irqsave      real_spin_lock_irqsave
#define spin_unlock_irqrestore real_spin_unlock_irqrestore
#include_next <hv/spinlock.h>
#undef __builtin_ia32_pause
#undef spin_lock
#undef spin_unlock
#undef irq_save
#undef irq_restore
#undef spin_lock_irqsave
#undef spin_unlock_irqrestore

extern __thread unsigned fake_irqs_off;

static inline void spin_lock(struct spinlock *lock)
{
    fake_meet_others();
    real_spin_lock(lock);
    fake_meet_others();
}
static inline void spin_unlock(struct spinlock *lock)
{
    real_spin_unlock(lock);
    fake_meet_others();
}
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
