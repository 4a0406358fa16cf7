"""Runs one batch of scenarios on one hypervisor and reports in TAP (Test Anything Protocol).

A batch is a list of boots; a boot is a machine on which its scenarios run in order. A scenario notes what it saw that
must not depend on the hypervisor; the notes of the reference are kept, and a difference from them is a failure."""

import argparse
import os
import signal
import sys
import traceback

import bad_boot
import boots
import desktops
import firmware
import hvm
import hvm_desktop
import hvm_guests
import switch
import toolstack
import vtx
from machine import RigError

BATCHES = {'toolstack': toolstack.BOOTS, 'boot': boots.BOOTS, 'bad-boot': bad_boot.BOOTS,
           'switch': switch.BOOTS, 'desktops': desktops.BOOTS,
           'hvm': hvm.BOOTS, 'hvm-more': hvm.LONG_BOOTS, 'hvm-guests': hvm_guests.BOOTS, 'firmware': firmware.BOOTS,
           'hvm-desktop': hvm_desktop.BOOTS, 'bochs': vtx.BOOTS, 'bochs-guests': hvm_guests.BOCHS_BOOTS}


class Rig:
    """What a scenario gets: the running machine, and a place for its notes."""

    def __init__(self, options):
        self.build, self.name, self.hypervisor = options.build, options.name, options.hypervisor
        self.images = f'{options.build}/images'
        self.only = options.only
        self.machine = None
        self.notes = []

    def note(self, what, value):
        """Notes something that must be the same on every hypervisor."""
        self.notes.append(f'{what}: {value}')

    def check(self, condition, message):
        if not condition:
            raise RigError(message)


class Report:
    """TAP on standard output."""

    def __init__(self):
        self.count = self.failed = 0

    def result(self, name, problem=None):
        self.count += 1
        self.failed += problem is not None
        print(f'{"not ok" if problem else "ok"} {self.count} - {name}', flush=True)
        for line in (problem or '').splitlines():
            print(f'# {line}', flush=True)

    def finish(self):
        print(f'1..{self.count}', flush=True)
        return 1 if self.failed else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('batch', choices=BATCHES)
    parser.add_argument('--build', required=True)
    parser.add_argument('--hypervisor', required=True, help='multiboot2 image')
    parser.add_argument('--name', required=True, help='"reference" keeps the notes that others are compared with')
    parser.add_argument('--only', nargs='+', help='run these scenarios alone')
    return parser.parse_args()


def scenario_name(scenario):
    return scenario.__name__.replace('_', '-')


def compare(rig, evidence, scenario):
    """The difference between these notes and the reference's, or None."""
    own = f'{evidence}/{scenario}.notes'
    with open(own, 'w') as file:
        file.write('\n'.join(rig.notes) + '\n')
    reference = own.replace(f'/{rig.name}/', '/reference/')
    if rig.name == 'reference' or not rig.notes:
        return None
    if not os.path.exists(reference):
        return f'there are no notes of the reference to compare with ({reference}); run its batch first'
    with open(reference) as file:
        expected = file.read().splitlines()
    noted = ('\n'.join(rig.notes) + '\n').splitlines()  # a note may have several lines, the file has all of them
    different = [f'reference  {a}\n{rig.name}  {b}' for a, b in zip(expected, noted) if a != b]
    if len(expected) != len(noted):
        different.append(f'the reference noted {len(expected)} lines, here were {len(noted)}')
    return '\n'.join(['differs from the reference:'] + different) if different else None


def run_scenario(rig, scenario, evidence):
    name = scenario_name(scenario)
    rig.notes = []
    try:
        scenario(rig)
        return compare(rig, evidence, name)
    except RigError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()


def keep_evidence(machine, name):
    """What may explain a failure: the screen, and Domain-0's kernel log."""
    if not machine.running() or not machine.qmp:    # Bochs: its Domain-0 has told all on the console
        return
    machine.screenshot(f'{name}.png')
    try:
        text = machine.run('dmesg | tail -50; xl list; xl dmesg | tail -50', 60, check=False)[1]
    except RigError as error:
        text = str(error)
    with open(f'{machine.evidence}/{name}.log', 'w') as file:
        file.write(text)


def run_boot(rig, boot, report, evidence):
    scenarios = [s for s in boot.scenarios if not rig.only or scenario_name(s) in rig.only]
    if not scenarios:
        return
    folder = f'{evidence}/{boot.name}'
    os.makedirs(folder, exist_ok=True)
    try:
        machine = boot.machine(rig, folder).start()
    except RigError as error:
        report.result(f'{boot.name}: power on', str(error))
        return
    rig.machine = machine
    try:
        problem = run_scenario(rig, boot.ready, folder)
        report.result(f'{boot.name}: ready after {machine.age():.0f} s', problem)
        for scenario in [] if problem else scenarios:
            before = machine.age()
            problem = run_scenario(rig, scenario, folder)
            if problem:
                keep_evidence(machine, scenario.__name__)
            report.result(f'{boot.name}: {scenario.__doc__.splitlines()[0].rstrip(".")} '
                          f'({machine.age() - before:.0f} s)', problem)
    finally:
        machine.stop()


def main():
    options = arguments()
    # A time limit ends the rig by SIGTERM; the machine must not outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report()
    if not os.path.exists(options.hypervisor):
        report.result(f'hypervisor image {options.hypervisor}', 'it is not there; build it first with ./dev build')
        return report.finish()
    rig = Rig(options)
    evidence = f'{options.build}/test-evidence/{options.name}/{options.batch}'
    for boot in BATCHES[options.batch]:
        run_boot(rig, boot, report, evidence)
    print(f'# evidence: {evidence}')
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
