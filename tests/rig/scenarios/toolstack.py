"""Stock tools and stock guests, all on one power-on: every xl command that the project promises, a guest's disk and
network, guests that crash, spin or are killed, and memory that comes back."""

import time

from boots import Boot, power_off
from guests import KERNEL, Guest
from hvm import take_and_give_back
from power_on import processors

CYCLES = 20


def states(machine):
    """xl list without what moves: identifiers and times."""
    lines = machine.run('xl list').splitlines()[1:]
    return [(fields[0], fields[2], fields[3]) for fields in (line.split() for line in lines)]


def xl_info(rig):
    """xl info."""
    text = rig.machine.run('xl info')
    values = dict(line.split(':', 1) for line in text.splitlines() if ':' in line)
    values = {key.strip(): value.strip() for key, value in values.items()}
    rig.note('keys', ' '.join(sorted(values)))
    rig.check(values['release'] == rig.machine.run('uname -r').strip(), f'release is {values["release"]}')
    for key in ('host', 'machine', 'nr_cpus', 'max_cpu_id', 'nr_nodes', 'threads_per_core', 'free_cpus',
                'xen_major', 'xen_minor', 'xen_pagesize', 'platform_params', 'sharing_freed_memory'):
        rig.note(key, values.get(key))
    rig.check('xen-3.0-x86_64' in values['xen_caps'].split(), f'xen_caps is {values["xen_caps"]}')
    rig.check(int(values['free_memory']) > 2500, f'free_memory is {values["free_memory"]} MiB of a 4 GiB machine')


def xl_list(rig):
    """xl list."""
    rows = states(rig.machine)
    rig.note('rows', [(name, vcpus) for name, memory, vcpus in [(r[0], '', r[1]) for r in rows]])
    rig.note('memory', rig.machine.run("xl list 0 | awk 'NR==2 {print $3}'").strip())


def xl_dmesg(rig):
    """xl dmesg shows the hypervisor's log and -c clears it."""
    rig.check(len(rig.machine.run('xl dmesg').splitlines()) > 10, 'xl dmesg is all but empty')
    rig.machine.run('xl dmesg -c >/dev/null')
    rig.note('lines after clearing', len(rig.machine.run('xl dmesg').splitlines()) < 5)


def create_and_console(rig):
    """xl create, xl console both ways."""
    machine = rig.machine
    guest = Guest(machine, 'keep', 'stay', kernel=KERNEL).create()
    guest.wait_for('GUEST up')
    # xl console wants a terminal: script gives it one. Ctrl+] leaves.
    machine.run("(sleep 3; echo ping from the rig; sleep 5; printf '\\035'; sleep 2) | "
                "timeout 60 script -qfc 'xl console keep' /tmp/console >/dev/null", 60, check=False)
    guest.wait_for('GUEST heard ping from the rig', 30)
    rig.note('guest said', guest.said())
    rig.note('console showed', 'GUEST heard ping from the rig' in machine.run('cat /tmp/console'))


def xl_vcpu_list(rig):
    """xl vcpu-list of a guest."""
    rig.note('keep', rig.machine.run("xl vcpu-list keep | tail -n +2 | awk '{print $1, $3, NF}'").strip())
    rig.note('affinity', rig.machine.run("xl vcpu-list keep | tail -n +2 | awk '{print $(NF-2), $(NF-1), $NF}'").strip())


def pause_and_unpause(rig):
    """xl pause stops a guest, xl unpause lets it go on."""
    machine = rig.machine
    guest = Guest(machine, 'tick', 'tick').create()
    guest.wait_for('GUEST tick 2')
    machine.run('xl pause tick')
    state = machine.run("xl list tick | awk 'NR==2 {print $5}'").strip()
    rig.check('p' in state, f'a paused guest is listed as {state}')
    first = guest.said('GUEST tick')
    machine.run('sleep 4')
    rig.check(guest.said('GUEST tick') == first, 'a paused guest went on ticking')
    machine.run('xl unpause tick')
    ticks = len(first.splitlines())
    guest.wait_for(f'GUEST tick {ticks + 2}', 30)
    guest.destroy()
    rig.note('after destroy', guest.exists())


