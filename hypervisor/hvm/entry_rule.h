/*
 * One rule of those that a processor has for entering a guest: the function that checks them ends at the first that
 * does not hold, with the rule's section and name. svm/check.c, vmx/check.c
 */
#ifndef HV_HVM_ENTRY_RULE_H
#define HV_HVM_ENTRY_RULE_H

#include <hv/types.h>

#define RULE(holds, text)                                                                                              \
    do {                                                                                                               \
        if (unlikely(!(holds)))                                                                                        \
            return text;                                                                                               \
    } while (0)

#endif
