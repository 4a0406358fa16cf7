"""Boots the test kernels as Domain-0 under QEMU and reports their verdicts in TAP; the last line is "N passed, N failed".

One boot medium holds every kernel; which one runs is told to GRUB by the machine's SMBIOS strings. With --reference each
kernel runs on the reference hypervisor too, and a different verdict is a failure. SKIP is neither passed nor failed."""

import argparse
import concurrent.futures
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'rig'), os.path.join(HERE, '..', '..', 'installer', 'media')]
import emulator
import medium

OURS = {'roundhouse': 'roundhouse.elf', 'checked': 'roundhouse-checked.elf'}
PACKAGED_REFERENCE = '/boot/xen-4.17-amd64.gz'
COUNTED = {'longest-run'}     # the emulator counts instructions, and its clock is that count
MODULES = 'multiboot2 smbios normal iso9660 biosdisk part_msdos test echo'
CONFIG = '''set timeout=0
smbios --type 1 --get-string 4 --set hypervisor
smbios --type 1 --get-string 5 --set kernel
multiboot2 /boot/$hypervisor console=com1 com1=115200 loglvl=warning guest_loglvl=none dom0_mem=64M,max:64M dom0_max_vcpus=2 noreboot OPTIONS
module2 /boot/$kernel
boot
'''
VERDICT = re.compile(r'Test result: (SUCCESS|FAILURE|ERROR|SKIP)\b(.*)')
VERDICT_LINE = re.compile(VERDICT.pattern + r'\n')
CRASH = re.compile(r'Roundhouse stops: .*|Panic on CPU.*|hypervisor panic.*|domain_crash.*|Domain 0 crashed.*|Domain-0 crashed.*|'
                   r'Cannot start Domain-0.*|Triple fault')


def unpacked(path, folder):
    """The image, or the copy in `folder` of one that is packed."""
    if not path.endswith('.gz'):
        return path
    copy = f'{folder}/{os.path.basename(path)[:-3]}'
    with gzip.open(path) as packed, open(copy, 'wb') as out:
        shutil.copyfileobj(packed, out)
    return copy


def make_medium(folder, hypervisors, kernels, options):
    files = {f'boot/{name}': unpacked(path, folder) for name, path in hypervisors.items()}
    for name, path in kernels.items():
        files[f'boot/{name}'] = f'{folder}/{name}.stripped'
        subprocess.run(['objcopy', '--strip-debug', path, files[f'boot/{name}']], check=True)
    try:
        medium.write(f'{folder}/boot.iso', CONFIG.replace('OPTIONS', options), files, small=True, grub_modules=MODULES)
    except medium.MediumError as error:
        sys.exit(str(error))
    return f'{folder}/boot.iso'


def read(path):
    with open(path, errors='replace') as file:
        return file.read().replace('\r', '')


def start_of(qemu, iso, hypervisor, kernel, smp):
    """The command that starts a machine from the medium, its console on standard output: this kernel on this hypervisor."""
    return [*qemu, '-m', '512', '-smp', str(smp), '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot', '-nic', 'none',
            '-smbios', f'type=1,manufacturer={hypervisor},product={kernel}', '-cdrom', iso, '-boot', 'd']


def boot(qemu, iso, hypervisor, kernel, smp, limit):
    """Returns (verdict, its reason, the whole console)."""
    log = f'{os.path.dirname(iso)}/{kernel}-{hypervisor}'
    command = start_of(qemu, iso, hypervisor, kernel, smp) + ['-d', 'cpu_reset', '-D', f'{log}.resets']
    if kernel in COUNTED:
        command += ['-icount', 'shift=0,sleep=off']
    with open(log, 'wb') as out:
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    deadline = time.monotonic() + limit
    try:
        while machine.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            # The reference cannot switch the machine off without ACPI data from Domain-0: its verdict is its end.
            if hypervisor == 'reference' and VERDICT_LINE.search(read(log)):
                break
        late = machine.poll() is None and time.monotonic() >= deadline
    finally:
        if machine.poll() is None:
            machine.kill()
        machine.wait()
    console = read(log)
    resets = [line for line in read(f'{log}.resets').splitlines() if CRASH.search(line)]
    return (*judge('\n'.join([console, *resets]), f'not switched off after {limit} s' if late else None), console)


def judge(console, late):
    """(verdict, its reason). What the kernel says of itself holds only if nothing crashed and the machine ended."""
    crash = CRASH.search(console)
    if crash:
        return 'CRASH', crash.group(0)
    if late:
        return 'HANG', late
    found = VERDICT.findall(console)
    return (found[-1][0], found[-1][1].strip()) if found else ('CRASH', 'no verdict')


