"""An HVM guest on the switcher's screen: firmware and kernel by QEMU's graphics card, keys, and a QEMU without rights."""

import re
import time

from boots import Boot, power_off, toolstack_ready
from guests import KERNEL, Guest
from kill_sweep import PV_PLACES, Place, listing, strikes, sweep
from machine import RigError
from pictures import STRIP
from switch import HEIGHT, KEYS, WIDTH, definition, keys_of, log, picture, reported, settled, wait_for_picture

NAME, SLOT, COLOUR = 'pc', 3, 0x3465a4
# Number of the VESA mode 1024 by 768 with 32 bits that the kernel's start-up code sets (0x200 more than the BIOS's).
VIDEO_MODE, SCREEN = 0x344, (1024, 768)
MODEL = f"pgrep -f -- \"-xen-domid $(xl domid {NAME}) \""    # its QEMU's process
BASE_UID = 131072   # of xen-qemuuser-range-base, uivm/image/rootfs
DEFINITION = '\n'.join([
    '[guest]', f'name={NAME}', f'slot={SLOT}', f'colour=#{COLOUR:06x}', 'type=hvm', 'memory_mib=192', 'vcpus=1',
    f'kernel={KERNEL}', 'ramdisk=/mnt/guest.cpio.gz',
    f'cmdline=console=hvc0 quiet vga={VIDEO_MODE} test=screen colour={COLOUR:06x}', 'autostart=false'])


def started(rig):
    """The switcher is up and the HVM guest has been started."""
    toolstack_ready(rig)
    run = rig.machine.run
    run('rm -f /etc/roundhouse/guests/*.conf')
    run(f"cat >/etc/roundhouse/guests/{NAME}.conf <<'END'\n{DEFINITION}\nEND")
    run('systemctl start roundhouse-picture.target', 120)
    status, text = run(f'roundhousectl start {NAME}', 120, check=False)
    if status:
        raise RigError(text + run('journalctl -b -u roundhoused --no-pager | tail -20; cat /var/log/xen/qemu-dm-*', check=False)[1])


def fields(text):
    return dict(line.split(':', 1) for line in text.splitlines() if ':' in line)


def device_model_is_confined(rig):
    """QEMU has its own user, no rights, a filter, an empty root folder and a socket only root can reach."""
    run = rig.machine.run
    domid = int(run(f'xl domid {NAME}'))
    pid = run(f"pgrep -f -- '-xen-domid {domid} '").split()[0]
    status = {key: value.split() for key, value in fields(run(f'cat /proc/{pid}/status')).items()}
    rig.check(set(status['Uid']) == {str(BASE_UID + domid)}, f'QEMU runs as user {status["Uid"]}')
    rig.check(status['CapEff'] == ['0' * 16], f'QEMU has the capabilities {status["CapEff"]}')
    rig.check(status['Seccomp'] == ['2'], 'QEMU runs without a system call filter')
    rig.check(run(f'ls -A /proc/{pid}/root/').strip() == '', 'the root folder of QEMU is not empty')
    rig.check(run(f'setpriv --reuid rh-seat --clear-groups ls /run/roundhouse/vga 2>&1 || true').count('denied') == 1,
              'the seat can reach the sockets of device models')
    rig.note('device model', 'confined')


def kept_off_first_processor(rig):
    """No PVH or HVM guest may run on processor 0, which QEMU does wrong then: neither roundhoused's nor one that xl makes."""
    fields = "tail -n +2 | awk '{print $4, $(NF-2)}'"
    where = rig.machine.run(f'xl vcpu-list {NAME} | {fields}').strip()
    rig.check(where == '1 1', f'the guest is on a processor and may be on: {where}')
    other = Guest(rig.machine, 'kept-off', 'hello', kind='pvh', vcpus=2).create('-p')
    where = rig.machine.run(f'xl vcpu-list {other.name} | {fields}; xl unpause {other.name}').split()
    rig.check(where[1::2] == ['1', '1'], f'the guest of xl may be on: {where}')
    other.wait_gone(60)


