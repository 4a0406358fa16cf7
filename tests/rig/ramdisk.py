"""A Domain-0 without a disk: kernel and RAM disk with just what starts the toolstack and some guests, all uncompressed.

It boots in a few seconds of an emulated processor: no drivers, no boot units, nothing to unpack but by copying."""

import os
import re
import shutil
import subprocess
import sys
import tarfile

from guests import HERE, pack
from machine import RigError

UNPACK = f'{HERE}/../../uivm/image/unpack_kernel.py'
# The last is not linked to: ending a thread loads it.
FILES = ['usr/sbin/xl', 'usr/bin/xenstore-read'] + [
    f'usr/lib/xen-4.17/bin/{name}' for name in ('xl', 'xenstored', 'xenconsoled', 'xen-init-dom0')] + [
        'usr/lib/x86_64-linux-gnu/libgcc_s.so.1']
MODULES = ['xen-evtchn.ko', 'xen-gntdev.ko', 'xen-gntalloc.ko', 'xen-privcmd.ko', 'xenfs.ko']
LIBRARIES = ('usr/lib/x86_64-linux-gnu', 'usr/lib64', 'usr/lib/xen-4.17/lib/x86_64-linux-gnu', 'usr/lib/xen-4.17/lib')


class Archive:
    """The UI service VM's packages, of which files are copied into `tree`."""

    def __init__(self, path, tree):
        self.tar, self.tree = tarfile.open(path), tree
        self.members = {member.name.removeprefix('./'): member for member in self.tar}

    def copy(self, name):
        """Copies a file, what its links lead to, and the libraries it needs."""
        target = f'{self.tree}/{name}'
        if os.path.lexists(target):
            return
        member = self.members.get(name)
        if not member:
            raise RigError(f'the UI service VM has no {name}')
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if member.issym():
            os.symlink(member.linkname, target)
            self.copy(os.path.normpath(os.path.join('/', os.path.dirname(name), member.linkname)).lstrip('/'))
            return
        with self.tar.extractfile(member) as source, open(target, 'wb') as file:
            shutil.copyfileobj(source, file)
        os.chmod(target, 0o755)
        for library in self.needs(target):
            self.copy(library)

    def needs(self, path):
        headers = subprocess.run(['objdump', '-p', path], capture_output=True, text=True).stdout
        names = re.findall(r'NEEDED +(\S+)', headers)
        if names and not path.endswith('/ld-linux-x86-64.so.2'):
            names.append('ld-linux-x86-64.so.2')
        for name in names:
            places = [f'{folder}/{name}' for folder in LIBRARIES if f'{folder}/{name}' in self.members]
            if not places:
                raise RigError(f'{path} needs {name}, which the UI service VM has not')
            yield places[0]

    def find(self, ending):
        return next((name for name in self.members if name.endswith(ending)), ending)


def build(images, folder, init, files):
    """Makes a kernel and a RAM disk in `folder` and returns their paths. `init` is one of domain0/, `files` what else is in
    the RAM disk: its path there and where it comes from."""
    tree = f'{folder}/tree'
    shutil.rmtree(folder, ignore_errors=True)
    for name in ('bin', 'dev', 'proc', 'sys', 'modules', 'lib64'):
        os.makedirs(f'{tree}/{name}')
    kernel = f'{folder}/vmlinux'
    subprocess.run([sys.executable, UNPACK, f'{images}/uivm.img.vmlinuz', kernel], check=True)
    archive = Archive(f'{images}/uivm.tar', tree)
    for name in FILES:
        archive.copy(name)
    os.symlink('usr/lib', f'{tree}/lib')
    os.symlink('../usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2', f'{tree}/lib64/ld-linux-x86-64.so.2')
    for name in MODULES:
        path = archive.find(f'/{name}')
        archive.copy(path)
        os.rename(f'{tree}/{path}', f'{tree}/modules/{name}')
    shutil.copy('/bin/busybox', f'{tree}/bin')
    os.symlink('busybox', f'{tree}/bin/sh')
    for name, source in {'init': f'{HERE}/domain0/{init}', 'toolstack': f'{HERE}/domain0/toolstack', **files}.items():
        os.makedirs(os.path.dirname(f'{tree}/{name}'), exist_ok=True)
        shutil.copy(source, f'{tree}/{name}')
    with open(f'{folder}/ramdisk', 'wb') as file:
        file.write(pack(tree))
    shutil.rmtree(tree)
    return kernel, f'{folder}/ramdisk'
