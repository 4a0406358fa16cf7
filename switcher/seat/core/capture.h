// A guest's picture as it is now, into memory of the manager's.
#pragma once

#include <stdint.h>

#include "pixels.h"

// Into `memory`, a memfd that cannot shrink with room for width * height pixels; at most that large, and not larger
// than it is. *width and *height are then what was written, XRGB8888 without gaps: 0 by 0 when there is no picture.
// Returns 0 or an errno value, and then nothing was written. The descriptor stays the caller's.
int capture_picture(const struct image *picture, int memory, uint32_t *width, uint32_t *height);
