/*
 * Text on the boot screen.
 *
 * What each character cell shows is kept in memory, so that the screen is only ever written (reading video
 * memory is slow) and scrolling redraws only the cells that change; it goes several lines at a time for the
 * same reason.
 */
#include <hv/screen.h>
#include <hv/bootinfo.h>
#include <hv/lib.h>
#include <hv/pagetable.h>

#define MAX_COLUMNS       256
#define MAX_ROWS          128
#define VGA_TEXT          0xb8000
#define TAB_COLUMNS       8
#define UNKNOWN_CHARACTER '?'

/* A cell is what VGA text mode has: character in the low byte, colour in the high one. */
static uint16_t cells[MAX_ROWS][MAX_COLUMNS];
static unsigned columns, rows, row, column;
static void (*draw_cell)(unsigned row, unsigned column);

static volatile uint16_t *text_memory;
static uint8_t *pixels;
static unsigned pixel_bytes;
static uint32_t pixel_colours[4], background;

static const struct {
    uint8_t attribute, red, green, blue;
} colours[] = {
    [SCREEN_RED] = {0x0c, 0xff, 0x60, 0x60},
    [SCREEN_YELLOW] = {0x0e, 0xf0, 0xd0, 0x60},
    [SCREEN_GREY] = {0x07, 0xc8, 0xc8, 0xc8},
    [SCREEN_DARK] = {0x08, 0x88, 0x88, 0x88},
};

static enum { TEXT, ESCAPE, CONTROL_SEQUENCE } state;

static void draw_text_cell(unsigned r, unsigned c)
{
    uint16_t cell = cells[r][c];
    text_memory[r * columns + c] = (uint16_t)(colours[cell >> 8].attribute << 8 | (cell & 0xff));
}

static void draw_pixel_cell(unsigned r, unsigned c)
{
    uint16_t cell = cells[r][c];
    const uint8_t *glyph = screen_font[(cell & 0xff) - SCREEN_FONT_FIRST];
    const uint32_t foreground = pixel_colours[cell >> 8];
    const unsigned pitch = bootinfo.framebuffer.pitch;
    uint8_t *to = pixels + (size_t)r * SCREEN_FONT_HEIGHT * pitch + (size_t)c * SCREEN_FONT_WIDTH * pixel_bytes;
    uint8_t line[SCREEN_FONT_WIDTH * sizeof(uint32_t)];
    for (unsigned y = 0; y < SCREEN_FONT_HEIGHT; y++, to += pitch) {
        for (unsigned x = 0; x < SCREEN_FONT_WIDTH; x++) {
            uint32_t pixel = glyph[y] & (0x80 >> x) ? foreground : background;
            memcpy(line + x * pixel_bytes, &pixel, pixel_bytes);
        }
        memcpy(to, line, SCREEN_FONT_WIDTH * pixel_bytes);
    }
}

static void set_cell(unsigned r, unsigned c, uint16_t cell)
{
    if (cells[r][c] == cell)
        return;
    cells[r][c] = cell;
    draw_cell(r, c);
}

#define BLANK (uint16_t)(SCREEN_GREY << 8 | ' ')

static void scroll(void)
{
    unsigned lines = max(rows / 4, 1U);
    for (unsigned r = 0; r < rows; r++) {
        for (unsigned c = 0; c < columns; c++)
            set_cell(r, c, r + lines < rows ? cells[r + lines][c] : BLANK);
    }
    row -= lines;
}

static void new_line(void)
{
    column = 0;
    if (++row == rows)
        scroll();
}

/* Bytes above ASCII are UTF-8: the first one of a character shows as one unknown character, the others not at
 * all. */
static void put_visible(char character, enum screen_colour colour)
{
    uint8_t byte = (uint8_t)character;
    if (byte >= 0x80 && byte < 0xc0)
        return;
    if (byte < SCREEN_FONT_FIRST || byte >= SCREEN_FONT_FIRST + SCREEN_FONT_GLYPHS)
        byte = UNKNOWN_CHARACTER;
    if (column == columns)
        new_line();
    set_cell(row, column++, (uint16_t)(colour << 8 | byte));
}

