/*
 * Checks of the rules in hv/lock_order.h, in builds for tests (HV_CHECKED): each CPU knows which locks it holds, and a
 * step against a rule stops the machine with a dump that names them. Nothing otherwise. x86/lock_check.c
 */
#ifndef HV_LOCK_CHECK_H
#define HV_LOCK_CHECK_H

struct spinlock;

#ifdef HV_CHECKED

void lock_check_wait(const struct spinlock *lock);
void lock_check_wait_next(const struct spinlock *lock); /* one of its rank may be held */
void lock_check_taken(const struct spinlock *lock);
void lock_check_release(const struct spinlock *lock);
void lock_check_call(void);    /* other CPUs are about to be called and waited for */
void lock_check_no_lock(void); /* on the way back to a guest */
void lock_check_report(void);  /* says in a dump which locks each CPU holds */

#else

static inline void lock_check_wait(const struct spinlock *lock)
{
}
static inline void lock_check_wait_next(const struct spinlock *lock)
{
}
static inline void lock_check_taken(const struct spinlock *lock)
{
}
static inline void lock_check_release(const struct spinlock *lock)
{
}
static inline void lock_check_call(void)
{
}
static inline void lock_check_no_lock(void)
{
}
static inline void lock_check_report(void)
{
}

#endif
#endif
