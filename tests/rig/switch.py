"""The switch: after the hotkey the screen shows the other guest's picture, and keys reach the guest on screen alone."""

import time

from boots import Boot, power_off, toolstack_ready
from guests import KERNEL
from machine import RigError

COLOURS = {'first': 0x3465a4, 'second': 0x2e8b57, 'card': 0x8f5902}
WIDTH, HEIGHT = 1280, 800
KEYS = {'a': 30, 'b': 48, 'c': 46, 'x': 45, 'y': 21, 'ctrl': 29, 'alt': 56, '1': 2, '2': 3, '3': 4, '0': 11}


def definition(name, slot):
    return '\n'.join([
        '[guest]', f'name={name}', f'slot={slot}', f'colour=#{COLOURS[name]:06x}', 'type=pv', 'memory_mib=160', 'vcpus=1',
        f'kernel={KERNEL}', 'ramdisk=/mnt/guest.cpio.gz',
        f'cmdline=console=hvc0 quiet test=screen colour={COLOURS[name]:06x} xen-fbfront.video=4,{WIDTH},{HEIGHT}',
        'display=' + ('displif' if name == 'card' else 'fbif'), 'autostart=true'])


def picture_ready(rig):
    """The seat, roundhoused and the switcher run with small guests that draw: two by fbif, one by displif."""
    toolstack_ready(rig)
    run = rig.machine.run
    run('rm -f /etc/roundhouse/guests/*.conf')
    for slot, name in enumerate(COLOURS, 1):
        run(f"cat >/etc/roundhouse/guests/{name}.conf <<'END'\n{definition(name, slot)}\nEND")
    run('systemctl start roundhouse-picture.target', 120)
    limit = int(90 * rig.machine.patience)
    for name in COLOURS:
        status, _ = run(f"timeout {limit} sh -c 'until grep -qs \"GUEST listens\" {log(name)}; do sleep 0.5; done'", 120,
                        check=False)
        if status:
            raise RigError(f'guest {name} drew nothing within {limit} s:\n' + run(
                f'cat {log(name)}; roundhousectl list; journalctl -b -u roundhoused -u roundhouse-seat -u roundhouse-ui '
                '--no-pager | tail -30', check=False)[1])


def log(name):
    return f'/var/log/xen/console/guest-{name}.log'


