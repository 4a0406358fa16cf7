"""The switch: after the hotkey the screen shows the other guest's picture, and keys reach the guest on screen alone."""

import shlex
import time

from boots import Boot, power_off, toolstack_ready
from guests import KERNEL
from machine import RigError
from pictures import STRIP
from watch import Watch, seconds_until, struck, uptime

COLOURS = {'first': 0x3465a4, 'second': 0x2e8b57, 'card': 0x8f5902}
WIDTH, HEIGHT = 1280, 800 - STRIP    # what of the screen guests have
KEYS = {'a': 30, 'b': 48, 'c': 46, 'x': 45, 'y': 21, 'ctrl': 29, 'alt': 56, '1': 2, '2': 3, '3': 4, '0': 11}


def definition(name, slot):
    return '\n'.join([
        '[guest]', f'name={name}', f'slot={slot}', f'colour=#{COLOURS[name]:06x}', 'type=pv', 'memory_mib=160', 'vcpus=1',
        f'kernel={KERNEL}', 'ramdisk=/mnt/guest.cpio.gz',
        f'cmdline=console=hvc0 quiet test=screen colour={COLOURS[name]:06x} xen-fbfront.video=4,{WIDTH},{HEIGHT}',
        'display=' + ('displif' if name == 'card' else 'fbif'), 'autostart=true'])


def picture_ready(rig, names=tuple(COLOURS)):
    """The seat, roundhoused and the switcher run with small guests that draw: two by fbif, one by displif."""
    toolstack_ready(rig)
    run = rig.machine.run
    run('rm -f /etc/roundhouse/guests/*.conf')
    for slot, name in enumerate(COLOURS, 1):
        if name not in names:
            continue
        run(f"cat >/etc/roundhouse/guests/{name}.conf <<'END'\n{definition(name, slot)}\nEND")
    run('systemctl start roundhouse-picture.target', 120)
    limit = int(90 * rig.machine.patience)
    for name in names:
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
    """The screen above the strip when it shows a guest that fills it."""
    return b''.join(picture(COLOURS[name], WIDTH, HEIGHT))


def share_of_rows(screen, wanted):
    """The share of rows above the strip of (width, height, RGB bytes) that are not as wanted: 0..1."""
    width, height, data = screen
    if (width, height) != (WIDTH, HEIGHT + STRIP):
        return 1.0
    step = WIDTH * 3
    return sum(data[i:i + step] != wanted[i:i + step] for i in range(0, len(wanted), step)) / HEIGHT


def difference(machine, wanted):
    """The same of what is on screen now."""
    return share_of_rows(machine.screen(), wanted)


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
    """For what must not happen: time in which it would."""
    time.sleep(2 * rig.machine.patience)


def reported(rig, name, before, wanted):
    """The presses and releases that a guest reports after its first `before` ones, as soon as there are as many as are wanted."""
    limit = time.monotonic() + 10 * rig.machine.patience
    while len(got := keys_of(rig, name)[before:]) < len(wanted) and time.monotonic() < limit:
        time.sleep(0.2)
    return got


def guest_on_screen(rig, slot, name):
    """By hotkey, and until keys reach it, which is a frame later."""
    rig.machine.key('ctrl', 'alt', str(slot))
    wait_for_picture(rig, name)
    time.sleep(0.5 * rig.machine.patience)


def hotkey_shows_the_other_guest(rig):
    """After the hotkey the screen shows what that guest drew, and the strip its colour."""
    rig.machine.screenshot('switcher.png')
    for slot, name in ((1, 'first'), (2, 'second'), (3, 'card'), (1, 'first')):
        rig.machine.key('ctrl', 'alt', str(slot))
        took = wait_for_picture(rig, name)
        rig.machine.screenshot(f'{name}.png')
        strip = rig.machine.screen()[2][-3:]
        rig.check(strip == COLOURS[name].to_bytes(3, 'big'), f'the strip under guest {name} has the colour {strip.hex()}')
        print(f'# {name} on screen {took:.1f} s after the hotkey', flush=True)


