#!/usr/bin/env python3
"""The real switcher under Xvfb, with the real roundhoused on a private bus and a hypervisor in memory: keys go in,
states come out on the bus and colours on the screen. Arguments: roundhouse-ui, roundhoused, roundhousectl."""
import os
import subprocess
import sys
import tempfile
import time

UI, SERVICE, CONTROL = sys.argv[1:4]
WIDTH, HEIGHT = 1280, 800
PATIENCE = 30
WORK, HOME, CRASH = (0x34, 0x65, 0xa4), (0xe8, 0xa3, 0x3d), (0xd6, 0x6b, 0xa0)
ERROR_EDGE = (0xe8, 0x68, 0x5f)
YES = (0xff, 0xb5, 0xae)


class Rig:
    def __init__(self, folder):
        self.folder = folder
        self.guests = os.path.join(folder, 'guests')
        os.mkdir(self.guests)
        self.processes = []
        self.environment = dict(os.environ, NO_AT_BRIDGE='1', GDK_BACKEND='x11', GSETTINGS_BACKEND='memory')
        self.environment['DBUS_SYSTEM_BUS_ADDRESS'] = self.first_line('dbus-daemon', '--session', '--nofork',
                                                                      '--print-address={}')
        display = self.first_line('Xvfb', '-displayfd', '{}', '-screen', '0', f'{WIDTH}x{HEIGHT}x24', '-nolisten', 'tcp')
        self.environment['DISPLAY'] = ':' + display

    def first_line(self, *command):
        reader, writer = os.pipe()
        command = [word.replace('{}', str(writer)) for word in command]
        self.processes.append(subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL))
        os.close(writer)
        with os.fdopen(reader) as stream:
            return stream.readline().strip()

    def start(self, *command):
        process = subprocess.Popen(command, env=self.environment)
        self.processes.append(process)
        return process

    def start_service(self):
        return self.start(SERVICE, '--guests', self.guests, '--autostart-marker', os.path.join(self.folder, 'marker'))

    def end(self, process):
        self.processes.remove(process)
        process.terminate()
        return process.wait(PATIENCE)

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(PATIENCE)

    def define(self, name, slot, colour, more=''):
        with open(os.path.join(self.guests, name + '.conf'), 'w') as file:
            file.write('[guest]\nslot=%d\ncolour=#%02x%02x%02x\nkernel=/k\n%s\n' % (slot, *colour, more))

    def keys(self, *names):
        subprocess.run(['xdotool', 'key', '--delay', '80', *names], env=self.environment, check=True)

    def state(self, name):
        answer = subprocess.run([CONTROL, 'status', name], env=self.environment, capture_output=True, text=True)
        for line in answer.stdout.splitlines():
            if line.startswith('state '):
                return line.split()[1]
        return None

    def pixels(self):
        shot = subprocess.run(['import', '-window', 'root', '-depth', '8', 'rgb:-'], env=self.environment,
                              capture_output=True, check=True)
        return shot.stdout

    def count(self, colour):
        data = self.pixels()
        wanted = bytes(colour)
        return sum(1 for i in range(0, len(data), 3) if data[i:i + 3] == wanted)

    def at(self, x, y):
        data = self.pixels()
        offset = (y * WIDTH + x) * 3
        return tuple(data[offset:offset + 3])


def wait_for(what, test):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if test():
            print('ok', what, flush=True)
            return
        time.sleep(0.2)
    sys.exit('waited in vain: ' + what)


def stays(what, test):
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        if not test():
            sys.exit('did not stay: ' + what)
        time.sleep(0.2)
    print('ok', what, flush=True)


def test_cards(rig):
    wait_for('a card per guest, dim while they are off',
             lambda: rig.count(WORK) == 0 and rig.pixels().count(bytes((0xe8, 0xeb, 0xf0))) > 20)
    rig.keys('1')
    wait_for('digit 1 starts the guest in slot 1', lambda: rig.state('work') == 'running')
    wait_for('a running guest shows its full colour', lambda: rig.count(WORK) > 500)


def ask(rig):
    rig.keys('Delete')
    wait_for('Delete asks', lambda: rig.count(YES) > 0)


def test_questions(rig):
    ask(rig)
    rig.keys('Escape')
    stays('Escape says no', lambda: rig.state('work') == 'running')
    ask(rig)
    rig.keys('Return')
    stays('Enter alone says no', lambda: rig.state('work') == 'running')
    ask(rig)
    rig.keys('Tab', 'Return')
    wait_for('yes shuts the guest down', lambda: rig.state('work') == 'off')


def test_arrows(rig):
    rig.keys('Right', 'Return')
    wait_for('arrows choose, Enter starts', lambda: rig.state('home') == 'running')
    if rig.state('work') != 'off':
        sys.exit('Enter started the wrong guest')


def test_error(rig):
    rig.keys('3')
    wait_for('a crash is on the bus', lambda: rig.state('crash') == 'crashed')
    wait_for('a crash is on the card', lambda: rig.count(ERROR_EDGE) > 50)


def test_service_restart(rig, service):
    if rig.end(service) != 0:
        sys.exit('roundhoused ended badly')
    wait_for('without the service no guests are shown', lambda: rig.count(HOME) == 0)
    service = rig.start_service()
    wait_for('the service is back', lambda: rig.state('work') == 'off')
    rig.keys('1')
    wait_for('keys work again', lambda: rig.state('work') == 'running')
    wait_for('cards are back', lambda: rig.count(WORK) > 500)
    return service


def test_bar(rig):
    bar = rig.start(UI, '--bar')
    subprocess.run([CONTROL, 'switch', 'work'], env=rig.environment, check=True)
    wait_for('the bar has the colour of the guest on screen', lambda: rig.at(640, 18) == WORK)
    if rig.at(640, 60) == WORK:
        sys.exit('the bar is higher than a strip')
    rig.keys('2')
    wait_for('the other guest runs', lambda: rig.state('home') == 'running')
    subprocess.run([CONTROL, 'switch', 'home'], env=rig.environment, check=True)
    wait_for('the bar follows the focus', lambda: rig.at(640, 18) == HOME)
    if rig.end(bar) != 0:
        sys.exit('the bar ended badly')


def main():
    with tempfile.TemporaryDirectory(prefix='roundhouse-switcher-') as folder:
        rig = Rig(folder)
        try:
            rig.define('work', 1, WORK)
            rig.define('home', 2, HOME)
            rig.define('crash', 3, CRASH, 'cmdline=crash_ms=100')
            service = rig.start_service()
            wait_for('the service answers', lambda: rig.state('work') == 'off')
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
