"""Runs one batch of scenarios on one hypervisor and reports in TAP (Test Anything Protocol).

A batch is a list of boots; a boot is a machine on which its scenarios run in order. A scenario notes what it saw that
must not depend on the hypervisor; the notes of the reference are kept, and a difference from them is a failure. Where a
plain ./dev test has no time to run a batch on the reference, its notes were recorded (recorded/BATCH.json) and hold until
it is run there again, which fails if it notes anything else."""

import argparse
import json
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
        self.only, self.record, self.recorded = options.only, options.record, Recorded(options.batch)
        self.machine = None
        self.notes = []

    def wants(self, scenario):
        """Whether it is to run: chosen on the command line, and not one that stops this hypervisor's emulator."""
        chosen = not self.only or scenario_name(scenario) in self.only
        return chosen and self.name not in getattr(scenario, 'not_on', ())

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
    parser.add_argument('--record', action='store_true', help='keep the notes with the sources: for the reference')
    parser.add_argument('--only', nargs='+', help='run these scenarios alone')
    options = parser.parse_args()
    if options.record and options.name != 'reference':
        parser.error('--record is for the reference: what it notes is what others are compared with')
    return options


def scenario_name(scenario):
    return scenario.__name__.replace('_', '-')


class Recorded:
    """The notes of the reference for one batch that are kept with the sources."""

    def __init__(self, batch):
        self.path = f'{os.path.dirname(os.path.abspath(__file__))}/recorded/{batch}.json'
        self.notes = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.notes = json.load(file)

    def keep(self, scenario, lines):
        self.notes[scenario] = lines
        with open(f'{self.path}.new', 'w') as file:
            json.dump(self.notes, file, indent=1, sort_keys=True)
            file.write('\n')
        os.replace(f'{self.path}.new', self.path)


def expected_notes(rig, own, scenario):
    """What the reference noted in this build or, for the reference itself and where that has not run, as recorded; or None."""
    live = own.replace(f'/{rig.name}/', '/reference/')
    if rig.name != 'reference' and os.path.exists(live):
        with open(live) as file:
            return file.read().splitlines()
    return rig.recorded.notes.get(scenario)


def compare(rig, evidence, scenario):
    """The difference between these notes and the reference's, or None."""
    own = f'{evidence}/{scenario}.notes'
    text = ''.join(f'{note}\n' for note in rig.notes)     # a note may have several lines
    with open(own, 'w') as file:
        file.write(text)
    noted = text.splitlines()
    if rig.record and noted:
        rig.recorded.keep(scenario, noted)
    expected = expected_notes(rig, own, scenario)
    if expected is None:
        return None if rig.name == 'reference' or not noted else \
            'there are no notes of the reference to compare with; run its batch first'
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
    scenarios = [scenario for scenario in boot.scenarios if rig.wants(scenario)]
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
