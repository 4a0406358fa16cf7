"""./dev bench: measures our hypervisor and Debian's reference in one run, under QEMU with -icount, one processor.

With `-icount shift=0,sleep=off` the machine's clocks advance one nanosecond for each instruction, and jump over idle time.
So times read inside the machine are numbers of instructions and do not depend on how busy the host is; where the machine
waits for devices or for another domain they differ a little from run to run (a hand-off by 0.002 %, exec by 1 %). They say
nothing of caches, memory or pipelines. Prints a table, writes build/bench.json, and judges nothing: a ratio is ours / reference,
and each one above 1.0 is named at the end."""

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

import initramfs
import machines
import medium
import stamp
from machine import RigError
from medium import Medium, MediumError

# An HVM guest's lines come through the hypervisor's log, which puts time and domain before them.
FROM_GUEST = r'(?:\(XEN\) )?(?:\[[^]]*\] )?(?:\(d\d+\) |d\d+\[v\d+\] )?'
RESULT = re.compile(rf'^{FROM_GUEST}BENCH (\w+) (\d+)\s*$', re.M)
END = re.compile(rf'^BENCH end |^{FROM_GUEST}BENCH-ERROR|^Test result: ERROR|[Pp]anic on CPU|hypervisor panic|Cannot start Domain-0', re.M)

