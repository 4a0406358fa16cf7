/* What the two files of the PV kernel share. */
#ifndef FUZZ_PV_H
#define FUZZ_PV_H

#include "fuzz.h"

extern uint64_t arena_frame[ARENA];   /* 0: given away */
extern uint64_t window_l1, window_l2; /* machine addresses of the tables that map the arena */
extern uint64_t root_frame;
uint64_t target_frame(struct worker *w); /* to be written: none that the guest lives by */
/* Into the arena, where there is room, if it is a frame of ours. */
void put_frame(struct worker *w, uint64_t frame);

#endif
