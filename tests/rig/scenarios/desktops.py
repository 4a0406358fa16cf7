"""The machine of ./dev run: the switcher on screen, then the real desktops, two PV and one HVM, flipped by hotkey."""

import time

import pictures
from boots import Boot
from machine import RigError

DESKTOPS = {'work': 0x3465a4, 'home': 0x2e8b57, 'client': 0x8f5902}


def console(name):
    return f'/var/log/xen/console/guest-{name}.log'


def shell_ready(rig):
    """Domain-0's shell."""
    rig.machine.login()


def picture(rig):
    return pictures.stage(*rig.machine.screen())


def service_logs(rig):
    """What the services know and said last."""
    return rig.machine.run('roundhousectl list; journalctl -b -u roundhoused -u roundhouse-seat -u roundhouse-ui -o short-monotonic '
                           '--no-pager | grep -v /etc/xen/scripts | tail -20', 60, check=False)[1]


def wait_for_picture(rig, what, seconds, right):
    """Waits until `right` says of the picture that it is `what`. Says so with the last picture kept if it never does."""
    end = time.monotonic() + seconds * rig.machine.patience
    while not right(picture(rig)):
        if time.monotonic() > end:
            name = rig.machine.screenshot(f'not-{what.replace(" ", "-")}.png')
            raise RigError(f'the screen is not {what} after {seconds * rig.machine.patience:.0f} s; it is in {name}\n'
                           f'{pictures.describe(picture(rig), DESKTOPS)}\n{service_logs(rig)}')
        time.sleep(0.5)


def switcher_first(rig):
    """The switcher is on screen before the desktops are."""
    wait_for_picture(rig, 'the switcher', 120, pictures.is_switcher)
    print(f'# switcher drawn at {rig.machine.age():.0f} s', flush=True)
    rig.machine.screenshot('switcher.png')
    drawn = [name for name in DESKTOPS if rig.machine.run(f'grep -aqs "desktop drawn" {console(name)}', check=False)[0] == 0]
    rig.check(not drawn, f'drawn before the switcher was seen: {", ".join(drawn)}')


def desktops_drawn(rig):
    """The desktops are drawn."""
    limit = int(240 * rig.machine.patience)
    for name in DESKTOPS:
        status, _ = rig.machine.run(f"timeout {limit} sh -c 'until grep -aqs \"desktop drawn\" {console(name)}; do sleep 1; done'",
                                    300, check=False)
        if status:
            raise RigError(f'the desktop {name} was not drawn:\n' + rig.machine.run(f'tail -20 {console(name)}', check=False)[1]
                           + service_logs(rig))
        print(f'# {name} drawn at {rig.machine.age():.0f} s', flush=True)


def hotkeys_flip(rig):
    """Ctrl+Alt+1, 2 and 3 show the desktops, each its own picture; Ctrl+Alt+Space the bar, Ctrl+Alt+0 the switcher."""
    for slot, name in enumerate(DESKTOPS, 1):
        rig.machine.key('ctrl', 'alt', str(slot))
        wait_for_picture(rig, f'the desktop {name}', 90, lambda there, name=name: pictures.which_desktop(there, DESKTOPS) == name)
        rig.machine.screenshot(f'{name}.png')
    rig.machine.key('ctrl', 'alt', 'spc')
    last = DESKTOPS['client'].to_bytes(3, 'big')
    wait_for_picture(rig, 'the bar', 20, lambda there: there.at(there.width // 2, 18) == last)
    rig.machine.screenshot('bar.png')
    rig.machine.key('ctrl', 'alt', '0')
    wait_for_picture(rig, 'the switcher again', 20, pictures.is_switcher)
    rig.machine.screenshot('switcher-with-guests.png')


BOOTS = [Boot('desktops', [switcher_first, desktops_drawn, hotkeys_flip], smp=2, dom0='', ready=shell_ready)]
