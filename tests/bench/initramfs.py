"""Initramfs images of the benchmarks, in cpio's newc format; of Domain-0's the toolstack with every library it names.

Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst."""

import os
import posixpath
import re
import subprocess
import tarfile
import tempfile

FOLDER, FILE, LINK, CHARACTER_DEVICE = 0o040755, 0o100755, 0o120777, 0o020600
TOOLS = tuple(f'usr/lib/xen-4.17/bin/{name}' for name in ('xl', 'xen-init-dom0', 'xenstored', 'xenconsoled')) + ('usr/bin/xenstore-write',)
# Ours, which measure. In Domain-0 their names are without "bench-".
PROGRAMS = ('bench-figures', 'bench-domains', 'bench-network', 'bench-wake')
DEVICE_MODEL = 'usr/libexec/xen-qemu-system-i386'
DEVICE_MODEL_FILES = ('usr/lib/xen-4.17/boot/hvmloader', 'usr/share/seabios/bios-256k.bin', 'usr/share/seabios/vgabios-cirrus.bin',
                      'usr/share/seabios/vgabios-stdvga.bin', 'usr/share/qemu/linuxboot.bin', 'usr/share/qemu/linuxboot_dma.bin',
                      'usr/share/qemu/keymaps/en-us', 'usr/lib/ipxe/qemu/efi-e1000.rom')
LIBRARY_FOLDERS = ('usr/lib/x86_64-linux-gnu', 'usr/lib/xen-4.17/lib/x86_64-linux-gnu',
                   'usr/lib/x86_64-linux-gnu/pulseaudio')
# The C library loads this one when a thread ends; no program names it.
LATE_LIBRARIES = ('libgcc_s.so.1',)
# Domain-0's drivers for the toolstack, and for guests' network cards; a guest's for disks and network cards, paravirtual and
# emulated.
MODULES = ('xen-privcmd.ko', 'xenfs.ko', 'xen-evtchn.ko', 'xen-gntdev.ko', 'xen-gntalloc.ko')
NETWORK_MODULES = ('xen-netback.ko', 'tun.ko')
GUEST_DRIVERS = ('xen-blkfront.ko', 'ata_piix.ko', 'sd_mod.ko', 'xen-netfront.ko', 'e1000.ko')


class Initramfs:
    def __init__(self):
        self.records, self.made = [], set()
        self.device('dev/console', 5, 1)

    def record(self, name, mode, data=b'', major=0, minor=0):
        fields = [len(self.records) + 1, mode, 0, 0, 2 if mode == FOLDER else 1, 0, len(data), 0, 0, major, minor,
                  len(name) + 1, 0]
        head = b'070701' + b''.join(b'%08X' % field for field in fields) + name.encode() + b'\0'
        head += bytes(-len(head) % 4)
        self.records.append(head + data + bytes(-len(data) % 4))

    def folder(self, name):
        if name and name not in self.made:
            self.folder(posixpath.dirname(name))
            self.made.add(name)
            self.record(name, FOLDER)

    def file(self, name, data):
        self.folder(posixpath.dirname(name))
        self.record(name, FILE, data)

    def link(self, name, target):
        self.folder(posixpath.dirname(name))
        self.record(name, LINK, target.encode())

    def device(self, name, major, minor):
        self.folder(posixpath.dirname(name))
        self.record(name, CHARACTER_DEVICE, b'', major, minor)

    def write(self, path):
        self.record('TRAILER!!!', 0)
        with open(path, 'wb') as out:
            out.writelines(self.records)


