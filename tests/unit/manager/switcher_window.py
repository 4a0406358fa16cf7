#!/usr/bin/env python3
"""The real switcher under Xvfb, with the real roundhoused on a private bus and a hypervisor in memory: keys go in,
states come out on the bus and colours on the screen. Arguments: roundhouse-ui, roundhoused, roundhousectl."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from display import Display    # noqa: E402

UI, SERVICE, CONTROL = (os.path.abspath(path) for path in sys.argv[1:4])
WIDTH, HEIGHT = 1280, 800
WORK, HOME, CRASH = (0x34, 0x65, 0xa4), (0xe8, 0xa3, 0x3d), (0xd6, 0x6b, 0xa0)
ERROR_EDGE = (0xe8, 0x68, 0x5f)
YES = (0xff, 0xb5, 0xae)


class Rig(Display):
    patience = 30
    key_milliseconds = 80

    def __init__(self, folder):
        super().__init__(folder, f'{WIDTH}x{HEIGHT}')
        self.guests = os.path.join(folder, 'guests')
        os.mkdir(self.guests)

    def start_service(self):
        return self.start(SERVICE, '--guests', self.guests, '--autostart-marker', os.path.join(self.folder, 'marker'), '--state', self.folder,
                          '--up-marker', os.path.join(self.folder, 'up'))

    def define(self, name, slot, colour, more=''):
        with open(os.path.join(self.guests, name + '.conf'), 'w') as file:
            file.write('[guest]\nslot=%d\ncolour=#%02x%02x%02x\nkernel=/k\n%s\n' % (slot, *colour, more))

    def state(self, name):
        answer = subprocess.run([CONTROL, 'status', name], env=self.environment, capture_output=True, text=True)
        for line in answer.stdout.splitlines():
            if line.startswith('state '):
                return line.split()[1]
        return None

    def at(self, x, y):
        data = self.pixels()
        offset = (y * WIDTH + x) * 3
        return tuple(data[offset:offset + 3])


def stays(what, test):
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        if not test():
            sys.exit('did not stay: ' + what)
        time.sleep(0.2)
    print('ok', what, flush=True)


def test_cards(rig):
    rig.wait('a card per guest, dim while they are off',
             lambda: rig.count(WORK) == 0 and rig.pixels().count(bytes((0xe8, 0xeb, 0xf0))) > 20)
    rig.keys('1')
    rig.wait('digit 1 starts the guest in slot 1', lambda: rig.state('work') == 'running')
    rig.wait('a running guest shows its full colour', lambda: rig.count(WORK) > 500)


def ask(rig):
    rig.keys('Delete')
    rig.wait('Delete asks', lambda: rig.count(YES) > 0)


def test_questions(rig):
    ask(rig)
    rig.keys('Escape')
    stays('Escape says no', lambda: rig.state('work') == 'running')
    ask(rig)
    rig.keys('Return')
    stays('Enter alone says no', lambda: rig.state('work') == 'running')
    ask(rig)
    rig.keys('Tab', 'Return')
    rig.wait('yes shuts the guest down', lambda: rig.state('work') == 'off')


def test_arrows(rig):
    rig.keys('Right', 'Return')
    rig.wait('arrows choose, Enter starts', lambda: rig.state('home') == 'running')
    if rig.state('work') != 'off':
        sys.exit('Enter started the wrong guest')


def test_error(rig):
    rig.keys('3')
    rig.wait('a crash is on the bus', lambda: rig.state('crash') == 'crashed')
    rig.wait('a crash is on the card', lambda: rig.count(ERROR_EDGE) > 50)


def test_service_restart(rig, service):
    if rig.end(service) != 0:
        sys.exit('roundhoused ended badly')
    rig.wait('without the service no guests are shown', lambda: rig.count(HOME) == 0)
    service = rig.start_service()
    rig.wait('the service is back', lambda: rig.state('work') == 'off')
    rig.keys('1')
    rig.wait('keys work again', lambda: rig.state('work') == 'running')
    rig.wait('cards are back', lambda: rig.count(WORK) > 500)
    return service


def test_bar(rig):
    bar = rig.start(UI, '--bar')
    subprocess.run([CONTROL, 'switch', 'work'], env=rig.environment, check=True)
    rig.wait('the bar has the colour of the guest on screen', lambda: rig.at(640, 18) == WORK)
    if rig.at(640, 60) == WORK:
        sys.exit('the bar is higher than a strip')
    rig.keys('2')
    rig.wait('the other guest runs', lambda: rig.state('home') == 'running')
    subprocess.run([CONTROL, 'switch', 'home'], env=rig.environment, check=True)
    rig.wait('the bar follows the focus', lambda: rig.at(640, 18) == HOME)
    if rig.end(bar) != 0:
        sys.exit('the bar ended badly')


def main():
    with tempfile.TemporaryDirectory(prefix='roundhouse-switcher-') as folder:
        rig = Rig(folder)
        try:
            rig.begin()
            rig.define('work', 1, WORK)
            rig.define('home', 2, HOME)
            rig.define('crash', 3, CRASH, 'cmdline=crash_ms=100')
            service = rig.start_service()
            rig.wait('the service answers', lambda: rig.state('work') == 'off')
            ui = rig.start(UI, '--full-screen')
            test_cards(rig)
            test_questions(rig)
            test_arrows(rig)
            test_error(rig)
            test_service_restart(rig, service)
            test_bar(rig)
            if rig.end(ui) != 0:
                sys.exit('the switcher ended badly')
        finally:
            rig.close()


main()
