"""The start from an installed disk (uivm/image/uivm.initramfs): the initramfs' script with real disks behind loop devices, real file
systems and terminals. Only what has no place here is made up: the kernel's command line, sysfs's names, and the inside of LUKS, for which
the kernel may lack a device mapper; passphrases are tried on real LUKS headers. Needs root."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import tap
from terminal import Terminal, follow

INITRAMFS = f'{tap.ROOT}/uivm/image/uivm.initramfs/usr'
PLACE = '/tmp/roundhouse-start'     # in a mount namespace of its own
SLOT, BOOT, STATE, POOL = (f'0000000{n}-1111-4222-8333-444444444444' for n in range(1, 5))
NAMES = {'roundhouse-a': SLOT, 'roundhouse-boot': BOOT, 'roundhouse-state': STATE, 'roundhouse-pool': POOL}
PASSPHRASE, RECOVERY = '  two words, blanks ', 'cbde-fghi'
MEBIBYTE = 1 << 20
# What the initramfs has, of klibc and by the hook; no more is in the script's reach.
TOOLS = ['mount', 'umount', 'readlink', 'mkdir', 'mkfifo', 'ln', 'cat', 'sync', 'blkid', 'e2fsck', 'stty']
AROUND = '''. "$SCRIPT"
tools=$PLACE/tools rootmnt=$PLACE/root
screen=$SCREEN serial=$SERIAL
modprobe() { :; }
udevadm() { :; }
sleep() { :; }
reboot() { echo restarted; exit 7; }
poweroff() { echo "switched off"; exit 8; }
cat() { if [ "$1" = /proc/cmdline ]; then echo "$WORDS"; else command cat "$@"; fi; }
mountroot
PATH=$FULL
eval "$AFTER"
'''
# The real program says whether a key fits; what would be inside is a loop device.
CRYPTSETUP = '''#!/bin/sh
for last; do :; done
case $1 in
isLuks) exec /usr/sbin/cryptsetup "$@" ;;
open) /usr/sbin/cryptsetup "$@" --test-passphrase || exit
    ln -s "$(readlink -f $PLACE/inside-$last)" $PLACE/mapper/$last ;;
esac
'''
PLACES = '''. "$INSTALLED"
place=$PLACE/run/disk pool=$PLACE/run/pool devices=$PLACE/dev mapper=$PLACE/mapper sysfs=$PLACE/sys patience=2
'''


def run(*command, **how):
    return subprocess.run(command, check=True, capture_output=True, text=True, **how).stdout.strip()


def written(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def attach_loop(file, *options):
    """(a loop device, what holds it: it is gone when that is closed, however this process ends)"""
    loop = run('losetup', *options, '-f', '--show', file)
    holder = os.open(loop, os.O_RDONLY)
    run('losetup', '-d', loop)      # takes place at the last close
    return loop, holder


class Disk:
    """A disk file behind a loop device; `parts` are its partitions' devices by name."""

    def __init__(self, file):
        self.loop, self.holder = attach_loop(file, '-P')
        run('sh', '-c', f'partx -a {self.loop} 2>/dev/null || :')
        self.parts = {name: f'{self.loop}p{number}' for number, name in enumerate(NAMES, 1)}
        for path in self.parts.values():
            if not os.path.exists(path):
                major, minor = open(f'/sys/class/block/{os.path.basename(path)}/dev').read().split(':')
                os.mknod(path, 0o600 | 0o060000, os.makedev(int(major), int(minor)))

    def close(self):
        run('sh', '-c', f'partx -d {self.loop} 2>/dev/null || :')
        os.close(self.holder)


