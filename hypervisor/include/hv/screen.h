/*
 * Text on the boot screen: VGA text mode or a linear framebuffer. x86/screen.c
 * The console lock is held around screen_write and screen_release.
 */
#ifndef HV_SCREEN_H
#define HV_SCREEN_H

#include <hv/types.h>

enum screen_colour { SCREEN_RED, SCREEN_YELLOW, SCREEN_GREY, SCREEN_DARK };

#define SCREEN_FONT_FIRST  0x20 /* the printable ASCII characters */
#define SCREEN_FONT_GLYPHS 95
#define SCREEN_FONT_WIDTH  8
#define SCREEN_FONT_HEIGHT 16
/* One byte is one row, leftmost pixel in bit 7. Made at build time by tools/make_font.py. */
extern const uint8_t screen_font[SCREEN_FONT_GLYPHS][SCREEN_FONT_HEIGHT];

/* Takes the screen that bootinfo.framebuffer describes and clears it; false when there is none we can draw
 * on. */
bool screen_init(void);
/* Understands \n \r \t \b; terminal escape sequences are dropped. */
void screen_write(const char *text, size_t bytes, enum screen_colour colour);
/* Nothing is drawn any more. */
void screen_release(void);

#endif
