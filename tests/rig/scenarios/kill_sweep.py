"""Everything of ours in Domain-0 is killed or stopped at seeded moments while guests work; nothing is lost but what was killed.

A strike takes one victim, with some guest or the switcher on screen. From before it until all is back the screen is looked at
without a pause, and shows what it showed. Then `roundhousectl list` is word for word what it was (so guests run, the service
answers, and the focus is where it was), and a key reaches the guest on screen. At the end each guest still takes keys, the
one that writes into xenstore still does, and the hypervisor has as many free pages as before."""

import collections
import os
import random
import re
import shlex
import time

import pictures
from boots import Boot, power_off
from machine import RigError
from switch import (COLOURS, KEYS, SEAT, definition, keyboard_after_killed_seat_manager, log, not_drawn_by,
                    picture_ready)
from watch import AWAIT, Watch

SEED, STRIKES = 1, 100      # RIG_SEED and RIG_STRIKES in the environment choose others
STOPPED_SECONDS = 3         # less than any watchdog waits
UNITS = ('roundhouse-seat', 'roundhouse-ui', 'roundhoused', 'xenconsoled', 'seatd')
GUESTS = ('first', 'card')  # of those of batch switch, which draw by fbif and by displif
# xenstored is stopped and not killed: its tree, its watches and its rings with guests are in its memory alone (docs/testing.md).
STOPPED_TOO = ('xenstored',)


def listing(rig):
    """What roundhousectl says of all guests, or None while it gets no answer."""
    status, text = rig.machine.run('timeout 10 roundhousectl list', 30, check=False)
    return text if status == 0 else None


def free_pages(rig):
    return int(rig.machine.run('/mnt/physinfo'))


def not_the_switcher(rig):
    """For who watches the screen: whether it is anything but the switcher."""
    there = pictures.stage(*rig.machine.screen())
    return None if pictures.is_switcher(there) else f'the switcher is not on screen: {pictures.describe(there, COLOURS)}'


class Place:
    """A slot that may be on screen: its guest, None for the switcher, and who says what is wrong with its picture."""

    def __init__(self, slot, name, wrong):
        self.slot, self.name, self.wrong = slot, name, wrong
        self.label = name or 'the switcher'
        # What the seat says when a killed one's successor has what is on screen again.
        self.back = f'slot {slot}: screen connected' if name else 'the interface is connected'

    def bring(self, rig):
        rig.machine.key('ctrl', 'alt', str(self.slot))
        limit = time.monotonic() + 30 * rig.machine.patience
        while problem := self.wrong(rig):
            if time.monotonic() > limit:
                raise RigError(problem)
            time.sleep(0.2)

    def takes_keys(self, rig, before):
        """A key reaches the guest; `before` is how often keys_seen() says that it did."""
        if not self.name:
            return
        rig.machine.key('c')
        limit = int(30 * rig.machine.patience)
        status, _ = rig.machine.run(f'SECONDS=0; until [ $({self.keys_seen()}) -gt {before} ]; do [ $SECONDS -lt {limit} ] || exit 1; '
                                    'sleep 0.3; done', 40, check=False)
        rig.check(status == 0, f'no key reaches {self.name}')

    def keys_seen(self):
        """The command that prints how often the guest has seen the key that takes_keys() presses."""
        return f'grep -acs "GUEST key {KEYS["c"]} 0" {log(self.name)}' if self.name else 'echo 0'


PV_PLACES = [Place(0, None, not_the_switcher)] + [
    Place(slot, name, not_drawn_by(name)) for slot, name in enumerate(COLOURS, 1) if name in GUESTS]


class Strike:
    """What is done, the command that does it to process $p, the one that prints $p, and which unit says that all is back, by which
    words; None: the place's."""

    def __init__(self, what, command, process, unit=None, sign=None):
        self.what, self.command, self.process, self.unit, self.sign = what, command, process, unit, sign

    def __str__(self):
        return self.what


# Who says that the next one is there. The seat says it of most.
SIGNS = {'roundhouse-seat': ('roundhouse-seat', None), 'roundhouse-ui': ('roundhouse-seat', 'the interface is connected'),
         'roundhoused': ('roundhoused', 'ready as org.roundhouse.Manager1'), 'xenconsoled': ('xenconsoled', 'Started'),
         'seatd': ('roundhouse-seat', 'the seat manager is back')}


def stopped(what, process):
    return Strike(f'{what} stopped', f'kill -STOP $p; sleep {STOPPED_SECONDS}; kill -CONT $p', process)


def main_process(unit):
    return f'systemctl show -P MainPID {unit}'


def strikes(device_model=None):
    """Everything that may happen; `device_model` is a command that prints the pid of a QEMU."""
    yield Strike('the seat killed', 'kill -9 $p', SEAT, *SIGNS['roundhouse-seat'])
    yield stopped('the seat', SEAT)
    for unit in UNITS:
        yield Strike(f'{unit} killed', 'kill -9 $p', main_process(unit), *SIGNS[unit])
    for unit in UNITS + STOPPED_TOO:
        yield stopped(unit, main_process(unit))
    if device_model:
        yield stopped('QEMU', device_model)


