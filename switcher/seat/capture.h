// Pictures as PNG files, for screenshots and tests.
#pragma once

#include "pixels.h"

// Encodes the image and writes it; returns 0 or an errno value. Waits at most two seconds for a slow reader.
int capture_png(const struct image *image, int fd);
