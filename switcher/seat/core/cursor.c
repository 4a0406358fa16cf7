// A drawn arrow: '#' is black, '.' is white.
#include "cursor.h"

enum { WIDTH = 12, HEIGHT = 19 };

static const char *const rows[HEIGHT] = {
    "#           ", "##          ", "#.#         ", "#..#        ", "#...#       ", "#....#      ", "#.....#     ",
    "#......#    ", "#.......#   ", "#........#  ", "#.........# ", "#......#####", "#...#..#    ", "#..##..#    ",
    "#.#  #..#   ", "##   #..#   ", "#     #..#  ", "      #..#  ", "       ##   ",
};

struct image cursor_arrow(void)
{
    static uint32_t pixels[WIDTH * HEIGHT];
    if (pixels[0] == 0)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                pixels[y * WIDTH + x] = rows[y][x] == '#' ? 0xff000000 : rows[y][x] == '.' ? 0xffffffff : 0;
    return (struct image){(const uint8_t *)pixels, WIDTH, HEIGHT, WIDTH * 4, PIXEL_ARGB8888};
}