def keys_reach_the_guest_on_screen(rig):
    """Typed keys reach the guest on screen and no other."""
    for slot, name, other, typed in ((1, 'first', 'second', 'abc'), (2, 'second', 'card', 'xy'),
                                     (3, 'card', 'first', 'c')):
        guest_on_screen(rig, slot, name)
        before, untouched = len(keys_of(rig, name)), keys_of(rig, other)
        for key in typed:
            rig.machine.key(key)
        wanted = [(KEYS[key], state) for key in typed for state in (1, 0)]
        got = reported(rig, name, before, wanted)
        rig.check(got == wanted, f'{name} was sent {wanted} and reports {got}')
        time.sleep(0.5 * rig.machine.patience)
        rig.check(keys_of(rig, other) == untouched, f'{other}, not on screen, reports keys typed for {name}')


def held_keys_are_released(rig):
    """A guest that loses focus gets its held keys released, and no guest sees the chord."""
    machine = rig.machine
    guest_on_screen(rig, 2, 'second')
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


def gets_nothing(rig, name, begin, end):
    """Nothing that is typed between the two acts reaches the guest, then or later; afterwards keys do."""
    begin()
    before = len(keys_of(rig, name))
    for key in 'abc':
        rig.machine.key(key)
    settled(rig)
    end()
    takes_key(rig, name, 'after-that')
    events = keys_of(rig, name)[before:]
    typed = [event for event in events if event[0] in (KEYS['a'], KEYS['b'], KEYS['c'])]
    rig.check(not typed, f'{name} was sent nothing and reports {typed}')


def nothing_for_a_guest_that_is_paused_or_cut_off(rig):
    """What is typed for a paused guest is gone, and Ctrl+Alt+End cuts the guest on screen off until it is pressed again."""
    guest_on_screen(rig, 1, 'first')
    gets_nothing(rig, 'first', lambda: rig.machine.run('roundhousectl pause first', 60),
                 lambda: rig.machine.run('roundhousectl unpause first', 60))
    gets_nothing(rig, 'first', lambda: rig.machine.key('ctrl', 'alt', 'end'), lambda: rig.machine.key('ctrl', 'alt', 'end'))


def peek_shows_all_guests(rig):
    """While Ctrl+Alt+Tab is held all guests are on screen, and letting go shows the next one."""
    machine = rig.machine
    guest_on_screen(rig, 1, 'first')
    for key in ('ctrl', 'alt'):
        machine.key_event(key, True)
    machine.key('tab')
    settled(rig)
    machine.screenshot('peek.png')
    data = machine.screen()[2]
    missing = [name for name, colour in COLOURS.items() if data.count(colour.to_bytes(3, 'big')) < 1000]
    for key in ('ctrl', 'alt'):
        machine.key_event(key, False)
    rig.check(not missing, f'not to be seen among all guests: {missing}')
    wait_for_picture(rig, 'second')


GUEST_BACK = {'card': 'slot 3: screen connected', 'first': 'slot 1: screen connected'}


# The keeper says which process is the seat and which one waits to follow it.
SEAT = "systemctl show -P StatusText roundhouse-seat | sed -n 's/^process \\([1-9][0-9]*\\) goes.*/\\1/p'"
NEXT_SEAT = "systemctl show -P StatusText roundhouse-seat | sed -n 's/.* process \\([1-9][0-9]*\\) waits$/\\1/p'"
KILL_SEAT = ('kill -9 $seat', f'seat=$({SEAT})')


def kill_unit(unit):
    """A service and all it has started."""
    return (f'echo 1 >/sys/fs/cgroup/system.slice/{unit}.service/cgroup.kill',)


def not_drawn_by(name):
    """For who watches the screen: whether it is anything but that guest's picture."""
    wanted = expected(name)

    def wrong(rig):
        share = difference(rig.machine, wanted)
        return f'{share:.0%} of the rows are not what guest {name} drew' if share > 0.08 else None
    return wrong


