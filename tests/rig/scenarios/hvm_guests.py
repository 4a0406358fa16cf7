"""The test kernels as guests that the toolstack makes: those of tests/guests/hvm as PVH guests, which tell their verdict by
port 0xe9, whose text the hypervisor logs; those of tests/guests as PV guests without privilege, on their console. An
expectation holds on the reference too, so SUCCESS on both is the comparison.

They run on SVM in QEMU and on VT-x in Bochs, from a Domain-0 in a RAM disk that runs one after the other (domain0/kernels)."""

import os
import re

import hostile
import ramdisk
from bochs import KERNEL_OPTIONS, Bochs
from guests import HERE
from machine import REFERENCE_OPTIONS, Machine, patience
from medium import HYPERVISOR_OPTIONS, Medium

PV_SOURCES = f'{HERE}/../guests'
SOURCES = f'{PV_SOURCES}/hvm'
LIMIT = 20     # seconds for one kernel on an idle machine
PRIVILEGED = {'domain-life', 'failsafe', 'longest-run'}   # make domains, stay on one processor, or count what one hypercall costs: as Domain-0 alone
PARTNERED = {'hostile-caller'}   # kernels that need other guests about them, and that are built as PV and as HVM kernels
PROBLEM = r'PANIC|Panic on CPU|Kernel panic'
ELSEWHERE = {'hypercall-fuzz'}   # fuzz.py runs these
VERDICT = re.compile(r'^(?:.*\bd\d+(?:v\d+)?\b.* )?Test result: (SUCCESS|FAILURE|ERROR|SKIP)\b', re.M)
POWER_OFF, REBOOT, CRASH = '0', '1', '3'      # reason codes of a domain's end
ANY_END = '.*'
# The hypervisor may end such a guest or give it a fault, as it can; one of them is in the log.
DIES = {'reason': '[013]', 'log': r'crashed|[Tt]riple fault|unexpected trap', 'seconds': 10}


def image_of(kernel, kind):
    if kind == 'pvh':
        return f'guests/hvm/hvm-{kernel}'
    return f'guests/pv-{kernel}' if kernel in PARTNERED else f'guests/guest-{kernel}'


class Run:
    """One start of a kernel. How it must end: `reason` is a pattern; `log` is what the hypervisor must log of a guest that
    tells no verdict. A run without end is ended after `seconds`. `reference_on` are the platforms on which the reference
    runs it too."""

    def __init__(self, kernel, case='', vcpus=1, reason=POWER_OFF, log=None, seconds=60, platforms=('tcg', 'bochs'),
                 reference_on=('tcg', 'bochs'), tsc='default', kind='pvh'):
        self.name, self.kernel, self.case, self.vcpus = f'{kernel}-{case}'.rstrip('-'), kernel, case, vcpus
        self.kind, self.name = kind, self.name if kind == 'pvh' else f'{kind}-{self.name}'
        self.image = image_of(kernel, kind)
        self.reason, self.log, self.seconds = reason, log, seconds
        self.platforms, self.reference_on, self.tsc = platforms, reference_on, tsc


SPECIAL = [
    # QEMU 7.2 does not leave a guest at XSETBV: the reference tells the size that it saw when the guest last ran elsewhere.
    Run('cpuid', reference_on=('bochs',)),
    Run('ipi', vcpus=2),
    Run('vectors', vcpus=2),
    Run('tsc', 'default'),
    Run('tsc', 'emulated', tsc='always_emulate'),
    Run('tsc', 'native', tsc='native'),
    # QEMU 7.2 hangs in page tables of 32-bit code under nested paging.
    Run('pae', platforms=('bochs',)),
    Run('paging-32', platforms=('bochs',)),
    Run('programs', reference_on=()),  # not tried there
    Run('fatal', 'without-tables', reason=REBOOT, log='[Tt]riple fault'),
    Run('fatal', 'tables-in-hole', **DIES),
    Run('fatal', 'stack-in-hole', **DIES),
    Run('fatal', 'page-tables-in-hole', **DIES),
    Run('fatal', 'page-tables-nowhere', **DIES),
    Run('fatal', 'code-in-hole', **DIES),
    # Bochs ends when code is fetched from VT-x's APIC-access page, which the reference uses.
    Run('fatal', 'code-in-apic', reference_on=('tcg',), **DIES),
    Run('fatal', 'halted', log='Test: fatal'),
    Run('fatal', 'crash', reason=CRASH, log='Test: fatal'),
    Run('fatal', 'reboot', reason=REBOOT, log='Test: fatal'),
] + [Run('wild', f'{mode}-{seed}', reason=ANY_END, log='Test: wild', seconds=5) for mode in ('long', 'real') for seed in range(4)]
PV_RUNS = [Run(name, vcpus=2, platforms=('tcg',), kind='pv') for name in os.listdir(PV_SOURCES)
           if os.path.exists(f'{PV_SOURCES}/{name}/main.c') and name not in PARTNERED | PRIVILEGED | ELSEWHERE]
