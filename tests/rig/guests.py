"""The rig's small guests: a disk with their initramfs and their CD for Domain-0, and guests as objects."""

import contextlib
import fcntl
import gzip
import hashlib
import os
import shutil
import subprocess

from machine import RigError
import medium

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVERS = ('drivers/block/xen-blkfront.ko', 'drivers/net/xen-netfront.ko', 'drivers/input/evdev.ko', 'drivers/gpu/drm/drm.ko',
           'drm/drm_kms_helper.ko', 'drivers/xen/xen-front-pgdir-shbuf.ko', 'drm/xen/drm_xen_front.ko', 'x86/kernel/msr.ko',
           'sound/soundcore.ko', 'sound/core/snd.ko', 'sound/core/snd-timer.ko', 'sound/core/snd-pcm.ko', 'sound/xen/snd_xen_front.ko')
# What a guest without PV drivers needs, in the order of loading: IDE disk and CD, both network cards of QEMU, USB 3.
EMULATED = ('scsi_common', 'scsi_mod', 'libata', 'ata_piix', 'crct10dif_common', 'crc-t10dif', 'crc64', 'crc64-rocksoft',
            't10-pi', 'sd_mod', 'cdrom', 'sr_mod', 'mii', '8139cp', 'e1000',
            'usb-common', 'usbcore', 'xhci-hcd', 'xhci-pci')
KERNEL = '/usr/lib/roundhouse/guest/vmlinuz'
UNPACKED = '/usr/lib/roundhouse/guest/vmlinux'    # the same: to unpack it takes longer than all the rest of xl create
GRUB_CONFIG = '''serial --unit=0 --speed=115200
terminal_input console
terminal_output console serial
set timeout=-1
menuentry "Linux" --hotkey=l {
  linux /boot/linux console=hvc0 quiet test=hello memory=cd
  initrd /boot/initramfs
}
menuentry "Memory test" --hotkey=m {
  linux16 /boot/memtest
}
'''


