"""Makes the product's boot medium: one file that is a CD and a disk, and starts a machine by BIOS and by UEFI.

README.md says what is on it. The same input and SOURCE_DATE_EPOCH give the same bytes, so GRUB's own grub-mkrescue does not make it: it
puts the time and chance into what it makes. What goes wrong is a MediumError, whose text is a sentence for people."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

from medium import BIOS, DOM0_EVERYWHERE, GRUB, HYPERVISOR_OPTIONS, SPECIAL, UEFI, MediumError, known_to_hypervisor

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = 'ROUNDHOUSE'
CONSOLES = 'console=tty0 console=hvc0'      # the screen; and the hypervisor's, which is the serial line
INSTALLER = 'usr/bin/roundhouse-install'    # in the system: with it the menu offers to install and to check the laptop
# What GRUB needs for grub.cfg. They are in its image: nothing of it is looked for on the medium but the menu.
MODULES = ['normal', 'configfile', 'search', 'search_fs_uuid', 'iso9660', 'part_gpt', 'part_msdos', 'fat', 'multiboot2', 'echo',
           'test', 'sleep', 'hashsum', 'gcry_sha256', 'serial', 'terminal', 'all_video', 'halt', 'reboot', 'ls', 'cat', 'minicmd']
BIOS_MODULES, UEFI_MODULES = ['biosdisk', 'linux16'], ['linuxefi']
PACKAGES = {'grub-mkimage': 'grub-common', 'xorriso': 'xorriso', 'mformat': 'mtools', 'mmd': 'mtools', 'mcopy': 'mtools',
            'unsquashfs': 'squashfs-tools'}
# Kinds of partitions of a GPT, as UEFI numbers them.
SYSTEM_PARTITION = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b'
DATA_PARTITION = 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7'
SECTOR = 512


class Parts:
    """What a medium is made of, as paths: the hypervisor; the system, with .vmlinuz, .initrd and .sha256 beside it; the memory
    test's folder, or None; and answers to install by without a question, or None."""

    def __init__(self, hypervisor, system, memtest=None, answers=None):
        self.hypervisor, self.system, self.memtest, self.answers = hypervisor, system, memtest, answers

    def boot_files(self):
        return {'hypervisor': self.hypervisor, 'kernel': f'{self.system}.vmlinuz', 'initrd': f'{self.system}.initrd'}

    def others(self):
        """{name in the folder roundhouse: path}. They are large, and read where they are."""
        tests = {f'memtest.{kind}': f'{self.memtest}/memtest.{kind}' for kind in ('bin', 'efi')} if self.memtest else {}
        answers = {'answers': self.answers} if self.answers else {}
        return {'system.squashfs': self.system, 'system.squashfs.sha256': f'{self.system}.sha256', **tests, **answers}

    def check(self):
        for path in [*self.boot_files().values(), *self.others().values()]:
            if not os.path.isfile(path):
                raise MediumError(f'The boot medium needs {path}, which is not there.')
            if not os.path.getsize(path):
                raise MediumError(f'The boot medium needs {path}, which is empty.')


def run(*command, **how):
    """What a tool printed."""
    try:
        made = subprocess.run(command, capture_output=True, text=True, errors='replace', **how)
    except FileNotFoundError:
        raise MediumError(f'There is no {command[0]}, which boot media need. Install the package "{PACKAGES[command[0]]}".') from None
    if made.returncode:
        raise MediumError(f'{command[0]} failed with status {made.returncode}; it said:\n{(made.stderr or made.stdout)[-2000:]}')
    return made.stdout


def digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def sums(folder, names):
    """What sha256sum(1) says of these files."""
    return ''.join(f'{digest(f"{folder}/{name}")}  {name}\n' for name in names)


def has_installer(system):
    return f'/{INSTALLER}' in run('unsquashfs', '-l', '-d', '', system, INSTALLER).split()


def words(parts, uuid):
    """words.cfg: what differs from medium to medium in GRUB's menu."""
    kernel = f'boot=roundhouse roundhouse.medium={uuid} {DOM0_EVERYWHERE}'
    for text in (HYPERVISOR_OPTIONS, kernel):
        if found := SPECIAL.search(text):
            raise MediumError(f'"{text}" cannot be written into a boot menu: GRUB takes {found[0]!r} for its own.')
    answer = {True: 'yes', False: 'no'}
    return (f'set hypervisor_options="{HYPERVISOR_OPTIONS}"\nset kernel_options="{kernel}"\n'
            f'set consoles="{CONSOLES}"\nset installer={answer[has_installer(parts.system)]}\nset memtest={answer[bool(parts.memtest)]}\n')


