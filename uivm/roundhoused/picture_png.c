/* By libpng, into memory. */
#include "picture_png.h"
#include "errors.h"

#include <png.h>

static void add_bytes(png_structp png, png_bytep bytes, png_size_t length)
{
    g_byte_array_append(png_get_io_ptr(png), bytes, (guint)length);
}

static void flush(png_structp png)
{
    (void)png;
}

/* FALSE: libpng gave up, which it says by a jump to here. */
static gboolean write_png(png_structp png, png_infop info, const guint8 *pixels, guint width, guint height)
{
    if (setjmp(png_jmpbuf(png)))
        return FALSE;
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 3); /* of a screen: half the time of the usual 6, a few per cent more bytes */
    png_write_info(png, info);
    png_set_filler(png, 0, PNG_FILLER_AFTER); /* in memory they are blue, green, red and one that says nothing */
    png_set_bgr(png);
    for (guint row = 0; row < height; row++)
        png_write_row(png, pixels + (gsize)row * width * 4);
    png_write_end(png, NULL);
    return TRUE;
}

GBytes *picture_png(GBytes *pixels, guint width, guint height, GError **error)
{
    GByteArray *file = g_byte_array_new();
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    gboolean good = info != NULL;
    g_assert(g_bytes_get_size(pixels) == (gsize)width * height * 4);
    if (good) {
        png_set_write_fn(png, file, add_bytes, flush);
        good = write_png(png, info, g_bytes_get_data(pixels, NULL), width, height);
    }
    png_destroy_write_struct(&png, &info);
    if (good)
        return g_byte_array_free_to_bytes(file);
    g_byte_array_unref(file);
    g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "There is no memory for the picture. End a guest, and try again.");
    return NULL;
}