def picture(colour, width, height):
    """What tests/rig/guest/screen.c draws on a screen of that size: a list of rows of RGB bytes."""
    left, top = 64 + colour % 7 * 64, height // 4 + 32
    own, white = colour.to_bytes(3, 'big'), b'\xff\xff\xff'
    rows = []
    for y in range(height):
        row = (white if y * 4 // height % 2 else own) * width
        if top <= y < top + 64:
            row = row[:left * 3] + bytes(64 * 3) + row[(left + 64) * 3:]
        rows.append(row)
    return rows


def expected(name):
    """The screen when it shows a guest that fills it."""
    return b''.join(picture(COLOURS[name], WIDTH, HEIGHT))


def difference(machine, wanted):
    """The share of rows of the screen that are not as wanted: 0..1."""
    width, height, data = machine.screen()
    if (width, height) != (WIDTH, HEIGHT):
        return 1.0
    step = WIDTH * 3
    return sum(data[i:i + step] != wanted[i:i + step] for i in range(0, len(wanted), step)) / HEIGHT


def wait_for_picture(rig, name, limit=15):
    """Waits until the screen is the guest's picture; a pointer may cover a few rows. Returns the seconds it took."""
    start, wanted = time.monotonic(), expected(name)
    limit *= rig.machine.patience
    while (share := difference(rig.machine, wanted)) > 0.08:
        if time.monotonic() - start > limit:
            raise RigError(f'the screen does not show what guest {name} drew: {share:.0%} of its rows differ')
        time.sleep(0.1)
    return time.monotonic() - start


def keys_of(rig, name):
    """The presses and releases a guest has reported: (code, state) in order. Repeats are its own kernel's."""
    text = rig.machine.run(f'grep -a "GUEST key" {log(name)} | tr -d "\\r"', check=False)[1]
    events = [tuple(int(field) for field in line.split()[-2:]) for line in text.splitlines()]
    return [event for event in events if event[1] != 2]


def settled(rig):
    time.sleep(2 * rig.machine.patience)


def hotkey_shows_the_other_guest(rig):
    """After the hotkey the screen shows what that guest drew."""
    rig.machine.screenshot('switcher.png')
    for slot, name in ((1, 'first'), (2, 'second'), (3, 'card'), (1, 'first')):
        rig.machine.key('ctrl', 'alt', str(slot))
        took = wait_for_picture(rig, name)
        rig.machine.screenshot(f'{name}.png')
        print(f'# {name} on screen {took:.1f} s after the hotkey', flush=True)


def keys_reach_the_guest_on_screen(rig):
    """Typed keys reach the guest on screen and no other."""
    for slot, name, other, typed in ((1, 'first', 'second', 'abc'), (2, 'second', 'card', 'xy'),
                                     (3, 'card', 'first', 'c')):
        rig.machine.key('ctrl', 'alt', str(slot))
        wait_for_picture(rig, name)
        settled(rig)
        before, untouched = len(keys_of(rig, name)), keys_of(rig, other)
        for key in typed:
            rig.machine.key(key)
        settled(rig)
        got = [event for event in keys_of(rig, name)[before:]]
        wanted = [(KEYS[key], state) for key in typed for state in (1, 0)]
        rig.check(got == wanted, f'{name} was sent {wanted} and reports {got}')
        rig.check(keys_of(rig, other) == untouched, f'{other}, not on screen, reports keys typed for {name}')


def held_keys_are_released(rig):
    """A guest that loses focus gets its held keys released, and no guest sees the chord."""
    machine = rig.machine
    machine.key('ctrl', 'alt', '2')
    wait_for_picture(rig, 'second')
    settled(rig)
    before = {name: len(keys_of(rig, name)) for name in COLOURS}
    machine.key_event('a', True)
    time.sleep(0.5)
    machine.key('ctrl', 'alt', '1')
    wait_for_picture(rig, 'first')
    machine.key_event('a', False)
    settled(rig)
    events = keys_of(rig, 'second')[before['second']:]
    rig.check((KEYS['a'], 1) in events, 'the held key never reached the guest')
    for code in {code for code, _ in events}:
        last = [state for key, state in events if key == code][-1]
        rig.check(last == 0, f'key {code} is still down in the guest that lost the screen')
    for name in COLOURS:
        seen = {code for code, _ in keys_of(rig, name)[before[name]:]}
        rig.check(not seen & {KEYS['1'], KEYS['2'], KEYS['3'], KEYS['0']}, f'{name} saw a chord\'s digit')
    rig.check((KEYS['a'], 1) not in keys_of(rig, 'first')[before['first']:], 'the key held for the other guest came along')


def plain(machine, name):
    """Whether the screen shows nothing but what the seat itself draws while it waits: black, its ground, the guest's tile and
    the pointer. Text of a console is of none of these colours, and neither is the switcher."""
    _, _, data = machine.screen()
    own = {bytes(3), b'\x1d\x21\x28', COLOURS[name].to_bytes(3, 'big')}
    pointer = 24 * 24
    return sum(data[i:i + 3] not in own for i in range(0, len(data), 3)) <= pointer


def back_on_screen(rig, name, label):
    """Looks at the screen without a pause until it is the guest's picture again."""
    machine, wanted, shots, start = rig.machine, expected(name), 0, time.monotonic()
    while (share := difference(machine, wanted)) > 0.08:
        shots += 1
        if not plain(machine, name) and difference(machine, wanted) > 0.08:
            machine.screenshot(f'{label}-{shots}.png')
            raise RigError(f'{label}: the screen shows something else than the guest or nothing ({label}-{shots}.png)')
        if time.monotonic() - start > 15 * machine.patience:
            machine.screenshot(f'{label}-late.png')
            raise RigError(f'{label}: {share:.0%} of the rows are not what guest {name} drew')


def picture_and_focus_survive(rig):
    """When the seat dies the guest on screen is back, with its focus; no console is seen."""
    machine, run = rig.machine, rig.machine.run
    unit = 'roundhouse-seat'
    for slot, name in ((3, 'card'), (1, 'first')):
        machine.key('ctrl', 'alt', str(slot))
        wait_for_picture(rig, name)
        settled(rig)
        before, label = len(keys_of(rig, name)), f'{unit}-dies-under-{name}'
        died = float(run(f'cut -d" " -f1 /proc/uptime; systemctl kill -s KILL {unit}').split()[0])
        back_on_screen(rig, name, label)
        settled(rig)
        machine.screenshot(f'{label}.png')
        rig.check(difference(machine, expected(name)) <= 0.08, f'{label}: the guest did not stay on screen')
        machine.key('x')
        settled(rig)
        rig.check(keys_of(rig, name)[before:] == [(KEYS['x'], 1), (KEYS['x'], 0)],
                  f'{label}: the guest on screen reports {keys_of(rig, name)[before:]}')
        back = float(run(f'journalctl -b -u roundhouse-seat -o short-monotonic --no-pager | grep "slot {slot}: screen '
                         'connected" | tail -1 | tr -d "[]" | cut -c1-13').split()[0])
        print(f'# {label}: connected again after {back - died:.2f} s', flush=True)
        rig.check(back > died, f'{label}: no seat has connected since')


def switcher_comes_back(rig):
    """Ctrl+Alt+0 shows the switcher again, and no guest's picture."""
    rig.machine.key('ctrl', 'alt', '0')
    settled(rig)
    rig.machine.screenshot('switcher-again.png')
    for name in COLOURS:
        rig.check(difference(rig.machine, expected(name)) > 0.5, f'the screen still shows guest {name}')


def guest_that_ends_leaves_the_screen(rig):
    """When the guest on screen is destroyed the switcher takes the screen and the other guest lives."""
    rig.machine.key('ctrl', 'alt', '1')
    wait_for_picture(rig, 'first')
    rig.machine.run('roundhousectl destroy first', 60)
    settled(rig)
    rig.check(difference(rig.machine, expected('first')) > 0.5, 'the picture of the destroyed guest stays on screen')
    rig.machine.key('ctrl', 'alt', '2')
    wait_for_picture(rig, 'second')


BOOTS = [Boot('switch', [hotkey_shows_the_other_guest, keys_reach_the_guest_on_screen, held_keys_are_released,
                         picture_and_focus_survive, switcher_comes_back, guest_that_ends_leaves_the_screen, power_off], smp=2, ready=picture_ready)]
