"""A display, buses and keys for the real switcher, and what is seen and heard of it: pixels, pictures, and AT-SPI's words."""
import os
import subprocess
import sys
import time

PATIENCE = 40


class Widget:
    """As AT-SPI tells it; text is what stands in it."""

    def __init__(self, line):
        depth, self.role, self.name, self.about, states, self.text = line.split('\t')
        self.depth, self.states = int(depth), set(states.split())

    def __repr__(self):
        return f'{"  " * self.depth}{self.role} "{self.name}" ({self.about}) {sorted(self.states)} "{self.text}"'


class Screen:
    def __init__(self, folder, size, pictures, reader, name):
        self.folder, self.size, self.pictures, self.reader, self.name = folder, size, pictures, reader, name
        self.processes = []
        self.environment = dict(os.environ, GDK_BACKEND='x11', GSETTINGS_BACKEND='memory')
        self.environment.pop('NO_AT_BRIDGE', None)

    def begin(self):
        display = self.first_line('Xvfb', '-displayfd', '{}', '-screen', '0', self.size + 'x24', '-nolisten', 'tcp')
        self.environment['DISPLAY'] = ':' + display
        self.environment['XDG_RUNTIME_DIR'] = self.folder
        bus = self.first_line('dbus-daemon', '--session', '--nofork', '--print-address={}')
        self.environment['DBUS_SYSTEM_BUS_ADDRESS'] = self.environment['DBUS_SESSION_BUS_ADDRESS'] = bus

    def first_line(self, *command):
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
        return process.wait(PATIENCE)

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
        subprocess.run(['xdotool', 'key', '--delay', '60', *names], env=self.environment, check=True)

    def type(self, text):
        subprocess.run(['xdotool', 'type', '--delay', '40', '--', text], env=self.environment, check=True)

    def click(self, x, y, button=1):
        subprocess.run(['xdotool', 'mousemove', str(x), str(y), 'click', str(button)], env=self.environment, check=True)

    def pixels(self):
        shot = subprocess.run(['import', '-window', 'root', '-depth', '8', 'rgb:-'], env=self.environment, capture_output=True,
                              check=True)
        return shot.stdout

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

    def picture(self, name):
        self.still()
        path = os.path.join(self.pictures, f'{self.name}-{self.size}-{name}.png')
        subprocess.run(['import', '-window', 'root', path], env=self.environment, check=True)

    def heard(self):
        """All widgets that are shown."""
        answer = subprocess.run([self.reader, 'roundhouse-ui'], env=self.environment, capture_output=True, text=True,
                                timeout=3 * PATIENCE)
        return [Widget(line) for line in answer.stdout.splitlines()]

    def find(self, role, name):
        return next((widget for widget in self.heard() if widget.role == role and widget.name.startswith(name)), None)

    def wait_find(self, role, name):
        found = []
        self.wait(f'{role} "{name}"', lambda: (found.append(self.find(role, name)), found[-1])[1])
        return found[-1]

    def says(self, text):
        return any(text in widget.name or text in widget.text for widget in self.heard())

    def wait_says(self, text):
        self.wait(f'it says "{text}"', lambda: self.says(text))

    def focus(self):
        return next((widget for widget in self.heard() if 'focused' in widget.states and widget.role != 'frame'), None)

    def go_to(self, role, name):
        """By the Tab key alone: so often as it looks like at first, then step by step."""
        seen, steps = [], self.distance(role, name)
        if steps:
            self.keys(*['Tab' if steps > 0 else 'shift+Tab'] * abs(steps))
        for _ in range(120):
            focus = self.focus()
            if focus and focus.role == role and focus.name.startswith(name):
                return focus
            seen.append(f'{focus.role} "{focus.name}"' if focus else 'nothing')
            self.keys('Tab')
        self.fail(f'the Tab key does not come to {role} "{name}"; it came to ' + ', '.join(seen))

    def distance(self, role, name):
        """Of several radio buttons in a row the Tab key comes to one."""
        stops, before = [], None
        for widget in self.heard():
            if {'focusable', 'sensitive'} <= widget.states and (widget.role != 'radio button' or widget.depth != before):
                stops.append(widget)
            if 'focusable' in widget.states:
                before = widget.depth if widget.role == 'radio button' else None
        here = next((i for i, widget in enumerate(stops) if 'focused' in widget.states), 0)
        there = next((i for i, widget in enumerate(stops) if widget.role == role and widget.name.startswith(name)), here)
        return there - here

    def wait(self, what, test):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if test():
                print('ok', what, flush=True)
                return
            time.sleep(0.2)
        self.fail('waited in vain: ' + what)

    def fail(self, sentence):
        for widget in self.heard():
            print(widget)
        self.picture('failed')
        sys.exit(sentence)
