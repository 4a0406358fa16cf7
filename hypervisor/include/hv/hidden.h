/*
 * Put before every source by the build: nothing is outside the image, so the compiler need not go through a table of
 * addresses (GOT) for what another file defines. -fvisibility says this for definitions only.
 */
#pragma GCC visibility push(hidden)
