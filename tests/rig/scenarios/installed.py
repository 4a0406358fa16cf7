"""From the boot medium onto a blank disk, by answers on the medium, and from that disk to the switcher: plain, and encrypted with the
passphrase typed on the serial line.

The disk is a file that all power-ons of its kind share. The product has no console without a password: what is looked at is the screen, what
the medium and the initramfs say on the serial line, and GRUB's counters, which are read out of the disk's file while the machine runs."""

import json
import os
import subprocess
import time

import pictures
import product
from machine import RigError
from media import ProductMachine, choose, look, wait_until
from medium import MediumError

INSTALL = 'i'               # the key of the medium's menu
SIZE = 20 << 30             # of the disk, which is a file with holes
WORK = 2400                 # seconds of processor that an installation may take the emulator
EPOCH = 1700000000          # of the medium with answers
PASSPHRASE = 'Nashorn fliegt 77'
ANSWERS = '''disk = /dev/sda
use = whole-disk
keyboard = us
time-zone = UTC
person = anna
password = Nashorn
'''
KINDS = {'plain': 'encrypt = no\n', 'encrypted': f'encrypt = yes\npassphrase = {PASSPHRASE}\nrecovery-key-file = /tmp/recovery-key\n'}


def run(*command, **how):
    return subprocess.run(command, check=True, capture_output=True, text=True, **how).stdout


def disk_of(rig, kind):
    return f'{rig.images}/installed-{kind}.img'


def medium_of(rig, kind, folder):
    """The product's medium with answers on it."""
    path, answers = f'{folder}/answered.iso', f'{folder}/answers'
    with open(answers, 'w') as file:
        file.write(ANSWERS + KINDS[kind])
    system = f'{rig.images}/system.squashfs'
    rig.check(os.path.exists(system), f'{system} is not there; make it by: ./dev medium')
    try:
        product.write(path, product.Parts(rig.hypervisor, system, rig.images, answers), EPOCH)
    except MediumError as error:
        raise RigError(str(error)) from None
    return path


def attached(disk):
    return ['-drive', f'file={disk},format=raw,if=none,id=own', '-device', 'ide-hd,drive=own,bus=ahci.0,serial=own']


class InstalledMachine(ProductMachine):
    """Starts from its own disk: there is no medium."""

    def boot_drive(self):
        return []


class InstalledBoot:
    """A power-on of that kind: from the medium with a new blank disk, or from the disk."""

    def __init__(self, kind, scenario, from_medium=False, uefi=False):
        self.kind, self.scenarios, self.from_medium, self.uefi = kind, [scenario], from_medium, uefi
        self.name = f'{kind}-{scenario.__name__.replace("_", "-")}{"-uefi" if uefi else ""}'

    def machine(self, rig, evidence):
        rig.kind, disk = self.kind, disk_of(rig, self.kind)
        how = {'memory': 4096, 'uefi': self.uefi, 'qemu': rig.qemu, 'extra': attached(disk)}
        if not self.from_medium:
            rig.check(os.path.exists(disk), f'{disk} is not there: nothing was installed')
            return InstalledMachine(None, None, evidence, **how)
        with open(disk, 'wb') as file:
            file.truncate(SIZE)
        return ProductMachine(medium_of(rig, self.kind, evidence), 'cd', evidence, **how)

    def ready(self, rig):
        """GRUB shows its menu."""
        rig.machine.expect('Memory test' if self.from_medium else 'Rescue: a shell', 300)


def counters(rig):
    """GRUB's counters, as they are on the disk now."""
    disk, copy = disk_of(rig, rig.kind), f'{rig.machine.folder}/grubenv'
    table = json.loads(run('/usr/sbin/sfdisk', '--json', disk))['partitiontable']
    start = next(part['start'] for part in table['partitions'] if part.get('name') == 'roundhouse-boot') * 512
    if os.path.exists(copy):
        os.remove(copy)
    run('/usr/sbin/debugfs', '-R', f'dump /grub/grubenv {copy}', f'{disk}?offset={start}')
    return dict(line.split('=', 1) for line in run('grub-editenv', copy, 'list').splitlines())


def answer(rig, line):
    """Types where nothing is echoed: the buffers on the way have 16 letters."""
    time.sleep(1)
    for start in range(0, len(line), 8):
        rig.machine.serial.sendall(line[start:start + 8].encode())
        time.sleep(0.5)
    rig.machine.serial.sendall(b'\n')


def comes_to_switcher(rig):
    wait_until(rig, lambda: pictures.is_switcher(look(rig)), 'the switcher did not come on screen')
    rig.machine.screenshot('switcher.png')
    wait_until(rig, lambda: counters(rig)['A_TRY'] == '0', "nobody has set GRUB's counter back")


def installs(rig):
    """The medium installs onto a blank disk, by its answers and without a question."""
    choose(rig, INSTALL)
    wait_until(rig, lambda: 'Take out the boot medium' in rig.machine.log() or 'Roundhouse was not installed' in rig.machine.log(),
               'the installation came to no end', WORK)
    rig.machine.screenshot('installed.png')
    rig.check('Roundhouse is installed.' in rig.machine.log(), f'it was not installed:\n{rig.machine.log()[-1500:]}')
    if rig.kind == 'encrypted':
        rig.check('recovery key, which' not in rig.machine.log(), 'the recovery key went to the serial line')
    rig.check(counters(rig)['A_TRY'] == '0', 'a new disk has tries already')
    answer(rig, 'off')
    rig.machine.wait_off(300)


def starts(rig):
    """The disk starts to the switcher, and GRUB's counter is set back."""
    comes_to_switcher(rig)


def asks(rig):
    """The disk asks for the passphrase, again after a wrong one, and starts to the switcher."""
    rig.machine.expect('Passphrase or recovery key: ', 900)
    rig.check(counters(rig)['A_TRY'] == '1', 'GRUB did not count this start')
    rig.machine.screenshot('question.png')
    answer(rig, 'wrong')
    rig.machine.expect('Tries left: 2', 300)
    rig.machine.expect('Passphrase or recovery key: ', 60)
    answer(rig, PASSPHRASE)
    comes_to_switcher(rig)
    rig.check(PASSPHRASE not in rig.machine.log(), 'the passphrase was shown')


BOOTS = [
    InstalledBoot('plain', installs, from_medium=True),
    InstalledBoot('plain', starts),
    InstalledBoot('plain', starts, uefi=True),
    InstalledBoot('encrypted', installs, from_medium=True),
    InstalledBoot('encrypted', asks),
]