PARTNERED_RUNS = [Run('hostile-caller', vcpus=2, platforms=('tcg',), kind=kind) for kind in ('pv', 'pvh')]
RUNS = sorted([Run(name) for name in os.listdir(SOURCES) if os.path.exists(f'{SOURCES}/{name}/main.c')
               and name not in {run.kernel for run in SPECIAL}] + SPECIAL + PV_RUNS + PARTNERED_RUNS, key=lambda run: run.name)


class KernelsBoot:
    """One power-on for kernels of a platform. `judge` is given the hostile caller's log; `policy` is a compiled one's path in the
    build, which the machine starts with; `more` are files for Domain-0, which runs /after of them; `end` is what follows the kernels."""

    def __init__(self, platform, runs=None, name=None, judge=hostile.note_table, policy=None, more=lambda rig: {}, end=None):
        self.name, self.platform, self.ready = name or f'kernels-{platform}', platform, toolstack_up
        self.runs = [run for run in runs or RUNS if platform in run.platforms]
        self.scenarios = [scenario(run, platform, judge) for run in self.runs] + (end or [power_off])
        self.policy, self.more = policy, more

    def machine(self, rig, evidence):
        reference = os.path.basename(rig.hypervisor) == 'reference.elf'
        folder = f'{rig.build}/tests/rig/{self.name}-{rig.name}'
        wanted = [run for run, checks in zip(self.runs, self.scenarios) if rig.wants(checks)]
        files = {f'kernels/{os.path.basename(run.image)}': f'{rig.build}/tests/{run.image}' for run in wanted}
        if any(run.kernel in PARTNERED for run in wanted):
            files['kernels/partner'] = f'{rig.build}/tests/{image_of("version", "pv")}'
        files |= self.more(rig)
        os.makedirs(folder, exist_ok=True)
        with open(f'{folder}.list', 'w') as file:
            for run in wanted:
                file.write(f'{run.name} {os.path.basename(run.image)} {run.kind} {run.vcpus} {run.seconds} {run.tsc} '
                           f'platform={self.platform} case={run.case} hypervisor={"reference" if reference else "ours"}\n')
        kernel, disk = ramdisk.build(rig.images, folder, 'kernels', {**files, 'kernels/list': f'{folder}.list'})
        options = f'{HYPERVISOR_OPTIONS} dom0_mem=512M,max:512M{f" {REFERENCE_OPTIONS} sync_console" if reference else ""}'
        medium = Medium(rig.hypervisor, options, kernel, f'console=hvc0 quiet rdinit=/init {KERNEL_OPTIONS}', disk,
                        policy=self.policy and f'{rig.build}/{self.policy}')
        return (Bochs if self.platform == 'bochs' else Machine)(medium, evidence, memory=1024)


def toolstack_up(rig):
    """Domain-0 starts the toolstack."""
    machine = rig.machine
    machine.expect('^RIG: toolstack up$', 120 * machine.patience, PROBLEM)
    machine.patience = max(machine.patience, patience(machine.age(), 8))


def scenario_name(run):
    return f'kernel-{run.name}'


def scenario(run, platform, judge):
    def check_run(rig):
        machine = rig.machine
        machine.expect(f'^RIG: {run.name} begins$', LIMIT * machine.patience, PROBLEM)
        start = machine.position
        end = machine.expect(f'^RIG: {run.name} ends: (.*)\n', LIMIT * machine.patience, PROBLEM)[1]
        log = machine.log()[start:machine.position]
        tail = '\n'.join(log.splitlines()[-25:])
        rig.check(re.fullmatch(run.reason, end), f'it ended with reason code {end}:\n{tail}')
        if run.log:
            rig.check(re.search(run.log, log), f'no line with "{run.log}":\n{tail}')
            return
        verdict = VERDICT.search(log)
        rig.check(verdict and verdict[1] == 'SUCCESS', tail)
        if run.kernel == 'hostile-caller':
            judge(rig, run.kind, log)
    check_run.__name__ = scenario_name(run)
    check_run.__doc__ = f'Kernel {run.name}.'
    check_run.not_on = () if platform in run.reference_on else ('reference',)
    return check_run


def power_off(rig):
    """All guests are gone; Domain-0 switches the machine off."""
    rig.note('domains', rig.machine.expect('^RIG: domains: (.*)\n', LIMIT * rig.machine.patience, PROBLEM)[1].strip())
    if rig.machine.qmp:     # Bochs stays on
        rig.machine.wait_off(LIMIT * rig.machine.patience)


BOOTS = [KernelsBoot('tcg')]
BOCHS_BOOTS = [KernelsBoot('bochs')]