def write_text(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.write(text)


def fill(tree, parts, uuid, work):
    """All on the medium but GRUB itself and the large files."""
    write_text(f'{tree}/boot/grub/words.cfg', words(parts, uuid))
    shutil.copyfile(f'{HERE}/grub.cfg', f'{tree}/boot/grub/grub.cfg')
    boot = f'{tree}/roundhouse/boot'
    write_text(f'{boot}/hypervisor.options', f'{HYPERVISOR_OPTIONS}\n')
    write_text(f'{boot}/kernel.options', f'{CONSOLES} {DOM0_EVERYWHERE}\n')
    for name, source in parts.boot_files().items():
        shutil.copyfile(known_to_hypervisor(source, work) if name == 'kernel' else source, f'{boot}/{name}')
    write_text(f'{tree}/boot/grub/sha256', sums(boot, parts.boot_files()))
    write_text(f'{boot}/SHA256SUMS', f'{digest(parts.system)}  system\n{sums(boot, sorted(os.listdir(boot)))}')


def grub_image(out, firmware, kind, modules, uuid, work):
    name, folder, package = firmware
    if not os.path.isdir(f'{GRUB}/{folder}'):
        raise MediumError(f'GRUB for {name} is not there ({GRUB}/{folder}). Install the package "{package}".')
    # The drive that the firmware names may be the partition that GRUB lies in: the menu is found by the medium's number.
    write_text(f'{work}/find.cfg', f'search --no-floppy --set=root --fs-uuid {uuid}\nset prefix=($root)/boot/grub\n')
    run('grub-mkimage', '-d', f'{GRUB}/{folder}', '-O', kind, '-p', '/boot/grub', '-c', f'{work}/find.cfg', '-o', out, *modules)


def system_partition(out, program, environment):
    """The FAT file system from which UEFI starts a program of its own accord."""
    sectors = 2048 + (os.path.getsize(program) // SECTOR // 2048 + 1) * 2048
    run('mformat', '-C', '-i', out, '-T', str(sectors), '-h', '64', '-s', '32', '-N', '52480001', '-v', 'RH-EFI', '::', env=environment)
    run('mmd', '-i', out, '::/EFI', '::/EFI/BOOT', env=environment)
    run('mcopy', '-i', out, program, '::/EFI/BOOT/BOOTX64.EFI', env=environment)


def write(out, parts, epoch):
    """Makes the medium `out` at once or not at all. `epoch` is its date, in seconds since 1970, and with that its number."""
    parts.check()
    out = os.path.abspath(out)
    date = time.strftime('%Y-%m-%d-%H-%M-%S', time.gmtime(epoch))
    uuid = f'{date}-00'
    environment = {**os.environ, 'SOURCE_DATE_EPOCH': str(epoch), 'TZ': 'UTC', 'LC_ALL': 'C'}
    try:
        with tempfile.TemporaryDirectory(prefix='.medium-', dir=os.path.dirname(out)) as work:
            tree = f'{work}/tree'
            fill(tree, parts, uuid, work)
            grub_image(f'{tree}/boot/grub/bios.img', BIOS, 'i386-pc-eltorito', MODULES + BIOS_MODULES, uuid, work)
            grub_image(f'{work}/uefi', UEFI, 'x86_64-efi', MODULES + UEFI_MODULES, uuid, work)
            system_partition(f'{work}/esp', f'{work}/uefi', environment)
            run('xorriso', '-as', 'mkisofs', '-quiet', '-r', '-V', NAME, '-o', f'{work}/medium',
                f'--modification-date={uuid.replace("-", "")}', '--set_all_file_dates', f'={epoch}',
                # A disk for BIOS and UEFI: boot code, MBR and GPT, and both know the file system as a partition too.
                '--grub2-mbr', f'{GRUB}/{BIOS[1]}/boot_hybrid.img', '-partition_offset', '16', '--mbr-force-bootable',
                '-iso_mbr_part_type', DATA_PARTITION, '-append_partition', '2', SYSTEM_PARTITION, f'{work}/esp', '-appended_part_as_gpt',
                # A CD for both.
                '-c', '/boot/grub/boot.cat', '-b', '/boot/grub/bios.img', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table',
                '--grub2-boot-info', '-eltorito-alt-boot', '-e', '--interval:appended_partition_2:all::', '-no-emul-boot',
                '-graft-points', tree, *(f'/roundhouse/{name}={path}' for name, path in parts.others().items()),
                env=environment)
            os.replace(f'{work}/medium', out)
    except OSError as error:
        raise MediumError(f'The boot medium {out} cannot be written: {error}') from None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out')
    parser.add_argument('--hypervisor', required=True)
    parser.add_argument('--system', required=True, help='squashfs of uivm/image/system')
    parser.add_argument('--memtest', help='folder with memtest.bin and memtest.efi')
    parser.add_argument('--answers', help='roundhouse-install(8) installs by them when the menu is asked to: passwords in them are on the medium')
    options = parser.parse_args()
    epoch = os.environ.get('SOURCE_DATE_EPOCH', '')
    try:
        if not epoch.isdecimal():
            raise MediumError('SOURCE_DATE_EPOCH has to give the date of the medium, in seconds since 1970.')
        write(options.out, Parts(options.hypervisor, options.system, options.memtest, options.answers), int(epoch))
    except MediumError as error:
        sys.exit(f'product.py: {error}')


if __name__ == '__main__':
    main()