# Name, unit, what it is. The order is the table's.
FIGURES = [
    ('handoff', 'instructions', "loader's hand-off to Domain-0's first instruction, Debian kernel and RAM disk"),
    ('handoff_small', 'instructions', 'the same, small kernel that is not packed'),
    ('null_hypercall', 'instructions', 'hypercall that does nothing (xen_version)'),
    ('invalid_hypercall', 'instructions', 'hypercall of a number that does not exist'),
    ('multicall_entry', 'instructions', 'each of 8 null hypercalls in a multicall'),
    ('system_call_bounce', 'instructions', 'system call: user, kernel, user'),
    ('page_fault_bounce', 'instructions', 'page fault: user, kernel, user'),
    ('exception_bounce', 'instructions', 'breakpoint: user, kernel, user'),
    ('kernel_page_fault_bounce', 'instructions', 'page fault in the kernel and back'),
    ('update_va_mapping', 'instructions', 'update_va_mapping, no flush'),
    ('update_va_mapping_invlpg', 'instructions', 'update_va_mapping, one page flushed'),
    ('update_va_mapping_clear_set', 'instructions', 'update_va_mapping, entry cleared or set'),
    ('mmu_update_one', 'instructions', 'mmu_update of one entry'),
    ('mmu_update_of_32', 'instructions', 'each of 32 entries in an mmu_update'),
    ('pin_unpin_full_table', 'instructions', 'level-1 table with 512 entries pinned and unpinned'),
    ('new_root_table', 'instructions', 'MMUEXT_NEW_BASEPTR'),
    ('stack_switch', 'instructions', 'stack_switch'),
    ('set_segment_base', 'instructions', 'set_segment_base, FS'),
    ('event_send_masked', 'instructions', 'event channel send to self, already pending'),
    ('event_send_upcall', 'instructions', 'event channel send to self, upcall and return'),
    ('port_read', 'instructions', 'I/O port read by Domain-0'),
    ('grant_map_unmap', 'instructions', 'grant mapped and unmapped'),
    ('grant_copy_page', 'instructions', 'page copied by grant'),
    ('event_to_other', 'instructions', 'event to another processor, until its upcall has run; both processors'),
    ('shoot_down_page', 'instructions', "page flushed from another processor's TLB; both processors"),
    ('domain0_time_at_init', 'ns', 'Domain-0, Debian kernel: processor time until its init runs'),
    ('guest_boot_to_init', 'ns', 'PV guest, Debian kernel: processor time until its init runs'),
    ('guest_uptime_at_init', 'ns', "PV guest, Debian kernel: its own clock when its init runs"),
    ('guest_system_call', 'ns', 'PV guest: getppid()'),
    ('guest_page_fault', 'ns', 'PV guest: each new page of 64, map and unmap included'),
    ('guest_fork_exit', 'ns', 'PV guest: fork and exit'),
    ('guest_fork_exec_exit', 'ns', 'PV guest: fork, exec of busybox true, exit'),
    ('guest_process_switch', 'ns', 'PV guest: switch to another process by a pipe'),
    ('hvm_cpuid', 'instructions', 'HVM: cpuid'),
    ('hvm_msr_read', 'instructions', 'HVM: rdmsr, APIC base'),
    ('hvm_msr_write', 'instructions', 'HVM: wrmsr, EFER'),
    ('hvm_hypercall', 'instructions', 'HVM: hypercall that does nothing (xen_version)'),
    ('hvm_tracked_write', 'instructions', 'HVM: nested page fault: first write to a page whose writes are tracked'),
    ('hvm_unmapped_read', 'instructions', 'HVM: nested page fault and emulation: read where no memory is'),
    ('hvm_x2apic_eoi', 'instructions', 'HVM: wrmsr, x2APIC EOI'),
    ('hvm_ipi_self', 'instructions', 'HVM: interrupt to self by the local APIC, and its EOI'),
    ('hvm_ipi_other', 'instructions', 'HVM: interrupt to another processor, which sleeps, and its EOI'),
    ('hvm_apic_timer', 'instructions', 'HVM: interrupt of the local APIC\'s timer, armed again, and its EOI'),
    ('hvm_pit_read', 'instructions', 'HVM: port read, PIT'),
    ('hvm_pm_timer_read', 'instructions', 'HVM: port read, PM timer'),
    ('hvm_hpet_read', 'instructions', 'HVM: memory read, HPET'),
    ('hvm_apic_page_eoi', 'instructions', 'HVM: memory write, local APIC\'s EOI'),
    ('hvm_port_device_model', 'instructions', 'HVM: port read, answered by QEMU'),
    ('pvh_boot_to_init', 'ns', 'PVH guest, Debian kernel: processor time until its init runs'),
    ('pvh_uptime_at_init', 'ns', 'PVH guest, Debian kernel: its own clock when its init runs'),
    ('pvh_system_call', 'ns', 'PVH guest: getppid()'),
    ('pvh_page_fault', 'ns', 'PVH guest: each new page of 64, map and unmap included'),
    ('pvh_fork_exit', 'ns', 'PVH guest: fork and exit'),
    ('pvh_fork_exec_exit', 'ns', 'PVH guest: fork, exec of busybox true, exit'),
    ('pvh_process_switch', 'ns', 'PVH guest: switch to another process by a pipe'),
    ('hvm_boot_to_grub', 'ns', 'HVM guest, firmware and GRUB from a CD: processor time until GRUB has its menu file'),
    ('hvm_boot_to_grub_domain0', 'ns', 'the same: processor time of Domain-0 with the device model'),
    ('hvm_boot_to_init', 'ns', 'HVM guest, firmware and Debian kernel: processor time until its init runs'),
    ('hvm_boot_to_init_domain0', 'ns', 'the same: processor time of Domain-0 with the device model'),
    ('hvm_uptime_at_init', 'ns', 'HVM guest, Debian kernel: its own clock when its init runs'),
    ('hvm_fork_exec_exit', 'ns', 'HVM guest: fork, exec of busybox true, exit'),
    ('pvh_disk_mib', 'ns', 'paravirtual disk: each MiB read, time of the whole machine'),
    ('hvm_disk_mib', 'ns', 'emulated IDE disk: each MiB read, time of the whole machine'),
    ('disk_paravirtual', 'MiB/M', 'paravirtual disk: MiB read per million instructions'),
    ('disk_emulated', 'MiB/M', 'emulated IDE disk: MiB read per million instructions'),
    ('disk_emulated_share', '%', 'emulated against paravirtual: MiB per million instructions'),
    ('image_loaded', 'bytes', 'image: bytes loaded from the file'),
    ('image_memory', 'bytes', 'image: bytes of memory it takes when loaded'),
    ('image_stripped', 'bytes', 'image: size of the file, stripped'),
    ('memory_in_use_kib', 'KiB', 'memory neither free nor Domain-0\'s with the toolstack up'),
]


