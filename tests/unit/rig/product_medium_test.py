"""The product's boot medium (installer/media/product.py) and what starts the service VM from it: both made of a tiny system by the real
tools, and looked into by others."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import tap
import product
from medium import MediumError

IMAGE = f'{tap.ROOT}/uivm/image'
INITRAMFS = f'{IMAGE}/uivm.initramfs/usr'
CHECK = f'{INITRAMFS}/libexec/roundhouse/system-check'
EPOCH = 1700000000
UUID = '2023-11-14-22-13-20-00'
MEBIBYTE = 1 << 20
PIECES = 2      # of 8 MiB that the tiny system has, the last one not full
FOLDER = tempfile.TemporaryDirectory(prefix='product-medium-')
# The initramfs around the boot script: what it mounts is told, and the medium is a folder.
AROUND = '''. "$SCRIPT"
tools=$PLACE/tools place=$PLACE/run screen=$PLACE/screen serial=$PLACE/none rootmnt=$PLACE/root
modprobe() { :; }
sleep() { [ "$1" = 1 ] || exit 9; }
cat() { if [ "$1" = /proc/cmdline ]; then echo "$WORDS"; else command cat "$@"; fi; }
resolve_device() { [ "$1" = "UUID=$THERE" ] && echo /dev/sdx1; }
mount() {
    echo "mount $*" >>$PLACE/mounts
    [ "$2" != iso9660 ] || cp -r $PLACE/disc/. $PLACE/run/disc
}
mountroot
'''


def written(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)
    return path


def contents(path):
    with open(path, 'rb') as file:
        return file.read()


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def noise(size):
    """Bytes that no packing makes smaller, the same each time."""
    return b''.join(hashlib.sha256(b'%d' % number).digest() for number in range(size // 32))


def make_system(folder, programs=(), size=(PIECES - 1) * 8 * MEBIBYTE + MEBIBYTE):
    """uivm/image/system makes the tiny system from an archive and a folder, which are made anew each time."""
    packages, ours = f'{folder}/packages', f'{folder}/ours'
    for name in ('boot/vmlinuz-6.1', 'boot/initrd.img-6.1', 'etc/systemd/system/default', *programs):
        written(f'{packages}/{name}', name.encode())
    written(f'{packages}/usr/share/noise', noise(size))
    older = EPOCH - time.time() % 100000
    os.utime(written(f'{ours}/etc/roundhouse/ours', b'ours'), (older, older))
    output('tar', '-C', packages, '--sort=name', f'--mtime=@{EPOCH - 5}', '-cf', f'{folder}/packages.tar', '.')
    subprocess.run(['sh', f'{IMAGE}/system', 'uivm', f'{folder}/packages.tar', f'{folder}/system', ours], check=True, capture_output=True,
                   env={**os.environ, 'SOURCE_DATE_EPOCH': str(EPOCH)})
    return f'{folder}/system'


def parts(folder, system):
    for name in ('hypervisor', 'memtest/memtest.bin', 'memtest/memtest.efi'):
        written(f'{folder}/{name}', name.encode())
    return product.Parts(f'{folder}/hypervisor', system, f'{folder}/memtest')


def make(name):
    """A folder with a system and the medium made of it."""
    folder = f'{FOLDER.name}/{name}'
    os.mkdir(folder)
    product.write(f'{folder}/medium.iso', parts(folder, make_system(folder)), EPOCH)
    return folder


def setUpModule():
    global FIRST
    FIRST = make('first')


def extracted(name):
    out = tempfile.mkdtemp(dir=FOLDER.name)
    output('xorriso', '-osirrox', 'on', '-indev', f'{FIRST}/medium.iso', '-extract', f'/{name}', f'{out}/file')
    if os.path.isdir(f'{out}/file'):
        os.chmod(f'{out}/file', 0o755)      # it comes as it is on the medium, where nobody writes
    return f'{out}/file'


class Bytes(unittest.TestCase):
    def test_again(self):
        """made again at another time and place, system and medium are the same to the byte"""
        time.sleep(max(0, os.path.getmtime(f'{FIRST}/medium.iso') + 3 - time.time()))     # FAT counts in steps of two seconds
        second = make('second')
        for name in ('system', 'system.sha256', 'system.vmlinuz', 'system.initrd', 'medium.iso'):
            self.assertTrue(contents(f'{FIRST}/{name}') == contents(f'{second}/{name}'), f'{name} differs')

    def test_date(self):
        """a medium of another date has another number, and looks for itself"""
        product.write(f'{FIRST}/later.iso', parts(FIRST, f'{FIRST}/system'), EPOCH + 86400)
        data = contents(f'{FIRST}/later.iso')
        self.assertIn(b'roundhouse.medium=2023-11-15-22-13-20-00', data)
        self.assertNotIn(UUID.encode(), data)


class Starts(unittest.TestCase):
    def test_cd(self):
        """a CD drive finds what BIOS and what UEFI start"""
        told = subprocess.run(['xorriso', '-indev', f'{FIRST}/medium.iso', '-report_el_torito', 'plain'], capture_output=True, text=True).stdout
        self.assertEqual(re.findall(r'boot img : +\d+ +(\w+) +(\w)', told), [('BIOS', 'y'), ('UEFI', 'y')])
        self.assertIn('boot-info-table grub2-boot-info', told)

    def test_disk(self):
        """as a disk it has GRUB's boot code, an MBR that BIOS takes for bootable, and a GPT with what UEFI starts"""
        data = contents(f'{FIRST}/medium.iso')
        hybrid = contents(f'{product.GRUB}/i386-pc/boot_hybrid.img')
        self.assertEqual(data[:90], hybrid[:90])
        self.assertEqual(data[510:512], b'\x55\xaa')
        entries = [data[446 + number * 16:462 + number * 16] for number in range(4)]
        self.assertIn(0xee, [entry[4] for entry in entries])
        self.assertIn(0x80, [entry[0] for entry in entries])
        table = json.loads(output('/usr/sbin/sfdisk', '--json', f'{FIRST}/medium.iso'))['partitiontable']
        self.assertEqual(table['label'], 'gpt')
        kinds = [part['type'].lower() for part in table['partitions']]
        self.assertEqual(kinds[:2], [product.DATA_PARTITION, product.SYSTEM_PARTITION])
        esp = table['partitions'][1]['start'] * product.SECTOR
        program = f'{FIRST}/BOOTX64.EFI'
        output('mcopy', '-n', '-i', f'{FIRST}/medium.iso@@{esp}', '::/EFI/BOOT/BOOTX64.EFI', program)
        self.assertEqual(contents(program)[:2], b'MZ')
        self.assertIn(f'--fs-uuid {UUID}'.encode(), contents(program))

    def test_number(self):
        """the file system has the number that kernel and GRUB look for, as a disk and as a partition of it"""
        for offset in (0, 64 * product.SECTOR):
            told = output('/usr/sbin/blkid', '-p', '-o', 'export', '-O', str(offset), f'{FIRST}/medium.iso')
            self.assertIn(f'UUID={UUID}\n', told)
            self.assertIn('LABEL=ROUNDHOUSE\n', told)


