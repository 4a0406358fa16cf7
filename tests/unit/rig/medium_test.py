"""installer/media/medium.py: what is written for GRUB to read, and what becomes of a medium that cannot be made.

A script stands in for grub-mkrescue: what it makes holds its options and all that was to go onto the medium."""

import os
import tempfile
import unittest
from unittest import mock

import tap
import medium
import unpack_kernel_test
from medium import Medium, MediumError

FOLDER = tempfile.TemporaryDirectory(prefix='medium-test-')
# Its arguments end in: -o MEDIUM TREE [-- -volid NAME]
MAKER = '''#!/bin/sh
before=
while [ "$1" != -o ]; do before="$before $1"; shift; done
out=$2 tree=$3
shift 3
echo "options:$before $*" >"$out"
(cd "$tree" && find . -type f | sort | while read -r name; do echo "$name:"; cat "$name"; echo; done) >>"$out"
'''
FAILS = MAKER + 'echo "no space left" >&2; exit 3\n'
MENU = '''set timeout=0
insmod all_video
menuentry Roundhouse {
  multiboot2 /boot/hypervisor loglvl=all
  module2 /boot/module0 quiet
  module2 /boot/module1 \n}
'''


def written(path, data):
    with open(path, 'wb') as file:
        file.write(data)
    return path


class Media(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=FOLDER.name)
        self.out = f'{self.folder}/out/boot.iso'
        for name in ('out', 'bin', *(modules for _, modules, _ in (medium.BIOS, medium.UEFI))):
            os.mkdir(f'{self.folder}/{name}')
        self.parts = {name: written(f'{self.folder}/{name}', f'the {name}'.encode()) for name in ('hypervisor', 'kernel', 'ramdisk')}
        self.maker(MAKER)
        for patch in (mock.patch.object(medium, 'GRUB', self.folder),
                      mock.patch.dict(os.environ, PATH=f'{self.folder}/bin:{os.environ["PATH"]}')):
            patch.start()
            self.addCleanup(patch.stop)

    def maker(self, script):
        os.chmod(written(f'{self.folder}/bin/grub-mkrescue', script.encode()), 0o755)

    def medium(self, **how):
        parts = {**self.parts, **how}
        return Medium(parts.pop('hypervisor'), parts.pop('options', 'loglvl=all'), kernel_options=parts.pop('kernel_options', 'quiet'), **parts)

    def made(self):
        with open(self.out, 'rb') as file:
            return file.read().decode('latin-1')

    def refused(self, make):
        """What is said against it; nothing is left, and nothing that was there has changed."""
        written(self.out, b'the medium of before')
        with self.assertRaises(MediumError) as raised:
            make()
        self.assertEqual(self.made(), 'the medium of before')
        self.assertEqual(os.listdir(f'{self.folder}/out'), ['boot.iso'])
        return str(raised.exception)


class Menus(Media):
    def test_menu(self):
        """the menu has one entry: hypervisor, Domain-0's kernel, its RAM disk, each with its options"""
        self.assertEqual(self.medium().config(), MENU)

    def test_fewer(self):
        """without kernel or RAM disk there is no line of theirs"""
        self.assertEqual(self.medium(ramdisk=None).config(), MENU.replace('  module2 /boot/module1 \n', ''))
        self.assertNotIn('module2', self.medium(kernel=None, ramdisk=None).config())

    def test_title(self):
        """another title and time to choose"""
        config = self.medium(title='Roundhouse, the one before', timeout=5).config()
        self.assertIn('set timeout=5\n', config)
        self.assertIn("menuentry 'Roundhouse, the one before' {\n", config)

    def test_product(self):
        """the product's own command lines are what it is without others"""
        config = Medium('h', kernel='k').config()
        self.assertIn(f'multiboot2 /boot/hypervisor {medium.HYPERVISOR_OPTIONS}\n', config)
        self.assertIn(f'module2 /boot/module0 {medium.DOM0_OPTIONS}\n', config)
        self.assertIn('dom0_mem=', medium.HYPERVISOR_OPTIONS)
        self.assertIn('root=', medium.DOM0_OPTIONS)

    def test_special(self):
        """words that GRUB would read otherwise are refused"""
        for words in ('a;b', 'a\nb', 'a $b', "a 'b'", 'a "b', 'a\\b', 'a {', 'a|b', 'a\tb', 'ä'):
            for where in ('options', 'kernel_options', 'title'):
                with self.assertRaises(MediumError, msg=f'{where}: {words}'):
                    self.medium(**{where: words}).config()


