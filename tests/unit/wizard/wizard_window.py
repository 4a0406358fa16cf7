#!/usr/bin/env python3
"""The real switcher under Xvfb with a roundhoused that does what it is told: a person makes guests by keyboard alone, sees
what is wrong at once, and finds a job again after the switcher was killed. Arguments: roundhouse-ui (with this folder's
places), the fake roundhoused, a folder for pictures, WIDTHxHEIGHT."""
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from display import Display    # noqa: E402

UI, MANAGER, PICTURES = (os.path.abspath(path) for path in sys.argv[1:4])
SIZE = sys.argv[4]
GIB = 1 << 30
ERROR_EDGE, HINT_EDGE = (0xe8, 0x68, 0x5f), (0xe8, 0xa3, 0x3d)
NEXT = (0x39, 0x47, 0x5a)


class Rig(Display):
    def __init__(self, folder):
        super().__init__(folder, SIZE, PICTURES, 'wizard')
        self.lines = queue.Queue()

    def begin(self):
        super().begin()
        self.manager = self.start(MANAGER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.manager.stdout:
            self.lines.put(line.strip())

    def kill(self, process):
        self.processes.remove(process)
        process.kill()
        process.wait(self.patience)

    def tell(self, line):
        self.manager.stdin.write(line + '\n')
        self.manager.stdin.flush()

    def asked(self, what):
        """The next thing that was asked of roundhoused."""
        try:
            line = self.lines.get(timeout=self.patience)
        except queue.Empty:
            sys.exit('nobody asked for ' + what)
        if not line.startswith(what):
            self.picture('unexpected')
            sys.exit(f'asked for "{line}" instead of {what}')
        print('ok', line, flush=True)
        return line

    def asked_nothing(self):
        time.sleep(0.5)
        if not self.lines.empty():
            sys.exit('asked for ' + self.lines.get())

    def page(self, name, *keys):
        """Presses keys, and keeps a picture of the page that they lead to, which must be another one."""
        before = self.pixels()
        if keys:
            self.keys(*keys)
        end = time.monotonic() + self.patience
        while self.pixels() == before:
            if time.monotonic() > end:
                sys.exit(f'{keys} lead nowhere on the way to {name}')
            time.sleep(0.1)
        self.picture(name)
        print('ok page', name, flush=True)

    def choose(self, name):
        """Chooses the first file; the answer comes when it has been looked at."""
        self.keys('space')
        self.wait('the file is good', lambda: self.count(NEXT) > 500)
        self.picture(name)


def make_files(folder):
    media = os.path.join(folder, 'media')
    stick = os.path.join(folder, 'plugged', 'STICK')
    os.makedirs(media)
    os.makedirs(stick)
    text = os.path.join(folder, 'text')
    with open(text, 'w') as file:
        file.write('boot' * 1024)
    for path, volume in ((os.path.join(media, 'debian-11.5.0-amd64-netinst.iso'), 'Debian 11.5.0 amd64 n'),
                         (os.path.join(media, 'z-cut.iso'), 'Cut')):
        subprocess.run(['xorriso', '-as', 'mkisofs', '-quiet', '-V', volume, '-b', 'text', '-no-emul-boot', '-o', path,
                        text], check=True, capture_output=True)
    os.truncate(os.path.join(media, 'z-cut.iso'), 50 * 2048)
    with open(os.path.join(stick, 'appliance.qcow2'), 'wb') as file:
        file.write(b'QFI\xfb' + (3).to_bytes(4, 'big') + bytes(16) + (5 * GIB).to_bytes(8, 'big') + bytes(72))
        file.truncate(200000)


def test_disc(rig):
    """From a disc with all that goes without saying, and one answer changed from the summary."""
    rig.page('source', 'alt+a')
    rig.page('file', 'Return')
    rig.choose('file-chosen')
    rig.page('name', 'Return')
    rig.keys('ctrl+a')
    rig.type('work')
    rig.wait('a name that is taken is told at once', lambda: rig.count(ERROR_EDGE) > 50)
    rig.picture('name-taken')
    rig.keys('Return')
    rig.asked_nothing()
    rig.type('-1234')  # digits are no hotkeys of cards here
    rig.wait('a better one is right', lambda: rig.count(ERROR_EDGE) == 0)
    rig.page('memory', 'Return')
    rig.keys('ctrl+a')
    rig.type('7000')
    rig.wait('more than is free is a hint', lambda: rig.count(HINT_EDGE) > 50)
    rig.picture('memory-hint')
    rig.page('memory-again', 'ctrl+a', '2', '0', '4', '8')
    rig.page('disk', 'Return')
    rig.page('summary', 'Return')
    rig.page('processors', 'alt+p')
    rig.keys('ctrl+a', '3')
    rig.page('summary-again', 'Return')
    rig.page('firmware', 'alt+f')
    rig.page('back', 'Escape')
    rig.page('windows', 'alt+r')
    rig.keys('Escape')
    rig.page('network', 'alt+t')
    rig.keys('Escape')
    rig.asked_nothing()
    rig.keys('alt+m')
    line = rig.asked('CreateGuest')
    for part in ("'name': <'work-1234'>", "'vcpus': <uint32 3>", "'memory_mib': <uint32 2048>", "'type': <'hvm'>",
                 "'cdrom': <'media/debian-11.5.0-amd64-netinst.iso'>", "[{'size': <uint64 21474836480>}]"):
        if part not in line:
            sys.exit(f'{part} was not asked for')
    rig.tell('job 0.4 130')
    rig.picture('progress')
    rig.tell('end done')
    rig.asked('Start work-1234')
    rig.picture('starting')
    rig.tell('guest work-1234 running 3')
    rig.asked('Switch work-1234')


def test_bad_file(rig):
    rig.page('source-2', 'alt+a')
    rig.keys('Return')
    rig.page('file-2', 'Down', 'Down')
    rig.keys('space')
    rig.wait('a disc that was cut short is told at once', lambda: rig.count(ERROR_EDGE) > 50)
    rig.picture('file-cut')
    rig.keys('Return', 'Escape', 'Escape')
    rig.asked_nothing()


def test_image(rig):
    """A ready-made image: refused for want of space, answers kept, and then cancelled under way."""
    rig.page('source-image', 'alt+a')
    rig.keys('Down', 'Return')
    rig.choose('file-image')
    rig.page('name-image', 'Return')
    rig.keys('Return')
    rig.page('disk-image', 'Return')
    rig.page('summary-image', 'Return')
    rig.tell('refuse The pool has become full.')
    rig.keys('alt+m')
    line = rig.asked('CreateGuest')
    if 'file=200000' not in line or "{'import': <handle 0>}" not in line:
        sys.exit('the file was not handed over')
    rig.wait('why it was refused', lambda: rig.count(ERROR_EDGE) > 50)
    rig.picture('refused')
    rig.tell('refuse')
    rig.page('summary-kept', 'alt+b')
    rig.keys('alt+m')
    rig.asked('CreateGuest')
    rig.tell('job 0.2 4000')
    rig.still()
    rig.keys('alt+c')
    rig.asked('Cancel appliance')
    rig.picture('cancelling')
    rig.tell('end cancelled')
    rig.picture('cancelled')
    rig.keys('alt+l')
    rig.asked_nothing()


def test_goes_on(rig, ui):
    """A clone whose page is closed and whose switcher is killed: the job is shown again, and its guest is left to the person."""
    rig.page('source-clone', 'alt+a')
    rig.keys('Down', 'Down')
    rig.page('clone', 'Return')
    rig.keys('Return', 'Return')
    rig.page('summary-clone', 'Return')
    rig.keys('alt+m')
    if "[{'clone': <'work'>}]" not in rig.asked('CreateGuest'):
        sys.exit('it was no clone')
    rig.tell('job 0.5 20')
    rig.page('cards-making', 'Return')
    rig.kill(ui)
    ui = rig.start_ui(UI)
    rig.picture('cards-after-kill')
    rig.page('progress-after-kill', 'alt+m')
    rig.tell('end done')
    rig.picture('ready')
    rig.asked_nothing()
    rig.keys('Return')
    return ui


def test_closed(rig):
    """With its page closed a guest starts, and takes nobody's screen."""
    rig.still()
    rig.page('source-3', 'alt+a')
    rig.keys('Down', 'Down', 'Return', 'Return', 'Return')
    rig.page('summary-3', 'Return')
    rig.keys('alt+m')
    rig.asked('CreateGuest')
    rig.tell('job 0.9 2')
    rig.page('cards-3', 'Return')
    rig.tell('end done')
    line = rig.asked('Start')
    rig.tell(f'guest {line.split()[1]} running 5')
    rig.asked_nothing()


def main():
    os.makedirs(PICTURES, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='roundhouse-wizard-') as folder:
        make_files(folder)
        rig = Rig(folder)
        try:
            rig.begin()
            rig.tell('memory 6144 8192')
            rig.tell('pool 60 100')
            rig.tell('guest work off 0 image:work,xvda,rw')
            ui = rig.start_ui(UI)
            rig.wait('cards', lambda: rig.count((0xe8, 0xeb, 0xf0)) > 20)
            rig.picture('cards')
            test_disc(rig)
            if SIZE == '800x600':
                test_bad_file(rig)
                test_image(rig)
                ui = test_goes_on(rig, ui)
                test_closed(rig)
            if rig.end(ui) != 0:
                sys.exit('the switcher ended badly')
        finally:
            rig.close()


main()
