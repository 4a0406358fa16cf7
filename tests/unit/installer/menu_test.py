"""The installed disk's menu, run by GRUB itself: menu_test.py PRINT_MENU. grub-emu starts it from a disk file with a partition table and an
ext4 of boot files, and writes its counters there. It loads no kernels: functions with the loader's names say what would be loaded."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'rig'))
import tap

MEBIBYTE = 1 << 20
LOADER = 'function multiboot2 { echo "LOADS $@"; }\nfunction module2 { echo "LOADS $@"; }\nfunction serial { test 1 = 2; }\n'
# the last that is said: by GRUB of entries that load nothing, and by ours
END = 'Failed to boot both default and fallback entries'
NOTHING = 'Nothing was started.'


def run(*command, **how):
    return subprocess.run(command, check=True, capture_output=True, text=True, **how).stdout


class Menu(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='installer-menu-')
        self.addCleanup(shutil.rmtree, self.folder)
        tree = f'{self.folder}/tree'
        self.env = f'{tree}/grub/grubenv'
        for slot in ('a', 'b'):
            os.makedirs(f'{tree}/{slot}')
            self.write(f'{slot}/start.cfg', run(PRINT_MENU, slot.upper()))
            for name in ('hypervisor', 'kernel', 'initrd'):
                self.write(f'{slot}/{name}', f'{slot} {name}\n')
            self.write(f'{slot}/sha256', run('sha256sum', 'hypervisor', 'kernel', 'initrd', cwd=f'{tree}/{slot}'))
        os.mkdir(f'{tree}/grub')
        self.write('grub/grub.cfg', LOADER + run(PRINT_MENU).replace('timeout=2', 'timeout=0'))
        run('grub-editenv', self.env, 'create')
        self.counters(ORDER='A B', A_OK=1, A_TRY=0, B_OK=1, B_TRY=0)

    def write(self, name, text):
        with open(f'{self.folder}/tree/{name}', 'w') as file:
            file.write(text)

    def counters(self, **values):
        run('grub-editenv', self.env, 'set', *(f'{name}={value}' for name, value in values.items()))

    def start(self):
        """(what GRUB loads, all that it says, the counters afterwards)"""
        disk, files = f'{self.folder}/disk', f'{self.folder}/files'
        for path in (disk, files):
            if os.path.exists(path):
                os.remove(path)
        run('mkfs.ext4', '-q', '-O', '^metadata_csum_seed', '-d', f'{self.folder}/tree', files, '8M')
        run('truncate', '-s', '16M', disk)
        run('sfdisk', '-q', disk, input='label: gpt\nsize=8MiB\n')
        run('dd', f'if={files}', f'of={disk}', 'bs=1M', 'seek=1', 'conv=notrunc', 'status=none')
        self.write('../map', f'(hd0) {disk}\n')
        said = self.emulate()
        run('dd', f'if={disk}', f'of={files}', 'bs=1M', 'skip=1', 'count=8', 'status=none')
        run('debugfs', '-R', f'dump /grub/grubenv {self.env}', files)
        counters = dict(line.split('=', 1) for line in run('grub-editenv', self.env, 'list').splitlines())
        return loaded(said), said, counters

    def emulate(self):
        child, terminal = pty.fork()
        if not child:
            os.environ.update(TERM='dumb', COLUMNS='200', LINES='50')
            os.execvp('grub-emu', ['grub-emu', '-m', f'{self.folder}/map', '-r', 'hd0,gpt1', '-d', '/grub'])
        said, deadline = '', time.monotonic() + 60
        while END not in said and NOTHING not in said and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                said += plain(os.read(terminal, 65536).decode(errors='replace'))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
        return said

    def loads(self, slot):
        return [f'/{slot}/{name}' for name in ('hypervisor', 'kernel', 'initrd')]

    def test_tries(self):
        """a slot that nobody marks as good is started three times, then the other one, which is told"""
        self.counters(ORDER='B A')
        for tries in ('1', '2', '3'):
            files, said, counters = self.start()
            self.assertEqual((files, counters['B_TRY'], counters['A_TRY']), (self.loads('b'), tries, '0'), said)
            self.assertNotIn('fallback', said.replace(END, ''))
        files, said, counters = self.start()
        self.assertEqual((files, counters['B_TRY'], counters['A_TRY']), (self.loads('a'), '3', '1'), said)
        self.assertIn('System B did not come to the switcher: system A starts.', said)
        self.assertIn('roundhouse.fallback=B', said)
        self.counters(B_TRY=0)
        self.assertEqual(self.start()[0], self.loads('b'))

    def test_words(self):
        """kernel and hypervisor get their words"""
        said = self.start()[1]
        self.assertIn('LOADS /a/hypervisor console=com1', said)
        self.assertIn('root=PARTUUID=slot-id ro boot=roundhouse roundhouse.slot=A', said)

    def test_damaged(self):
        """of damaged boot files nothing is loaded, and the other slot takes its turn at once"""
        self.write('a/kernel', 'a kernul\n')
        files, said, counters = self.start()
        self.assertEqual((files, counters['A_TRY'], counters['B_TRY']), (self.loads('b'), '1', '1'), said)
        self.assertIn('The boot files of system A are damaged.', said)
        self.assertIn('roundhouse.fallback=A', said)
        os.remove(f'{self.folder}/tree/b/initrd')
        files, said, _ = self.start()
        self.assertEqual(files, [])
        self.assertIn(NOTHING, said)

    def test_counters(self):
        """damaged counters and counters that are not there start what is there; names that are not counters are not taken"""
        self.counters(prefix='/nowhere', timeout=1000, turn='C', default=7)
        self.assertEqual(self.start()[0], self.loads('a'))
        for text in ('', 'x' * 1024, '# GRUB Environment Block\n' + '#' * 999, '# GRUB Environment Block\nORDER=;reboot\n' + '#' * 984):
            self.write('grub/grubenv', text)
            with self.subTest(text=text[:40]):
                self.assertEqual(self.try_start(), self.loads('a'))
        os.remove(self.env)
        shutil.rmtree(f'{self.folder}/tree/a')
        self.assertEqual(self.try_start(), self.loads('b'))

    def try_start(self):
        try:
            return self.start()[0]
        except subprocess.CalledProcessError:   # there are no counters to be read afterwards
            return loaded(self.emulate())


def loaded(said):
    return re.findall('LOADS (/[ab]/(?:hypervisor|kernel|initrd))', said)


def plain(text):
    """What a terminal shows, without the way to it."""
    return re.sub(r'\x1b[\[\(][0-9;?]*[A-Za-z]|[\r\n]', '', text)


if __name__ == '__main__':
    PRINT_MENU = sys.argv.pop()
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    if shutil.which('grub-emu'):
        tap.main()
    else:
        print('1..0 # SKIP needs grub-emu, of the package "grub-emu"')
