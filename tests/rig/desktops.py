"""The machine of ./dev run: the switcher on screen, then the real desktops, two PV and one HVM, flipped by hotkey."""

import time

from boots import Boot
from machine import RigError

DESKTOPS = {'work': 0x3465a4, 'home': 0x2e8b57, 'client': 0x8f5902}


def hue_share(machine, colour):
    """The share of pixels that are a shade of `colour`: the wallpaper is a gradient over it."""
    width, height, data = machine.screen()
    red, green, blue = colour.to_bytes(3, 'big')
    order = sorted(range(3), key=lambda i: (red, green, blue)[i])
    step, hits = 97 * 3, 0
    pixels = range(0, width * height * 3, step)
    for i in pixels:
        pixel = data[i:i + 3]
        hits += pixel[order[0]] < pixel[order[1]] < pixel[order[2]]
    return hits / len(pixels)


def console(name):
    return f'/var/log/xen/console/guest-{name}.log'


def shell_ready(rig):
    """Domain-0's shell."""
    rig.machine.login()


def switcher_first(rig):
    """The switcher is on screen before the desktops are."""
    run, limit = rig.machine.run, int(120 * rig.machine.patience)
    run(f"timeout {limit} sh -c 'until systemctl -q is-active roundhouse-ui roundhouse-seat roundhoused; do sleep 1; done'", 150)
    time.sleep(10 * rig.machine.patience)
    rig.machine.screenshot('switcher.png')
    print(f'# switcher up at {rig.machine.age():.0f} s', flush=True)


def desktops_drawn(rig):
    """The desktops are drawn."""
    limit = int(240 * rig.machine.patience)
    for name in DESKTOPS:
        status, _ = rig.machine.run(f"timeout {limit} sh -c 'until grep -aqs \"desktop drawn\" {console(name)}; do sleep 1; done'",
                                    300, check=False)
        if status:
            raise RigError(f'the desktop {name} was not drawn:\n' + rig.machine.run(
                f'roundhousectl list; tail -20 {console(name)}; journalctl -b -u roundhoused -u roundhouse-seat --no-pager '
                '| tail -20', check=False)[1])
        print(f'# {name} drawn at {rig.machine.age():.0f} s', flush=True)


def hotkeys_flip(rig):
    """Ctrl+Alt+1, 2 and 3 show the desktops, each in its colour."""
    for slot, name in enumerate(DESKTOPS, 1):
        rig.machine.key('ctrl', 'alt', str(slot))
        time.sleep(5 * rig.machine.patience)
        rig.machine.screenshot(f'{name}.png')
        shares = {other: hue_share(rig.machine, colour) for other, colour in DESKTOPS.items()}
        rig.check(shares[name] > 0.4 and shares[name] == max(shares.values()),
                  f'the screen is not the desktop {name}: shades of each colour {shares}')
    rig.machine.key('ctrl', 'alt', 'spc')
    time.sleep(3 * rig.machine.patience)
    rig.machine.screenshot('bar.png')
    rig.machine.key('ctrl', 'alt', '0')
    time.sleep(3 * rig.machine.patience)
    rig.machine.screenshot('switcher-with-guests.png')


BOOTS = [Boot('desktops', [switcher_first, desktops_drawn, hotkeys_flip], smp=2, dom0='', ready=shell_ready)]