class RootArchive:
    """Files of a root file system in a tar archive; links in it are followed."""

    def __init__(self, path):
        self.tar = tarfile.open(path)
        self.members = {member.name.removeprefix('./'): member for member in self.tar}

    def read(self, name):
        for _ in range(8):
            member = self.members[name]
            if member.isfile():
                return self.tar.extractfile(member).read()
            folder = '' if member.linkname.startswith('/') or member.islnk() else posixpath.dirname(name)
            name = posixpath.normpath(posixpath.join(folder, member.linkname.lstrip('/').removeprefix('./')))
        raise KeyError(f'{name}: too many links')

    def find(self, ending):
        found = [name for name in self.members if name.endswith('/' + ending)]
        if not found:
            raise KeyError(f'the image of the UI service VM has no {ending}')
        return found[0]

    def library(self, name):
        for folder in LIBRARY_FOLDERS:
            if f'{folder}/{name}' in self.members:
                return self.read(f'{folder}/{name}')
        raise KeyError(f'the image of the UI service VM has no library {name}')


def needed(data):
    """Names of the shared libraries a program or library asks for."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        text = subprocess.run(['readelf', '-dW', file.name], capture_output=True, text=True, check=True).stdout
    return re.findall(r'\(NEEDED\).*\[(.+)\]', text)


def add_programs(initramfs, root, programs):
    """Programs as (path, contents), with all their libraries."""
    waiting, seen = list(programs), set(LATE_LIBRARIES)
    for library in LATE_LIBRARIES:
        initramfs.file(f'lib/{library}', root.library(library))
    for name, data in programs:
        initramfs.file(name, data)
    while waiting:
        for library in needed(waiting.pop()[1]):
            if library not in seen:
                seen.add(library)
                data = root.library(library)
                initramfs.file(f'lib/{library}', data)
                waiting.append((library, data))
    initramfs.file('lib64/ld-linux-x86-64.so.2', root.read('usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'))


def busybox():
    with open('/bin/busybox', 'rb') as file:
        return file.read()


def contents(path):
    with open(path, 'rb') as file:
        return file.read()


def add_modules(initramfs, root, drivers, to='modules'):
    """Drivers and what they need, in the order in which they can be loaded."""
    folder = posixpath.dirname(root.find('modules.dep'))
    needs = dict(line.split(':') for line in root.read(f'{folder}/modules.dep').decode().splitlines())
    order = []
    for name in (name for driver in drivers for name in needs if posixpath.basename(name) == driver):
        order += [each for each in needs[name].split()[::-1] + [name] if each not in order]
    for number, name in enumerate(order):
        initramfs.file(f'{to}/{number:02}-{posixpath.basename(name)}', root.read(f'{folder}/{name}'))


def write_guest(path, build):
    initramfs = Initramfs()
    for folder in ('dev', 'modules'):
        initramfs.folder(folder)
    add_modules(initramfs, RootArchive(f'{build}/images/uivm.tar'), GUEST_DRIVERS)
    initramfs.file('init', contents(f'{build}/tests/bench/bench-guest'))
    initramfs.file('bin/busybox', busybox())
    initramfs.write(path)


def write_domain0(path, build, measure, guest_files):
    """`measure`: name of the script in domain0/ that is run; `guest_files`: {name in /guest: path here}."""
    root = RootArchive(f'{build}/images/uivm.tar')
    initramfs = Initramfs()
    for folder in ('proc', 'sys', 'tmp', 'run', 'var', 'etc'):
        initramfs.folder(folder)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'domain0')
    initramfs.file('init', contents(f'{folder}/init'))
    initramfs.file('measure', contents(f'{folder}/{measure}'))
    initramfs.file('bin/busybox', busybox())
    initramfs.file('bin/card', contents(f'{folder}/card'))
    initramfs.link('bin/sh', 'busybox')
    programs = [('bin/' + posixpath.basename(name), root.read(name)) for name in TOOLS]
    programs += [('bin/' + name.removeprefix('bench-'), contents(f'{build}/tests/bench/{name}')) for name in PROGRAMS]
    if measure != 'pv':
        programs.append((DEVICE_MODEL, root.read(DEVICE_MODEL)))
        for name in DEVICE_MODEL_FILES:
            initramfs.file(name, root.read(name))
    add_programs(initramfs, root, programs)
    add_modules(initramfs, root, MODULES)
    add_modules(initramfs, root, NETWORK_MODULES, 'network')
    for name, source in guest_files.items():
        initramfs.file(f'guest/{name}', contents(source))
    initramfs.write(path)