@contextlib.contextmanager
def making(path):
    """Holds off other rigs that want to make the same file, and gives a name to make it under: what is there already may
    be in use by a machine."""
    with open(f'{path}.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield f'{path}.new'


def tests_disk(build):
    """Makes (once) the disk that brings the small guests' initramfs and the rig's programs to Domain-0."""
    disk = f'{build}/images/tests.img'
    with making(disk) as new:
        make_tests_disk(build, disk, new)
    return disk


def make_tests_disk(build, disk, new):
    sources = sorted(f'{folder}/{name}' for folder, _, names in os.walk(f'{HERE}/guest') for name in names)
    sources += [f'{build}/tests/rig/{name}' for name in ('physinfo', 'screen', 'store', 'tone', 'vectors', 'viridian')]
    sources += [f'{build}/images/{name}' for name in ('guest.tar.key', 'guest.img.vmlinuz', 'uivm.tar.key', 'memtest.bin')]
    digest = hashlib.sha256()
    for path in sources + [__file__, medium.__file__]:
        with open(path, 'rb') as file:
            digest.update(file.read())
    if os.path.exists(disk) and read(f'{disk}.key') == digest.hexdigest():
        return
    tree = f'{disk}.tree'
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(f'{tree}/root')
    make_initramfs(build, f'{tree}/initramfs', f'{tree}/root/guest.cpio.gz')
    make_smallest(f'{tree}/smallest', f'{tree}/smallest.cpio.gz')
    add_drivers(build, f'{tree}/drivers', f'{tree}/root/guest.cpio.gz', f'{tree}/root/pc.cpio.gz')
    make_cd(build, f'{tree}/smallest.cpio.gz', f'{tree}/root/cd.iso')
    for name in ('physinfo', 'vectors'):
        shutil.copy(f'{build}/tests/rig/{name}', f'{tree}/root')
    subprocess.run(['/sbin/mke2fs', '-q', '-t', 'ext4', '-L', 'roundhouse-tests', '-d', f'{tree}/root', '-F', new, '64M'],
                   check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    os.replace(new, disk)
    with open(f'{disk}.key.new', 'w') as key:
        key.write(digest.hexdigest())
    os.replace(f'{disk}.key.new', f'{disk}.key')


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def make_tree(tree):
    for folder in ('bin', 'modules', 'tests'):
        os.makedirs(f'{tree}/{folder}')
    shutil.copy('/bin/busybox', f'{tree}/bin')
    os.symlink('busybox', f'{tree}/bin/sh')
    shutil.copy(f'{HERE}/guest/init', f'{tree}/init')
    os.chmod(f'{tree}/init', 0o755)


def make_smallest(tree, out):
    """What starts from a CD, which firmware under emulation is slow to read, does nothing but say so."""
    make_tree(tree)
    shutil.copy(f'{HERE}/guest/tests/hello', f'{tree}/tests')
    compress(tree, out)


def make_initramfs(build, tree, out):
    make_tree(tree)
    for name in ('screen', 'store', 'tone', 'vectors', 'viridian'):
        shutil.copy(f'{build}/tests/rig/{name}', f'{tree}/bin')
    shutil.copytree(f'{HERE}/guest/tests', f'{tree}/tests', dirs_exist_ok=True)
    take_modules(f'{build}/images/guest.tar', DRIVERS, f'{tree}/modules')
    compress(tree, out)


def take_modules(archive, wanted, folder):
    """Takes kernel modules out of a root file system archive; `wanted` are the ends of their paths."""
    listing = subprocess.run(['tar', '-tf', archive], capture_output=True, text=True, check=True)
    names = [name for name in listing.stdout.split() if name.endswith(wanted)]
    if len(names) != len(wanted):
        raise RigError(f'{archive} lacks one of {wanted}')
    for name in names:
        module = subprocess.run(['tar', '-xOf', archive, name], capture_output=True, check=True)
        path = f'{folder}/{os.path.basename(name)}'
        with open(path, 'wb') as file:
            file.write(module.stdout)
        subprocess.run(['strip', '--strip-debug', path], check=True)


def compress(tree, out):
    with gzip.GzipFile(out, 'wb', compresslevel=6, mtime=0) as file:
        file.write(pack(tree))


def pack(tree):
    """The folder `tree` as an initramfs archive, not compressed."""
    listing = subprocess.run(['find', '.'], cwd=tree, capture_output=True, check=True)
    return subprocess.run(['cpio', '-o', '-H', 'newc', '--quiet', '-R', '0:0'], cwd=tree, input=listing.stdout,
                          capture_output=True, check=True).stdout


def add_drivers(build, tree, base, out):
    """The small guests' initramfs with the drivers of emulated devices behind it: Linux unpacks archives in a row."""
    os.makedirs(f'{tree}/modules')
    take_modules(f'{build}/images/uivm.tar', tuple(f'/{name}.ko' for name in EMULATED), f'{tree}/modules')
    with open(f'{tree}/modules/emulated', 'w') as order:
        order.write('\n'.join(EMULATED) + '\n')
    compress(tree, f'{tree}.gz')
    with open(out, 'wb') as file:
        for part in (base, f'{tree}.gz'):
            with open(part, 'rb') as source:
                shutil.copyfileobj(source, file)


def make_cd(build, initramfs, out):
    """A CD that boots by BIOS and by UEFI. Its GRUB writes to the serial line too and waits for a key of the keyboard."""
    medium.write(out, GRUB_CONFIG, {'boot/initramfs': initramfs, 'boot/linux': f'{build}/images/uivm.img.vmlinuz',
                                    'boot/memtest': f'{build}/images/memtest.bin'}, volume='RIG_CD')


class Guest:
    """A small guest of one machine, started by `xl create`."""

    def __init__(self, machine, name, test, memory=160, options='', config='', kind='pv', vcpus=1, kernel=None):
        kernel = kernel or (KERNEL if kind == 'hvm' else UNPACKED)
        self.machine, self.name, self.log = machine, name, f'/var/log/xen/console/guest-{name}.log'
        self.text = '\n'.join([
            f'name="{name}"', f'type="{kind}"', f'memory={memory}', f'vcpus={vcpus}', f'kernel="{kernel}"',
            'ramdisk="/mnt/guest.cpio.gz"', f'extra="console=hvc0 quiet test={test} memory={memory} {options}"',
            'on_poweroff="destroy"', 'on_reboot="restart"', 'on_crash="destroy"', config])

    def create(self, arguments='', timeout=60):
        self.machine.run(f"rm -f {self.log}; cat >/tmp/{self.name}.cfg <<'END'\n{self.text}\nEND\n"
                         f'xl create -q {arguments} /tmp/{self.name}.cfg', timeout)
        return self

    def wait_for(self, pattern, timeout=40):
        """Waits until the guest has printed a line with `pattern` (a grep expression)."""
        limit = int(timeout * self.machine.patience)
        status, _ = self.machine.run(
            f"timeout {limit} sh -c 'until grep -aqs \"{pattern}\" {self.log}; do sleep 0.5; done'",
            timeout + 30, check=False)
        if status:
            raise RigError(f'guest {self.name} did not print "{pattern}" within {limit} s; it printed:\n'
                           + self.said('')[-1500:])

    def said(self, pattern='GUEST'):
        """What the guest printed: its lines with `pattern`."""
        return self.machine.run(f'grep -a "{pattern}" {self.log} | tr -d "\\r"', check=False)[1]

    def exists(self):
        return self.machine.run(f'xl domid {self.name}', check=False)[0] == 0

    def wait_gone(self, timeout=60):
        limit = int(timeout * self.machine.patience)
        status, _ = self.machine.run(
            f"timeout {limit} sh -c 'while xl domid {self.name}; do sleep 0.5; done' >/dev/null 2>&1",
            timeout + 30, check=False)
        if status:
            raise RigError(f'guest {self.name} is still there after {limit} s; it printed:\n' + self.said('')[-1500:])

    def destroy(self):
        # A QEMU that is told to go switches its guest off, and the xl that waits for that may be first to destroy it.
        self.machine.run(f'xl destroy {self.name}', 90, check=False)
        self.wait_gone(60)
