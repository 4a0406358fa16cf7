"""Which devices of the service VM are taken for its own disks, by its udev rules, and what the desktops' disks are copies of, by the
script that makes them: nothing that a guest writes has a say in either."""

import os
import re
import subprocess
import tempfile
import unittest

import tap

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../uivm/image/uivm.files')
RULES, SCRIPT = f'{FILES}/etc/udev/rules.d/70-roundhouse.rules', f'{FILES}/usr/libexec/roundhouse/guest-disks'


def holds(left, sign, right, device):
    """Whether a device meets one condition of a rule; its `files` are those of the machine that are asked for."""
    if left == 'TEST':
        return (right.replace('$kernel', device['KERNEL']) in device.get('files', ())) == (sign == '==')
    name = re.fullmatch(r'ENV\{(\w+)\}', left)
    value = device.get(name[1] if name else left, '')
    pattern = '|'.join(re.escape(word).replace(r'\*', '.*') for word in right.split('|'))
    return bool(re.fullmatch(pattern, value)) == (sign == '==')


def links(device):
    """The links that udev makes for a device."""
    found, target, device = [], None, dict(device)
    for line in open(RULES, encoding='utf-8'):
        parts = re.findall(r'([\w{}]+)(==|!=|\+=|=)"([^"]*)"', '' if line.startswith('#') else line)
        values = {left: right for left, sign, right in parts if sign in ('=', '+=')}
        if target and values.get('LABEL') != target:
            continue
        target = None
        if all(holds(*part, device) for part in parts if part[1] in ('==', '!=')):
            target = values.get('GOTO')
            found += [values['SYMLINK']] if 'SYMLINK' in values else []
            device.update({left[4:-1]: right for left, right in values.items() if left.startswith('ENV{')})
    return found


def disk(kernel, **more):
    return {'SUBSYSTEM': 'block', 'KERNEL': kernel, 'DEVTYPE': 'disk', **more}


class Rules(unittest.TestCase):
    GUEST = {'ID_FS_LABEL': 'roundhouse-guest', 'ID_FS_TYPE': 'ext4'}
    POOL = {'ID_FS_LABEL': 'rh-pool', 'ID_FS_TYPE': 'xfs'}

    def test_own(self):
        """the machine's own disks are known"""
        self.assertEqual(links(disk('sdb', **self.GUEST)), ['roundhouse-guest'])
        self.assertEqual(links(disk('sdb', **self.POOL)), ['roundhouse-pool'])
        self.assertEqual(links(disk('dm-0', DM_UUID='CRYPT-LUKS2-x', **self.POOL)), ['roundhouse-pool'])
        self.assertEqual(links(disk('sda3', ID_FS_TYPE='xfs', ID_PART_ENTRY_NAME='roundhouse-pool') | {'DEVTYPE': 'partition'}),
                         ['roundhouse-pool'])

    def test_guests(self):
        """what guests write is not taken for one"""
        for kernel in ('loop0', 'dm-0', 'nbd0', 'xvda'):
            for what in (self.GUEST, self.POOL, self.POOL | {'ID_PART_ENTRY_NAME': 'roundhouse-pool'}):
                with self.subTest(kernel=kernel, what=what):
                    self.assertEqual(links(disk(kernel, **what)), [])

    def test_installed(self):
        """on an installed disk the one device is the pool that the initramfs has named"""
        part = disk('sda7', ID_FS_TYPE='xfs', ID_PART_ENTRY_NAME='roundhouse-pool') | {'DEVTYPE': 'partition'}
        inside = disk('dm-1', DM_UUID='CRYPT-LUKS2-x', **self.POOL)
        for device, named, found in ((part, 'sda7', ['roundhouse-pool']), (part, 'sdb7', []), (part, 'dm-1', []), (inside, 'dm-1', ['roundhouse-pool']),
                                     (inside, 'sda7', []), (part, '', [])):
            with self.subTest(device=device['KERNEL'], named=named):
                self.assertEqual(links(device | {'files': ('/run/roundhouse-pool', f'/run/roundhouse-pool/{named}')}), found)

    def test_partition(self):
        """a label in a partition, which may be a guest's, makes no pool"""
        self.assertEqual(links(disk('sda5', **self.POOL) | {'DEVTYPE': 'partition'}), [])


FAKE = """#!/bin/sh
# Each new device has the base's label, and so takes its links, as in udev for devices of one priority.
case $0 in
*blockdev) echo 8 ;;
*losetup) echo "$ROOT/dev/loop0" ;;
*dmsetup) set -- $(echo "$*" | sed 's/.*snapshot \\([^ ]*\\).*/\\1/') "$2"
    echo "$2 $(readlink -f "$1")" >>"$ROOT/made"
    : >"$ROOT/dev/mapper/$2"
    ln -sf "$ROOT/dev/mapper/$2" "$ROOT/dev/roundhouse-guest"
    ln -sf "$ROOT/dev/mapper/$2" "$ROOT/dev/disk/by-label/roundhouse-guest" ;;
esac
"""


class Script(unittest.TestCase):
    def test_base(self):
        """each desktop's disk is a copy of the base, and none of another desktop's"""
        with tempfile.TemporaryDirectory() as root:
            for folder in ('dev/mapper', 'dev/disk/by-label', 'etc/roundhouse/guests', 'var/lib/roundhouse', 'bin'):
                os.makedirs(f'{root}/{folder}')
            for link in ('roundhouse-guest', 'disk/by-label/roundhouse-guest'):
                os.symlink(f'{root}/dev/sdb', f'{root}/dev/{link}')
            open(f'{root}/dev/sdb', 'w').close()
            for name in ('blockdev', 'losetup', 'dmsetup'):
                with open(f'{root}/bin/{name}', 'w') as file:
                    file.write(FAKE)
                os.chmod(file.name, 0o755)
            for name in ('home', 'work'):
                with open(f'{root}/etc/roundhouse/guests/{name}.conf', 'w') as file:
                    file.write(f'name={name}\ndisk=phy:{root}/dev/mapper/roundhouse-{name},xvda,w\n')
            script = re.sub(r'/(dev|etc|var)/', rf'{root}/\1/', open(SCRIPT, encoding='utf-8').read())
            subprocess.run(['sh', '-c', script], check=True, env={'PATH': f'{root}/bin:{os.environ["PATH"]}', 'ROOT': root})
            with open(f'{root}/made') as file:
                self.assertEqual(file.read(), f'roundhouse-home {root}/dev/sdb\nroundhouse-work {root}/dev/sdb\n')


if __name__ == '__main__':
    tap.main()
