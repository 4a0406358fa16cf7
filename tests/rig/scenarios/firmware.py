"""What firmware starts in an HVM guest: GRUB from a CD by SeaBIOS and by OVMF, Linux and the memory test from there, and
the network card's boot ROM. Seen on the serial line and on QEMU's screen."""

import os
import subprocess
import tempfile

from boots import Boot, power_off, toolstack_ready
from guests import Guest, making
from machine import RigError
import medium

MENU = 'Memory test'
MAC = '00:16:3e:77:00:04'
# Waits for a DHCP request of the card and says what its sender calls itself.
LISTENER = f'''import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 67))
while True:
    packet = s.recv(2000)
    if packet[28:34] == bytes.fromhex("{MAC.replace(':', '')}"):
        print("iPXE" if b"iPXE" in packet else "another", flush=True)
        break
'''
# Says the size of a screen dump, how many colours its first line of text has, and how many pixels the program's name there takes.
LOOK = '''import collections, re, sys
data = open(sys.argv[1], "rb").read()
head = re.match(rb"P6\\n(\\d+) (\\d+)\\n255\\n", data)
width, height = int(head[1]), int(head[2])
pixels = data[head.end():]
row = pixels[:16 * width * 3]
cells = b"".join(row[n:n + 10 * 9 * 3] for n in range(0, len(row), width * 3))      # the name, without its version
colours = collections.Counter(cells[n:n + 3] for n in range(0, len(cells), 3))
ink = colours.total() - colours.most_common(1)[0][1]
print(width, height, len({row[n:n + 3] for n in range(0, len(row), 3)}), ink)
'''
# Says the size of a screen dump and the share of its pixels that are VGA's blue.
SHARES = '''import re, sys
data = open(sys.argv[1], "rb").read()
head = re.match(rb"P6\\n(\\d+) (\\d+)\\n255\\n", data)
pixels = data[head.end():]
blue = sum(pixels[n:n + 3] == bytes((0, 0, 168)) for n in range(0, len(pixels), 3 * 7)) * 7 * 3 / len(pixels)
print(f"{int(head[1])}x{int(head[2])} {blue:.2f}")
'''
# The installer talks on each console that the kernel names. Without a frame buffer its screen is VGA's text.
INSTALLER_MENU = '''set timeout=0
menuentry "Debian installer" {
  linux /boot/linux console=ttyS0 console=tty0 vga=normal fb=false quiet
  initrd /boot/initrd
}
'''
INSTALLER_DISK = '/dev/disk/by-id/ata-QEMU_HARDDISK_disk3'   # Linux gives out sda to sdd in the order in which disks answer


def installer_cd(rig):
    """Makes (once) the CD that boots Debian's installer, without its kernel modules: they are most of it, the first
    question needs none, and under emulation the firmware is slow to read a CD."""
    cd = f'{rig.images}/installer.iso'
    parts = [f'{rig.images}/installer.{name}' for name in ('kernel', 'initrd')]
    for part in parts:
        rig.check(os.path.exists(part), f'{part} is not there; fetch it by: uivm/image/build {rig.build} installer')
    with making(cd):
        if not os.path.exists(cd) or os.path.getmtime(cd) < max(os.path.getmtime(path) for path in [*parts, __file__, medium.__file__]):
            make_installer_cd(*parts, cd)
    return [cd]


def make_installer_cd(kernel, initrd, cd):
    with tempfile.TemporaryDirectory(prefix='roundhouse-installer-') as folder:
        subprocess.run(['bsdtar', '-czf', f'{folder}/initrd', '--format=newc', '--exclude=lib/modules/*/kernel', f'@{initrd}'], check=True)
        medium.write(cd, INSTALLER_MENU, {'boot/linux': kernel, 'boot/initrd': f'{folder}/initrd'})


def pc(machine, name, config, memory=256):
    """An HVM guest without kernel: firmware finds what to boot."""
    guest = Guest(machine, name, 'none', memory=memory, kind='hvm')
    kept = [line for line in guest.text.splitlines() if not line.startswith(('kernel', 'ramdisk', 'extra'))]
    guest.text = '\n'.join(kept + ['vga="stdvga"', 'vnc=1', 'usb=0', f'serial="file:/tmp/{name}.serial"', config])
    return guest


def wait_serial(machine, name, text, seconds):
    limit = int(seconds * machine.patience)
    status, _ = machine.run(f"rm -f /tmp/dump.ppm; timeout {limit} sh -c 'until grep -aqs \"{text}\" /tmp/{name}.serial; "
                            "do sleep 1; done'", seconds + 30, check=False)
    if status:
        raise RigError(f'"{text}" is not on the serial line of {name} after {limit} s:\n' + machine.run(
            f'tail -c 1500 /tmp/{name}.serial | tr -dc "[:print:]\\n"', check=False)[1])


