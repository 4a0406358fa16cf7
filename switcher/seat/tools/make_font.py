#!/usr/bin/env python3
"""Makes the seat's font: the glyphs of a GRUB font as data, and an assembler file that puts them into the program.

usage: make_font.py FONT.pf2 OUTPUT.S OUTPUT.bin

The font is GNU Unifont as Debian's package grub-common has it (PFF2: sections of a name, a length and data, numbers big-endian). The
data is a glyph number for each code point of the basic plane, then the glyphs; core/text.c knows both. Numbers are little-endian.
"""
import struct
import sys
import unicodedata

HEIGHT, WIDTH, PLANE = 16, 16, 0x10000
INDEX_ENTRY, GLYPH_HEAD = struct.Struct('>IBI'), struct.Struct('>HHhhh')
# What has no shape of its own is no help to who has to read a name, and some of it hides or turns round what stands beside it.
NOT_SHOWN = ('Cc', 'Cf', 'Cs', 'Co', 'Zl', 'Zp')


def sections(data):
    """The offset and length of each section."""
    found, at = {}, 0
    while at < len(data):
        name, length = data[at:at + 4], int.from_bytes(data[at + 4:at + 8], 'big')
        found[name] = at + 8, length
        if name == b'DATA':
            break
        at += 8 + length
    return found


def glyph(data, offset, ascent):
    """Its advance in pixels, and HEIGHT rows of WIDTH pixels, the leftmost one in the highest bit."""
    width, height, left, bottom, advance = GLYPH_HEAD.unpack_from(data, offset)
    bits = data[offset + GLYPH_HEAD.size:]
    rows = [0] * HEIGHT
    for y in range(height):
        row = ascent - bottom - height + y
        for x in range(width):
            number = y * width + x
            if bits[number // 8] >> (7 - number % 8) & 1 and 0 <= row < HEIGHT and 0 <= left + x < WIDTH:
                rows[row] |= 1 << (WIDTH - 1 - left - x)
    return advance, rows


def glyphs(path):
    with open(path, 'rb') as f:
        data = f.read()
    found = sections(data)
    if data[8:12] != b'PFF2' or b'CHIX' not in found or b'ASCE' not in found:
        sys.exit(f'{path}: not a GRUB font')
    ascent = int.from_bytes(data[found[b'ASCE'][0]:found[b'ASCE'][0] + 2], 'big')
    begin, length = found[b'CHIX']
    for at in range(begin, begin + length, INDEX_ENTRY.size):
        code, packing, offset = INDEX_ENTRY.unpack_from(data, at)
        if packing:
            sys.exit(f'{path}: glyph {code:#x} is compressed')
        if code >= PLANE or unicodedata.category(chr(code)) in NOT_SHOWN:
            continue
        advance, rows = glyph(data[offset:offset + 128], 0, ascent)
        if unicodedata.category(chr(code)) in ('Mn', 'Me'):
            advance = 0     # drawn over what stands before it
        yield code, advance, rows


def main():
    font, source, binary = sys.argv[1:]
    index, shapes = [0] * PLANE, [struct.pack('<17H', WIDTH // 2, *[0] * HEIGHT)]
    for code, advance, rows in glyphs(font):
        index[code] = len(shapes)
        shapes.append(struct.pack('<17H', advance, *rows))
    with open(binary, 'wb') as f:
        f.write(struct.pack(f'<{PLANE}H', *index) + b''.join(shapes))
    with open(source, 'w') as f:
        f.write(f'    .section .rodata\n    .balign 4\n    .globl text_font\ntext_font:\n    .incbin "{binary}"\n'
                f'    .globl text_font_end\ntext_font_end:\n    .section .note.GNU-stack,"",@progbits\n')


main()