def shown(rig):
    """The middle of the screen as the guest's picture of that size: a list of rows; None where the border is not black."""
    width, height, data = rig.machine.screen()
    left, top = (WIDTH - SCREEN[0]) // 2, (HEIGHT - SCREEN[1]) // 2
    rows = [data[y * width * 3:(y + 1) * width * 3] for y in range(height)]
    if (width, height) != (WIDTH, HEIGHT + STRIP) or any(rows[top - 1]) or any(rows[top][:left * 3]):
        return None
    return [row[left * 3:(left + SCREEN[0]) * 3] for row in rows[top:top + SCREEN[1]]]


def firmware_text(rig):
    """Whether the screen shows VGA text, 720 by 400, with something in its first line. (Before it has a mode, QEMU writes
    one line itself, elsewhere.)"""
    width, height, data = rig.machine.screen()
    left, top = (width - 720) // 2, (height - STRIP - 400) // 2
    line = [data[(y * width + left) * 3:(y * width + left + 720) * 3] for y in range(top, top + 16)]
    above = data[(top - 8) * width * 3:top * width * 3]
    return not any(above) and 100 < sum(row.count(b'\xa8') for row in line) < 16 * 720


def first_picture(rig):
    """Ctrl+Alt+3 shows the guest's screen, where its firmware writes."""
    rig.machine.key('ctrl', 'alt', str(SLOT))
    start, limit = time.monotonic(), 60 * rig.machine.patience
    while not firmware_text(rig):
        if time.monotonic() - start > limit:
            raise RigError(f'no picture of the guest within {limit:.0f} s:\n' + rig.machine.run(
                'roundhousectl list; journalctl -b -u roundhoused -u roundhouse-seat --no-pager | tail -20', check=False)[1])
        time.sleep(0.5)
    rig.machine.screenshot('first.png')


def wait_for_drawing(rig):
    wanted, deadline = picture(COLOUR, *SCREEN), time.monotonic() + 20 * rig.machine.patience
    while True:
        rows = shown(rig)
        different = sum(a != b for a, b in zip(rows, wanted)) if rows else SCREEN[1]
        if different <= 20:     # the text cursor and a pointer may be somewhere
            break
        if time.monotonic() > deadline:
            raise RigError(f'{different} of {SCREEN[1]} rows are not what the guest drew')
        time.sleep(0.5)


def guest_has_drawn(rig):
    limit = int(150 * rig.machine.patience)
    status, _ = rig.machine.run(f"timeout {limit} sh -c 'until grep -aqs \"GUEST listens\" {log(NAME)}; do sleep 1; done'",
                                200, check=False)
    if status:
        raise RigError(f'the guest drew nothing within {limit} s:\n' + rig.machine.run(f'tail -20 {log(NAME)}', check=False)[1])
    wait_for_drawing(rig)


def screen_is_what_the_guest_drew(rig):
    """The screen shows, pixel by pixel, what the guest's program drew on its frame buffer."""
    guest_has_drawn(rig)
    rig.machine.screenshot('drawn.png')
    said = rig.machine.run(f'grep -a "GUEST drew\\|GUEST sound" {log(NAME)} | tr -d "\\r"').split('\n')
    wanted = ['GUEST sound cards: 1', f'GUEST drew {SCREEN[0]}x{SCREEN[1]} {COLOUR:x}']
    rig.check([line for line in said if line] == wanted, f'the guest said {said}')


def keys_reach_it(rig):
    """Typed keys reach the guest, and no part of a chord does; a held key is released with the focus."""
    before = len(keys_of(rig, NAME))
    for key in 'abc':
        rig.machine.key(key)
    wanted = [(KEYS[key], state) for key in 'abc' for state in (1, 0)]
    got = reported(rig, NAME, before, wanted)
    rig.check(got == wanted, f'the guest was sent {wanted} and reports {got}')
    rig.machine.key_event('x', True)
    time.sleep(0.5)
    rig.machine.key('ctrl', 'alt', '0')
    settled(rig)
    rig.machine.key_event('x', False)
    events = keys_of(rig, NAME)[before + len(wanted):]
    last = {code: state for code, state in events}
    rig.check(last.get(KEYS['x']) == 0, f'the held key was not pressed and released: {events}')
    rig.check(not any(last.values()), f'keys are still down in the guest: {last}')
    rig.check(KEYS['0'] not in last, 'the guest saw a chord\'s digit')


