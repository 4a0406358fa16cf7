"""What is measured, and how it is shown: as a table on the screen, and as the page docs/figures.md."""

POLICY_GUESTS = (5, 50, 500)    # each has a rule of its own
LARGEST, IN_PLACE = f'{POLICY_GUESTS[-1]} guests', '(in place of the reference)'
FIGURES = [
    ('handoff', 'instructions', "loader's hand-off to Domain-0's first instruction, Debian kernel and RAM disk"),
    ('handoff_small', 'instructions', "loader's hand-off to Domain-0's first instruction, small kernel that is not packed"),
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
    ('domain_pause', 'instructions', 'domctl that pauses or unpauses another domain'),
    ('event_bind_close', 'instructions', "event channel bound to another domain's and closed"),
    ('checked_domain_pause', 'instructions', f'the same domctl with the default policy loaded, {LARGEST}, against none {IN_PLACE}'),
    ('checked_event_bind_close', 'instructions', f'the same event channel with the default policy loaded, {LARGEST}, against none {IN_PLACE}'),
    *(('policy_reload_%d' % n, 'instructions', f'policy loaded in place of another one: default, {n} guests') for n in POLICY_GUESTS),
    *(('policy_table_%d' % n, 'bytes', f'table of a policy: default, {n} guests') for n in POLICY_GUESTS),
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
    ('hvm_boot_to_grub_domain0', 'ns', 'HVM guest, firmware and GRUB from a CD: processor time of Domain-0 with the device model meanwhile'),
    ('hvm_boot_to_init', 'ns', 'HVM guest, firmware and Debian kernel: processor time until its init runs'),
    ('hvm_boot_to_init_domain0', 'ns', 'HVM guest, firmware and Debian kernel: processor time of Domain-0 with the device model meanwhile'),
    ('hvm_uptime_at_init', 'ns', 'HVM guest, Debian kernel: its own clock when its init runs'),
    ('hvm_fork_exec_exit', 'ns', 'HVM guest: fork, exec of busybox true, exit'),
    ('disk_paravirtual', 'MiB/M', 'paravirtual disk, PVH guest: MiB read per million instructions of the whole machine'),
    ('disk_emulated', 'MiB/M', 'emulated IDE disk, HVM guest: MiB read per million instructions of the whole machine'),
    ('disk_emulated_share', '%', 'emulated IDE disk against paravirtual disk: MiB read per million instructions'),
    ('pv_domain_make', 'ns', 'PV domain, by hypercalls alone: made, one processor, no memory yet'),
    ('pv_domain_mib', 'ns', 'PV domain, by hypercalls alone: each MiB of memory given to it, 2 MiB at once'),
    ('pv_domain_end', 'ns', 'PV domain with 64 MiB, by hypercalls alone: ended'),
    ('pvh_domain_make', 'ns', 'PVH domain, by hypercalls alone: made, one processor, no memory yet'),
    ('pvh_domain_mib', 'ns', 'PVH domain, by hypercalls alone: each MiB of memory given to it, 2 MiB at once'),
    ('pvh_domain_end', 'ns', 'PVH domain with 64 MiB, by hypercalls alone: ended'),
    ('pv_create', 'ns', 'PV guest of 128 MiB: xl create -p, time of the whole machine'),
    ('pv_destroy', 'ns', 'PV guest of 128 MiB, running: xl destroy, time of the whole machine'),
    ('pvh_create', 'ns', 'PVH guest of 128 MiB: xl create -p, time of the whole machine'),
    ('pvh_destroy', 'ns', 'PVH guest of 128 MiB, running: xl destroy, time of the whole machine'),
    ('hvm_create', 'ns', 'HVM guest of 128 MiB with its device model: xl create -p, time of the whole machine'),
    ('pv_beside_kib', 'KiB', 'PV guest of 128 MiB, running: memory it costs beside its own'),
    ('pvh_beside_kib', 'KiB', 'PVH guest of 128 MiB, running: memory it costs beside its own'),
    ('hvm_beside_kib', 'KiB', 'HVM guest of 128 MiB that has not run: memory it costs beside its own and its device model'),
    ('network_send_pv', 'MiB/M', 'network, PV guest to Domain-0: MiB per million instructions of the whole machine'),
    ('network_receive_pv', 'MiB/M', 'network, Domain-0 to PV guest: MiB per million instructions of the whole machine'),
    ('network_send_pvh', 'MiB/M', 'network, PVH guest to Domain-0: MiB per million instructions of the whole machine'),
    ('network_receive_pvh', 'MiB/M', 'network, Domain-0 to PVH guest: MiB per million instructions of the whole machine'),
    ('network_send_emulated', 'MiB/M', 'network by an emulated E1000, HVM guest to Domain-0: MiB per million instructions of the whole machine'),
    ('network_receive_emulated', 'MiB/M', 'network by an emulated E1000, Domain-0 to HVM guest: MiB per million instructions of the whole machine'),
    ('domain0_wake_median', 'ns', 'sleeper in Domain-0, nothing else runs: lateness, median'),
    ('domain0_wake_worst', 'ns', 'sleeper in Domain-0, nothing else runs: lateness, worst of 400'),
    ('guest_wake_median', 'ns', 'sleeper in a PV guest, nothing else runs: lateness, median'),
    ('guest_wake_worst', 'ns', 'sleeper in a PV guest, nothing else runs: lateness, worst of 400'),
    ('domain0_wake_loaded_median', 'ns', 'sleeper in Domain-0, two PV guests never rest: lateness, median'),
    ('domain0_wake_loaded_worst', 'ns', 'sleeper in Domain-0, two PV guests never rest: lateness, worst of 400'),
    ('guest_wake_loaded_median', 'ns', 'sleeper in a PV guest, two others never rest: lateness, median'),
    ('guest_wake_loaded_worst', 'ns', 'sleeper in a PV guest, two others never rest: lateness, worst of 400'),
    ('switcher', 'ns', 'power-on to the switcher on the screen; no toolstack, no guests'),
    ('switcher_bare', 'ns', 'power-on to the switcher, against the same kernel, disk and programs without a hypervisor (in place of the reference)'),
    ('hotkey_to_switcher', 'ns', "hotkey to the frame that shows the switcher, median of 7, from the interrupt in Domain-0 on"),
    ('seat_back', 'ns', "killed seat to the next one that has the screen, a guest's picture and its focus: median of 3, to 10 ms"),
    ('seatd_back', 'ns', 'killed seatd to the seat that has the next one: median of 3, to 10 ms; the picture stays'),
    ('roundhoused_back', 'ns', 'killed roundhoused to the next one that answers: median of 3, to 10 ms; the picture stays'),
    ('ui_back', 'ns', 'killed switcher to the next one at the seat: median of 3, to 10 ms; the picture stays'),
    ('image_loaded', 'bytes', 'image: bytes loaded from the file'),
    ('image_memory', 'bytes', 'image: bytes of memory it takes when loaded'),
    ('image_stripped', 'bytes', 'image: size of the file, stripped'),
    ('memory_in_use_kib', 'KiB', 'memory neither free nor Domain-0\'s with the toolstack up'),
]

