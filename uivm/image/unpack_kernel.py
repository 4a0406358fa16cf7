"""unpack_kernel.py VMLINUZ OUT: writes the ELF image that is inside a bzImage packed by xz, as Debian's are.

A PV guest starts from either, but libxl unpacks a bzImage anew at each start."""

import lzma
import sys

XZ_MAGIC = b'\xfd7zXZ\0'


def unpack_kernel(path, out):
    with open(path, 'rb') as file:
        image = file.read()
    start = image.find(XZ_MAGIC)
    if start < 0:
        sys.exit(f'{path} holds no kernel that is packed by xz')
    with open(out, 'wb') as file:
        file.write(lzma.LZMADecompressor().decompress(image[start:]))


if __name__ == '__main__':
    unpack_kernel(*sys.argv[1:])
