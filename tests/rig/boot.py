"""Boots the machine for a person: ./dev run. Follows the console until the machine is switched off or Ctrl+C."""

import argparse
import os
import sys
import time

from machine import FIRMWARE, Machine, RigError, standard_medium


def arguments():
    parser = argparse.ArgumentParser(prog='./dev run', description=__doc__)
    parser.add_argument('--build', required=True, help=argparse.SUPPRESS)
    parser.add_argument('--reference', action='store_true', help="Debian's reference hypervisor instead of ours")
    parser.add_argument('--uefi', action='store_true', help='UEFI firmware (OVMF) instead of BIOS')
    parser.add_argument('--headless', action='store_true', help='no window even where there is a display')
    parser.add_argument('--smp', type=int, default=2, metavar='N', help='processors (default 2)')
    parser.add_argument('--video', choices=['std', 'virtio'], default='std', help='display adapter')
    parser.add_argument('--toolstack', action='store_true', help='stop at the toolstack: no switcher, no guests')
    parser.add_argument('--gdb', action='store_true', help='wait for gdb on localhost:1234')
    return parser.parse_args()


def make_machine(options):
    images = f'{options.build}/images'
    hypervisor = f'{options.build}/hypervisor/roundhouse.elf'
    if options.reference:
        hypervisor = f'{images}/reference.elf'
    if not os.path.exists(hypervisor):
        sys.exit(f'./dev run: {hypervisor} is not there. Run "./dev build" and read what it says, '
                 'or start the reference with "./dev run --reference".')
    if options.uefi and not os.path.exists(FIRMWARE):
        sys.exit(f'./dev run: no UEFI firmware at {FIRMWARE}; install the package "ovmf".')
    window = not options.headless and bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))
    extra = [] if window else ['-vnc', '127.0.0.1:0,to=99']
    if options.gdb:
        extra += ['-S', '-gdb', 'tcp:127.0.0.1:1234']
    dom0 = 'systemd.unit=roundhouse-toolstack.target' if options.toolstack else ''
    return window, Machine(standard_medium(images, hypervisor, dom0_extra=dom0), f'{options.build}/run',
                           disks=[f'{images}/uivm.img', f'{images}/guest.img'], smp=options.smp,
                           uefi=options.uefi, video=options.video, display='gtk' if window else 'none', extra=extra)


def tell(machine, window, link):
    print(f'Console log:  {machine.serial_path}')
    print(f'Console:      socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:{machine.folder}/serial   (root shell; Ctrl+] leaves)')
    if not window:
        port = machine.qmp.call('query-vnc')['service']
        print(f'Screen:       VNC on 127.0.0.1:{port}, or ./dev shot out.png')
    print('Stop:         Ctrl+C here.  Hotkeys: Ctrl+Alt+0 switcher, Ctrl+Alt+1..9 guests, Ctrl+Alt+Space bar.', flush=True)


def follow(machine):
    shown = 0
    while machine.running():
        machine_log = open(machine.serial_path, 'rb')
        machine_log.seek(shown)
        data = machine_log.read()
        machine_log.close()
        shown += len(data)
        sys.stdout.write(data.decode(errors='replace'))
        sys.stdout.flush()
        time.sleep(0.3)


def main():
    options = arguments()
    window, machine = make_machine(options)
    link = f'{options.build}/run/qmp'
    try:
        machine.start(release_serial=True)
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(f'{machine.folder}/qmp', link)
        tell(machine, window, link)
        machine.qmp.close()
        follow(machine)
        print('\nThe machine is off.')
    except KeyboardInterrupt:
        print('\nStopped.')
    except RigError as error:
        sys.exit(f'./dev run: {error}')
    finally:
        machine.stop()
        if os.path.lexists(link):
            os.unlink(link)


if __name__ == '__main__':
    main()