class Contents(unittest.TestCase):
    def test_files(self):
        """all parts are on it, as installer/media/README.md has them, and nothing else"""
        told = output('xorriso', '-indev', f'{FIRST}/medium.iso', '-find', '/', '-type', 'f')
        with open(f'{tap.ROOT}/installer/media/README.md') as file:
            promised = re.findall(r'^\| `(/[^`]+)`', file.read(), re.M)
        self.assertEqual(sorted(re.findall(r"^'(.*)'$", told, re.M)), sorted(promised))
        self.assertTrue(contents(extracted('roundhouse/system.squashfs')) == contents(f'{FIRST}/system'))
        for name, source in (('hypervisor', 'hypervisor'), ('kernel', 'system.vmlinuz'), ('initrd', 'system.initrd')):
            self.assertEqual(contents(extracted(f'roundhouse/boot/{name}')), contents(f'{FIRST}/{source}'))

    def test_answers(self):
        """answers are on it if they were given"""
        given = parts(FIRST, f'{FIRST}/system')
        self.assertNotIn('answers', given.others())
        given.answers = written(f'{FIRST}/answers', b'disk = /dev/sda')
        product.write(f'{FIRST}/answered.iso', given, EPOCH)
        output('xorriso', '-osirrox', 'on', '-indev', f'{FIRST}/answered.iso', '-extract', '/roundhouse/answers', f'{FIRST}/found')
        self.assertEqual(contents(f'{FIRST}/found'), b'disk = /dev/sda')

    def test_checksums(self):
        """the boot files are those that GRUB is told of, and the installer of these and the system"""
        boot = extracted('roundhouse/boot')
        os.symlink(f'{FIRST}/system', f'{boot}/system')
        files = ['hypervisor', 'initrd', 'kernel']
        for list_, names in ((extracted('boot/grub/sha256'), files), (f'{boot}/SHA256SUMS', [*files, 'hypervisor.options', 'kernel.options', 'system'])):
            told = subprocess.run(['sha256sum', '-c', list_], cwd=boot, capture_output=True, text=True, check=True).stdout
            self.assertEqual(sorted(re.findall(r'^(\S+): OK$', told, re.M)), sorted(names))

    def test_options(self):
        """the installer is told the command lines, each a line, without a root"""
        boot = extracted('roundhouse/boot')
        self.assertEqual(contents(f'{boot}/hypervisor.options').decode(), f'{product.HYPERVISOR_OPTIONS}\n')
        words = contents(f'{boot}/kernel.options').decode()
        self.assertRegex(words, r'^console=tty0 console=hvc0 quiet .*\n$')
        self.assertFalse({word for word in words.split() if word in ('ro', 'rw') or word.startswith('root=')})

    def test_system(self):
        """the system has what was laid over the packages, no kernel, and no identity of its own"""
        told = output('unsquashfs', '-l', '-d', '', f'{FIRST}/system').split()
        self.assertIn('/etc/roundhouse/ours', told)
        self.assertIn('/etc/systemd/system/xen.service', told)
        self.assertFalse([name for name in told if name.startswith('/boot/')])
        self.assertEqual(output('unsquashfs', '-cat', f'{FIRST}/system', 'etc/machine-id'), '')


