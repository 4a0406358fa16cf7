/*
 * Put before every source of the image by the build: every symbol is within the image, so addresses are
 * formed directly and never through a table (the image has no GOT). -fvisibility=hidden says this for
 * definitions only. Not in a header, because the host's unit tests compile the same files against the C
 * library.
 */
#pragma GCC visibility push(hidden)