class Bench:
    """All that is measured on one machine (machines.py)."""

    def __init__(self, options, machine):
        self.build, self.out = options.build, f'{options.build}/bench'
        os.makedirs(self.out, exist_ok=True)
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
        _, port = self.boot(f'{name}-{figure}', Medium(copy, 'console=none dom0_mem=512M,max:512M', *domain0),
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

    def micro(self, name, hypervisor, **more):
        options = 'console=com1 com1=115200 loglvl=all guest_loglvl=all dom0_mem=128M,max:128M'
        text, _ = self.boot(f'{name}-micro', Medium(hypervisor, options, self.micro_kernel(), ''),
                            lambda text, port: END.search(text), **more)
        return results(text)

    def micro_two(self, name, hypervisor):
        """The same kernel on two processors, which take turns: what both of them do counts."""
        return self.micro(f'{name}-two', hypervisor, processors=2)

    def domain0(self, name, hypervisor, measure, guest_files, memory):
        """Boots a Domain-0 in memory, with stock kernel and toolstack, that runs domain0/`measure`."""
        sources = [f'{self.build}/tests/bench/bench-figures', f'{HERE}/domain0/init', f'{HERE}/domain0/{measure}',
                   initramfs.__file__, *guest_files.values()]
        ramdisk = self.cached(f'domain0-{measure}.cpio', sources, lambda path: initramfs.write_domain0(
            path, self.build, measure, guest_files))
        options = f'console=com1 com1=115200 loglvl=all guest_loglvl=all dom0_mem={memory}M,max:{memory}M'
        text, _ = self.boot(f'{name}-{measure}', Medium(hypervisor, options, self.kernel, f'console=hvc0 quiet {self.machine.kernel_options}'.strip(), ramdisk),
                            lambda text, port: END.search(text))
        return results(text)

    def linux_guest(self):
        sources = [f'{self.build}/tests/bench/bench-guest', initramfs.__file__]
        guest = self.cached('guest.cpio', sources, lambda path: initramfs.write_guest(path, self.build))
        return {'vmlinuz': self.kernel, 'initrd': guest}

    def stock(self, name, hypervisor):
        figures = self.domain0(name, hypervisor, 'pv', self.linux_guest(), 512)
        if 'memory_free_kib' in figures: # of the machine's memory: what a hypervisor calls its total leaves its own out
            figures['memory_in_use_kib'] = machines.MEMORY * 1024 - figures['memory_free_kib'] - figures['memory_domain0_kib']
        return figures

    def hvm_micro(self, name, hypervisor):
        return self.domain0(name, hypervisor, 'hvm-micro', {'bench-hvm': f'{self.build}/tests/bench/bench-hvm'}, 768)

    def hvm_boot(self, name, hypervisor):
        files = dict(self.linux_guest(), **{'grub.iso': self.cached('grub.iso', [__file__, medium.__file__], write_grub_cd)})
        figures = self.domain0(name, hypervisor, 'hvm-boot', files, 768)
        paravirtual, emulated = figures.get('pvh_disk_mib'), figures.get('hvm_disk_mib')
        if paravirtual and emulated: # one instruction is one nanosecond
            figures['disk_paravirtual'] = round(1e6 / paravirtual, 3)
            figures['disk_emulated'] = round(1e6 / emulated, 3)
            figures['disk_emulated_share'] = round(100 * paravirtual / emulated, 1)
        return figures

    def image(self, name, hypervisor):
        loaded = stamp.Elf(initramfs.contents(hypervisor)).loaded()
        first = min(s['physical'] for s in loaded)
        stripped = f'{self.out}/{name}.elf.stripped'
        subprocess.run(['strip', '-o', stripped, hypervisor], check=True)
        return {'image_loaded': sum(s['file'] for s in loaded),
                'image_memory': max(s['physical'] + s['memory'] for s in loaded) - first,
                'image_stripped': os.path.getsize(stripped)}


def write_grub_cd(path):
    """A CD whose GRUB resets the machine, by the chipset's register, as soon as it has read its menu file."""
    medium.write(path, 'outb 0xcf9 6\n', {}, small=True)


def results(text):
    """The figures that a console shows; an error the machine told of ends the boot, not what came before it."""
    error = re.search(rf'^{FROM_GUEST}(BENCH-ERROR|Test result: ERROR).*|.*([Pp]anic on CPU|hypervisor panic|Cannot start Domain-0).*',
                      text, re.M)
    figures = {name: int(value) for name, value in RESULT.findall(text) if name != 'end'}
    if error:
        figures['error'] = error.group(0).strip()
    return figures


# What is measured, and on which machines: Bochs is slow, has no debug port, and its disk and device model say nothing more.
PARTS = {
    'image': (Bench.image, ['svm']),
    'handoff_small': (Bench.handoff_small, ['svm']),
    'handoff': (Bench.handoff_debian, ['svm']),
    'micro': (Bench.micro, ['svm', 'vtx']),
    'micro_two': (Bench.micro_two, ['svm']),
    'stock': (Bench.stock, ['svm']),
    'hvm_micro': (Bench.hvm_micro, ['svm', 'vtx']),
    'hvm_boot': (Bench.hvm_boot, ['svm']),
}
MACHINES = {'svm': machines.Svm, 'vtx': machines.Vtx}


def arguments():
    parser = argparse.ArgumentParser(prog='./dev bench', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', help=argparse.SUPPRESS)
    parser.add_argument('--only', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--machine', choices=MACHINES, help='QEMU with SVM or Bochs with VT-x alone')
    parser.add_argument('--hypervisor', choices=['roundhouse', 'reference'], help='one side alone')
    parser.add_argument('--limit', type=int, default=600, help='seconds of this host for one boot in QEMU (default 600)')
    parser.add_argument('--pixels', action='store_true', help="instead: the seat's pixels against pixman's, in this host's processor time")
    parser.add_argument('--write', metavar='FILE', help='the table as a page, for docs/figures.md')
    return parser.parse_args()


def measure(benches, hypervisors, parts):
    """{(machine, hypervisor): {figure: value}}, and sentences about what could not be measured."""
    figures, troubles = {(machine, name): {} for machine in benches for name in hypervisors}, []
    runs = [(part, machine, name) for part in parts for machine in PARTS[part][1] if machine in benches for name in hypervisors]
    for part, machine, name in runs:
        started = time.monotonic()
        print(f'== {part}, {machine}, {name}', end='', flush=True)
        try:
            got = PARTS[part][0](benches[machine], name, hypervisors[name])
        except (RigError, MediumError, ValueError, KeyError, OSError, subprocess.CalledProcessError) as error:
            got = {'error': str(error)}
        if 'error' in got:
            troubles.append(f'{part}, {machine}, {name}: {got.pop("error")}')
        figures[machine, name].update(got)
        print(f': {len(got)} figures, {time.monotonic() - started:.0f} s', flush=True)
    return figures, troubles


def ratio(unit, ours, reference):
    """Below 1 is better, so rates are turned over; a share of ours in ours says nothing of the reference."""
    if not ours or not reference or unit == '%':
        return None
    return round(reference / ours if unit == 'MiB/M' else ours / reference, 3)


def table(figures):
    """Rows as dictionaries, for those figures that any machine has: the worst first, and then what has no ratio."""
    rows = []
    for machine in MACHINES:
        ours, reference = (figures.get((machine, name), {}) for name in ('roundhouse', 'reference'))
        for name, unit, text in FIGURES:
            a, b = ours.get(name), reference.get(name)
            if a is not None or b is not None:
                rows.append({'name': name, 'machine': machine, 'unit': unit, 'text': text, 'roundhouse': a, 'reference': b,
                             'ratio': ratio(unit, a, b)})
    return sorted(rows, key=lambda row: -(row['ratio'] or 0))


def cells(row):
    values = [f'{row[name]:,}' if row[name] is not None else '-' for name in ('roundhouse', 'reference')]
    return [row['machine'], *values, f'{row["ratio"]:.2f}' if row['ratio'] is not None else '-', row['unit']]


def show(rows, troubles):
    width = max((len(row['text']) for row in rows), default=0)
    print(f'\n{"":{width}}  {"":3} {"roundhouse":>15} {"reference":>15} {"ratio":>7}')
    for row in rows:
        machine, ours, reference, ratio, unit = cells(row)
        print(f'{row["text"]:{width}}  {machine:3} {ours:>15} {reference:>15} {ratio:>7}  {unit}')
    for trouble in troubles:
        print(f'Not measured: {trouble}')
    above = [f'{row["name"]} on {row["machine"]} {row["ratio"]:.2f}' for row in rows if row['ratio'] and row['ratio'] > 1]
    print('Above 1.0: ' + (', '.join(above) if above else 'nothing that was measured') + '.')


def page(rows, troubles):
    """The table for people, in Markdown."""
    lines = ['| | machine | Roundhouse | reference | ratio | unit |', '|---|---|---:|---:|---:|---|']
    lines += [f'| {row["text"]} | {" | ".join(cells(row))} |' for row in rows]
    return '\n'.join(lines + [''] + [f'Not measured: {trouble}' for trouble in troubles]) + '\n'


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
    figures, troubles = measure(benches, hypervisors, options.only)
    rows = table(figures)
    show(rows, troubles)
    write(f'{options.build}/bench.json', json.dumps({'figures': rows, 'not_measured': troubles}, indent=1))
    print(f'Written to {options.build}/bench.json')
    if options.write:
        write(options.write, page(rows, troubles))
    sys.exit(1 if troubles else 0)


if __name__ == '__main__':
    main()
