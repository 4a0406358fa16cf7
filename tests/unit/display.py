"""A display, a bus and keys for the real switcher, and what is seen of it."""
import os
import subprocess
import sys
import time


class Display:
    """Programs on an Xvfb of that size. Pictures, if there are any, are kept in their folder under NAME-SIZE-WHAT.png."""

    patience = 40               # seconds for what has to come
    key_milliseconds = 60

    def __init__(self, folder, size, pictures=None, name=None):
        self.folder, self.size, self.pictures, self.name = folder, size, pictures, name
        self.processes = []
        self.environment = dict(os.environ, NO_AT_BRIDGE='1', GDK_BACKEND='x11', GSETTINGS_BACKEND='memory')

    def begin(self):
        display = self.first_line('Xvfb', '-displayfd', '{}', '-screen', '0', self.size + 'x24', '-nolisten', 'tcp')
        self.environment['DISPLAY'] = ':' + display
        self.environment['DBUS_SYSTEM_BUS_ADDRESS'] = self.first_line('dbus-daemon', '--session', '--nofork',
                                                                      '--print-address={}')

    def first_line(self, *command):
        """What a program that stays says first, on a descriptor whose number goes where {} stands."""
        reader, writer = os.pipe()
        command = [word.replace('{}', str(writer)) for word in command]
        self.processes.append(subprocess.Popen(command, pass_fds=[writer], env=self.environment, stderr=subprocess.DEVNULL))
        os.close(writer)
        with os.fdopen(reader) as stream:
            return stream.readline().strip()

    def start(self, *command, **options):
        process = subprocess.Popen(command, env=self.environment, cwd=self.folder, **options)
        self.processes.append(process)
        return process

    def start_ui(self, *command):
        """Without a window manager, which Xvfb has not, nobody but we gives the window the screen's size."""
        process = self.start(*command, '--full-screen')
        subprocess.run(['xdotool', 'search', '--sync', '--onlyvisible', '--name', '^Roundhouse$', 'windowsize', '--sync',
                        *self.size.split('x')], env=self.environment, check=True, stdout=subprocess.DEVNULL)
        return process

    def end(self, process):
        self.processes.remove(process)
        process.terminate()
        return process.wait(self.patience)

    def close(self):
        """Ends all of them, whatever one does: what stayed would hold the test's output open."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def keys(self, *names):
        subprocess.run(['xdotool', 'key', '--delay', str(self.key_milliseconds), *names], env=self.environment, check=True)

    def type(self, text):
        subprocess.run(['xdotool', 'type', '--delay', '40', '--', text], env=self.environment, check=True)

    def click(self, x, y, button=1):
        subprocess.run(['xdotool', 'mousemove', str(x), str(y), 'click', str(button)], env=self.environment, check=True)

    def pixels(self):
        shot = subprocess.run(['import', '-window', 'root', '-depth', '8', 'rgb:-'], env=self.environment, capture_output=True,
                              check=True)
        return shot.stdout

    def count(self, colour):
        data, wanted = self.pixels(), bytes(colour)
        return sum(1 for i in range(0, len(data), 3) if data[i:i + 3] == wanted)

    def still(self):
        """Waits until two looks in a row are the same."""
        before = None
        for _ in range(60):
            now = self.pixels()
            if now == before:
                return
            before = now
            time.sleep(0.25)
        sys.exit('the picture does not come to rest')

    def picture(self, what):
        self.still()
        path = os.path.join(self.pictures, f'{self.name}-{self.size}-{what}.png')
        subprocess.run(['import', '-window', 'root', path], env=self.environment, check=True)

    def wait(self, what, test):
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            if test():
                print('ok', what, flush=True)
                return
            time.sleep(0.2)
        self.fail('waited in vain: ' + what)

    def fail(self, sentence):
        sys.exit(sentence)