class Menu(unittest.TestCase):
    def words(self, system=None):
        return product.words(parts(FIRST, system or f'{FIRST}/system'), UUID)

    def test_script(self):
        """GRUB takes menu and words for a script"""
        output('grub-script-check', f'{tap.ROOT}/installer/media/grub.cfg')
        output('grub-script-check', written(f'{FIRST}/words.cfg', self.words().encode()))

    def test_words(self):
        """the kernel is told which medium it is on, and the hypervisor what it is told everywhere"""
        self.assertIn(f'set kernel_options="boot=roundhouse roundhouse.medium={UUID} quiet', self.words())
        self.assertIn(f'set hypervisor_options="{product.HYPERVISOR_OPTIONS}"', self.words())

    def test_installer(self):
        """installing is offered where the installer is on the medium"""
        self.assertIn('set installer=no\n', self.words())
        folder = f'{FOLDER.name}/installer'
        os.mkdir(folder)
        self.assertIn('set installer=yes\n', self.words(make_system(folder, ['usr/bin/roundhouse-install'], 32)))


class Refused(unittest.TestCase):
    def refused(self, change):
        """What is said against parts that were changed so; the medium that was there stays."""
        folder = tempfile.mkdtemp(dir=FOLDER.name)
        for name in ('system', 'system.vmlinuz', 'system.initrd', 'system.sha256'):
            shutil.copy(f'{FIRST}/{name}', folder)
        given = parts(folder, f'{folder}/system')
        change(folder)
        os.mkdir(f'{folder}/out')
        written(f'{folder}/out/medium.iso', b'the one before')
        with self.assertRaises(MediumError) as raised:
            product.write(f'{folder}/out/medium.iso', given, EPOCH)
        self.assertEqual(os.listdir(f'{folder}/out'), ['medium.iso'])
        self.assertEqual(contents(f'{folder}/out/medium.iso'), b'the one before')
        return str(raised.exception)

    def test_missing(self):
        """each part that is missing is named"""
        for name in ('hypervisor', 'system', 'system.vmlinuz', 'system.initrd', 'system.sha256', 'memtest/memtest.efi'):
            said = self.refused(lambda folder: os.remove(f'{folder}/{name}'))
            self.assertRegex(said, rf'^The boot medium needs .*/{name}, which is not there\.$')

    def test_empty(self):
        """and one that is empty"""
        self.assertRegex(self.refused(lambda folder: written(f'{folder}/hypervisor', b'')), r'/hypervisor, which is empty\.$')

    def test_no_system(self):
        """a system that is no squashfs is refused"""
        self.assertIn('unsquashfs failed', self.refused(lambda folder: written(f'{folder}/system', b'no file system')))


