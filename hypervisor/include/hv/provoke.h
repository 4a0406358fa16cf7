/*
 * Faults of our own on purpose, in builds for tests: the option provoke=NAME makes one before Domain-0 starts, and what
 * must stop it has to say so. core/provoke.c
 */
#ifndef HV_PROVOKE_H
#define HV_PROVOKE_H

#ifdef HV_CHECKED
void provoke_fault(void);
#else
static inline void provoke_fault(void)
{
}
#endif

#endif
