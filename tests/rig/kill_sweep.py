"""Everything of ours in Domain-0 is killed or stopped at seeded moments while guests work; nothing is lost but what was killed.

A strike takes one victim, with some guest or the switcher on screen. Afterwards `roundhousectl list` is word for word what it
was (so guests run, the service answers, and the focus is where it was), the screen shows what it showed, and a key reaches
the guest on screen. At the end the hypervisor has as many free pages as before."""

import os
import random
import time

from boots import Boot, power_off
from machine import RigError
from switch import COLOURS, KEYS, SEAT, difference, expected, keys_of, log, picture_ready, definition, wait_for_picture

UNITS = ('roundhouse-seat', 'roundhouse-ui', 'roundhoused', 'xenconsoled', 'seatd')
STOPPED_SECONDS = 3     # less than any watchdog waits
# xenstored is not among them: its tree, its watches and its rings with guests are in its memory alone (docs/testing.md).


def listing(rig):
    """What roundhousectl says of all guests, or None while it gets no answer."""
    status, text = rig.machine.run('timeout 10 roundhousectl list', 30, check=False)
    return text if status == 0 else None


def free_pages(rig):
    return int(rig.machine.run('/mnt/physinfo'))


def switcher_drawn(rig):
    """The switcher has drawn something, and it is no guest's picture."""
    deadline = time.monotonic() + 30 * rig.machine.patience
    while True:
        _, _, data = rig.machine.screen()
        colours = len({data[i:i + 3] for i in range(0, len(data), 3 * 101)})
        if colours > 8 and all(difference(rig.machine, expected(name)) > 0.5 for name in COLOURS):
            return
        if time.monotonic() > deadline:
            raise RigError(f'the switcher is not on screen: {colours} colours')
        time.sleep(0.5)


class Place:
    """A slot that may be on screen: its guest, None for the switcher, and how its picture is known."""

    def __init__(self, slot, name, shown):
        self.slot, self.name, self.shown = slot, name, shown

    def bring(self, rig):
        rig.machine.key('ctrl', 'alt', str(self.slot))
        self.shown(rig)

    def takes_keys(self, rig):
        if not self.name:
            return
        before, limit = len(keys_of(rig, self.name)), time.monotonic() + 30 * rig.machine.patience
        rig.machine.key('c')
        while (KEYS['c'], 0) not in keys_of(rig, self.name)[before:]:
            if time.monotonic() > limit:
                raise RigError(f'no key reaches {self.name}')


PV_PLACES = [Place(0, None, switcher_drawn)] + [
    Place(slot, name, lambda rig, name=name: wait_for_picture(rig, name, 30)) for slot, name in enumerate(COLOURS, 1)]


def signal_unit(unit, name):
    return f'systemctl kill -s {name} --kill-who=main {unit}'


def strikes(device_model=None):
    """(what, command) of everything that may happen; `device_model` is a command that prints the pid of a QEMU."""
    yield 'the seat killed', f'kill -9 $({SEAT})'
    yield 'the seat stopped', f'p=$({SEAT}); kill -STOP $p; sleep {STOPPED_SECONDS}; kill -CONT $p'
    for unit in UNITS:
        yield f'{unit} killed', signal_unit(unit, 'KILL')
        yield f'{unit} stopped', f'{signal_unit(unit, "STOP")}; sleep {STOPPED_SECONDS}; {signal_unit(unit, "CONT")}'
    if device_model:
        yield 'QEMU stopped', f'p=$({device_model}); kill -STOP $p; sleep {STOPPED_SECONDS}; kill -CONT $p'


def come_back(rig, before, what):
    """Waits until the services are up and roundhousectl says what it said before."""
    limit, start = 60 * rig.machine.patience, time.monotonic()
    while (now := listing(rig)) != before:
        if time.monotonic() - start > limit:
            raise RigError(f'after {what} roundhousectl does not say what it said before:\n{before}\nbut\n{now}\n' + rig.machine.run(
                f'systemctl --no-pager -l status {" ".join(UNITS)} | tail -60', check=False)[1])
        time.sleep(0.5)
    rig.machine.run(f"timeout {int(limit)} sh -c 'until systemctl -q is-active {' '.join(UNITS)}; do sleep 0.5; done'", 90)


def strike(rig, place, what, command):
    before = listing(rig)
    rig.check(before, 'roundhousectl does not answer before anything was done')
    rig.machine.run(command, 60)
    start = time.monotonic()
    come_back(rig, before, what)
    place.shown(rig)
    place.takes_keys(rig)
    return time.monotonic() - start


def sweep(rig, count, places, device_model=None):
    """`count` strikes. Every kind comes once before any comes twice. RIG_SEED in the environment gives another order."""
    seed = int(os.environ.get('RIG_SEED', '1'))
    chance, kinds, pages = random.Random(seed), [], free_pages(rig)
    print(f'# seed {seed}, {pages} pages free', flush=True)
    for number in range(count):
        if not kinds:
            kinds = list(strikes(device_model))
            chance.shuffle(kinds)
        what, command = kinds.pop()
        place = chance.choice(places)
        place.bring(rig)
        time.sleep(chance.uniform(0, 2))
        took = strike(rig, place, what, command)
        print(f'# {number + 1}: {what} with {place.name or "the switcher"} on screen: all back after {took:.1f} s', flush=True)
    settle(rig, pages)


def settle(rig, pages):
    deadline = time.monotonic() + 30 * rig.machine.patience
    while (now := free_pages(rig)) != pages:
        if time.monotonic() > deadline:
            raise RigError(f'{pages} pages were free before, and {now} are now')
        time.sleep(1)


def flooded(rig):
    """The guests of the switch, and one that writes into xenstore without end."""
    picture_ready(rig)
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


def hundred_strikes(rig):
    """A hundred strikes."""
    sweep(rig, int(os.environ.get('RIG_STRIKES', '100')), PV_PLACES)


BOOTS = [Boot('kill-sweep', [service_answers_beside_a_flood, hundred_strikes, power_off], smp=2, ready=flooded)]
