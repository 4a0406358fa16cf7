"""The HVM test kernels (tests/guests/hvm): each is started by xl as a PVH guest and tells its verdict by port 0xe9, whose
text the hypervisor logs. An expectation holds on the reference too, so SUCCESS on both is the comparison."""

import os
import re

from boots import Boot, power_off
from guests import HVM_KERNELS
from machine import RigError

LIMIT = 20     # seconds for one kernel on an idle machine
VERDICT = re.compile(r'Test result: (SUCCESS|FAILURE|ERROR|SKIP)\b(.*)')
SECONDS = {'ipi': 2, 'vectors': 2}                 # kernels with two vcpus
# Kernels that end otherwise than by switching themselves off: xl's reason code of the shutdown, what the log must say.
ENDS = {}
POWER_OFF, REBOOT, CRASH = 0, 1, 3


def attempt(rig, name):
    """Runs a kernel: (what xl said, the lines it wrote, what else was logged of it)."""
    machine = rig.machine
    limit = int(LIMIT * machine.patience)
    said = machine.run(
        f"cat >/tmp/{name}.cfg <<'END'\nname=\"{name}\"\ntype=\"pvh\"\nmemory=16\nvcpus={SECONDS.get(name, 1)}\n"
        f'kernel="/mnt/hvm/{name}"\ncmdline="platform={rig.platform}"\n'
        'on_poweroff="destroy"\non_reboot="destroy"\non_crash="destroy"\nEND\n'
        f'xl dmesg -c >/dev/null; timeout {limit} xl create -F /tmp/{name}.cfg 2>&1; xl destroy {name} 2>/dev/null; '
        'echo; xl dmesg', LIMIT + 10, check=False)[1]
    domain = re.search(r'\(domid (\d+)\)', said)
    if not domain:
        raise RigError(f'{name} was not created:\n{said[-1500:]}')
    wrote = [line.split(f'(d{domain[1]}) ', 1)[1] for line in said.splitlines() if f'(d{domain[1]}) ' in line]
    return said, wrote, said.splitlines()


def kernel(name):
    def scenario(rig):
        said, wrote, log = attempt(rig, name)
        print('# ' + '\n# '.join(log))
        end = re.search(r'has shut down, reason code (\d+)', said)
        rig.check(end, f'not ended after {LIMIT} s:\n' + '\n'.join(log[-20:]))
        reason, needed = ENDS.get(name, (POWER_OFF, None))
        text = '\n'.join(wrote)
        rig.check(int(end[1]) == reason, f'ended with reason code {end[1]}:\n' + '\n'.join(log[-20:]))
        if needed:
            rig.check(any(re.search(needed, line) for line in log), f'no line with "{needed}":\n' + '\n'.join(log[-20:]))
            return
        verdict = VERDICT.search(text)
        rig.check(verdict and verdict[1] == 'SUCCESS', text or 'it wrote nothing')
    scenario.__name__ = f'hvm_{name}'.replace('-', '_')
    scenario.__doc__ = f'Kernel {name}.'
    return scenario


def toolstack(rig):
    """Domain-0's shell and the toolstack."""
    from boots import toolstack_ready
    rig.platform = 'tcg'
    toolstack_ready(rig)


BOOTS = [Boot('kernels', [kernel(name) for name in HVM_KERNELS] + [power_off], ready=toolstack)]
