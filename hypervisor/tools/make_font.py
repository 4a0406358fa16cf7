#!/usr/bin/env python3
"""Makes screen_font.c from a console font: the 8x16 glyphs of the printable ASCII characters.

usage: make_font.py FONT.psf.gz OUTPUT.c

The font is PC Screen Font version 1 with a Unicode table, as in Debian's package psf-unifont.
"""
import gzip
import sys

HEIGHT = 16
FIRST, LAST = 0x20, 0x7E
MODE_512, MODE_TABLE = 0x01, 0x06
SEPARATOR, SEQUENCE = 0xFFFF, 0xFFFE


def glyph_numbers(table):
    """Unicode code point -> glyph number. Sequences of several code points are of no use here."""
    numbers, glyph, in_sequence = {}, 0, False
    for i in range(0, len(table) - 1, 2):
        code = table[i] | table[i + 1] << 8
        if code == SEPARATOR:
            glyph, in_sequence = glyph + 1, False
        elif code == SEQUENCE:
            in_sequence = True
        elif not in_sequence:
            numbers.setdefault(code, glyph)
    return numbers


def read_glyphs(path):
    with gzip.open(path) as f:
        data = f.read()
    if data[:2] != b"\x36\x04" or data[3] != HEIGHT or not data[2] & MODE_TABLE:
        sys.exit(f"{path}: not a PSF version 1 font of 8x{HEIGHT} with a Unicode table")
    count = 512 if data[2] & MODE_512 else 256
    numbers = glyph_numbers(data[4 + count * HEIGHT:])
    for code in range(FIRST, LAST + 1):
        if code not in numbers:
            sys.exit(f"{path}: no glyph for character {code:#x}")
        start = 4 + numbers[code] * HEIGHT
        yield chr(code), data[start:start + HEIGHT]


def main():
    font, output = sys.argv[1:]
    with open(output, "w") as f:
        f.write("#include <hv/screen.h>\n\nconst uint8_t screen_font[SCREEN_FONT_GLYPHS][SCREEN_FONT_HEIGHT] = {\n")
        for character, rows in read_glyphs(font):
            f.write(f"    [{ord(character) - FIRST}] = {{" + ", ".join(f"0x{row:02x}" for row in rows) + "},\n")
        f.write("};\n")


main()