def takes_key(rig, name, label):
    before, wanted = len(keys_of(rig, name)), [(KEYS['x'], 1), (KEYS['x'], 0)]
    rig.machine.key('x')
    got = reported(rig, name, before, wanted)
    rig.check(got == wanted, f'{label}: the guest on screen reports {got}')


def strike(rig, name, label, command, unit, sign):
    """Kills something under a guest's picture, which stays on screen, and takes keys afterwards. Seconds until the log says the sign."""
    with Watch(rig, not_drawn_by(name), label) as watch:
        took = seconds_until(rig, unit, sign, struck(rig, *command))
        settled(rig)
    print(f'# {label}: back after {took:.2f} s, {watch.looks} looks', flush=True)
    takes_key(rig, name, label)
    return took


def next_seat(rig):
    """The process that waits to follow the seat; one is started some time after another went on."""
    wait = f'until p=$({NEXT_SEAT}) && [ -n "$p" ]; do sleep 0.3; done; echo $p'
    return rig.machine.run(f'timeout {int(30 * rig.machine.patience)} sh -c {shlex.quote(wait)}', 60)


def kill_seat(rig, name, label):
    """The one that waited is the next seat: nobody waits for a process to start."""
    waited = next_seat(rig)
    strike(rig, name, label, KILL_SEAT, 'roundhouse-seat', GUEST_BACK[name])
    rig.check(rig.machine.run(SEAT) == waited, f'{label}: the seat is not the process that waited ({waited.strip()})')


def killed_seat_is_back(rig):
    """When the seat dies the picture stays as it is, and the one that waited has screen, focus and keys."""
    for slot, name in ((3, 'card'), (1, 'first'), (1, 'first')):
        guest_on_screen(rig, slot, name)
        kill_seat(rig, name, f'seat-dies-under-{name}')


def kill_seat_manager(rig):
    """When seatd dies the seat goes on with what it has."""
    guest_on_screen(rig, 1, 'first')
    seat = rig.machine.run(SEAT)
    strike(rig, 'first', 'seatd-dies', kill_unit('seatd'), 'roundhouse-seat', 'the seat manager is back')
    rig.check(rig.machine.run(SEAT) == seat, 'the seat ended with seatd')


def killed_seat_manager_is_back(rig):
    """When seatd dies the seat goes on with what it has; a killed seat is back under the next one, which knows nothing of its screen."""
    for _ in range(2):
        kill_seat_manager(rig)
    kill_seat(rig, 'first', 'seat-dies-after-seatd')


def keyboard_comes_and_goes(rig):
    """A keyboard and a mouse that are plugged in work, and keys held on one that is pulled out are released."""
    machine = rig.machine
    guest_on_screen(rig, 1, 'first')
    since = uptime(rig)
    machine.qmp.call('device_add', driver='usb-kbd', id='plugged')
    machine.qmp.call('device_add', driver='usb-mouse', id='mouse')
    for what in ('input: QEMU QEMU USB Keyboard', 'input: QEMU QEMU USB Mouse'):
        seconds_until(rig, 'roundhouse-seat', what, since)
    takes_key(rig, 'first', 'plugged-keyboard')
    before, wanted = len(keys_of(rig, 'first')), [(KEYS['a'], 1), (KEYS['a'], 0)]
    machine.key_event('a', True)
    reported(rig, 'first', before, wanted[:1])
    for name in ('plugged', 'mouse'):
        machine.qmp.call('device_del', id=name)
    got = reported(rig, 'first', before, wanted)
    rig.check(got == wanted, f'a key was held on a keyboard that was pulled out, and the guest reports {got}')
    machine.key_event('a', False)
    takes_key(rig, 'first', 'keyboard-pulled-out')


def keyboard_after_killed_seat_manager(rig):
    """The seat has new devices from the seatd that follows a killed one, and so has the next seat."""
    kill_seat_manager(rig)
    keyboard_comes_and_goes(rig)
    kill_seat(rig, 'first', 'seat-dies-after-seatd')
    keyboard_comes_and_goes(rig)


