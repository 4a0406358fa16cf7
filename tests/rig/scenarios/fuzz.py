"""The hypercall fuzzer (tests/guests/hypercall-fuzz): rounds of two guests at once, each the other's partner, PV and PVH with
one, two and four vcpus, from a Domain-0 in a RAM disk on two processors. After each round all memory is free again to the page;
at the end Domain-0 lives, the hypervisor has logged no fault of its own, and of each kind of call enough were served.

In the environment: RIG_SEED the first round's seed, RIG_ROUNDS how many rounds, RIG_CALLS of each vcpu, RIG_GUESTS as
"pv-2+pvh-4" the guests of each round. Batch soak has a new seed each time. A seed is printed with each round; with it alone, the
same calls are made again. When the machine stops, the last calls of each vcpu are found in its memory."""

import os
import re
import struct
import time

import ramdisk
from machine import XL_OF_MANY_PROCESSORS, Machine, RigError, patience
from medium import HYPERVISOR_OPTIONS, Medium

PROBLEM = r'Roundhouse stops|PANIC|Panic on CPU|Kernel panic|Oops:|BUG:|UBSAN|runtime error'
LOG_FAULT = re.compile(r'^.*(?:Roundhouse stops|PANIC|BUG|UBSAN|runtime error|assertion|lock order|page fault in the hypervisor).*$', re.M | re.I)
GUESTS = [('pv-1', 'pvh-1'), ('pv-2', 'pvh-2'), ('pv-4', 'pv-2'), ('pvh-4', 'pvh-2'), ('pv-1', 'pv-4'), ('pvh-1', 'pvh-4')]
# How many of the calls are usually served, by hypercall and operation, in percent over all guests of a kind. A quarter of it is
# demanded where that share is ENOUGH calls: chance alone gives less than that in one run of a million.
ENOUGH = 25
SERVED_BOTH = {'12.0': 95, '12.1': 93, '12.6': 92, '13.0': 90, '15.0': 99, '17.0': 60, '20.0': 2, '20.1': 6, '20.2': 28, '20.6': 35, '20.10': 30,
               '20.11': 6, '24.1': 25, '24.4': 25, '24.5': 25, '24.6': 25, '24.7': 25, '24.8': 55, '24.9': 12,
               '24.13': 25, '29.0': 99, '29.3': 75, '29.6': 22, '32.0': 8, '32.1': 15, '32.3': 50, '32.4': 45,
               '32.5': 35, '32.6': 80, '32.7': 30, '32.8': 16, '32.9': 40, '34.10': 85}
SERVED = {'pv': SERVED_BOTH | {'1.0': 36, '2.0': 25, '3.0': 99, '4.0': 90, '5.0': 99, '8.0': 45, '9.0': 85, '10.0': 33, '12.11': 10,
                        '14.0': 60, '21.0': 14, '24.3': 25, '25.0': 80, '26.0': 6, '26.1': 5, '26.2': 6, '26.3': 5, '26.4': 4,
                        '26.5': 60, '26.6': 70, '26.7': 60, '26.8': 40, '26.9': 40, '26.10': 60, '26.16': 40, '26.17': 30},
          'pvh': SERVED_BOTH | {'12.7': 25, '12.9': 45, '12.14': 40, '12.15': 15, '12.23': 1.3, '34.1': 15, '34.15': 30}}
RECORD = struct.Struct('<15Qq')


def setting(name, otherwise):
    return os.environ.get(f'RIG_{name}', otherwise)


class Round:
    """Two guests at once."""

    def __init__(self, number, guests, seed, calls):
        self.number, self.guests, self.seed, self.calls = number, [guest.split('-') for guest in guests], seed, calls

    def seconds(self):
        """On an idle machine, and with a lot to spare."""
        return 100 + self.calls * sum(int(vcpus) for _, vcpus in self.guests) // 200

    def seeds(self):
        return [self.seed, self.seed + 1]

    def line(self):
        words = [f'{kind} {vcpus} {seed}' for (kind, vcpus), seed in zip(self.guests, self.seeds())]
        return f'{self.number} {self.seconds() * 10} {self.calls} {" ".join(words)}\n'

    def name(self):
        return f'round-{self.number}'


def rounds(count, calls, seed):
    seed, count, calls = int(setting('SEED', seed)), int(setting('ROUNDS', count)), int(setting('CALLS', calls))
    chosen = [setting('GUESTS', '').split('+')] if setting('GUESTS', '') else GUESTS
    return [Round(n, chosen[n % len(chosen)], seed + 2 * n, calls) for n in range(count)]


