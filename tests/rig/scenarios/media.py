"""The product's boot medium, as firmware finds it: from each kind of drive to the switcher's picture, and damaged, to a sentence.

The product has no console without a password. So the menu is chosen from on the serial line, and what comes of it is looked at."""

import os
import re
import shutil
import subprocess
import time

import pictures
from machine import Machine, RigError

TRY, RESCUE = 't', 'r'      # keys of the menu's entries
DRIVES = {'cd': (',media=cdrom', 'ide-cd,bus=ahci.5'), 'usb': ('', 'usb-storage'), 'nvme': ('', 'nvme,serial=medium'),
          'virtio': ('', 'virtio-blk-pci')}
SENTENCE = 'The boot medium is damaged or was not written completely'
WORK = 300      # seconds of a processor that a boot may take the emulator; from the menu to the picture it takes 110 to 130
SECONDS = 900   # and those on the clock, where others use the processors too
CHECKSUMS = '/run/medium/disc/boot/grub/sha256'
NAMES = {' ': 'spc', '/': 'slash'}


class ProductMachine(Machine):
    """Starts from a file as it is: `drive` says what it lies in."""

    def __init__(self, path, drive, *arguments, **how):
        super().__init__(None, *arguments, **how)
        self.path, self.drive = path, drive

    def make_medium(self):
        """It is there already."""

    def boot_drive(self):
        kind, device = DRIVES[self.drive]
        return ['-drive', f'file={self.path},format=raw,if=none,snapshot=on,id=boot{kind}', '-device', f'{device},drive=boot,bootindex=0']


class MediumBoot:
    """A power-on from the medium, which `damage` changed in a copy. Its scenarios begin at the menu."""

    def __init__(self, name, drive, scenario, uefi=False, damage=None):
        self.name, self.drive, self.scenarios, self.uefi, self.damage = name, drive, [scenario], uefi, damage

    def machine(self, rig, evidence):
        path = f'{rig.images}/roundhouse.iso'
        rig.check(os.path.exists(path), f'{path} is not there; make it by: ./dev medium')
        if self.damage:
            path = shutil.copy(path, f'{evidence}/damaged.iso')
            change_byte(path, self.damage)
        # With 4 GiB of memory SeaBIOS finds nothing on NVMe: probably it puts the controller's registers above 4 GiB, out of its own reach.
        return ProductMachine(path, self.drive, evidence, memory=2048, uefi=self.uefi, qemu=rig.qemu)

    @staticmethod
    def ready(rig):
        """GRUB shows its menu."""
        try:
            rig.machine.expect('Memory test', 200)
        except RigError:
            rig.machine.screenshot('no-menu.png')
            raise


def change_byte(path, name):
    """Changes one byte in the midst of a file on the medium."""
    told = subprocess.run(['xorriso', '-indev', path, '-find', f'/{name}', '-exec', 'report_lba'], capture_output=True, text=True).stdout
    _, first, blocks = (int(number) for number in re.search(r'^File data lba: +(\d+) , +(\d+) , +(\d+) ,', told, re.M).groups())
    with open(path, 'r+b') as file:
        file.seek((first + blocks // 2) * 2048)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def look(rig):
    return pictures.Picture(*rig.machine.screen())


def choose(rig, key):
    rig.machine.serial.sendall(key.encode())


def wait_until(rig, there, what, work=WORK):
    """Asks again and again whether it is there; each question may press keys. `work`: seconds of a processor that it may take."""
    seconds = SECONDS * work // WORK
    deadline, end = time.monotonic() + seconds, rig.machine.busy() + work
    while not there():
        if time.monotonic() > deadline or rig.machine.busy() > end:
            raise RigError(f'{what} within {seconds} s and {work} s of processor:\n{rig.machine.log()[-1500:]}')
        time.sleep(1)


def starts(rig):
    """Hypervisor and service VM start from the medium, to the switcher's picture."""
    choose(rig, TRY)
    rig.machine.expect('Checking the boot files', 60)
    wait_until(rig, lambda: pictures.is_switcher(look(rig)), 'the switcher did not come on screen')
    rig.machine.screenshot('switcher.png')


def damaged_boot_files(rig):
    """GRUB starts nothing of a medium whose kernel is damaged, and says so."""
    choose(rig, TRY)
    rig.machine.expect(SENTENCE, 120)
    time.sleep(5)
    rig.check('Domain-0' not in rig.machine.log(), 'the hypervisor was started')
    rig.machine.screenshot('sentence.png')


def damaged_system(rig):
    """The initramfs starts nothing of a damaged system, and says so on the screen too."""
    choose(rig, TRY)
    rig.machine.expect(f'Roundhouse does not start. {SENTENCE}', SECONDS)
    time.sleep(5)
    rig.machine.screenshot('sentence.png')
    picture = look(rig)
    lit = sum(1 for n in range(0, len(picture.data), 3) if max(picture.data[n:n + 3]) > 100)
    rig.check(lit > 1000, f'{lit} pixels of the screen are lit: there is no sentence')


def rescue(rig):
    """Rescue gives a root shell on the screen, and the medium stays in reach."""
    choose(rig, RESCUE)
    wait_until(rig, lambda: shell_answers(rig), 'no shell answered')
    rig.machine.screenshot('rescue.png')


def shell_answers(rig):
    """Types a command, which also is the key that rescue asks for, and sees what came of the last one."""
    for letter in f'cp {CHECKSUMS} /dev/hvc0':
        rig.machine.key(NAMES.get(letter, letter), pause=0.02)
    rig.machine.key('ret')
    time.sleep(5)
    return re.search(r'^[0-9a-f]{64}  hypervisor$', rig.machine.log(), re.M)


BOOTS = [
    MediumBoot('bios-cd', 'cd', starts),
    MediumBoot('uefi-usb', 'usb', starts, uefi=True),
    MediumBoot('damaged-system', 'cd', damaged_system, damage='roundhouse/system.squashfs'),
    MediumBoot('damaged-kernel', 'usb', damaged_boot_files, damage='roundhouse/boot/kernel'),
    MediumBoot('bios-nvme', 'nvme', starts),
    MediumBoot('rescue', 'cd', rescue),
    MediumBoot('uefi-nvme', 'nvme', starts, uefi=True),
    MediumBoot('bios-usb', 'usb', starts),
    MediumBoot('uefi-cd', 'cd', starts, uefi=True),
    MediumBoot('bios-virtio', 'virtio', starts),
]