TIMES = {name for name, unit, _ in FIGURES if unit == 'ns'}
# What is measured in ns for each MiB, of the whole machine, and shown the other way round.
RATES = {
    'pvh_disk_mib': 'disk_paravirtual', 'hvm_disk_mib': 'disk_emulated',
    'guest_network_send_mib': 'network_send_pv', 'guest_network_receive_mib': 'network_receive_pv',
    'pvh_network_send_mib': 'network_send_pvh', 'pvh_network_receive_mib': 'network_receive_pvh',
    'hvm_network_send_mib': 'network_send_emulated', 'hvm_network_receive_mib': 'network_receive_emulated',
}


# What was tried and is not shown, and why.
UNSOUND = [
    "hotkey to the frame that shows a guest: frames of the switcher's own that are under way come between, by turns none or some",
    'HVM guest ended by xl: it waits for the device model by the clock',
]
COLUMNS = {'svm': 'SVM', 'vtx': 'VT-x'}     # machines, as in machines.py, and what a reader knows them by
SIDES = ('roundhouse', 'reference')


def ratio(unit, ours, reference):
    """Below 1 is better, so rates are turned over; a share of ours in ours says nothing of the reference."""
    if not ours or not reference or unit == '%':
        return None
    return round(reference / ours if unit == 'MiB/M' else ours / reference, 3)


def table(measured):
    """One row for each figure that any machine has: the one with the worst ratio first, and last those that have none.

    `measured` is {(machine, side): {figure: value}}. A row has for each machine that was asked (ours, the reference's, ratio)."""
    rows = []
    for name, unit, text in FIGURES:
        values = {}
        for machine in COLUMNS:
            ours, reference = (measured.get((machine, side), {}).get(name) for side in SIDES)
            if ours is not None or reference is not None:
                values[machine] = {'roundhouse': ours, 'reference': reference, 'ratio': ratio(unit, ours, reference)}
        if values:
            rows.append({'name': name, 'unit': unit, 'text': text, 'machines': values})
    return sorted(rows, key=lambda row: -worst(row))


def worst(row):
    return max(value['ratio'] or 0 for value in row['machines'].values())


def above(rows):
    """Sentences about what is worse than on the reference."""
    return [f'{row["text"]}: {value["ratio"]:.2f} ({COLUMNS[machine]})' for row in rows for machine, value in row['machines'].items()
            if (value['ratio'] or 0) > 1]


def cells(row):
    """Three for each machine, as texts."""
    for machine in COLUMNS:
        value = row['machines'].get(machine, {})
        for side in SIDES:
            yield f'{value[side]:,}' if value.get(side) is not None else ''
        yield f'{value["ratio"]:.2f}' if value.get('ratio') is not None else ''


def show(rows, troubles):
    width = max((len(row['text']) for row in rows), default=0)
    heads = ''.join(f'{title:>15} {"reference":>15} {"ratio":>6}' for title in COLUMNS.values())
    print(f'\n{"":{width}} {heads}')
    for row in rows:
        values = ''.join(f'{text:>{size}}' for text, size in zip(cells(row), (15, 16, 7) * len(COLUMNS)))
        print(f'{row["text"]:{width}} {values}  {row["unit"]}')
    for trouble in troubles:
        print(f'Not measured: {trouble}')
    print('\n'.join(['Above 1.0:', *(above(rows) or ['nothing that was measured'])]))


def page(rows, troubles, preface):
    """docs/figures.md. The preface stands beside this file; what the figures are and are not is said there."""
    lines = [preface.rstrip(), '', '## Above 1.0', '']
    lines += [f'- {sentence}' for sentence in above(rows)] or ['Nothing that was measured.']
    lines += ['', '## Not measured', ''] + [f'- {sentence}' for sentence in UNSOUND + troubles]
    lines += ['', '## All of them, the worst ratio first', '',
              '| | unit |' + ''.join(f' {title}: ours | reference | ratio |' for title in COLUMNS.values()), '|---|---|' + '---:|' * 3 * len(COLUMNS)]
    lines += [f'| {row["text"]} | {row["unit"]} | {" | ".join(cells(row))} |' for row in rows]
    return '\n'.join(lines) + '\n'