def explain(console):
    """The lines of the test kernel that say what went wrong, or the end of the console."""
    lines = [line for line in console.splitlines() if line.startswith('FAIL ') or 'Test result' in line]
    return lines or [line for line in console.splitlines() if 'warning: TCG' not in line][-25:]


def reference_image(options):
    candidates = [options.reference] if options.reference else [f'{options.build}/images/reference.elf', PACKAGED_REFERENCE]
    for path in candidates:
        if os.path.exists(path):
            return path
    sys.exit(f'there is no reference hypervisor to compare with: fetch it by "uivm/image/build {options.build} reference" or give its path; '
             '--only roundhouse compares with nothing')


def hypervisors_of(options):
    """{name: image} of what the kernels run on."""
    if options.only and options.compare or options.only in OURS and options.reference is not None:
        sys.exit(f'--only {options.only} leaves nothing to compare')
    images = {name: f'{options.build}/hypervisor/{file}' for name, file in OURS.items() if options.only in (None, name)}
    if options.only == 'reference' or options.compare or options.reference is not None:
        images['reference'] = reference_image(options)
    return images


def kernels_of(options):
    """{name: image} of the kernels that are to run."""
    folder = f'{options.build}/tests/guests'
    kernels = {name[6:]: f'{folder}/{name}' for name in sorted(os.listdir(folder)) if name.startswith('guest-') and not name.endswith('.p')}
    unknown = set(options.kernel) - set(kernels)
    if unknown:
        sys.exit(f'there is no test kernel {", ".join(sorted(unknown))}; there are: {", ".join(kernels)}')
    return {name: path for name, path in kernels.items() if not options.kernel or name in options.kernel}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', default='build')
    parser.add_argument('--reference', nargs='?', const='', help='also run on the reference; its image')
    parser.add_argument('--only', choices=[*OURS, 'reference'], help='checked: our build that checks its locks')
    parser.add_argument('--compare', action='store_true', help='with the reference, as --reference does')
    parser.add_argument('--smp', type=int, default=2)
    parser.add_argument('--limit', type=int, default=60, help='seconds for one kernel')
    parser.add_argument('--at-once', type=int, default=2, help='machines side by side: each is mostly busy with one processor')
    parser.add_argument('--hypervisor-options', default='', help='added to the command line, as guest_loglvl=all')
    parser.add_argument('--first', action='store_true', help='start no other kernel once one has failed')
    parser.add_argument('--tap', action='store_true', help='nothing but TAP, for meson')
    parser.add_argument('--verbose', action='store_true', help='whole consoles')
    parser.add_argument('kernel', nargs='*')
    return parser.parse_args()


def main():
    options = arguments()
    hypervisors, kernels = hypervisors_of(options), kernels_of(options)
    folder = tempfile.mkdtemp(prefix='guests-')
    try:
        run_all(make_medium(folder, hypervisors, kernels, options.hypervisor_options), hypervisors, kernels, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_on_each(qemu, iso, hypervisors, kernel, options):
    """{hypervisor: (verdict, its reason, the whole console)}."""
    return {name: boot(qemu, iso, name, kernel, options.smp, options.limit) for name in hypervisors
            if name != 'checked' or kernel not in COUNTED}   # its checks are instructions too


def tell(number, kernel, results, verbose):
    """Prints the point of one kernel; what it is counted as."""
    verdicts = {result[0] for result in results.values()}
    kind = 'passed' if verdicts == {'SUCCESS'} else 'skipped' if verdicts <= {'SKIP'} else 'failed'
    text = ', '.join(f'{name} {result[0]}{" " + result[1] if result[1] else ""}' for name, result in results.items())
    print(f'{"not ok" if kind == "failed" else "ok"} {number} - {kernel}: {text}{" # SKIP" if kind == "skipped" else ""}', flush=True)
    for name, result in results.items():
        if verbose or result[0] not in ('SUCCESS', 'SKIP'):
            for line in result[2].splitlines() if verbose else explain(result[2]):
                print(f'# {name}: {line}', flush=True)
    return kind


def run_all(iso, hypervisors, kernels, options):
    qemu, kinds = emulator.machine(options.build), []
    print(f'1..{len(kernels)}')
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        results = pool.map(lambda kernel: run_on_each(qemu, iso, hypervisors, kernel, options), kernels)
        for number, (kernel, result) in enumerate(zip(kernels, results), 1):
            kinds.append(tell(number, kernel, result, options.verbose))
            if options.first and kinds[-1] == 'failed':
                pool.shutdown(wait=False, cancel_futures=True)
                break
    passed, failed, skipped = (kinds.count(kind) for kind in ('passed', 'failed', 'skipped'))
    print(f'{"# " if options.tap else ""}{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