class FuzzBoot:
    """One power-on for all rounds."""

    def __init__(self, name, count, calls, seed):
        self.name, self.ready = name, toolstack_up
        self.rounds = rounds(count, calls, seed)
        self.scenarios = [scenario(of) for of in self.rounds] + [nothing_is_left, enough_were_served]

    def machine(self, rig, evidence):
        folder = f'{rig.build}/tests/rig/{self.name}-{rig.name}'
        os.makedirs(folder, exist_ok=True)
        with open(f'{folder}.list', 'w') as file:
            file.writelines(of.line() for of in self.rounds)
        with open(f'{folder}.conf', 'w') as file:
            file.write(f'{XL_OF_MANY_PROCESSORS}\n')
        files = {'etc/xen/xl.conf': f'{folder}.conf', 'fuzz/list': f'{folder}.list', 'fuzz/physinfo': f'{rig.build}/tests/rig/physinfo',
                 'fuzz/kernel-pv': f'{rig.build}/tests/guests/pv-hypercall-fuzz',
                 'fuzz/kernel-pvh': f'{rig.build}/tests/guests/hvm/hvm-hypercall-fuzz'}
        kernel, disk = ramdisk.build(rig.images, folder, 'fuzz', files)
        options = f'{HYPERVISOR_OPTIONS} dom0_mem=512M,max:512M loglvl=info'
        medium = Medium(rig.hypervisor, options, kernel, 'console=hvc0 quiet rdinit=/init', disk)
        return Machine(medium, evidence, memory=1024, smp=2, extra=setting('EXTRA', '').split(), qemu=rig.qemu)


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
def look_at_guest(rig, of, index, log):
    """A guest made all its calls."""
    made = re.search(r'FUZZ made (\d+) calls', log)
    if not made:
        said = '\n'.join(log.splitlines()[-12:])
        raise RigError(f'a guest did not get to its end:\n{said}\n{look_into_memory(rig.machine, of.seeds()[index])}')
    rig.check(int(made[1]) == int(of.guests[index][1]) * of.calls, f'{made[1]} calls were made')


def scenario(of):
    def check_round(rig):
        expect(rig, f'^RIG: round {of.number} begins$', 60)
        for index, guest in enumerate('ab'):
            start = rig.machine.position
            expect(rig, rf'^RIG: {of.number}{guest} ends: (.*)\n', of.seconds())
            look_at_guest(rig, of, index, rig.machine.log()[start:rig.machine.position])
    check_round.__name__ = of.name()
    guests = ' and '.join(f'{kind} with {vcpus} vcpus, seed {seed}' for (kind, vcpus), seed in zip(of.guests, of.seeds()))
    check_round.__doc__ = f'Round {of.number}, {of.calls} calls of each vcpu: {guests}.'
    return check_round


def nothing_is_left(rig):
    """All memory is free again, Domain-0 lives, and nothing was logged that is a fault of ours."""
    domains = expect(rig, '^RIG: domains: (.*)\n', 120)[1].strip()
    free = [int(pages) for pages in re.findall(r'^RIG: free pages after .* rounds: (\d+)\n', rig.machine.log(), re.M)]
    print(f'# free pages before and after each round: {sorted(set(free))}', flush=True)
    rig.check(len(set(free)) == 1, f'free pages after each round: {free}')
    rig.check(domains == 'Domain-0 0', f'there are domains: {domains}')
    faults = LOG_FAULT.findall(rig.machine.log())
    rig.check(not faults, '\n'.join(faults[:20]))
    rig.machine.wait_off(60 * rig.machine.patience)


def tally(log):
    """{kind: {operation: (calls, served)}} of all guests, by hypercall and operation."""
    found = {kind: {} for kind in SERVED}
    kind = None
    for line in re.findall(r'^FUZZ .*', log, re.M):
        if match := re.match(r'FUZZ (pv|pvh), seed', line):
            kind = match[1]
        elif match := re.match(r'FUZZ hypercall ([\d.]+): (\d+) calls, (\d+) served', line):
            calls, served = found[kind].get(match[1], (0, 0))
            found[kind][match[1]] = calls + int(match[2]), served + int(match[3])
    return found


def too_few(kind, operations):
    """Lines about what was served far less often than usual."""
    for operation, percent in SERVED[kind].items():
        calls, served = operations.get(operation, (0, 0))
        expected = calls * percent / 100
        if expected >= ENOUGH and served * 4 < expected:
            yield f'{kind}: of {calls} calls of {operation} only {served} were served'


def enough_were_served(rig):
    """Of each kind of call enough were served: the fuzzer does not beat against a closed door."""
    problems = []
    for kind, operations in tally(rig.machine.log()).items():
        calls, served = (sum(of[which] for of in operations.values()) for which in (0, 1))
        print(f'# {kind}: {calls} calls, {served} of them served', flush=True)
        problems += too_few(kind, operations)
    rig.check(not problems, '\n'.join(problems))


BOOTS = [FuzzBoot('fuzz', 6, 3000, 1)]
SOAK_BOOTS = [FuzzBoot('soak', 110, 20000, int(time.time()) % 1000000 * 1000)]
