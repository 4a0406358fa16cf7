"""unpack_kernel.py VMLINUZ OUT: writes the ELF image that is inside a bzImage, however it is packed.

A PV guest starts from either, but libxl unpacks a bzImage anew at each start, and the hypervisor itself knows xz alone.
Source: Linux Documentation/arch/x86/boot.rst, the real-mode header."""

import struct
import subprocess
import sys

# First bytes of the payload, how it is packed, and what unpacks it from its standard input.
PACKINGS = [(b'\xfd7zXZ\0', 'xz', ['xz', '-dc']), (b'\x28\xb5\x2f\xfd', 'zstd', ['zstd', '-dcq']),
            (b'\x1f\x8b', 'gzip', ['gzip', '-dc']), (b'\x02\x21\x4c\x18', 'lz4', ['lz4', '-dcq'])]


class NotPacked(Exception):
    """What was given is no bzImage, or holds nothing that can be unpacked here."""


def payload(image):
    if image[0x202:0x206] != b'HdrS':
        raise NotPacked('it is no Linux bzImage')
    offset, length = struct.unpack_from('<II', image, 0x248)
    start = ((image[0x1f1] or 4) + 1) * 512 + offset
    return image[start:start + length]


def packing(image):
    """(name, command, payload)."""
    data = payload(image)
    for magic, name, command in PACKINGS:
        if data.startswith(magic):
            # All but gzip, whose own end it is, have the unpacked size behind them.
            return name, command, data if name == 'gzip' else data[:-4]
    raise NotPacked('it is packed in a way that is not known here')


def unpack_kernel(path, out):
    with open(path, 'rb') as file:
        _, command, data = packing(file.read())
    with open(out, 'wb') as file:
        subprocess.run(command, input=data, stdout=file, check=True)


if __name__ == '__main__':
    try:
        unpack_kernel(*sys.argv[1:])
    except (NotPacked, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f'unpack_kernel.py: {sys.argv[1]}: {error}')
