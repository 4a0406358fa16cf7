/*
 * x86/screen.c on screens of every kind. Video memory is a block of exactly the size asked for, so the
 * address sanitizer sees any pixel outside; each case is a process, since there is one screen in a machine.
 */
#include "../../check.h"
#include "../../random.h"
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hv/bootinfo.h>
#include <hv/page.h>
#include <hv/pagetable.h>
#include <hv/screen.h>

struct bootinfo bootinfo;

/* A glyph that says which one it is. */
#define ROWS_8(g) g, (uint8_t)(g + 1), (uint8_t)(g + 2), (uint8_t)(g + 3), (uint8_t)(g + 4), (uint8_t)(g + 5), g, g
#define GLYPH(n)                                                                                                       \
    {                                                                                                                  \
        ROWS_8((uint8_t)(n)), ROWS_8((uint8_t)(n * 3))                                                                 \
    }
#define GLYPHS_5(n) GLYPH(n), GLYPH(n + 1), GLYPH(n + 2), GLYPH(n + 3), GLYPH(n + 4)
#define GLYPHS_19_OF_5(n)                                                                                              \
    GLYPHS_5(n), GLYPHS_5(n + 5), GLYPHS_5(n + 10), GLYPHS_5(n + 15), GLYPHS_5(n + 20), GLYPHS_5(n + 25),              \
        GLYPHS_5(n + 30), GLYPHS_5(n + 35), GLYPHS_5(n + 40), GLYPHS_5(n + 45), GLYPHS_5(n + 50), GLYPHS_5(n + 55),    \
        GLYPHS_5(n + 60), GLYPHS_5(n + 65), GLYPHS_5(n + 70), GLYPHS_5(n + 75), GLYPHS_5(n + 80), GLYPHS_5(n + 85),    \
        GLYPHS_5(n + 90)
const uint8_t screen_font[SCREEN_FONT_GLYPHS][SCREEN_FONT_HEIGHT] = {GLYPHS_19_OF_5(32)};

static uint8_t *memory;
static size_t memory_bytes;
static paddr_t memory_address;

void *ioremap(paddr_t pa, size_t bytes, uint64_t cache_flags)
{
    CHECK(!memory, "a second mapping");
    memory_address = pa;
    memory_bytes = bytes;
    memory = malloc(bytes);
    memset(memory, 0xa5, bytes);
    return memory;
}

static void say(const char *text)
{
    screen_write(text, strlen(text), SCREEN_GREY);
}

static void expect_row(unsigned columns, unsigned row, const char *text)
{
    const uint16_t *cells = (const uint16_t *)memory + (size_t)row * columns;
    for (unsigned c = 0; c < columns; c++) {
        char want = c < strlen(text) ? text[c] : ' ';
        CHECK((cells[c] & 0xff) == want, "row %u column %u: '%c', not '%c'", row, c, cells[c] & 0xff, want);
    }
}

static void test_text(void)
{
    CHECK(screen_init() && memory_address == 0xb8000 && memory_bytes == 80 * 25 * 2, "%zu bytes", memory_bytes);
    for (unsigned row = 0; row < 25; row++)
        expect_row(80, row, "");
    say("one\ntw\bo\rT\n\tx\033[1;31mred\033[0m\xc3\xa9\a!");
    screen_write("W", 1, SCREEN_RED);
    expect_row(80, 0, "one");
    expect_row(80, 1, "To");
    expect_row(80, 2, "        xred?!W");
    CHECK(((const uint16_t *)memory)[2 * 80 + 14] >> 8 == 0x0c, "colour");
    CHECK(((const uint16_t *)memory)[0] >> 8 == 0x07, "colour");
    say("\n12345678901234567890123456789012345678901234567890123456789012345678901234567890wrapped\n");
    expect_row(80, 4, "wrapped");
    for (int i = 0; i < 1000; i++) {
        char line[20];
        snprintf(line, sizeof(line), "line %d\n", i);
        say(line);
    }
    /* The last line is there, the ones before it above it, and the cursor's line is empty. */
    unsigned last = 0;
    while (last < 25 && (((const uint16_t *)memory)[last * 80] & 0xff) != ' ')
        last++;
    CHECK(last >= 17 && last <= 24, "%u rows in use", last);
    expect_row(80, last - 1, "line 999");
    expect_row(80, 0,
               last == 24   ? "line 976"
               : last == 23 ? "line 977"
               : last == 22 ? "line 978"
               : last == 21 ? "line 979"
               : last == 20 ? "line 980"
               : last == 19 ? "line 981"
               : last == 18 ? "line 982"
                            : "line 983");
    screen_release();
    uint8_t before = memory[0];
    say("\r\b\n\n\n\n\n\n\n\n\n\n\n\nunseen");
    CHECK(memory[0] == before, "drawn after the release");
}

