"""Boot media: files that a CD drive, a stick or an emulated machine starts from, by BIOS and by UEFI.

Medium starts a hypervisor with a Domain-0, for ./dev run, the rig and the benchmarks; write() puts GRUB with any other menu onto
one. GRUB's own grub-mkrescue makes the file. What goes wrong is a MediumError, whose text is a sentence for people."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'uivm', 'image'))
import unpack_kernel

# The command lines of the product. What only a test wants, the test adds.
HYPERVISOR_OPTIONS = ' '.join([
    'console=com1', 'com1=115200',          # its messages go to the serial line: the screen is the switcher's
    'loglvl=all', 'guest_loglvl=all',       # what was not logged cannot be asked for afterwards; what guests cause is limited
    'dom0_mem=1024M,max:1024M',             # the UI service VM never grows: what is left is the desktops'
    'noreboot',                             # after a fault of ours the machine stays halted, for its dump to be read
])
DOM0_EVERYWHERE = ' '.join([
    'quiet', 'loglevel=4',                  # of its kernel errors alone: each line waits for the serial line
    'net.ifnames=0',                        # wired cards are eth0, eth1, ... on every machine
])
DOM0_OPTIONS = ' '.join([
    'root=LABEL=roundhouse',                # the service VM's disk, whatever drive of the machine it is
    'rw', 'fastboot',                       # its journal mends the file system; a check would hold up the picture
    'console=hvc0',                         # its console is the hypervisor's, so one serial line tells all
    DOM0_EVERYWHERE,
])

GRUB = '/usr/lib/grub'
BIOS = ('BIOS', 'i386-pc', 'grub-pc-bin')   # who starts the machine, the folder of GRUB's modules, Debian's package
UEFI = ('UEFI', 'x86_64-efi', 'grub-efi-amd64-bin')
# GRUB's configuration is a script. These would end an option there or turn it into something else.
SPECIAL = re.compile(r'[^ -~]|[;|&<>{}$\\\'"]')


class MediumError(Exception):
    """Why there is no medium."""


class Medium:
    """Starts `hypervisor`, and with it Domain-0's `kernel` and `ramdisk` and a compiled `policy` if they are given; each is a path.
    GRUB's menu has this one entry, which starts after `timeout` seconds."""

    def __init__(self, hypervisor, options=HYPERVISOR_OPTIONS, kernel=None, kernel_options=DOM0_OPTIONS, ramdisk=None,
                 policy=None, title='Roundhouse', timeout=0):
        self.hypervisor, self.options = hypervisor, options
        self.kernel, self.kernel_options, self.ramdisk, self.policy = kernel, kernel_options, ramdisk, policy
        self.title, self.timeout = title, timeout

    def modules(self):
        """[(path, command line)] of what the hypervisor is given, in its order."""
        given = (self.kernel, self.kernel_options), (self.ramdisk, ''), (self.policy, '')
        return [(path, options) for path, options in given if path]

    def files(self):
        """All that goes onto the medium."""
        return [self.hypervisor, *(path for path, _ in self.modules())]

    def config(self):
        """GRUB's configuration."""
        for words in (self.title, self.options, *(options for _, options in self.modules())):
            if found := SPECIAL.search(words):
                raise MediumError(f'"{words}" cannot be written into a boot menu: GRUB takes {found[0]!r} for its own.')
        lines = [f'set timeout={self.timeout}', 'insmod all_video', f'menuentry {shlex.quote(self.title)} {{',
                 f'  multiboot2 /boot/hypervisor {self.options}']
        lines += [f'  module2 /boot/module{number} {options}' for number, (_, options) in enumerate(self.modules())]
        return '\n'.join(lines + ['}', ''])

    def write(self, path):
        """Makes the medium."""
        with tempfile.TemporaryDirectory(prefix='roundhouse-kernel-') as folder:
            files = {'boot/hypervisor': self.hypervisor}
            for number, (source, _) in enumerate(self.modules()):
                files[f'boot/module{number}'] = known_to_hypervisor(source, folder) if source == self.kernel else source
            write(path, self.config(), files)


def known_to_hypervisor(kernel, folder):
    """The kernel, or an unpacked copy in `folder` of one that is packed by other means than xz, which the hypervisor does not know."""
    try:
        with open(kernel, 'rb') as file:
            packing = unpack_kernel.packing(file.read())[0]
        if packing == 'xz':
            return kernel
        unpack_kernel.unpack_kernel(kernel, f'{folder}/kernel')
        return f'{folder}/kernel'
    except unpack_kernel.NotPacked:
        return kernel
    except (OSError, subprocess.CalledProcessError) as error:
        raise MediumError(f'The kernel {kernel} cannot be read or unpacked: {error}') from None


def write(path, config, files, volume='', small=False, grub_modules=''):
    """Makes the medium `path` at once or not at all: GRUB, its configuration and `files`, {name on the medium: path}.

    `volume` is the name of its file system. A `small` one is for BIOS alone and without fonts, languages and themes;
    `grub_modules` are those of GRUB's that it needs, all if none are named."""
    path = os.path.abspath(path)
    firmware = [BIOS] if small else [BIOS, UEFI]
    for name, modules, package in firmware:
        if not os.path.isdir(f'{GRUB}/{modules}'):
            raise MediumError(f'GRUB for {name} is not there ({GRUB}/{modules}). Install the package "{package}".')
    options = ['-d', f'{GRUB}/{BIOS[1]}', '--fonts=', '--locales=', '--themes='] if small else []
    options += [f'--install-modules={grub_modules}'] if grub_modules else []
    try:
        with tempfile.TemporaryDirectory(prefix='.medium-', dir=os.path.dirname(path)) as folder:
            fill(f'{folder}/tree', config, files)
            make(options, f'{folder}/medium', f'{folder}/tree', volume)
            os.replace(f'{folder}/medium', path)
    except OSError as error:
        raise MediumError(f'The boot medium {path} cannot be written: {error}') from None


def fill(tree, config, files):
    """All that is on the medium, but for GRUB itself."""
    os.makedirs(f'{tree}/boot/grub')
    with open(f'{tree}/boot/grub/grub.cfg', 'w') as file:
        file.write(config)
    for name, source in files.items():
        if not os.path.isfile(source):
            raise MediumError(f'The boot medium needs {source}, which is not there.')
        os.makedirs(os.path.dirname(f'{tree}/{name}'), exist_ok=True)
        shutil.copy(source, f'{tree}/{name}')


def make(options, path, tree, volume):
    try:
        made = subprocess.run(['grub-mkrescue', *options, '-o', path, tree, *(['--', '-volid', volume] if volume else [])],
                              capture_output=True, text=True, errors='replace')
    except FileNotFoundError:
        raise MediumError('There is no grub-mkrescue, which makes boot media. Install the package "grub-common".') from None
    if made.returncode or not os.path.exists(path):
        raise MediumError(f'grub-mkrescue failed with status {made.returncode}; it said:\n{made.stderr[-2000:]}')
