"""The life of guests under roundhoused: one on the disk and back, one that xl saves beside it, a PC without a kernel and its CD."""

from boots import Boot, power_off
from machine import RigError
from switch import guest_on_screen, log, picture_ready, takes_key

NAME, SAVED = 'first', '/var/lib/roundhouse/saved/first'
CD = '/var/lib/roundhouse/cd.iso'  # roundhoused has a /tmp and a /var/tmp of its own
# The least that a definition of a PC can say, and a drive.
PC = f'[guest]\nname=pc\nslot=3\ntype=hvm\nmemory_mib=192\ndisplay=vga\ncdrom={CD}'


def guests_ready(rig):
    """The seat, roundhoused and the switcher run with a small guest that draws; the definition of a PC is there."""
    picture_ready(rig, (NAME,))
    rig.machine.run(f"cp /mnt/cd.iso {CD}; cat >/etc/roundhouse/guests/pc.conf <<'END'\n{PC}\nEND")
    wait_for_state(rig, 'pc', 'off')


def state(rig, name):
    fields = dict(line.split(None, 1) for line in rig.machine.run(f'roundhousectl status {name}').splitlines() if ' ' in line)
    return fields['state'].strip()


def wait_for_state(rig, name, wanted, limit=30):
    limit = int(limit * rig.machine.patience)
    status, text = rig.machine.run(f"timeout {limit} sh -c 'until roundhousectl status {name} | grep -q \"^state *{wanted}$\"; do "
                                   f"sleep 0.5; done' || {{ roundhousectl status {name}; false; }}", limit + 20, check=False)
    if status:
        raise RigError(f'guest {name} is not {wanted} within {limit} s:\n{text}')


def guest_goes_on_where_it_was(rig):
    """Suspended to the disk, over a restart of roundhoused, a guest goes on: it draws and takes keys, and has booted once."""
    run = rig.machine.run
    guest_on_screen(rig, 1, NAME)
    run(f'roundhousectl suspend {NAME}', 180)
    rig.check(state(rig, NAME) == 'suspended', f'the guest is {state(rig, NAME)}')
    rig.check('first' not in run('xl list'), 'a suspended guest still has a domain')
    size = int(run(f'stat -c %s {SAVED}'))
    rig.check(size > 32 << 20, f'what was saved is {size} bytes long')
    run('systemctl restart roundhoused', 60)
    wait_for_state(rig, NAME, 'suspended')
    run(f'roundhousectl start {NAME}', 180)
    guest_on_screen(rig, 1, NAME)
    takes_key(rig, NAME, 'after a suspend')
    rig.check(run(f'ls -A /var/lib/roundhouse/saved').strip() == '', 'what was saved is still there')
    rig.check(run(f'grep -ac "GUEST listens" {log(NAME)}').strip() == '1', 'the guest has booted anew')


def xl_saves_beside_us(rig):
    """xl save of a guest of roundhoused's makes a file that xl restore takes, and leaves the guest off."""
    run = rig.machine.run
    run(f'xl save {NAME} /var/tmp/first.save', 180)
    wait_for_state(rig, NAME, 'off')
    run('xl restore -p /var/tmp/first.save', 180)
    run(f'xl unpause {NAME}; sleep 3')
    listed = run(f'xl list {NAME}').splitlines()[-1].split()
    rig.check(listed[4] in ('-b----', 'r-----'), f'the restored guest is {listed}')
    run(f'xl destroy {NAME}; rm /var/tmp/first.save', 60)


def pc_boots_without_kernel(rig):
    """A PC that has six lines starts by its firmware."""
    rig.machine.run('roundhousectl start pc', 180)
    wait_for_state(rig, 'pc', 'running')


def cd_changes_under_a_confined_device_model(rig):
    """xl takes the CD out of a guest whose QEMU is confined, and puts it in again."""
    run = rig.machine.run
    rig.check(CD in (text := run('xl qemu-monitor-command pc "info block"', 60)), f'QEMU has no such CD:\n{text}')
    run('xl cd-eject pc hdc', 60)
    rig.check(CD not in (text := run('xl qemu-monitor-command pc "info block"', 60)), f'QEMU still has the CD:\n{text}')
    run(f'xl cd-insert pc hdc {CD}', 60)
    rig.check('/dev/fdset' in (text := run('xl qemu-monitor-command pc "info block"', 60)), f'QEMU has no CD again:\n{text}')


def power_button_is_pressed(rig):
    """A PC without Xen drivers is asked by its power button, which no boot menu hears; then it is forced off."""
    run = rig.machine.run
    run('roundhousectl shutdown pc', 60)
    rig.check(state(rig, 'pc') == 'stopping', f'the PC is {state(rig, "pc")}')
    run('roundhousectl destroy pc', 60)
    wait_for_state(rig, 'pc', 'off')


BOOTS = [Boot('life', [guest_goes_on_where_it_was, xl_saves_beside_us, pc_boots_without_kernel,
                       cd_changes_under_a_confined_device_model, power_button_is_pressed, power_off],
              smp=2, ready=guests_ready, saved=True)]
