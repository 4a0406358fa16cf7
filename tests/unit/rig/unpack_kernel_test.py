"""Kernels packed in each way that distributions pack them come out of their bzImage as they went in."""

import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'uivm', 'image'))
import unpack_kernel

PACKERS = {'xz': ['xz', '--check=crc32', '-c'], 'zstd': ['zstd', '-qc'], 'gzip': ['gzip', '-c'], 'lz4': ['lz4', '-qlc']}
KERNEL = b'\x7fELF' + bytes(range(256)) * 4000


def bzimage(data):
    """As Linux makes it: 3 sectors of set-up code, then code that unpacks, then the payload."""
    image = bytearray(4 * 512) + b'\x90' * 700
    struct.pack_into('<B', image, 0x1f1, 3)
    image[0x202:0x206] = b'HdrS'
    struct.pack_into('<II', image, 0x248, 700, len(data))
    return bytes(image) + data + b'what follows the payload'


def packed(name):
    """A bzImage with KERNEL, packed in this way."""
    data = subprocess.run(PACKERS[name], input=KERNEL, capture_output=True, check=True).stdout
    return bzimage(data if name == 'gzip' else data + struct.pack('<I', len(KERNEL)))


def unpacked(image):
    with tempfile.TemporaryDirectory() as folder:
        with open(f'{folder}/vmlinuz', 'wb') as file:
            file.write(image)
        unpack_kernel.unpack_kernel(f'{folder}/vmlinuz', f'{folder}/vmlinux')
        with open(f'{folder}/vmlinux', 'rb') as file:
            return file.read()


def main():
    bad = 0
    print(f'1..{len(PACKERS) + 1}')
    for number, name in enumerate(PACKERS, 1):
        image = packed(name)
        good = unpack_kernel.packing(image)[0] == name and unpacked(image) == KERNEL
        bad += not good
        print(f'{"ok" if good else "not ok"} {number} - {name}')
    refused = 0
    for image in (KERNEL, bzimage(KERNEL)):
        try:
            unpacked(image)
        except unpack_kernel.NotPacked:
            refused += 1
    bad += refused != 2
    print(f'{"ok" if refused == 2 else "not ok"} {len(PACKERS) + 1} - what is not packed is refused')
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
