"""The switcher on a display, and what is heard of it: AT-SPI's words."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from display import Display    # noqa: E402


class Widget:
    """As AT-SPI tells it; text is what stands in it."""

    def __init__(self, line):
        depth, self.role, self.name, self.about, states, self.text = line.split('\t')
        self.depth, self.states = int(depth), set(states.split())

    def __repr__(self):
        return f'{"  " * self.depth}{self.role} "{self.name}" ({self.about}) {sorted(self.states)} "{self.text}"'


class Screen(Display):
    """Heard by `reader`, the screen reader."""

    def __init__(self, folder, size, pictures, reader, name):
        super().__init__(folder, size, pictures, name)
        self.reader = reader
        del self.environment['NO_AT_BRIDGE']
        self.environment['XDG_RUNTIME_DIR'] = folder

    def begin(self):
        super().begin()
        self.environment['DBUS_SESSION_BUS_ADDRESS'] = self.environment['DBUS_SYSTEM_BUS_ADDRESS']

    def heard(self):
        """All widgets that are shown."""
        answer = subprocess.run([self.reader, 'roundhouse-ui'], env=self.environment, capture_output=True, text=True,
                                timeout=3 * self.patience)
        return [Widget(line) for line in answer.stdout.splitlines()]

    def find(self, role, name):
        return next((widget for widget in self.heard() if widget.role == role and widget.name.startswith(name)), None)

    def wait_find(self, role, name):
        found = []
        self.wait(f'{role} "{name}"', lambda: (found.append(self.find(role, name)), found[-1])[1])
        return found[-1]

    def wait_sensitive(self, role, name, wanted=True):
        """A look may fall between two states of a page, so what is found wrong is looked at again."""
        def as_wanted():
            widget = self.find(role, name)
            return widget and ('sensitive' in widget.states) == wanted
        self.wait(f'{role} "{name}" is {"" if wanted else "not "}to be used', as_wanted)

    def wait_text(self, name, text):
        self.wait(f'"{text}" stands in {name}', lambda: any(
            widget.role == 'text' and widget.name.startswith(name) and widget.text == text for widget in self.heard()))

    def says(self, text):
        return any(text in widget.name or text in widget.text for widget in self.heard())

    def wait_says(self, text):
        self.wait(f'it says "{text}"', lambda: self.says(text))

    def focus(self):
        return next((widget for widget in self.heard() if 'focused' in widget.states and widget.role != 'frame'), None)

    def has_focus(self, name):
        focus = self.focus()
        return focus and focus.name == name

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

    def fail(self, sentence):
        for widget in self.heard():
            print(widget)
        self.picture('failed')
        super().fail(sentence)
