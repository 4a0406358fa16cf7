/* In place of hvm/svm/instructions.h. */
#ifndef HV_SVM_INSTRUCTIONS_H
#define HV_SVM_INSTRUCTIONS_H
#include <hv/types.h>
void vmsave(paddr_t block);
void invlpga(uint64_t linear, uint32_t asid);
#endif