def killed_manager_and_switcher_are_back(rig):
    """When roundhoused or the switcher dies, picture and focus stay, and the service is back."""
    guest_on_screen(rig, 1, 'first')
    before = rig.machine.run('roundhousectl list')
    for unit, log_of, sign in (('roundhoused', 'roundhoused', 'ready as org.roundhouse.Manager1'),
                               ('roundhouse-ui', 'roundhouse-seat', 'the interface is connected')):
        strike(rig, 'first', f'{unit}-dies', kill_unit(unit), log_of, sign)
    limit = int(30 * rig.machine.patience)
    status, now = rig.machine.run(f'timeout {limit} sh -c \'until [ "$(roundhousectl list)" = "$0" ]; do sleep 0.5; done\' '
                                  f'"$(echo {shlex.quote(before.strip())})"; roundhousectl list', 60, check=False)
    rig.check(status == 0 and now.strip() == before.strip(), f'roundhousectl said\n{before}\nand says\n{now}')


# Numbers of system calls (x86-64) that no service of ours needs.
DENIED = {'add_key': 248, 'keyctl': 250, 'userfaultfd': 323, 'io_uring_setup': 425, 'bpf': 321, 'perf_event_open': 298,
          'kexec_load': 246, 'init_module': 175, 'swapon': 167, 'ptrace': 101, 'name_to_handle_at': 303}
ALLOWED = {'getpid': 39, 'getuid': 102}


def denied_calls_are_denied(rig):
    """Under the filters of roundhoused, seat and sound process calls that they do not need fail, for root and without capabilities."""
    program = ('for (@ARGV) { ($n, $c) = split /=/; $! = 0; $r = syscall($c, 0, 0, 0, 0, 0); '
               'print "$n ", ($r < 0 ? $!+0 : "done"), "\\n" }')
    calls = ' '.join(f'{name}={number}' for name, number in (DENIED | ALLOWED).items())
    rig.machine.run('systemctl start roundhouse-sound', 60)     # it is not a part of the picture
    for unit in ('roundhoused', 'roundhouse-seat', 'roundhouse-sound'):
        rig.check('512' in rig.machine.run(f'systemctl show -P TasksMax {unit}') or unit != 'roundhoused', 'no limit of tasks')
        pid = rig.machine.run(f'systemctl show -P MainPID {unit}').strip()
        rig.check(rig.machine.run(f'grep Seccomp: /proc/{pid}/status').split()[1] == '2', f'{unit} runs without a filter')
        text = rig.machine.run(f"systemd-run --quiet --wait --pipe -p SystemCallErrorNumber=EPERM -p NoNewPrivileges=yes "
                               f"-p \"SystemCallFilter=$(systemctl show -P SystemCallFilter {unit})\" "
                               f"perl -e '{program}' {calls}", 60)
        answers = dict(line.split() for line in text.splitlines())
        wrong = [f'{name}: {answers.get(name)}' for name in DENIED if answers.get(name) != '1']
        rig.check(not wrong, f'{unit} may call {", ".join(wrong)}')
        rig.check(all(answers.get(name) == 'done' for name in ALLOWED), f'{unit} may not call what everybody needs: {answers}')
    limits = rig.machine.run('cat /proc/$(systemctl show -P MainPID roundhoused)/limits')
    rig.check(f'{512 << 20} ' in [line for line in limits.splitlines() if line.startswith('Max data size')][0],
              f'roundhoused has no limit of memory:\n{limits}')


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
                         nothing_for_a_guest_that_is_paused_or_cut_off, peek_shows_all_guests,
                         killed_seat_is_back, killed_seat_manager_is_back, killed_manager_and_switcher_are_back,
                         denied_calls_are_denied, switcher_comes_back, guest_that_ends_leaves_the_screen, power_off],
              smp=2, ready=picture_ready, saved=True)]
