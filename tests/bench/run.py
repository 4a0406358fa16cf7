"""./dev bench: measures our hypervisor and Debian's reference in one run, on emulated machines whose clocks count instructions.

With `-icount shift=0,sleep=off` QEMU's clocks advance one nanosecond for each instruction, and jump over idle time.
So times read inside the machine are numbers of instructions and do not depend on how busy the host is; where the machine
waits for devices or for another domain they differ a little from run to run (a hand-off by 0.002 %, exec by 1 %). preface.md says
what they do not show. Prints a table, writes build/bench.json, and judges nothing: a ratio is ours / reference, and each one
above 1.0 is named at the end."""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'rig'), os.path.join(HERE, '..', '..', 'installer', 'media')]

import figures
import initramfs
import kept
import machines
import medium
import screen
import stamp
import unpack_kernel
from machine import RigError
from medium import Medium, MediumError

# An HVM guest's lines come through the hypervisor's log, which puts time and domain before them.
FROM_GUEST = r'(?:\(XEN\) )?(?:\[[^]]*\] )?(?:\(d\d+\) |d\d+v\d+: )?'
RESULT = re.compile(rf'^{FROM_GUEST}BENCH (\w+) (\d+)\s*$', re.M)
END = re.compile(rf'^BENCH end |^{FROM_GUEST}BENCH-ERROR|^Test result: ERROR|[Pp]anic on CPU|hypervisor panic|Cannot start Domain-0', re.M)

