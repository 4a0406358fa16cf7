"""The rig's small guests: a disk with their initramfs for Domain-0, and guests as objects."""

import gzip
import hashlib
import os
import shutil
import subprocess

from machine import RigError

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVERS = ('drivers/block/xen-blkfront.ko', 'drivers/net/xen-netfront.ko', 'drivers/input/evdev.ko')
KERNEL = '/usr/lib/roundhouse/guest/vmlinuz'
HVM_SOURCES = f'{HERE}/../guests/hvm'
HVM_KERNELS = sorted(name for name in os.listdir(HVM_SOURCES) if os.path.exists(f'{HVM_SOURCES}/{name}/main.c'))


def tests_disk(build):
    """Makes (once) the disk that brings the small guests' initramfs and the rig's programs to Domain-0."""
    disk = f'{build}/images/tests.img'
    sources = sorted(f'{folder}/{name}' for folder, _, names in os.walk(f'{HERE}/guest') for name in names)
    sources += [f'{build}/tests/rig/{name}' for name in ('physinfo', 'screen', 'vectors')]
    kernels = {name: f'{build}/tests/guests/hvm/hvm-{name}' for name in HVM_KERNELS}
    sources += [f'{build}/images/guest.tar.key', *kernels.values()]
    digest = hashlib.sha256()
    for path in sources + [__file__]:
        with open(path, 'rb') as file:
            digest.update(file.read())
    if os.path.exists(disk) and read(f'{disk}.key') == digest.hexdigest():
        return disk
    tree = f'{disk}.tree'
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(f'{tree}/root/hvm')
    make_initramfs(build, f'{tree}/initramfs', f'{tree}/root/guest.cpio.gz')
    for name in ('physinfo', 'vectors'):
        shutil.copy(f'{build}/tests/rig/{name}', f'{tree}/root')
    for name, path in kernels.items():
        subprocess.run(['objcopy', '--strip-debug', path, f'{tree}/root/hvm/{name}'], check=True)
    subprocess.run(['/sbin/mke2fs', '-q', '-t', 'ext4', '-L', 'roundhouse-tests', '-d', f'{tree}/root', '-F', disk, '32M'],
                   check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    with open(f'{disk}.key', 'w') as key:
        key.write(digest.hexdigest())
    return disk


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def make_initramfs(build, tree, out):
    for folder in ('bin', 'modules', 'tests'):
        os.makedirs(f'{tree}/{folder}')
    shutil.copy('/bin/busybox', f'{tree}/bin')
    os.symlink('busybox', f'{tree}/bin/sh')
    for name in ('screen', 'vectors'):
        shutil.copy(f'{build}/tests/rig/{name}', f'{tree}/bin')
    shutil.copytree(f'{HERE}/guest/tests', f'{tree}/tests', dirs_exist_ok=True)
    shutil.copy(f'{HERE}/guest/init', f'{tree}/init')
    os.chmod(f'{tree}/init', 0o755)
    names = subprocess.run(['tar', '-tf', f'{build}/images/guest.tar'], capture_output=True, text=True, check=True)
    wanted = [name for name in names.stdout.split() if name.endswith(DRIVERS)]
    if len(wanted) != len(DRIVERS):
        raise RigError(f'the guest image lacks one of {DRIVERS}')
    for name in wanted:
        module = subprocess.run(['tar', '-xOf', f'{build}/images/guest.tar', name], capture_output=True, check=True)
        with open(f'{tree}/modules/{os.path.basename(name)}', 'wb') as file:
            file.write(module.stdout)
    with gzip.GzipFile(out, 'wb', compresslevel=6, mtime=0) as file:
        file.write(pack(tree))


def pack(tree):
    """The folder `tree` as an initramfs archive, not compressed."""
    listing = subprocess.run(['find', '.'], cwd=tree, capture_output=True, check=True)
    return subprocess.run(['cpio', '-o', '-H', 'newc', '--quiet', '-R', '0:0'], cwd=tree, input=listing.stdout,
                          capture_output=True, check=True).stdout


class Guest:
    """A small guest of one machine, started by `xl create`."""

    def __init__(self, machine, name, test, memory=160, options='', config=''):
        self.machine, self.name, self.log = machine, name, f'/var/log/xen/console/guest-{name}.log'
        self.text = '\n'.join([
            f'name="{name}"', 'type="pv"', f'memory={memory}', 'vcpus=1', f'kernel="{KERNEL}"',
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
        self.machine.run(f'xl destroy {self.name}')
