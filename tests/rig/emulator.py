"""The two emulators that machines are booted under. The tests have QEMU 10.0, unpacked beside the build (fetch_emulator): it runs PV
kernels under SMAP, which Debian 12's own 7.2 cannot, and is faster. ./dev run, the benches, the reference and what is compared with it to
the last bit (batch hvm-guests) keep to 7.2: it can open a window, its figures are known, and the reference runs all of our kernels there;
under 10.0 a PVH guest of the reference stood still before its first line."""

import os
import sys

CPU = 'EPYC,+svm,+npt,+umip,-monitor'
# Debian's own: the beginning of its command line. docs/testing.md says why these flags.
PACKAGED_MACHINE = ['qemu-system-x86_64', '-machine', 'q35,accel=tcg', '-cpu', 'EPYC,+svm,+npt,-smap,-monitor,-rdtscp']


def machine(build):
    """The beginning of the command line: emulator, kind of machine, processor."""
    path = f'{build}/emulator/qemu-system-x86_64'
    if not os.path.exists(path):
        source = os.path.relpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
        sys.exit(f'there is no emulator at {path}; "{source}/uivm/image/build {build} emulator" fetches it')
    return [path, '-machine', 'q35,accel=tcg', '-cpu', CPU]