static void set_framebuffer(unsigned width, unsigned height, unsigned pitch, unsigned bits)
{
    bootinfo.framebuffer = (struct boot_framebuffer){.present = true,
                                                     .address = 0xe0000000,
                                                     .width = width,
                                                     .height = height,
                                                     .pitch = pitch,
                                                     .bits_per_pixel = (uint8_t)bits,
                                                     .red_position = 16,
                                                     .red_size = 8,
                                                     .green_position = 8,
                                                     .green_size = 8,
                                                     .blue_position = 0,
                                                     .blue_size = 8};
    if (bits == 16) {
        bootinfo.framebuffer.red_position = 11;
        bootinfo.framebuffer.green_position = 5;
        bootinfo.framebuffer.red_size = bootinfo.framebuffer.blue_size = 5;
        bootinfo.framebuffer.green_size = 6;
    }
}

static uint32_t pixel(unsigned x, unsigned y)
{
    unsigned bytes = bootinfo.framebuffer.bits_per_pixel / 8;
    uint32_t value = 0;
    memcpy(&value, memory + (size_t)y * bootinfo.framebuffer.pitch + (size_t)x * bytes, bytes);
    return value;
}

static void expect_glyph(char c, unsigned row, unsigned column, uint32_t colour)
{
    for (unsigned y = 0; y < SCREEN_FONT_HEIGHT; y++) {
        for (unsigned x = 0; x < SCREEN_FONT_WIDTH; x++) {
            uint32_t want = screen_font[c - SCREEN_FONT_FIRST][y] & (0x80 >> x) ? colour : 0;
            uint32_t got = pixel(column * SCREEN_FONT_WIDTH + x, row * SCREEN_FONT_HEIGHT + y);
            CHECK(got == want, "'%c' at pixel %u,%u: %#x, not %#x", c, x, y, got, want);
        }
    }
}

static void test_pixels(unsigned bits, uint32_t red)
{
    set_framebuffer(333, 205, 333 * bits / 8 + 24, bits); /* 41 columns and 12 rows, and something left over */
    CHECK(screen_init() && memory_bytes == (size_t)bootinfo.framebuffer.pitch * 205, "%zu", memory_bytes);
    CHECK(pixel(332, 204) == 0 && memory[333 * bits / 8] == 0xa5, "cleared, and nothing but the picture");
    screen_write("Ab", 2, SCREEN_RED);
    expect_glyph('A', 0, 0, red);
    expect_glyph('b', 0, 1, red);
    CHECK(pixel(16, 0) == 0, "beyond the text");
    for (int i = 0; i < 40; i++)
        screen_write("0123456789012345678901234567890123456789XYZ\n", 44, SCREEN_RED);
    for (unsigned i = 0; i < 20000; i++) {
        char c = (char)random64();
        screen_write(&c, 1, (enum screen_colour)random_below(4));
    }
    CHECK(memory[333 * bits / 8] == 0xa5, "outside the picture");
}
static void test_32(void)
{
    test_pixels(32, 0xff6060);
}
static void test_24(void)
{
    test_pixels(24, 0xff6060);
}
static void test_16(void)
{
    test_pixels(16, 0xff >> 3 << 11 | 0x60 >> 2 << 5 | 0x60 >> 3);
}

/* No screen, but no mapping and no drawing either. */
static void refuse(void)
{
    CHECK(!screen_init() && !memory, "taken");
    say("nowhere\n");
}

static void test_refused(void)
{
    bootinfo.efi = true;
    refuse();
    bootinfo.efi = false;
    static const unsigned bad[][4] = {{640, 480, 639 * 4, 32}, {7, 480, 2560, 32},   {640, 15, 2560, 32},
                                      {640, 480, 640, 8},      {640, 480, 2560, 40}, {70000, 480, 280000, 32},
                                      {640, 70000, 2560, 32},  {640, 480, ~0U, 32},  {0, 0, 0, 0}};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        set_framebuffer(bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
        refuse();
    }
    set_framebuffer(640, 480, 2560, 32);
    bootinfo.framebuffer.red_position = 30;
    refuse();
    set_framebuffer(640, 480, 2560, 32);
    bootinfo.framebuffer.green_size = 9;
    refuse();
    set_framebuffer(300, 25, 600, 16);
    bootinfo.framebuffer.text = true;
    refuse();
}

static void test_huge(void)
{
    set_framebuffer(7680, 4320, 7680 * 4, 32); /* more cells than are kept: the upper left corner is used */
    CHECK(screen_init(), "-");
    for (int i = 0; i < 300; i++)
        say("0123456789 and a long line that goes on and on\n");
}

int main(void)
{
    static void (*const tests[])(void) = {test_text, test_32, test_24, test_16, test_refused, test_huge};
    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
        pid_t child = fork();
        if (child == 0) {
            tests[i]();
            free(memory);
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0, "test %u ended with %#x", i, status);
    }
    return 0;
}
