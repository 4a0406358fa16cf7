"""The hypercall fuzzer (tests/guests/hypercall-fuzz): rounds of two guests at once, each the other's partner, PV and PVH with
one, two and four vcpus, from a Domain-0 in a RAM disk on two processors. After each round all memory is free again to the page;
at the end Domain-0 lives, and the hypervisor has logged no fault of its own.

In the environment: RIG_SEED the first round's seed, RIG_ROUNDS how many rounds, RIG_CALLS of each vcpu, RIG_GUESTS as
"pv-2+pvh-4" the guests of each round. A seed is printed with each round; with it alone, the same calls are made again. When the
machine stops, the last calls of each vcpu are found in its memory."""

import os
import re
import struct

import ramdisk
from machine import HYPERVISOR_OPTIONS, Machine, Modules, RigError, patience

PROBLEM = r'PANIC|Panic on CPU|Kernel panic|Oops:|BUG:|UBSAN|runtime error'
LOG_FAULT = re.compile(r'^.*(?:PANIC|BUG|UBSAN|runtime error|assertion|lock order|page fault in the hypervisor).*$', re.M | re.I)
GUESTS = [('pv-1', 'pvh-1'), ('pv-2', 'pvh-2'), ('pv-4', 'pv-2'), ('pvh-4', 'pvh-2'), ('pv-1', 'pv-4'), ('pvh-1', 'pvh-4')]
SECONDS = 120       # for a round on an idle machine
# What a vcpu must have been served, or the fuzzer beats against a closed door: hypercall and share of it in percent.
SERVED = {'pv': {1: 10, 12: 5, 14: 20, 20: 20, 24: 20, 26: 10, 29: 30, 32: 15}, 'pvh': {12: 20, 20: 20, 24: 20, 29: 30, 32: 15}}
RECORD = struct.Struct('<15Qq')


def setting(name, otherwise):
    return os.environ.get(f'RIG_{name}', otherwise)


class Round:
    """Two guests at once."""

    def __init__(self, number, guests, seed, calls):
        self.number, self.guests, self.seed, self.calls = number, [guest.split('-') for guest in guests], seed, calls

    def seeds(self):
        return [self.seed, self.seed + 1]

    def line(self, seconds):
        words = [f'{kind} {vcpus} {seed}' for (kind, vcpus), seed in zip(self.guests, self.seeds())]
        return f'{self.number} {seconds} {self.calls} {" ".join(words)}\n'

    def name(self):
        return f'round-{self.number}'


def rounds(count, calls):
    seed, count, calls = int(setting('SEED', 1)), int(setting('ROUNDS', count)), int(setting('CALLS', calls))
    chosen = [setting('GUESTS', '').split('+')] if setting('GUESTS', '') else GUESTS
    return [Round(n, chosen[n % len(chosen)], seed + 2 * n, calls) for n in range(count)]


class FuzzBoot:
    """One power-on for all rounds."""

    def __init__(self, name, count, calls):
        self.name, self.ready = name, toolstack_up
        self.rounds = rounds(count, calls)
        self.scenarios = [scenario(of) for of in self.rounds] + [nothing_is_left]

    def machine(self, rig, evidence):
        folder = f'{rig.build}/tests/rig/{self.name}-{rig.name}'
        os.makedirs(folder, exist_ok=True)
        with open(f'{folder}.list', 'w') as file:
            file.writelines(of.line(SECONDS * 10) for of in self.rounds)
        files = {'fuzz/list': f'{folder}.list', 'fuzz/physinfo': f'{rig.build}/tests/rig/physinfo',
                 'fuzz/kernel-pv': f'{rig.build}/tests/guests/pv-hypercall-fuzz',
                 'fuzz/kernel-pvh': f'{rig.build}/tests/guests/hvm/hvm-hypercall-fuzz'}
        kernel, disk = ramdisk.build(rig.images, folder, 'fuzz', files)
        options = f'{HYPERVISOR_OPTIONS} dom0_mem=512M,max:512M loglvl=info'
        modules = Modules(rig.hypervisor, options,
                          [(kernel, 'console=hvc0 quiet rdinit=/init'), (disk, '')])
        return Machine(modules, evidence, memory=1024, smp=2, extra=setting('EXTRA', '').split())


def toolstack_up(rig):
    """Domain-0 starts the toolstack."""
    expect(rig, '^RIG: toolstack up$', 900)
    rig.machine.patience = max(rig.machine.patience, patience(rig.machine.age(), 10))


