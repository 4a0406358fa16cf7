// The seat's own arrow, for when nobody else supplies a cursor.
#pragma once

#include <stdint.h>

#include "pixels.h"

struct image cursor_arrow(void); // hotspot at 0, 0