def xl_reboot(rig):
    """xl reboot starts the guest again as a new domain."""
    machine = rig.machine
    before = int(machine.run('xl domid keep'))
    machine.run('xl reboot keep')
    machine.run(f"timeout 90 sh -c 'until [ \"$(xl domid keep 2>/dev/null || echo {before})\" != {before} ]; "
                "do sleep 0.5; done'", 120)
    keep = Guest(machine, 'keep', 'stay')
    machine.run(f"timeout 90 sh -c 'until [ $(grep -c \"GUEST up\" {keep.log}) = 2 ]; do sleep 0.5; done'", 120)
    rig.note('new identifier', int(machine.run('xl domid keep')) - before)


def xl_shutdown(rig):
    """xl shutdown asks the guest, which switches itself off."""
    guest = Guest(rig.machine, 'keep', 'stay')
    rig.machine.run('xl shutdown keep')
    guest.wait_gone(40)
    rig.note('guest said', guest.said('asked'))


def guest_disk(rig):
    """A guest's disk: what it wrote is what it reads, and what Domain-0 finds in the file."""
    machine = rig.machine
    machine.run('truncate -s 16M /var/tmp/disk.img; losetup /dev/loop7 /var/tmp/disk.img')
    guest = Guest(machine, 'disk', 'disk', options='salt=pepper', config='disk=["phy:/dev/loop7,xvda,w"]').create()
    guest.wait_gone(60)
    rig.note('guest said', guest.said('GUEST disk'))
    rig.check('GUEST disk ok' in guest.said(), guest.said())
    rig.note('file', machine.run('sync; md5sum </var/tmp/disk.img'))
    rig.check(machine.run("md5sum </var/tmp/disk.img | cut -d' ' -f1").strip() in guest.said(),
              'the file behind the disk holds something else than the guest wrote')


def guest_network(rig):
    """A guest's network: ping, and a file fetched whole."""
    machine = rig.machine
    machine.run('ip addr add 10.77.0.1/24 dev xenbr0; seq 1000000 | head -c 2700000 >/tmp/served', 60)
    machine.run("setsid python3 -m http.server 7777 --directory /tmp >/dev/null 2>&1 </dev/null & echo $! >/tmp/server.pid")
    guest = Guest(machine, 'net', 'network', config='vif=["bridge=xenbr0,mac=00:16:3e:77:00:02"]').create()
    guest.wait_gone(60)
    rig.note('guest said', guest.said('GUEST ping\\|GUEST fetched'))
    rig.check('sent 5 received 5' in guest.said(), guest.said())
    rig.check(machine.run("md5sum </tmp/served | cut -d' ' -f1").strip() in guest.said('fetched'),
              'the fetched file came through damaged')
    machine.run('kill $(cat /tmp/server.pid)', check=False)


def unread_console(rig):
    """A serial line that nobody reads for a while holds nothing up, and is heard again."""
    machine = rig.machine
    machine.reads_console.clear()
    machine.serial.sendall(b'seq 80000; touch /tmp/unread\n')
    time.sleep(10 * machine.patience)
    machine.reads_console.set()
    time.sleep(5 * machine.patience)
    machine.run('ls /tmp/unread && rm /tmp/unread', 60)


def emulated_clock(rig):
    """tsc_mode="always_emulate": a guest whose rdtsc all come to the hypervisor keeps time."""
    machine = rig.machine
    before = int(machine.run('date +%s'))
    guest = Guest(machine, 'clock', 'clock', config='tsc_mode="always_emulate"').create()
    guest.wait_gone(60)
    after, date = int(machine.run('date +%s')), int(guest.said('GUEST date').split()[2])
    rig.check(before - 1 <= date <= after + 1, f"the guest's date was {date}, Domain-0's {before} before and {after} after")
    rig.note('guest said', guest.said('GUEST [^d]'))


