"""Boots our build for tests with faults made on purpose (core/provoke.c) and looks for what must stop each, in TAP."""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'rig'))
import emulator
import run

# The fault, and what the dump has to say.
FAULTS = {
    'stack': ['Roundhouse stops: stack of CPU 0 run over', 'on CPU 0', 'run_over', 'backtrace:', 'the machine is halted'],
    'other-stack': ['Roundhouse stops: stack of CPU 1 run over', 'run_over', 'the machine is halted'],
    'canary': ['Roundhouse stops: a function wrote beyond an array on its stack: canary+', 'provoke_fault+', 'the machine is halted'],
    'guest-page': ['Roundhouse stops: page fault at 0xffff800000000000 (error 1) in the hypervisor', 'guest_page+'],
    'lock-order': ['Roundhouse stops: lock DOMAIN is waited for while lock PAGE_TABLES is held: against the order',
                   'CPU 0 holds lock PAGE_TABLES'],
    'undefined': ['Roundhouse stops: invalid opcode', 'undefined'],
}


def boot(qemu, iso, fault, limit):
    """The console of a boot with this fault, to the end of the dump."""
    log = f'{os.path.dirname(iso)}/console-{fault}'
    with open(log, 'wb') as out:
        machine = subprocess.Popen(run.start_of(qemu, iso, 'checked', fault, 2), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    deadline = time.monotonic() + limit
    try:
        while machine.poll() is None and time.monotonic() < deadline and 'the machine is halted' not in run.read(log):
            time.sleep(0.05)
    finally:
        machine.kill()
        machine.wait()
    return run.read(log)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', default='build')
    parser.add_argument('--limit', type=int, default=120, help='seconds for one boot')
    options = parser.parse_args()
    qemu = emulator.machine(options.build)
    folder = tempfile.mkdtemp(prefix='dumps-')
    failed = 0
    try:
        kernel = f'{options.build}/tests/guests/guest-version'
        iso = run.make_medium(folder, {'checked': f'{options.build}/hypervisor/roundhouse-checked.elf'},
                                 dict.fromkeys(FAULTS, kernel), 'provoke=$kernel')
        print(f'1..{len(FAULTS)}')
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            consoles = list(pool.map(lambda fault: boot(qemu, iso, fault, options.limit), FAULTS))
        for number, ((fault, wanted), console) in enumerate(zip(FAULTS.items(), consoles), 1):
            missing = [text for text in wanted if text not in console]
            failed += bool(missing)
            print(f'{"not ok" if missing else "ok"} {number} - {fault}', flush=True)
            for line in [f'not said: {text}' for text in missing] + (console.splitlines()[-40:] if missing else []):
                print(f'# {line}')
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
