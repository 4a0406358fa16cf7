/* Interrupts that are off are what the test says: whoever calls this CPU waits for them. */
#ifndef FAKE_POLICY_SPINLOCK_H
#define FAKE_POLICY_SPINLOCK_H
#include_next <hv/spinlock.h>
unsigned long fake_irq_save(void);
void fake_irq_restore(unsigned long flags);
#define irq_save()         fake_irq_save()
#define irq_restore(flags) fake_irq_restore(flags)
#endif