class Files(Media):
    def test_all(self):
        """menu and files are on the medium, for BIOS and UEFI"""
        self.medium().write(self.out)
        self.assertEqual(self.made(), f'options: \n./boot/grub/grub.cfg:\n{MENU}\n./boot/hypervisor:\nthe hypervisor\n'
                                      './boot/module0:\nthe kernel\n./boot/module1:\nthe ramdisk\n')
        self.assertEqual(os.listdir(f'{self.folder}/out'), ['boot.iso'])

    def test_unpacked(self):
        """a kernel that is packed by zstd is unpacked, one by xz is not"""
        for how, inside in (('zstd', True), ('xz', False)):
            self.parts['kernel'] = written(f'{self.folder}/{how}', unpack_kernel_test.packed(how))
            self.medium().write(self.out)
            self.assertEqual(unpack_kernel_test.KERNEL.decode('latin-1') in self.made(), inside, how)

    def test_small(self):
        """a small medium is for BIOS alone, and needs no GRUB for UEFI"""
        os.rmdir(f'{self.folder}/x86_64-efi')
        medium.write(self.out, 'boot\n', {}, volume='CD', small=True, grub_modules='normal test')
        self.assertTrue(self.made().startswith(f'options: -d {self.folder}/i386-pc --fonts= --locales= --themes= '
                                               '--install-modules=normal test -- -volid CD\n./boot/grub/grub.cfg:\nboot\n'), self.made())


class Refusals(Media):
    def test_missing_file(self):
        """a missing file is named"""
        for name in self.parts:
            os.rename(self.parts[name], f'{self.folder}/away')
            self.assertIn(self.parts[name], self.refused(lambda: self.medium().write(self.out)), name)
            os.rename(f'{self.folder}/away', self.parts[name])

    def test_no_maker(self):
        """without grub-mkrescue the package is named"""
        os.unlink(f'{self.folder}/bin/grub-mkrescue')
        with mock.patch.dict(os.environ, PATH=f'{self.folder}/bin'):
            self.assertIn('Install the package "grub-common"', self.refused(lambda: self.medium().write(self.out)))

    def test_maker_fails(self):
        """when grub-mkrescue fails, its words are handed on"""
        self.maker(FAILS)
        self.assertIn('status 3; it said:\nno space left', self.refused(lambda: self.medium().write(self.out)))

    def test_maker_makes_nothing(self):
        """a grub-mkrescue that makes nothing has failed"""
        self.maker('#!/bin/sh\n')
        self.assertIn('failed', self.refused(lambda: self.medium().write(self.out)))

    def test_one_firmware(self):
        """where GRUB is there for one kind of firmware alone, the package of the other is named"""
        for _, modules, package in (medium.BIOS, medium.UEFI):
            os.rmdir(f'{self.folder}/{modules}')
            self.assertIn(f'"{package}"', self.refused(lambda: self.medium().write(self.out)))
            os.mkdir(f'{self.folder}/{modules}')

    def test_no_folder(self):
        """a place that is not there is named"""
        with self.assertRaises(MediumError) as raised:
            self.medium().write(f'{self.folder}/nowhere/boot.iso')
        self.assertIn('nowhere/boot.iso cannot be written', str(raised.exception))

    def test_damaged_kernel(self):
        """a kernel that cannot be unpacked is named"""
        self.parts['kernel'] = written(f'{self.folder}/damaged', unpack_kernel_test.packed('zstd')[:-100])
        self.assertIn(f'{self.folder}/damaged cannot be read or unpacked', self.refused(lambda: self.medium().write(self.out)))


if __name__ == '__main__':
    tap.main()
