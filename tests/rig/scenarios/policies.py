"""A machine that is started with each of the shipped policies: what the hostile caller is answered differs from what it is answered
without a policy where policy_differences.toml says so and nowhere else, and stock xl reads, sets and loads what is in force."""

import re

import hostile
from guests import HERE
from hvm_guests import LIMIT, PARTNERED_RUNS, PROBLEM, KernelsBoot

SHIPPED = ('default', 'separated', 'managed', 'kiosk')
LISTED = f'{HERE}/policy_differences.toml'
without = {}    # what the hostile caller of a kind of guest was answered on the machine without a policy


def keep(rig, kind, log):
    without[kind] = hostile.full_table(rig, log)


def compare(rig, kind, log):
    rig.check(kind in without, 'there is nothing to compare with: the machine without a policy did not come so far')
    hostile.check(rig, hostile.full_table(rig, log), without[kind], kind, LISTED)


def tables(rig):
    """For Domain-0: what it runs after the kernels, the tables that it loads, and one that lacks its end."""
    whole, truncated = f'{rig.build}/policies/default.table', f'{rig.build}/tests/rig/truncated.table'
    with open(whole, 'rb') as source, open(truncated, 'wb') as file:
        file.write(source.read()[:-100])
    return {'after': f'{HERE}/domain0/policies', 'policies/truncated.table': truncated, 'policies/default.table': whole,
            'policies/kiosk.table': f'{rig.build}/policies/kiosk.table'}


def step(rig, name, wanted):
    """A step's line: how the command ended (xl getenforce ends with the mode), and what it said."""
    told = rig.machine.expect(f'^RIG: {name}: (.*)\n', LIMIT * rig.machine.patience, PROBLEM)[1].strip()
    rig.check(re.fullmatch(wanted, told), f'{name}: {told}')


def no_policy(rig):
    """xl says that there is no policy, and loads one that is in force from then on."""
    step(rig, 'mode', '255 Flask XSM Disabled')
    step(rig, 'first', '0 Successfully loaded policy.')
    step(rig, 'mode-last', '1 Enforcing')


def policy_in_force(rig):
    """xl says that a policy is in force, lets it be told only and enforced again, and gives guests labels that the policy knows."""
    step(rig, 'mode', '1 Enforcing')
    step(rig, 'told-only', '0')
    step(rig, 'mode-then', '0 Permissive')
    step(rig, 'enforced', '0')
    step(rig, 'desktop', '0')
    step(rig, 'desktop-label', '0 desktop desktop')
    step(rig, 'laptop-label', '0 Domain-0 laptop')
    step(rig, 'nobody', '1 .*Invalid init_seclabel: guest:nobody')


def policy_replaced(rig):
    """A truncated table is refused with a line that says so, and a good one takes the place of that in force."""
    start = rig.machine.position
    step(rig, 'truncated', '255 Unable to load new Flask policy.*')
    step(rig, 'other', '0 Successfully loaded policy.')
    step(rig, 'mode-last', '1 Enforcing')
    log = rig.machine.log()[start:rig.machine.position]
    rig.check('policy refused: cut off' in log, f'no line says why the table was refused:\n{log}')


def power_off(rig):
    """All guests are gone; Domain-0 switches the machine off."""
    step(rig, 'domains', 'Domain-0 0')
    rig.machine.wait_off(LIMIT * rig.machine.patience)


BOOTS = [KernelsBoot('tcg', PARTNERED_RUNS, 'policy-none', keep, more=tables, end=[no_policy, power_off])] + [
    KernelsBoot('tcg', PARTNERED_RUNS, f'policy-{policy}', compare, f'policies/{policy}.table', tables,
                [policy_in_force, policy_replaced, power_off]) for policy in SHIPPED]