static void put_text(char c, enum screen_colour colour)
{
    switch (c) {
    case '\n':
        new_line();
        break;
    case '\r':
        column = 0;
        break;
    case '\t':
        column = min(ROUND_UP(column + 1, TAB_COLUMNS), columns);
        break;
    case '\b':
        column -= column > 0;
        break;
    case '\033':
        state = ESCAPE;
        break;
    case '\a':
    case '\0':
        break;
    default:
        put_visible(c, colour);
    }
}

/* ECMA-48: ESC and one character, or ESC [ up to a character from @ on. */
static void put_character(char c, enum screen_colour colour)
{
    if (state == TEXT)
        put_text(c, colour);
    else if (state == ESCAPE)
        state = c == '[' ? CONTROL_SEQUENCE : TEXT;
    else if (c >= '@' && c <= '~')
        state = TEXT;
}

void screen_write(const char *text, size_t bytes, enum screen_colour colour)
{
    for (size_t i = 0; draw_cell && i < bytes; i++)
        put_character(text[i], colour);
}

static uint32_t pixel_of(uint8_t red, uint8_t green, uint8_t blue)
{
    const struct boot_framebuffer *f = &bootinfo.framebuffer;
    return (uint32_t)(red >> (8 - f->red_size)) << f->red_position |
           (uint32_t)(green >> (8 - f->green_size)) << f->green_position |
           (uint32_t)(blue >> (8 - f->blue_size)) << f->blue_position;
}

static bool channel_ok(uint8_t position, uint8_t size, uint8_t bits_per_pixel)
{
    return size <= 8 && position + size <= bits_per_pixel;
}

static bool framebuffer_ok(const struct boot_framebuffer *f)
{
    unsigned bytes = (f->bits_per_pixel + 7U) / 8;
    return f->address && bytes >= 2 && bytes <= 4 && f->width >= SCREEN_FONT_WIDTH && f->width <= 16384 &&
           f->height >= SCREEN_FONT_HEIGHT && f->height <= 16384 && f->pitch >= f->width * bytes &&
           f->pitch <= 16384 * 4 && channel_ok(f->red_position, f->red_size, f->bits_per_pixel) &&
           channel_ok(f->green_position, f->green_size, f->bits_per_pixel) &&
           channel_ok(f->blue_position, f->blue_size, f->bits_per_pixel);
}

static bool init_pixels(const struct boot_framebuffer *f)
{
    if (!framebuffer_ok(f))
        return false;
    pixel_bytes = (f->bits_per_pixel + 7U) / 8;
    for (unsigned i = 0; i < ARRAY_SIZE(colours); i++)
        pixel_colours[i] = pixel_of(colours[i].red, colours[i].green, colours[i].blue);
    columns = min(f->width / SCREEN_FONT_WIDTH, (uint32_t)MAX_COLUMNS);
    rows = min(f->height / SCREEN_FONT_HEIGHT, (uint32_t)MAX_ROWS);
    /* Write-combining where the processor's page attribute table has it in entry 4, as guests expect it
     * there. */
    pixels = ioremap(f->address, (size_t)f->pitch * f->height, PTE_PAT);
    for (uint32_t y = 0; y < f->height; y++)
        memset(pixels + (size_t)y * f->pitch, 0, f->width * pixel_bytes);
    draw_cell = draw_pixel_cell;
    return true;
}

/* A loader that says nothing of a screen leaves a PC in text mode, and an EFI machine without any. */
static bool init_text(const struct boot_framebuffer *f)
{
    columns = f->present ? f->width : 80;
    rows = f->present ? f->height : 25;
    if (columns == 0 || columns > MAX_COLUMNS || rows < 2 || rows > MAX_ROWS)
        return false;
    text_memory = ioremap(f->present && f->address ? f->address : VGA_TEXT, columns * rows * 2, PTE_UNCACHED);
    draw_cell = draw_text_cell;
    return true;
}

bool screen_init(void)
{
    const struct boot_framebuffer *f = &bootinfo.framebuffer;
    if (!f->present && bootinfo.efi)
        return false;
    if (!(f->present && !f->text ? init_pixels(f) : init_text(f)))
        return false;
    for (unsigned r = 0; r < rows; r++) {
        for (unsigned c = 0; c < columns; c++) {
            cells[r][c] = BLANK;
            if (text_memory)
                draw_cell(r, c);
        }
    }
    return true;
}

void screen_release(void)
{
    draw_cell = NULL;
}