def press(machine, name, key):
    machine.run(f'xl qemu-monitor-command {name} "sendkey {key}"', 60)


def ready(rig):
    """Domain-0's shell, the toolstack, and the CD."""
    toolstack_ready(rig)
    rig.machine.run('cp /mnt/cd.iso /var/tmp/')
    for name, text in (('listener', LISTENER), ('look', LOOK), ('shares', SHARES)):
        rig.machine.run(f"cat >/tmp/{name}.py <<'END'\n{text}END")


def linux_from_cd(rig, firmware):
    """GRUB's menu from the CD, then by a key of the keyboard Linux, to its own power-off; what that said."""
    machine = rig.machine
    # By UEFI, GRUB takes a fourth of the memory for itself and keeps the kernel in it.
    guest = pc(machine, firmware, f'bios="{firmware}"\nboot="d"\ndisk=["/var/tmp/cd.iso,raw,hdc,cdrom"]', memory=512).create()
    wait_serial(machine, firmware, MENU, 400)
    press(machine, firmware, 'l')
    guest.wait_gone(400)
    return guest.said('GUEST')


def seabios_cd(rig):
    """SeaBIOS boots GRUB from a CD, and GRUB boots Linux."""
    rig.note('guest said', linux_from_cd(rig, 'seabios'))


def memory_test(rig):
    """SeaBIOS boots GRUB from a CD, and GRUB boots memtest86+, which draws its screen."""
    machine = rig.machine
    guest = pc(machine, 'memtest', 'boot="d"\ndisk=["/var/tmp/cd.iso,raw,hdc,cdrom"]').create()
    wait_serial(machine, 'memtest', MENU, 300)
    press(machine, 'memtest', 'm')
    limit = int(120 * machine.patience)
    look = 'xl qemu-monitor-command memtest "screendump /tmp/dump.ppm" && python3 /tmp/look.py /tmp/dump.ppm'
    title = machine.run(f"timeout {limit} sh -c 'until {look} | grep -q \" 4 \\| 3 \"; do sleep 3; done'; {look}", 200, check=False)[1]
    machine.run('base64 /tmp/dump.ppm | head -1')
    rig.check(title.split()[3:] not in ([], ['0']), f'no name is written on the screen: {title}')
    rig.note('screen', ' '.join(title.split()[:3]))
    guest.destroy()


def network_boot(rig):
    """The network card's boot ROM starts iPXE, which asks for an address."""
    machine = rig.machine
    machine.run('rm -f /tmp/heard; setsid python3 /tmp/listener.py >/tmp/heard 2>&1 </dev/null & true')
    guest = pc(machine, 'ipxe', f'boot="n"\nvif=["bridge=xenbr0,model=e1000,mac={MAC}"]').create()
    limit = int(300 * machine.patience)
    status, _ = machine.run(f"timeout {limit} sh -c 'until [ -s /tmp/heard ]; do sleep 1; done'", 330, check=False)
    rig.check(status == 0, f'the card asked for no address within {limit} s')
    rig.note('heard', machine.run('cat /tmp/heard').strip())
    guest.destroy()


def ovmf_cd(rig):
    """OVMF boots GRUB from a CD, and GRUB boots Linux."""
    said = linux_from_cd(rig, 'ovmf')
    rig.check('type=HVM' in said and 'GUEST done' in said, f'the guest said:\n{said}')


# The reference lets the guest write CR8 by itself, and QEMU 7.2 fails an assertion of its own when an interrupt waits then.
ovmf_cd.not_on = ('reference',)


def debian_installer(rig):
    """Debian's installer starts from a CD and draws its first question."""
    machine = rig.machine
    # With less memory its first question is another.
    guest = pc(machine, 'installer', f'boot="d"\ndisk=["phy:{INSTALLER_DISK},hdc,cdrom,r"]', memory=1024).create()
    wait_serial(machine, 'installer', 'Choose the language', 900)
    limit = int(120 * machine.patience)
    look = 'xl qemu-monitor-command installer "screendump /tmp/dump.ppm" && python3 /tmp/shares.py /tmp/dump.ppm'
    screen = machine.run(f"timeout {limit} sh -c 'until {look} | grep -q \" 0.1\"; do sleep 3; done'; {look}", 200, check=False)[1]
    rig.check(' 0.1' in screen, f'size and share of blue on the screen after {limit} s: {screen}')
    rig.note('screen', screen.split()[0])
    guest.destroy()


BOOTS = [Boot('firmware', [seabios_cd, memory_test, network_boot, debian_installer, ovmf_cd, power_off], ready=ready,
              disks=installer_cd)]