def make_disk():
    """The disk's file, with all partitions as an installation makes them, unencrypted."""
    work = f'{PLACE}/make'
    written(f'{work}/slot/etc/hostname', 'slot\n')
    written(f'{work}/slot/etc/version', 'one\n')
    written(f'{work}/slot/usr/lib/system', 'system\n')
    for name in ('var/lib', 'root', 'run'):
        os.makedirs(f'{work}/slot/{name}')
    run('mksquashfs', f'{work}/slot', f'{work}/roundhouse-a', '-quiet', '-no-progress')
    written(f'{work}/slot/etc/version', 'two\n')
    run('mksquashfs', f'{work}/slot', f'{work}/roundhouse-a.two', '-quiet', '-no-progress')
    written(f'{work}/boot/keymap', 'keycode 1 = Escape\n')
    written(f'{work}/state/etc/hostname', 'laptop\n')
    os.makedirs(f'{work}/state/var')
    for name, size in (('boot', 4), ('state', 16)):
        run('mkfs.ext4', '-q', '-d', f'{work}/{name}', f'{work}/roundhouse-{name}', f'{size}M')
    written(f'{work}/roundhouse-pool', 'XFSB')
    script = 'label: gpt\n' + ''.join(f'size=20MiB, uuid={uuid}, name={name}\n' for name, uuid in NAMES.items())
    file = f'{PLACE}/disk.new'
    run('truncate', '-s', '96M', file)
    run('sfdisk', '-q', file, input=script)
    for number, name in enumerate(NAMES):
        run('dd', f'if={work}/{name}', f'of={file}', 'bs=1M', f'seek={1 + 20 * number}', 'conv=notrunc', 'status=none')
    return file


def encrypt(device, *keys):
    """LUKS2 over the device, cheap to open, with these keys."""
    cheap = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--batch-mode']
    first = written(f'{PLACE}/key', keys[0])
    run('cryptsetup', 'luksFormat', '--type', 'luks2', *cheap, device, first)
    for key in keys[1:]:
        run('cryptsetup', 'luksAddKey', *cheap, '--key-file', first, device, written(f'{PLACE}/other', key))


def setUpModule():
    run('mount', '-t', 'tmpfs', '-o', 'size=1G', 'tmpfs', PLACE)
    make_disk()
    for name in ('tools', 'bin', 'root'):
        os.mkdir(f'{PLACE}/{name}')
    written(f'{PLACE}/tools/installed', PLACES)
    os.symlink(f'{INITRAMFS}/libexec/roundhouse/questions', f'{PLACE}/tools/questions')
    for name in TOOLS:
        os.symlink(shutil.which(name), f'{PLACE}/bin/{name}')
    written(f'{PLACE}/bin/cryptsetup', f'#!/bin/sh\nPATH={os.environ["PATH"]}\n{CRYPTSETUP.split(chr(10), 1)[1]}', 0o755)
    written(f'{PLACE}/bin/loadkeys', '#!/bin/sh\nfor last; do :; done\n[ -s "$last" ] && echo "$*" >>$PLACE/keymaps && [ ! -e $PLACE/bad-keymap ]\n', 0o755)