# ---- What is left of a machine that stopped ----
def last_calls(memory):
    """The calls that rings in the memory tell of: {(seed, vcpu): [(number, hypercall, arguments, structure, result)]}."""
    found = {}
    for page in range(0, len(memory) - 4095, 4096):
        if memory[page:page + 8] != b'FUZZRING':
            continue
        seed, vcpu = struct.unpack_from('<QQ', memory, page + 8)
        records = [RECORD.unpack_from(memory, page + 128 + n * RECORD.size) for n in range(31)]
        found[seed, vcpu] = sorted((r[0], r[1], r[2:7], r[7:15], r[15]) for r in records if r[1])
    return found


def describe(found, count=6):
    for (seed, vcpu), records in sorted(found.items()):
        yield f'seed {seed} vcpu {vcpu}, its last calls:'
        for number, hypercall, arguments, structure, result in records[-count:]:
            words = ' '.join(f'{a:x}' for a in arguments)
            inner = ' '.join(f'{a:x}' for a in structure)
            yield f'  {number}: hypercall {hypercall} ({words}) [{inner}] = {"?" if result == 0x7e57 else result}'


def look_into_memory(machine, seed=None):
    """What the guests, or that with one seed, did last, from the memory of the machine as it stands."""
    path = f'{machine.evidence}/memory'
    machine.qmp.call('stop')
    machine.qmp.call('pmemsave', val=0, size=machine.memory << 20, filename=os.path.abspath(path))
    with open(path, 'rb') as file:
        found = last_calls(file.read())
    os.unlink(path)
    machine.qmp.call('cont')
    return '\n'.join(describe({of: calls for of, calls in found.items() if seed in (None, of[0])}))


def expect(rig, pattern, seconds):
    machine = rig.machine
    try:
        return machine.expect(pattern, seconds * machine.patience, PROBLEM)
    except RigError as error:
        if not machine.running():
            raise
        raise RigError(f'{error}\n{look_into_memory(machine)}') from None


# ---- Scenarios ----
def told(log):
    return {int(number): (int(calls), int(served)) for number, calls, served in
            re.findall(r'FUZZ hypercall (\d+): (\d+) calls, (\d+) succeeded', log)}


def look_at_guest(rig, of, index, log):
    """A guest made all its calls, and enough of them were served."""
    kind, vcpus = of.guests[index]
    made = re.search(r'FUZZ made (\d+) calls', log)
    if not made:
        said = '\n'.join(log.splitlines()[-12:])
        raise RigError(f'a guest did not get to its end:\n{said}\n{look_into_memory(rig.machine, of.seeds()[index])}')
    rig.check(int(made[1]) == int(vcpus) * of.calls, f'{made[1]} calls were made')
    families = told(log)
    for number, percent in SERVED[kind].items():
        calls, served = families.get(number, (0, 0))
        rig.check(calls < 200 or served * 100 >= calls * percent,
                  f'{kind}: of {calls} calls of hypercall {number} only {served} were served')


def scenario(of):
    def check_round(rig):
        expect(rig, f'^RIG: round {of.number} begins$', 60)
        for index, guest in enumerate('ab'):
            start = rig.machine.position
            expect(rig, rf'^RIG: {of.number}{guest} ends: (.*)\n', SECONDS)
            look_at_guest(rig, of, index, rig.machine.log()[start:rig.machine.position])
    check_round.__name__ = of.name()
    guests = ' and '.join(f'{kind} with {vcpus} vcpus, seed {seed}' for (kind, vcpus), seed in zip(of.guests, of.seeds()))
    check_round.__doc__ = f'Round {of.number}, {of.calls} calls of each vcpu: {guests}.'
    return check_round


def nothing_is_left(rig):
    """All memory is free again, Domain-0 lives, and nothing was logged that is a fault of ours."""
    domains = expect(rig, '^RIG: domains: (.*)\n', 120)[1].strip()
    free = [int(pages) for pages in re.findall(r'^RIG: free pages after .* rounds: (\d+)\n', rig.machine.log(), re.M)]
    rig.check(len(set(free)) == 1, f'free pages after each round: {free}')
    rig.check(domains == 'Domain-0 0', f'there are domains: {domains}')
    faults = LOG_FAULT.findall(rig.machine.log())
    rig.check(not faults, '\n'.join(faults[:20]))
    rig.machine.wait_off(60 * rig.machine.patience)


BOOTS = [FuzzBoot('fuzz', 6, 3000)]
SOAK_BOOTS = [FuzzBoot('soak', 60, 80000)]
