"""What the boot medium does for `install` and `check` in its menu (uivm/image's medium-start), with an installer that says what it is told."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import tap
from terminal import Terminal, follow

IMAGE = f'{tap.ROOT}/uivm/image'
PROGRAM = f'{IMAGE}/uivm.files/usr/libexec/roundhouse/medium-start'
FAKES = {
    'roundhouse-install': '''case $1 in
--check) echo "Memory: works" ;;
--disks) echo "/dev/sda: 10 GiB" ;;
--answers) echo "1/9 Partition the disk"; cat "$2" >/dev/null || exit 2; echo "told: $*"; echo key-of-letters >$FOLDER/key; exit ${FAILS:-0} ;;
esac''',
    'systemctl': 'echo "$*" >>$FOLDER/asked',
    'udevadm': 'echo "udevadm $*" >>$FOLDER/asked',
}


class Menu(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='medium-start-')
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ('bin', 'disc/roundhouse'):
            os.makedirs(f'{self.folder}/{name}')
        for name, text in FAKES.items():
            with open(f'{self.folder}/bin/{name}', 'w') as file:
                file.write(f'#!/bin/sh\n{text}\n')
            os.chmod(file.name, 0o755)

    def answers(self, text):
        with open(f'{self.folder}/disc/roundhouse/answers', 'w') as file:
            file.write(text)

    def start(self, what, screen=(), serial=(), **more):
        """(what was asked of systemd, what the screen showed, what the serial line showed)"""
        terminals = [Terminal(screen), Terminal(serial)]
        environment = {**os.environ, 'PATH': f'{self.folder}/bin:{os.environ["PATH"]}', 'FOLDER': self.folder, 'DISC': f'{self.folder}/disc',
                       'SCREEN': terminals[0].path, 'SERIAL': terminals[1].path, 'TOOLS': f'{IMAGE}/uivm.initramfs/usr/libexec/roundhouse',
                       'TMPDIR': self.folder, **more}
        status, said = follow(subprocess.Popen(['sh', PROGRAM, what], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                               stderr=subprocess.STDOUT, text=True), terminals)
        self.assertEqual((status, said), (0, ''))
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith('tmp.')], [])
        with open(f'{self.folder}/asked') as file:
            asked = file.read().splitlines()
        os.remove(f'{self.folder}/asked')
        self.assertEqual(asked[0], 'udevadm settle --timeout=30')
        return asked[1:], terminals[0].shown, terminals[1].shown

    def test_check(self):
        """check says what works and what is on the disks, on both terminals"""
        asked, screen, serial = self.start('check', serial=[('> ', 'off')])
        self.assertEqual(asked, ['--no-block poweroff'])
        for shown in (screen, serial):
            self.assertRegex(shown, r'(?s)Memory: works.*/dev/sda: 10 GiB.*Nothing on this machine was changed\.')

    def test_answers(self):
        """with answers on the medium it is installed, and the key is shown on the screen alone"""
        self.answers(f'disk = /dev/sda\n recovery-key-file =  {self.folder}/key\n')
        asked, screen, serial = self.start('install', screen=[('> ', 'restart')])
        disc = f'{self.folder}/disc/roundhouse'
        self.assertEqual(asked, ['--no-block reboot'])
        self.assertIn(f'told: --answers {disc}/answers --system {disc}/system.squashfs --boot {disc}/boot', re.sub(r'\s+', ' ', serial))
        self.assertIn('Take out the boot medium before the restart.', serial)
        self.assertIn('key-of-letters', screen)
        self.assertNotIn('key-of-letters', serial)

    def test_failed(self):
        """an installation that failed is said"""
        self.answers('disk = /dev/sda\n')
        _, screen, serial = self.start('install', screen=[('> ', 'off')], FAILS='1')
        self.assertIn('Roundhouse was not installed; the reason is above.', serial)
        self.assertNotIn('Take out', screen)

    def test_no_answers(self):
        """without answers nothing is installed, and the switcher's pages ask for them"""
        asked, screen, _ = self.start('install')
        self.assertEqual(asked, ['--no-block isolate roundhouse.target'])
        self.assertNotIn('told:', screen)
        self.assertIn('The pages of the installation come on this screen.', screen)

    def test_other(self):
        """another word is said, and does nothing"""
        self.assertIn('asked for "instal"', self.start('instal', screen=[('> ', 'off')])[1])


if __name__ == '__main__':
    tap.main()