# All of a strike, for Domain-0: under emulation every process takes long, and so does what is typed on the console, so it is typed
# once. What it ends with says what went wrong.
SCRIPT = AWAIT + """list() { timeout $patience roundhousectl list; }
until_so() { until $1; do [ $SECONDS -lt $limit ] || return 1; sleep 0.5; done; }
as_before() { now_said=$(list) && [ "$now_said" = "$before" ]; }
up() { [ -z "$(systemctl is-active $units | grep -vx active)" ]; }
tell() { echo "roundhousectl said:"; echo "$before"; echo "and says:"; echo "$now_said"; systemctl --no-pager -l status $units; exit 1; }
before=$(list) || { echo "roundhousectl does not answer before anything was done"; exit 1; }
p=$(eval "$process")
[ "$p" -gt 0 ] || { echo "no process to strike"; exit 1; }
read now rest </proc/uptime
eval "$command"
echo "took $([ -z "$unit" ] || await "$unit" "$sign" $limit)"
until_so as_before || tell
until_so up || tell
echo "keys $(eval "$keys")"
"""


def put_script(rig):
    rig.machine.run(f"cat >/tmp/strike <<'END'\nunits='{' '.join(UNITS)}' limit={int(60 * rig.machine.patience)} "
                    f"patience={int(5 * rig.machine.patience)}\n{SCRIPT}END")


def call(place, one):
    """The command for one strike."""
    values = {'process': one.process, 'command': one.command, 'unit': one.unit or '', 'sign': one.sign or place.back,
              'keys': place.keys_seen()}
    return ' '.join(f'{name}={shlex.quote(value)}' for name, value in values.items() if value) + ' bash /tmp/strike'


def strike(rig, place, one):
    """Seconds of machine time until the victim was back; None for one that was stopped."""
    with Watch(rig, place.wrong, f'{one}-{place.label}'.replace(' ', '-')) as watch:
        status, text = rig.machine.run(call(place, one), 200, check=False)
        rig.check(status == 0, f'after {one}:\n{text}')
    said = dict(line.split() for line in text.splitlines() if re.fullmatch(r'(took|keys) \d+', line))
    rig.check('took' in said or not one.unit, f'after {one} no {one.unit} says "{one.sign or place.back}"')
    place.takes_keys(rig, int(said['keys']))
    return int(said['took']) / 1e6 if one.unit else None, watch.looks


def sweep(rig, count, places, device_model=None):
    """`count` strikes. Every kind comes once before any comes twice."""
    seed = int(os.environ.get('RIG_SEED', SEED))
    chance, kinds, pages, times = random.Random(seed), [], free_pages(rig), collections.defaultdict(list)
    put_script(rig)
    print(f'# seed {seed} (RIG_SEED), {count} strikes, {pages} pages free', flush=True)
    for number in range(count):
        if not kinds:
            kinds = list(strikes(device_model))
            chance.shuffle(kinds)
        one, place = kinds.pop(), chance.choice(places)
        place.bring(rig)
        time.sleep(chance.uniform(0, 2))
        took, looks = strike(rig, place, one)
        print(f'# {number + 1}: {one} with {place.label} on screen, {looks} looks' + (f', back after {took:.2f} s' if took else ''),
              flush=True)
        if took:
            times[f'{one}{"" if place.name else ", the switcher on screen"}'].append(took)
    for place in places:
        place.bring(rig)
        place.takes_keys(rig, int(rig.machine.run(place.keys_seen(), check=False)[1]))
    settle(rig, pages)
    tell_times(times)


def tell_times(times):
    for what, took in sorted(times.items()):
        middle = sorted(took)[len(took) // 2]
        print(f'# {what}: {len(took)} times, back after {min(took):.2f} to {max(took):.2f} s, {middle:.2f} s in the middle', flush=True)


def settle(rig, pages):
    deadline = time.monotonic() + 30 * rig.machine.patience
    while (now := free_pages(rig)) != pages:
        if time.monotonic() > deadline:
            raise RigError(f'{pages} pages were free before, and {now} are now')
        time.sleep(1)


def flooded(rig):
    """Two guests of the switch, and one that writes into xenstore without end."""
    picture_ready(rig, GUESTS)
    run = rig.machine.run
    text = definition('second', 4).replace('name=second', 'name=flood').replace('test=screen', 'test=flood')
    run(f"cat >/etc/roundhouse/guests/flood.conf <<'END'\n{text}\nEND")
    run('sleep 2; roundhousectl start flood', 60)
    limit = int(60 * rig.machine.patience)
    run(f"timeout {limit} sh -c 'until grep -aqs \"GUEST floods\" {log('flood')}; do sleep 0.5; done'", 90)


def service_answers_beside_a_flood(rig):
    """roundhousectl is answered while a guest writes the state of its device without end, and memory does not grow."""
    run = rig.machine.run
    size = "ps -o rss= -p $(systemctl show -P MainPID roundhoused)"
    before = int(run(size))
    for _ in range(4):
        rig.check(listing(rig), 'roundhousectl was not answered within 10 s')
    run('sleep 20', 60)
    print('# ' + run(f'grep -a "GUEST wrote" {log("flood")} | tail -1', check=False)[1].strip(), flush=True)
    grown = int(run(size)) - before
    rig.check(grown < 4096, f'roundhoused has grown by {grown} KiB in 20 s')


def floods(rig):
    """How often the flooding guest has said so."""
    return int(rig.machine.run(f'grep -ac "GUEST wrote" {log("flood")}', check=False)[1])


def hundred_strikes(rig):
    """A hundred strikes."""
    sweep(rig, int(os.environ.get('RIG_STRIKES', STRIKES)), PV_PLACES)
    before, limit = floods(rig), time.monotonic() + 60 * rig.machine.patience
    while floods(rig) == before:
        rig.check(time.monotonic() < limit, 'the guest that wrote into xenstore does not any more')
        time.sleep(1)


BOOTS = [Boot('kill-sweep', [service_answers_beside_a_flood, keyboard_after_killed_seat_manager, hundred_strikes, power_off],
              smp=2, ready=flooded)]
