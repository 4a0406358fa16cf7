"""Runs one batch of scenarios (scenarios/) on one hypervisor and reports in TAP (Test Anything Protocol).

A batch is a list of boots; a boot is a machine on which its scenarios run in order. A scenario notes what it saw that
must not depend on the hypervisor; the notes of the reference are kept, and a difference from them is a failure. Where a
plain ./dev test has no time to run a batch on the reference, its notes were recorded (recorded/BATCH.json) and hold until
it is run there again, which fails if it notes anything else."""

import argparse
import os
import signal
import sys
import traceback

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'scenarios'))
import bad_boot
import desktops
import emulator
import firmware
import fuzz
import hvm
import hvm_desktop
import hvm_guests
import installed
import kill_sweep
import life
import media
import notes
import policies
import pool
import power_on
import sound
import switch
import toolstack
import vtx
from machine import RigError
from medium import MediumError

BATCHES = {'toolstack': toolstack.BOOTS, 'boot': power_on.BOOTS, 'bad-boot': bad_boot.BOOTS,
           'switch': switch.BOOTS, 'sound': sound.BOOTS, 'desktops': desktops.BOOTS,
           'hvm': hvm.BOOTS, 'hvm-more': hvm.LONG_BOOTS, 'hvm-guests': hvm_guests.BOOTS, 'firmware': firmware.BOOTS,
           'hvm-desktop': hvm_desktop.BOOTS, 'bochs': vtx.BOOTS, 'bochs-guests': hvm_guests.BOCHS_BOOTS,
           'life': life.BOOTS, 'pool': pool.BOOTS, 'policies': policies.BOOTS, 'medium': media.BOOTS, 'installed': installed.BOOTS,
           'kill-sweep': kill_sweep.BOOTS + hvm_desktop.KILL_BOOTS, 'fuzz': fuzz.BOOTS, 'soak': fuzz.SOAK_BOOTS}


class Rig:
    """What a scenario gets: the running machine, and a place for its notes."""

    def __init__(self, options):
        self.build, self.name, self.hypervisor = options.build, options.name, options.hypervisor
        self.images, self.evidence = f'{options.build}/images', f'{options.build}/test-evidence'
        self.only, self.record, self.recorded = options.only, options.record, notes.Recorded(options.batch)
        self.qemu = emulator.machine(options.build) if options.name != 'reference' else emulator.PACKAGED_MACHINE
        self.machine = None
        self.notes, self.running = [], None     # of the running scenario; it and where its evidence goes

    def wants(self, scenario):
        """Whether it is to run: chosen on the command line, and not one that stops this hypervisor's emulator."""
        chosen = not self.only or scenario_name(scenario) in self.only
        return chosen and self.name not in getattr(scenario, 'not_on', ())

    def note(self, what, value):
        """Notes something that must be the same on every hypervisor."""
        self.notes.append(f'{what}: {value}')

    def reference_notes(self):
        """What the running scenario noted on the reference, or None."""
        scenario, evidence = self.running
        live = of_reference(self, f'{evidence}/{scenario_name(scenario)}.notes')
        return expected_notes(self, live, scenario, notes.key_of_build(self.images, scenario))[0]

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
        return 1 if self.failed or not self.count else 0


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
    known = {scenario_name(scenario) for boot in BATCHES[options.batch] for scenario in boot.scenarios}
    unknown = set(options.only or ()) - known
    if unknown:
        parser.error(f'batch {options.batch} has no scenario {", ".join(sorted(unknown))}; it has {", ".join(sorted(known))}')
    return options


def scenario_name(scenario):
    return scenario.__name__.replace('_', '-')


def of_reference(rig, path):
    """Where the reference keeps what this run keeps at `path`. The folders above may have any name, ours too."""
    return f'{rig.evidence}/reference/{os.path.relpath(path, f"{rig.evidence}/{rig.name}")}'