class Start(unittest.TestCase):
    def setUp(self):
        run('cp', '--sparse=always', f'{PLACE}/disk.new', f'{PLACE}/disk')
        self.disks, self.rows = [], []
        self.disk = self.attach(f'{PLACE}/disk', 'sda')
        for name in ('keymaps', 'bad-keymap', 'inside-roundhouse-state', 'inside-roundhouse-pool'):
            if os.path.lexists(f'{PLACE}/{name}'):
                os.remove(f'{PLACE}/{name}')

    def tearDown(self):
        for disk in self.disks:
            disk.close()

    def attach(self, file, name):
        """The disk, which the kernel calls by that name."""
        disk = Disk(file)
        self.disks.append(disk)
        self.rows.append((name, disk))
        return disk

    def make_sysfs(self):
        for folder in ('sys', 'dev'):
            shutil.rmtree(f'{PLACE}/{folder}', ignore_errors=True)
        os.makedirs(f'{PLACE}/sys/class/block')
        os.makedirs(f'{PLACE}/dev')
        for name, disk in self.rows:
            for number, (label, path) in enumerate(disk.parts.items(), 1):
                part = f'{name}{"p" if name[-1].isdigit() else ""}{number}'
                folder = f'{PLACE}/sys/devices/{name}/{part}'
                written(f'{folder}/partition', f'{number}\n')
                written(f'{folder}/uevent', f'DEVNAME={part}\nPARTN={number}\nPARTNAME={label}\n')
                os.symlink(folder, f'{PLACE}/sys/class/block/{part}')
                os.mknod(f'{PLACE}/dev/{part}', 0o600 | 0o060000, os.stat(path).st_rdev)

    def inside(self, name, source=None):
        """What is in LUKS: a loop device of a copy of that partition as it was before."""
        file = f'{PLACE}/{name}.file'
        run('dd', f'if={source or self.disk.parts[name]}', f'of={file}', 'bs=1M', 'status=none')
        loop, holder = attach_loop(file)
        os.symlink(loop, f'{PLACE}/inside-{name}')
        self.addCleanup(os.close, holder)
        return loop

    def encrypted(self):
        self.inside('roundhouse-state')
        encrypt(self.disk.parts['roundhouse-state'], PASSPHRASE, RECOVERY)

    def boot(self, words='', after='', screen=(), serial=(), slot='A', root=SLOT):
        """(status, what `after` printed, what the screen showed, what the serial line showed)"""
        self.make_sysfs()
        for name in ('run', 'mapper'):
            shutil.rmtree(f'{PLACE}/{name}', ignore_errors=True)
            os.mkdir(f'{PLACE}/{name}')
        terminals = [Terminal(screen), Terminal(serial)]
        variables = {
            'SCRIPT': f'{INITRAMFS}/share/initramfs-tools/scripts/roundhouse', 'INSTALLED': f'{INITRAMFS}/libexec/roundhouse/installed',
            'PLACE': PLACE, 'SCREEN': terminals[0].path, 'SERIAL': terminals[1].path, 'FULL': os.environ['PATH'], 'PATH': f'{PLACE}/bin',
            'WORDS': f'root=PARTUUID={root} ro boot=roundhouse roundhouse.slot={slot} roundhouse.state=PARTUUID={STATE} {words}',
            'AFTER': f'cd $rootmnt; {after}'}
        shell = subprocess.Popen(['/usr/bin/unshare', '-m', '/bin/sh', '-c', AROUND], env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        return (*follow(shell, terminals), terminals[0].shown, terminals[1].shown)


class Plain(Start):
    def test_layers(self):
        """settings lie over the system's, the rest of it cannot be changed"""
        status, told, screen, _ = self.boot(after='cat etc/hostname etc/version usr/lib/system; ls -A; (echo x >usr/lib/more) 2>&1; (echo x >more) 2>&1')
        self.assertEqual((status, screen.strip()), (2, ''), told)
        self.assertEqual(told.splitlines()[:3], ['laptop', 'one', 'system'])
        self.assertEqual(told.count('Read-only file system'), 2)

    def test_kept(self):
        """what is changed below /etc and /var is there after a restart, below another slot too; nothing else is"""
        self.boot(after='echo new >etc/version; rm etc/hostname; echo kept >var/lib/kept; mkdir etc/folder; mv etc/folder etc/moved')
        other = f'{PLACE}/make/roundhouse-a.two'
        run('dd', f'if={other}', f'of={self.disk.parts["roundhouse-a"]}', 'conv=notrunc', 'status=none')
        _, told, _, _ = self.boot(after='cat etc/version var/lib/kept; ls -d etc/hostname etc/moved 2>&1')
        self.assertEqual(told.splitlines()[:2], ['new', 'kept'])
        self.assertRegex(told, "etc/hostname'?: No such file")
        self.assertRegex(told, '(?m)^etc/moved$')
        run('dd', 'if=/dev/zero', f'of={self.disk.parts["roundhouse-state"]}', 'bs=1M', 'count=20', 'status=none')
        run('dd', f'if={PLACE}/make/roundhouse-state', f'of={self.disk.parts["roundhouse-state"]}', 'conv=notrunc', 'status=none')
        self.assertEqual(self.boot(after='cat etc/version')[1], 'two')

    def test_left(self):
        """the system is told the boot partition and the one block device that may be the pool"""
        _, told, _, _ = self.boot(after='readlink $PLACE/run/disk/boot-device; ls $PLACE/run/pool; stat -c %a $PLACE/run/disk; '
                                  'cat etc/roundhouse/notice $PLACE/run/disk/started')
        self.assertEqual(told.split(), [f'{PLACE}/dev/sda2', 'sda4', '700', 'SLOT=A'])

    def test_nvme(self):
        """a disk whose partitions have a p in their names"""
        self.rows[:] = [('nvme0n1', self.disk)]
        self.assertEqual(self.boot(after='cat etc/hostname; ls $PLACE/run/pool')[1], 'laptop\nnvme0n1p4')

    def test_fallback(self):
        """the switcher will say that the other slot did not come up, and after that no more"""
        self.assertIn('System A did not come to the switcher', self.boot('roundhouse.fallback=A', slot='B', after='cat etc/roundhouse/notice')[1])
        self.assertEqual(self.boot(after='cat etc/roundhouse/notice')[1], '')

    def test_keymap(self):
        """the keyboard's layout is loaded from the boot partition; one that cannot be is said"""
        self.boot()
        self.assertEqual(open(f'{PLACE}/keymaps').read(), f'-q -u {PLACE}/run/disk/boot/keymap\n')
        written(f'{PLACE}/bad-keymap', '')
        status, told, screen, _ = self.boot(after='cat etc/hostname')
        self.assertEqual(told, 'laptop')
        self.assertIn('those of an American one', screen)


class Whose(Start):
    """Which disk is ours."""

    def copy(self, name):
        run('cp', '--sparse=always', f'{PLACE}/disk', f'{PLACE}/copy')
        return self.attach(f'{PLACE}/copy', name)

    def test_guest(self):
        """a guest's disk that claims everything is not looked at"""
        for name in ('loop7', 'nbd0', 'xvda', 'dm-3'):
            disk = self.copy(name)
            for part in disk.parts.values():
                run('dd', 'if=/dev/zero', f'of={part}', 'bs=1M', 'count=20', 'status=none')
            self.assertEqual(self.boot(after='cat etc/hostname; ls $PLACE/run/pool')[1], 'laptop\nsda4', name)
            self.rows.pop()

    def test_guest_alone(self):
        """and where ours is missing it is not taken instead"""
        self.rows[:] = [('loop7', self.disk)]
        status, _, screen, _ = self.boot(screen=[('> ', 'restart')])
        self.assertEqual(status, 7)
        self.assertIn(f'System A is on no disk of this machine (its partition is {SLOT})', screen)

    def test_copy(self):
        """of two disks that say that they are ours none is taken"""
        self.copy('sdb')
        status, _, screen, _ = self.boot(screen=[('> ', 'off')])
        self.assertEqual(status, 8)
        self.assertIn('System A is there more than once: sda1 sdb1.', screen)

    def test_other_state(self):
        """settings, pool and boot partition of another disk are not ours, whatever they say"""
        disk = self.copy('sdb')
        run('sfdisk', '-q', '--no-reread', '--no-tell-kernel', '--part-uuid', disk.loop, '1', BOOT.replace('1', '5'))
        run('sfdisk', '-q', '--no-reread', '--no-tell-kernel', '--part-uuid', self.disk.loop, '3', BOOT.replace('1', '6'))
        status, _, screen, _ = self.boot(screen=[('> ', 'off')])
        self.assertEqual(status, 8)
        self.assertIn('The place of the settings is on no disk', screen)

    def test_words(self):
        """a menu that names no partition is said"""
        self.assertIn('did not say where this is: System A', self.boot(root='', serial=[('> ', 'off')])[3])


class Encrypted(Start):
    def test_screen(self):
        """the passphrase, typed on the screen, is not shown"""
        self.encrypted()
        status, told, screen, serial = self.boot(after='cat etc/hostname', screen=[('recovery key: ', PASSPHRASE)])
        self.assertEqual((status, told), (0, 'laptop'))
        self.assertNotIn('two words', screen + serial)
        self.assertIn('Passphrase or recovery key: ', serial)

    def test_serial(self):
        """the recovery key, typed on the serial line"""
        self.encrypted()
        self.assertEqual(self.boot(after='cat etc/hostname', serial=[('recovery key: ', RECOVERY)])[1], 'laptop')

    def test_one_terminal(self):
        """a machine without a serial line"""
        self.encrypted()
        script = AROUND.replace('serial=$SERIAL', 'serial=$PLACE/none')
        self.assertNotEqual(script, AROUND)
        globals()['AROUND'], before = script, AROUND
        self.addCleanup(globals().__setitem__, 'AROUND', before)
        self.assertEqual(self.boot(after='cat etc/hostname', screen=[('recovery key: ', PASSPHRASE)])[1], 'laptop')

    def test_three(self):
        """three wrong tries, then a sentence that says what to do; nothing is asked again before a person says so"""
        self.encrypted()
        wrong = [('recovery key: ', 'wrong')] * 3
        status, told, screen, _ = self.boot(screen=[*wrong, ('> ', 'agian'), ('> ', 'off')])
        self.assertEqual((status, screen.count('Passphrase')), (8, 3))
        self.assertEqual(re.findall(r'Tries left: (\d)', screen), ['2', '1', '0'])
        self.assertIn('The settings stay closed.', screen)
        self.assertEqual(screen.count('again rescue restart off'), 2)
        status, told, screen, _ = self.boot(after='cat etc/hostname', screen=[*wrong, ('> ', 'again'), ('recovery key: ', PASSPHRASE)])
        self.assertEqual((status, told), (0, 'laptop'))

    def test_pool(self):
        """the pool opens by the key in the settings, without a question"""
        key = 'any bytes \n of a key'
        written(f'{PLACE}/make/state.pool/etc/roundhouse/pool.key', key)
        os.makedirs(f'{PLACE}/make/state.pool/var', exist_ok=True)
        run('mkfs.ext4', '-q', '-F', '-d', f'{PLACE}/make/state.pool', self.disk.parts['roundhouse-state'])
        loop = self.inside('roundhouse-pool')
        encrypt(self.disk.parts['roundhouse-pool'], key)
        _, told, screen, _ = self.boot(after='ls $PLACE/run/pool; cat etc/roundhouse/notice')
        self.assertEqual((told, screen.strip()), (os.path.basename(loop), ''))
        encrypt(self.disk.parts['roundhouse-pool'], 'another')
        _, told, _, _ = self.boot(after='ls $PLACE/run/pool; cat etc/roundhouse/notice')
        self.assertIn('the key in the settings does not open', told)

    def test_header(self):
        """a damaged header is said: the state is then neither LUKS nor a file system"""
        self.encrypted()
        run('dd', 'if=/dev/zero', f'of={self.disk.parts["roundhouse-state"]}', 'bs=1M', 'count=16', 'status=none')
        status, _, screen, _ = self.boot(screen=[('> ', 'off')])
        self.assertEqual(status, 8)
        self.assertIn('are damaged', screen)


class Damage(Start):
    def red(self, *words, **how):
        """The start says these words and offers rescue, which begins."""
        status, told, screen, _ = self.boot(screen=[('> ', 'rescue')], after='cat etc/hostname; readlink etc/systemd/system/default.target', **how)
        for word in words:
            self.assertIn(word, screen)
        self.assertEqual((status, told), (0, 'slot\n/lib/systemd/system/rescue.target'))

    def change_state(self, command):
        there, part = f'{PLACE}/there', self.disk.parts['roundhouse-state']
        run('sh', '-ec', f'mkdir -p {there}; mount {part} {there}; cd {there}; {command}; cd /; umount {there}')

    def change_super(self, command):
        """The command of debugfs, and a mark that errors were seen."""
        for one in (command, 'set_super_value state 2'):
            run('debugfs', '-w', '-R', one, self.disk.parts['roundhouse-state'])

    def test_no_file_system(self):
        """settings that were overwritten"""
        run('dd', 'if=/dev/zero', f'of={self.disk.parts["roundhouse-state"]}', 'bs=1M', 'count=16', 'status=none')
        self.red('The settings on', 'are damaged', 'roundhouse-install')

    def test_file_system(self):
        """a file system that only a person may mend"""
        self.change_super('clri <2>')
        self.red('cannot be mended without a choice')

    def test_mended(self):
        """one that can be mended without loss is, and the start goes on"""
        self.change_super('set_super_value free_blocks_count 7')
        self.assertEqual(self.boot(after='cat etc/hostname')[1], 'laptop')
        run('e2fsck', '-fn', self.disk.parts['roundhouse-state'])

    def test_folders(self):
        """settings without their folders, or with something else in their place"""
        for command in ('rm -r var', 'rm -r etc; ln -s /tmp etc', 'rm -r etc; touch etc'):
            shutil.copyfile(f'{PLACE}/make/roundhouse-state', f'{PLACE}/state.again')
            run('dd', f'if={PLACE}/state.again', f'of={self.disk.parts["roundhouse-state"]}', 'conv=notrunc', 'status=none')
            self.change_state(command)
            self.red('is missing')

    def test_work(self):
        """settings that cannot be laid over the system leave nothing half laid"""
        self.change_state('mkdir .work; touch .work/var')
        self.red('cannot be laid over the system')

    def test_no_partition(self):
        """settings whose partition is gone"""
        run('sfdisk', '-q', '--no-reread', '--no-tell-kernel', '--part-uuid', self.disk.loop, '3', BOOT.replace('1', '6'))
        self.red('The place of the settings is on no disk')

    def test_slot(self):
        """a damaged system is said, and there is no rescue in it"""
        run('dd', 'if=/dev/zero', f'of={self.disk.parts["roundhouse-a"]}', 'bs=64K', 'count=1', 'status=none')
        status, _, screen, _ = self.boot(screen=[('> ', 'rescue'), ('> ', 'again'), ('> ', 'restart')])
        self.assertEqual(status, 7)
        self.assertEqual(screen.count('System A on'), 3)
        self.assertIn('again restart off', screen)

    def test_pool(self):
        """a disk without a pool starts, and the switcher says so"""
        for name, disk in self.rows:
            disk.parts.pop('roundhouse-pool')
        self.assertIn("Guests' disks are missing", self.boot(after='cat etc/roundhouse/notice; ls $PLACE/run/pool')[1])


class Rescue(Start):
    def test_menu(self):
        """rescue from the boot menu asks nothing, opens nothing, and keeps nothing"""
        self.encrypted()
        _, told, screen, _ = self.boot('roundhouse.start=rescue', after='cat etc/hostname etc/systemd/system/rescue.service.d/*; echo x >etc/new; '
                                       'readlink etc/systemd/system/default.target; cd $PLACE/run; ls pool ../mapper disk/state disk/started')
        self.assertEqual(screen.strip(), '')
        self.assertEqual(told.splitlines()[:4], ['slot', '[Service]', 'Environment=SYSTEMD_SULOGIN_FORCE=1', '/lib/systemd/system/rescue.target'])
        self.assertNotRegex(told, 'sda|roundhouse-state')
        self.assertEqual(self.boot('roundhouse.start=rescue', after='ls etc')[1].split(), ['hostname', 'systemd', 'version'])


if __name__ == '__main__':
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    missing = [name for name in [*TOOLS, 'mksquashfs', 'sfdisk', 'losetup', 'partx', 'mkfs.ext4', 'debugfs', 'cryptsetup', 'unshare'] if not shutil.which(name)]
    if os.geteuid() or missing:
        print(f'1..0 # SKIP needs root, and on this machine {" ".join(missing) or "nothing more"}')
    elif os.environ.get('ROUNDHOUSE_OWN_MOUNTS'):
        tap.main()
    else:
        os.makedirs(PLACE, exist_ok=True)
        os.execvpe('unshare', ['unshare', '-m', sys.executable, '-B', __file__], {**os.environ, 'ROUNDHOUSE_OWN_MOUNTS': '1'})