def not_the_drawing(rig):
    """For who watches the screen: whether it is anything but what the guest drew."""
    rows, wanted = shown(rig), picture(COLOUR, *SCREEN)
    different = sum(a != b for a, b in zip(rows, wanted)) if rows else SCREEN[1]
    return f'{different} of {SCREEN[1]} rows are not what the guest drew' if different > 20 else None


def kills_and_stops_lose_nothing(rig):
    """Each service, and QEMU, is killed or stopped once beside an HVM guest, and all comes back as it was."""
    sweep(rig, len(list(strikes(MODEL))), [PV_PLACES[0], Place(SLOT, NAME, not_the_drawing)], MODEL)


def killed_model_ends_its_guest_alone(rig):
    """When QEMU is killed its guest is called crashed, no other guest notices, and the switcher has the screen."""
    before = listing(rig)
    rig.machine.run(f'kill -9 $({MODEL})')
    PV_PLACES[0].bring(rig)
    wanted = re.sub(rf'^( *{SLOT}). {NAME} .*$', '', before, flags=re.M)
    limit = time.monotonic() + 60 * rig.machine.patience
    while 'crashed' not in (now := listing(rig) or ''):
        rig.check(time.monotonic() < limit, f'the guest without its QEMU is not called crashed:\n{now}')
        time.sleep(0.5)
    now = re.sub(rf'^( *{SLOT}). {NAME} .*$', '', now, flags=re.M)
    rig.check(now == wanted, f'roundhousectl said of the others\n{wanted}\nand says\n{now}')


def pvh_frame_buffer(rig):
    """A PVH guest's own frame buffer is shown like a PV guest's: mapped by guest frames, with one copy."""
    run = rig.machine.run
    run(f'roundhousectl destroy {NAME}')
    text = definition('second', 2).replace('type=pv', 'type=pvh').replace('autostart=true', 'autostart=false')
    run(f"cat >/etc/roundhouse/guests/second.conf <<'END'\n{text}\nEND")
    run('sleep 2; roundhousectl start second', 60)
    limit = int(90 * rig.machine.patience)
    status, _ = run(f"timeout {limit} sh -c 'until grep -aqs \"GUEST listens\" {log('second')}; do sleep 1; done'", 150, check=False)
    rig.check(status == 0, f'the PVH guest drew nothing within {limit} s')
    rig.machine.key('ctrl', 'alt', '2')
    wait_for_picture(rig, 'second')
    run('roundhousectl destroy second')


def seat_survives_the_death_of_qemu(rig):
    """When QEMU is killed its guest is called crashed and can be started again, and nothing else is harmed."""
    run = rig.machine.run
    run(f"kill -9 $(pgrep -f -- \"-xen-domid $(xl domid {NAME}) \")")
    rig.machine.key('ctrl', 'alt', str(SLOT))
    settled(rig)
    run('systemctl is-active roundhouse-seat roundhoused roundhouse-ui')
    limit = int(30 * rig.machine.patience)
    status, text = run(f"timeout {limit} sh -c 'until roundhousectl list | grep -q crashed; do sleep 1; done'; roundhousectl list; "
                       'roundhousectl list | grep -q crashed', 60, check=False)
    rig.check(status == 0, f'the guest without its QEMU is not called crashed:\n{text}')
    status, text = run(f'roundhousectl start {NAME}', 150, check=False)
    rig.check(status == 0, f'it does not start again: {text}')


def drawn(rig):
    """The switcher is up, and the HVM guest has drawn."""
    started(rig)
    first_picture(rig)
    guest_has_drawn(rig)


KILL_BOOTS = [Boot('kills-beside-hvm', [kills_and_stops_lose_nothing, killed_model_ends_its_guest_alone, power_off], smp=2, ready=drawn)]
BOOTS = [Boot('hvm-desktop', [first_picture, device_model_is_confined, kept_off_first_processor, screen_is_what_the_guest_drew, keys_reach_it,
                              seat_survives_the_death_of_qemu, pvh_frame_buffer, power_off], smp=2, ready=started, saved=True)]
