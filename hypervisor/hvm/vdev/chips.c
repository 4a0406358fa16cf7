/*
 * The virtual chips' descriptions by their numbers; the rows are in chips.h.
 */
#include "chip.h"

#define CHIP_ENTRY(id, name) [CHIP_##id] = &chip_##name,

const struct chip *const hvm_chips[] = {CHIPS(CHIP_ENTRY)};
const unsigned hvm_chip_count = CHIP_COUNT;

_Static_assert(CHIP_COUNT <= HVM_CHIPS, "struct hvm_domain has room for their states");