class Damage(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=FOLDER.name)
        self.file, self.list = f'{self.folder}/system.squashfs', f'{self.folder}/system.squashfs.sha256'
        shutil.copy(f'{FIRST}/system', self.file)
        shutil.copy(f'{FIRST}/system.sha256', self.list)

    def check(self):
        done = subprocess.run(['sh', CHECK, self.file, self.list], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def red(self, words):
        status, _, said = self.check()
        self.assertEqual(status, 1)
        self.assertRegex(said, r'^The boot medium is damaged or was not written completely\. Write it again, .*\.\n$')
        self.assertIn(words, said)

    def change(self, offset):
        with open(self.file, 'r+b') as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 1]))

    def test_whole(self):
        """a whole system passes, and says how far it is"""
        status, told, said = self.check()
        self.assertEqual((status, said), (0, ''))
        self.assertEqual(re.findall(r'(\d+) %', told), ['33', '66', '100'])

    def test_byte(self):
        """one changed bit is seen in the first piece and in the last, with its place"""
        for offset, place in ((0, 0), (8 * MEBIBYTE - 1, 0), (8 * MEBIBYTE, 8), (os.path.getsize(self.file) - 1, 8)):
            self.change(offset)
            self.red(f'{place} MiB from its beginning')
            self.change(offset)

    def test_size(self):
        """a file that ends too soon or goes on is seen"""
        size = os.path.getsize(self.file)
        os.truncate(self.file, 8 * MEBIBYTE)
        self.red('8 MiB from its beginning')
        self.assertGreater(size, 8 * MEBIBYTE)
        shutil.copy(f'{FIRST}/system', self.file)
        os.truncate(self.file, PIECES * 8 * MEBIBYTE + 1)
        self.red('8 MiB from its beginning')

    def test_more_pieces(self):
        """nothing follows the last piece, also where that one is full"""
        written(self.file, bytes(8 * MEBIBYTE))
        pieces = [hashlib.sha256(data).hexdigest() for data in (bytes(8 * MEBIBYTE), b'')]
        written(self.list, ''.join(f'{piece}\n' for piece in pieces).encode())
        self.assertEqual(self.check()[0], 0)
        written(self.file, bytes(8 * MEBIBYTE + 1))
        self.red('8 MiB from its beginning')

    def test_list(self):
        """a list that is cut short, empty or missing does not stand for a whole system"""
        lines = contents(self.list).splitlines(keepends=True)
        for kept in (lines[:PIECES], []):
            written(self.list, b''.join(kept))
            self.red('has no end')
        os.remove(self.list)
        self.red('system.squashfs.sha256 is missing')
        os.remove(self.file)
        self.red('system.squashfs is missing')


class Initramfs(unittest.TestCase):
    """The boot script, with everything around it told or made up."""

    def setUp(self):
        self.place = tempfile.mkdtemp(dir=FOLDER.name)
        self.system = f'{self.place}/disc/roundhouse/system.squashfs'
        written(self.system, contents(f'{FIRST}/system'))
        written(f'{self.system}.sha256', contents(f'{FIRST}/system.sha256'))
        for name in ('mounts', 'screen'):
            written(f'{self.place}/{name}', b'')
        os.mkdir(f'{self.place}/root')
        os.mkdir(f'{self.place}/tools')
        shutil.copy(CHECK, f'{self.place}/tools/system-check')
        os.chmod(written(f'{self.place}/tools/mount', f'#!/bin/sh\necho "loop $*" >>{self.place}/mounts\n'.encode()), 0o755)

    def boot(self, words=f'quiet roundhouse.medium={UUID}', there=UUID):
        """(status, what was mounted, what is on the screen)"""
        variables = {'SCRIPT': f'{INITRAMFS}/share/initramfs-tools/scripts/roundhouse', 'PLACE': self.place, 'WORDS': words, 'THERE': there}
        done = subprocess.run(['sh', '-c', AROUND], env={**os.environ, **variables}, capture_output=True, text=True)
        self.assertEqual(done.stderr, '')
        return (done.returncode, contents(f'{self.place}/mounts').decode().replace(self.place, '').splitlines(),
                contents(f'{self.place}/screen').decode())

    def test_starts(self):
        """the medium is found by its number, checked and laid under what is changed; the switcher will say that nothing is kept"""
        status, mounts, screen = self.boot()
        self.assertEqual(status, 0)
        self.assertEqual(mounts, [
            'mount -t iso9660 -o ro /dev/sdx1 /run/disc',
            'loop -t squashfs -o ro,loop /run/disc/roundhouse/system.squashfs /run/system',
            'mount -t tmpfs -o mode=0755 tmpfs /run/changes',
            'mount -t overlay -o lowerdir=/run/system,upperdir=/run/changes/upper,workdir=/run/changes/work overlay /root'])
        self.assertIn('100 %', screen)
        self.assertIn('nothing is kept', contents(f'{self.place}/root/etc/roundhouse/notice').decode())

    def stops(self, sentence, **how):
        status, mounts, screen = self.boot(**how)
        self.assertEqual(status, 9)
        self.assertFalse([line for line in mounts if 'squashfs' in line or 'overlay' in line])
        self.assertRegex(screen, rf'Roundhouse does not start\. .*{sentence}')

    def test_damaged(self):
        """of a damaged system nothing is used, and a sentence says so"""
        with open(self.system, 'r+b') as file:
            file.seek(MEBIBYTE)
            file.write(b'wrong')
        self.stops('The boot medium is damaged')

    def test_absent(self):
        """a medium that is not there, and a menu that named none, are said"""
        self.stops('is on no USB, CD', there='another')
        self.stops('did not say which medium', words='quiet')


if __name__ == '__main__':
    tap.main()