def expected_notes(rig, live, scenario, build_key):
    """(what the reference noted in this build or else as recorded, why there is nothing to compare with)."""
    lines, stale = notes.read(live, build_key) if rig.name != 'reference' else (None, None)
    if lines is not None:
        return lines, None
    lines, missing = rig.recorded.lines(scenario_name(scenario), notes.key_of(scenario))
    return lines, stale or missing


def compare(rig, evidence, scenario):
    """What is wrong with these notes: the difference from the reference's, or that there is nothing to compare with."""
    name, build_key = scenario_name(scenario), notes.key_of_build(rig.images, scenario)
    own = f'{evidence}/{name}.notes'
    noted = ''.join(f'{note}\n' for note in rig.notes).splitlines()     # a note may have several lines
    notes.write(own, build_key, noted)
    if rig.record and noted:
        rig.recorded.keep(name, notes.key_of(scenario), noted)
    if rig.name == 'reference' and name not in rig.recorded.scenarios:
        return None
    expected, missing = expected_notes(rig, of_reference(rig, own), scenario, build_key)
    if expected is None:
        return missing if noted or rig.name == 'reference' else None
    return notes.difference(rig.name, expected, noted)


def run_scenario(rig, scenario, evidence):
    rig.notes, rig.running = [], (scenario, evidence)
    try:
        scenario(rig)
        return compare(rig, evidence, scenario)
    except RigError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()


def keep_evidence(machine, name):
    """What may explain a failure: the screen, and Domain-0's kernel log."""
    if not machine.running() or not machine.qmp:    # Bochs: its Domain-0 has told all on the console
        return
    machine.screenshot(f'{name}.png')
    if not machine.takes_commands:
        return
    try:
        text = machine.run('dmesg | tail -50; xl list; xl dmesg | tail -50', 60, check=False)[1]
    except RigError as error:
        text = str(error)
    with open(f'{machine.evidence}/{name}.log', 'w') as file:
        file.write(text)


def took(machine, age=0, busy=0):
    """How long, and how much of the processors: what is left between the two was waiting, or for others' work."""
    used = machine.busy() - busy
    return f'{machine.age() - age:.0f} s' + (f', {used:.0f} busy' if used > 0 else '')


def switch_on(rig, boot, report, folder):
    """Starts the boot's machine and waits until it is ready. (the machine, what is wrong with it), or None if there is none."""
    try:
        rig.machine = boot.machine(rig, folder).start()
    except (RigError, MediumError) as error:
        report.result(f'{boot.name}: power on', str(error))
        return None
    try:
        return rig.machine, run_scenario(rig, boot.ready, folder)
    except BaseException:
        rig.machine.stop()
        raise


def switch_on_or_again(rig, boot, report, folder):
    """The same, once more where the emulator failed an assertion of its own: that says nothing about what runs in it."""
    there = switch_on(rig, boot, report, folder)
    fault = there and there[1] and there[0].emulators_fault()
    if not fault:
        return there
    print(f'# {boot.name}: started once more, for the emulator ended: {fault}', flush=True)
    there[0].stop()
    return switch_on(rig, boot, report, folder)


def run_boot(rig, boot, report, evidence):
    scenarios = [scenario for scenario in boot.scenarios if rig.wants(scenario)]
    if not scenarios:
        return
    folder = f'{evidence}/{boot.name}'
    os.makedirs(folder, exist_ok=True)
    there = switch_on_or_again(rig, boot, report, folder)
    if not there:
        return
    machine, problem = there
    try:
        report.result(f'{boot.name}: ready after {took(machine)}', problem)
        for scenario in [] if problem else scenarios:
            before = machine.age(), machine.busy()
            problem = run_scenario(rig, scenario, folder)
            if problem:
                keep_evidence(machine, scenario.__name__)
            report.result(f'{boot.name}: {scenario.__doc__.splitlines()[0].rstrip(".")} ({took(machine, *before)})', problem)
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
    evidence = f'{rig.evidence}/{options.name}/{options.batch}'
    for boot in BATCHES[options.batch]:
        run_boot(rig, boot, report, evidence)
    print(f'# evidence: {evidence}')
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