class Bench:
    """All that is measured on one machine (machines.py)."""

    def __init__(self, options, machine):
        self.build, self.out = options.build, f'{options.build}/bench'
        os.makedirs(self.out, exist_ok=True)
        self.limit = options.limit
        self.machine = machine(self.out, options.limit)
        self.kernel = f'{self.build}/images/uivm.img.vmlinuz'
        self.ramdisk = f'{self.build}/images/uivm.img.initrd'

    def cached(self, name, sources, make):
        """A file made by make(path) from `sources`, and again only when one of them changes."""
        path = f'{self.out}/{name}'
        digest = hashlib.sha256()
        for source in sources:
            digest.update(initramfs.contents(source))
        if not (os.path.exists(path) and os.path.exists(f'{path}.key')
                and initramfs.contents(f'{path}.key').decode() == digest.hexdigest()):
            make(path)
            with open(f'{path}.key', 'w') as key:
                key.write(digest.hexdigest())
        return path

    def stamped(self, name, source, stamping):
        def make(path):
            with open(path, 'wb') as out:
                out.write(stamping(initramfs.contents(source)))
        return self.cached(name, [source, stamp.__file__], make)

    def boot(self, name, medium, finished, **more):
        return self.machine.boot(f'{name}-{self.machine.name}', medium, finished, **more)

    # ---- one function for each boot; each returns figures ----

    def handoff(self, name, hypervisor, figure, *domain0):
        copy = self.stamped(f'{name}.stamped', hypervisor, stamp.stamp_hypervisor)
        _, port = self.boot(f'{name}-{figure}', Medium(copy, options(name, 512, 'console=none'), *domain0),
                            lambda text, port: len(port) >= 16 or END.search(text))
        if len(port) < 16:
            raise RigError('Domain-0 was not reached')
        return {figure: int.from_bytes(port[8:16], 'little') - int.from_bytes(port[:8], 'little')}

    def handoff_debian(self, name, hypervisor):
        kernel = self.stamped('vmlinuz.stamped', self.kernel, stamp.stamp_bzimage)
        return self.handoff(name, hypervisor, 'handoff', kernel, 'console=hvc0', self.ramdisk)

    def handoff_small(self, name, hypervisor):
        kernel = self.stamped('small.stamped', self.micro_kernel(), stamp.stamp_kernel)
        return self.handoff(name, hypervisor, 'handoff_small', kernel, '')

    def micro_kernel(self):
        source = f'{self.build}/tests/bench/bench-micro'
        return self.cached('micro', [source], lambda path: subprocess.run(
            ['objcopy', '--strip-debug', source, path], check=True))

    def micro(self, name, hypervisor, kind='micro', **more):
        text, _ = self.boot(f'{name}-{kind}', Medium(hypervisor, options(name, 128), self.micro_kernel(), ''),
                            lambda text, port: END.search(text), **more)
        return results(text)

    def micro_two(self, name, hypervisor):
        """The same kernel on two processors, which take turns: what both of them do counts."""
        return self.micro(name, hypervisor, 'micro-two', processors=2)

    def domain0(self, name, hypervisor, measure, guest_files, memory):
        """Boots a Domain-0 in memory, with stock kernel and toolstack, that runs domain0/`measure`."""
        programs = [f'{self.build}/tests/bench/{program}' for program in initramfs.PROGRAMS]
        sources = [*programs, f'{HERE}/domain0/init', f'{HERE}/domain0/card', f'{HERE}/domain0/{measure}', initramfs.__file__,
                   *guest_files.values()]
        ramdisk = self.cached(f'domain0-{measure}.cpio', sources, lambda path: initramfs.write_domain0(
            path, self.build, measure, guest_files))
        start_from = Medium(hypervisor, options(name, memory), self.unpacked_kernel(),
                            f'console=hvc0 quiet {self.machine.kernel_options}'.strip(), ramdisk)
        text, _ = self.boot(f'{name}-{measure}', start_from, lambda text, port: END.search(text))
        got = results(text)
        return {figure: value // self.machine.ns_each if figure in figures.TIMES else value for figure, value in got.items()}

    def linux_guest(self):
        sources = [f'{self.build}/tests/bench/bench-guest', initramfs.__file__]
        guest = self.cached('guest.cpio', sources, lambda path: initramfs.write_guest(path, self.build))
        return {'vmlinuz': self.kernel, 'initrd': guest}

    def unpacked_kernel(self):
        """To unpack it takes longer than much of what is measured; the hand-off is measured with the packed one too."""
        return self.cached('vmlinux', [self.kernel, unpack_kernel.__file__],
                           lambda path: unpack_kernel.unpack_kernel(self.kernel, path))

    def unpacked_guest(self):
        """The same, with a kernel that libxl need not unpack."""
        return dict(self.linux_guest(), vmlinux=self.unpacked_kernel())

    def stock(self, name, hypervisor):
        got = self.domain0(name, hypervisor, 'pv', self.linux_guest(), 512)
        if 'memory_free_kib' in got: # of the machine's memory: what a hypervisor calls its total leaves its own out
            got['memory_in_use_kib'] = machines.MEMORY * 1024 - got['memory_free_kib'] - got['memory_domain0_kib']
        return got

    def hvm_micro(self, name, hypervisor):
        return self.domain0(name, hypervisor, 'hvm-micro', {'bench-hvm': f'{self.build}/tests/bench/bench-hvm'}, 768)

    def hvm_boot(self, name, hypervisor):
        files = dict(self.linux_guest(), **{'grub.iso': self.cached('grub.iso', [__file__, medium.__file__], write_grub_cd)})
        got = self.domain0(name, hypervisor, 'hvm-boot', files, 768)
        if 'disk_paravirtual' in got and 'disk_emulated' in got:
            got['disk_emulated_share'] = round(100 * got['disk_emulated'] / got['disk_paravirtual'], 1)
        return got

    def domains(self, name, hypervisor):
        return self.domain0(name, hypervisor, 'domains', self.unpacked_guest(), 768)

    def wake(self, name, hypervisor):
        return self.domain0(name, hypervisor, 'wake', self.unpacked_guest(), 768)

    def screen(self, name, hypervisor):
        got = screen.with_hypervisor(self.build, hypervisor, machines.OPTIONS[name], f'{self.out}/{name}-screen', self.limit)
        return dict(got, switcher_bare=got['switcher']) if name == 'roundhouse' else got

    def policy(self, name, _):
        """Calls that a policy is asked about; without one is what stands in the reference's place."""
        if name == 'reference':
            return {f'checked_{figure}': value for figure, value in self.policy_boot('none', None, None).items()}
        got = {}
        for guests in figures.POLICY_GUESTS:
            table = self.policy_table(guests)
            loaded = self.policy_boot(str(guests), table, self.cached(
                f'policy-{guests}.module', [table], lambda path, table=table: write_paged(path, initramfs.contents(table))))
            got |= {f'policy_table_{guests}': os.path.getsize(table), f'policy_reload_{guests}': loaded.pop('policy_reload')}
        return got | {f'checked_{figure}': value for figure, value in loaded.items()}

    def policy_boot(self, which, table, module):
        start_from = Medium(f'{self.build}/hypervisor/roundhouse.elf', options('roundhouse', 128), self.micro_kernel(), 'only=policy', module,
                            policy=table)
        return results(self.boot(f'policy-{which}', start_from, lambda text, port: END.search(text))[0])

    def policy_table(self, guests):
        """The default policy, compiled, with so many guests that have a rule each."""
        def write_table(path):
            with open(f'{path}.policy', 'w') as file:
                file.write(policy_text(guests, initramfs.contents(default).decode()))
            subprocess.run([f'{self.build}/policies/roundhouse-policy', 'compile', f'{path}.policy', path], check=True)
        default = f'{HERE}/../../policies/default.policy'
        return self.cached(f'policy-{guests}.table', [default, __file__], write_table)

    def bare(self, name, _):
        """What stands in the reference's place where ours is compared with no hypervisor at all."""
        return {'switcher_bare': screen.without_hypervisor(self.build, f'{self.out}/bare-screen', self.limit)} if name == 'reference' else {}

    def image(self, name, hypervisor):
        loaded = stamp.Elf(initramfs.contents(hypervisor)).loaded()
        first = min(s['physical'] for s in loaded)
        stripped = f'{self.out}/{name}.elf.stripped'
        subprocess.run(['strip', '-o', stripped, hypervisor], check=True)
        return {'image_loaded': sum(s['file'] for s in loaded),
                'image_memory': max(s['physical'] + s['memory'] for s in loaded) - first,
                'image_stripped': os.path.getsize(stripped)}


def options(name, memory, console='console=com1 com1=115200 loglvl=all guest_loglvl=all'):
    """The hypervisor's, with so many MiB for Domain-0."""
    return f'{console} dom0_mem={memory}M,max:{memory}M {machines.OPTIONS[name]}'.strip()


def policy_text(guests, default):
    """Declarations stand before the first rule; a laptop's own rules are those of no laptop."""
    head, rules = default.replace('include "policy.d/"\n', '').split('\n# The machine itself.\n')
    names = [f'guest-{number}' for number in range(guests)]
    return '\n'.join([head, *(f'guest {name} is a desktop' for name in names),
                      *(f'deny guest {name} to use the microphone' for name in names), rules])


def write_paged(path, data):
    """What policy_reload() of micro/main.c reads: a page that begins with the number of bytes, and they."""
    with open(path, 'wb') as file:
        file.write(len(data).to_bytes(4096, 'little') + data)


def write_grub_cd(path):
    """A CD whose GRUB resets the machine, by the chipset's register, as soon as it has read its menu file."""
    medium.write(path, 'outb 0xcf9 6\n', {}, small=True)


def results(text):
    """The figures that a console shows; an error the machine told of ends the boot, not what came before it."""
    error = re.search(rf'^{FROM_GUEST}(BENCH-ERROR|Test result: ERROR).*|.*([Pp]anic on CPU|hypervisor panic|Cannot start Domain-0).*',
                      text, re.M)
    got = {name: int(value) for name, value in RESULT.findall(text) if name != 'end'}
    for each, rate in figures.RATES.items():
        if each in got:
            got[rate] = round(1e6 / got.pop(each), 3)   # one instruction is one nanosecond
    if error:
        got['error'] = error.group(0).strip()
    return got


# What is measured, on which machines, and what of this folder it is made of beside the machines. Bochs is slow, has no debug port,
# and its disk and device model say nothing more.
LINUX = ['initramfs.py', 'domain0', 'guest']
PARTS = {
    'image': (Bench.image, ['svm'], []),
    # On both sides ours, whatever the side is called.
    'policy': (Bench.policy, ['svm', 'vtx'], ['micro', '../../policies', '{build}/hypervisor/roundhouse.elf']),
    'handoff_small': (Bench.handoff_small, ['svm'], ['stamp.py', 'micro']),
    'micro': (Bench.micro, ['svm', 'vtx'], ['micro']),
    'micro_two': (Bench.micro_two, ['svm'], ['micro']),
    'stock': (Bench.stock, ['svm'], LINUX),
    'domains': (Bench.domains, ['svm'], LINUX),
    'wake': (Bench.wake, ['svm'], LINUX),
    'hvm_micro': (Bench.hvm_micro, ['svm', 'vtx'], [*LINUX, 'hvm']),
    'screen': (Bench.screen, ['svm'], ['screen.py']),
    'bare': (Bench.bare, ['svm'], ['screen.py']),
    'handoff': (Bench.handoff_debian, ['svm'], ['stamp.py']),
    'hvm_boot': (Bench.hvm_boot, ['svm'], LINUX),
}
MACHINES = {'svm': machines.Svm, 'vtx': machines.Vtx}


def arguments():
    parser = argparse.ArgumentParser(prog='./dev bench', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', help=argparse.SUPPRESS)
    parser.add_argument('--only', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--machine', choices=MACHINES, help='QEMU with SVM or Bochs with VT-x alone')
    parser.add_argument('--hypervisor', choices=figures.SIDES, help='one side alone')
    parser.add_argument('--limit', type=int, default=600, help='seconds of this host for one boot in QEMU (default 600)')
    parser.add_argument('--pixels', action='store_true', help="instead: the seat's pixels against pixman's, in this host's processor time")
    parser.add_argument('--resume', action='store_true',
                        help='do not measure again what was measured of these very images and programs; count it as measured')
    parser.add_argument('--write', metavar='FILE', help='the table as a page, for docs/figures.md')
    return parser.parse_args()


def measure(benches, hypervisors, parts, earlier):
    """{(machine, hypervisor): {figure: value}}, and sentences about what could not be measured."""
    measured, troubles = {(machine, name): {} for machine in benches for name in hypervisors}, []
    runs = [(part, machine, name) for part in parts for machine in PARTS[part][1] if machine in benches for name in hypervisors]
    for part, machine, name in runs:
        started = time.monotonic()
        print(f'== {part}, {machine}, {name}', end='', flush=True)
        place = earlier.place(part, machine, name)
        got = earlier.of(place)
        try:
            got = got or PARTS[part][0](benches[machine], name, hypervisors[name])
        except (RigError, MediumError, ValueError, KeyError, OSError, subprocess.CalledProcessError) as error:
            got = {'error': str(error)}
        if 'error' in got:
            troubles.append(f'{part}, {machine}, {name}: {got.pop("error")}')
        else:
            earlier.keep(place, dict(got))
        measured[machine, name].update(got)
        print(f': {len(got)} figures, {time.monotonic() - started:.0f} s', flush=True)
    return measured, troubles


def write(path, text):
    with open(f'{path}.new', 'w') as file:
        file.write(text)
    os.replace(f'{path}.new', path)


def main():
    options = arguments()
    if options.pixels:
        sys.exit(subprocess.run([f'{options.build}/tests/bench/bench-pixels']).returncode)
    paths = {'roundhouse': f'{options.build}/hypervisor/roundhouse.elf', 'reference': f'{options.build}/images/reference.elf'}
    hypervisors = {name: path for name, path in paths.items() if options.hypervisor in (None, name)}
    for path in hypervisors.values():
        if not os.path.exists(path):
            sys.exit(f'./dev bench: {path} is not there; "./dev build" makes it, or says why not.')
    benches = {name: Bench(options, machine) for name, machine in MACHINES.items() if options.machine in (None, name)}
    made_of = {part: [name.format(build=os.path.abspath(options.build)) for name in names] for part, (_, _, names) in PARTS.items()}
    earlier = kept.Kept(options.build, hypervisors, made_of, options.resume)
    measured, troubles = measure(benches, hypervisors, options.only, earlier)
    rows, failed = figures.table(measured), bool(troubles)
    figures.show(rows, troubles)
    write(f'{options.build}/bench.json', json.dumps({'figures': rows, 'not_measured': troubles}, indent=1))
    print(f'Written to {options.build}/bench.json')
    if options.write:
        troubles += [f'{part}, {machine}: was not asked for' for part, (_, names, _) in PARTS.items() for machine in names
                     if part not in options.only or machine not in benches]
        here = os.path.abspath(options.build) + '/'
        told = [trouble.replace(here, '') for trouble in troubles]      # a page is not of one machine's folders
        write(options.write, figures.page(rows, told, initramfs.contents(f'{HERE}/preface.md').decode()))
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