def crashing_guest(rig):
    """A guest whose kernel dies goes alone."""
    guest = Guest(rig.machine, 'crash', 'crash').create()
    guest.wait_gone(40)
    rig.note('guest said', guest.said('GUEST'))
    rig.note('left', [row[0] for row in states(rig.machine)])


def spinning_guest(rig):
    """A guest that never gives the processor back takes no other's."""
    machine = rig.machine
    spinner = Guest(machine, 'spin', 'spin').create()
    spinner.wait_for('GUEST spinning')
    other = Guest(machine, 'other', 'hello').create()
    other.wait_gone(60)
    rig.note('other said', other.said())
    before = float(machine.run("xl list spin | awk 'NR==2 {print $NF}'"))
    machine.run('sleep 3')
    rig.check(float(machine.run("xl list spin | awk 'NR==2 {print $NF}'")) > before, 'the spinning guest got no time')
    spinner.destroy()
    rig.note('left', [row[0] for row in states(machine)])


def vector_registers(rig):
    """Vector registers of Domain-0 and of a guest survive each other."""
    machine = rig.machine
    guest = Guest(machine, 'vectors', 'vectors').create()
    guest.wait_for('GUEST holds vectors')
    said = machine.run('/mnt/vectors 1 20 2>&1', 60)
    guest.wait_for('GUEST vectors', 20)
    rig.check('vectors kept' in said, f'in Domain-0: {said}')
    rig.check('changed' not in guest.said('GUEST vectors'), guest.said())
    guest.destroy()


# Nothing is noted: there is nothing to compare with.
vector_registers.not_on = unread_console.not_on = ('reference',)


def killed_during_io(rig):
    """A guest killed while it writes gives its disk back whole."""
    machine = rig.machine
    disk = 'disk=["phy:/dev/loop7,xvda,w"]'
    guest = Guest(machine, 'io', 'io', config=disk).create()
    guest.wait_for('GUEST writing')
    machine.run('sleep 3')
    guest.destroy()
    again = Guest(machine, 'again', 'disk', options='salt=second', config=disk).create()
    again.wait_gone(60)
    rig.note('next guest said', again.said('GUEST disk'))
    rig.check('GUEST disk ok' in again.said(), again.said())
    machine.run('losetup -d /dev/loop7; rm /var/tmp/disk.img')


def mem_set(rig):
    """xl mem-set of a PV guest."""
    take_and_give_back(rig, Guest(rig.machine, 'balloon', 'memory', memory=256), 256, 192)


def memory_comes_back(rig):
    """20 create and destroy cycles leave exactly as many free pages (on the reference, which is not what is tested, 2)."""
    machine = rig.machine
    machine.run(f"cat >/tmp/cycles <<'END'\n"
                'steady() { last=; now=$(/mnt/physinfo); while [ "$now" != "$last" ]; do last=$now; sleep 2; '
                'now=$(/mnt/physinfo); done; echo $now; }\n'
                'cycle() { xl create -q /tmp/hello.cfg && xl destroy hello; }\n'
                'cycle\nbefore=$(steady)\n'
                f'for n in $(seq {CYCLES if rig.name != "reference" else 2}); do cycle || exit 1; done\n'
                'echo before $before after $(steady)\nEND')
    hello = Guest(machine, 'hello', 'hello')
    machine.run(f"cat >/tmp/hello.cfg <<'END'\n{hello.text}\nEND")
    _, before, _, after = machine.run('bash /tmp/cycles', 900).split()[-4:]
    rig.check(before == after, f'{before} free pages before, {after} after the cycles')
    rig.note('pages lost', int(before) - int(after))


BOOTS = [Boot('bios-1-processor', [
    processors, xl_info, xl_list, xl_dmesg, create_and_console, xl_vcpu_list, pause_and_unpause, xl_reboot, xl_shutdown,
    guest_disk, guest_network, vector_registers, unread_console, emulated_clock, crashing_guest, spinning_guest, killed_during_io,
    mem_set, memory_comes_back, power_off], saved=True)]
