#!/usr/bin/env python3
"""Questions of the policy in the real switcher, asked by the real roundhoused. Arguments as those of guest_page.py, and
roundhouse-policy."""
import os
import subprocess
import sys
import tempfile
import time

from guest_page import CONTROL, PICTURES, READER, SIZE, UI, Rig

POLICY = os.path.abspath(sys.argv[7])
RULES = """policy test
allow the laptop to control, run device model of the laptop and any guest
allow the laptop to drive hardware
allow the administrator to change policy
allow the administrator to see the laptop and any guest
ask before allowing the administrator to start any guest
ask before allowing the administrator to stop any guest, remember until the guest stops
ask before allowing any guest to use microphone
allow any guest to use screen only while on screen
allow any guest to connect to any guest
allow the person to start any guest
"""
HOME = (0xe8, 0xa3, 0x3d)


class Questions(Rig):
    def compile(self, rules):
        with open(self.path('test.policy'), 'w') as file:
            file.write(rules)
        subprocess.run([POLICY, 'compile', self.path('test.policy'), self.path('policy.table')], check=True)

    def start_service(self):
        return self.start(os.path.abspath(sys.argv[2]), '--guests', self.path('guests'), '--state', self.folder,
                          '--autostart-marker', self.path('marker'), '--pool', self.path('pool'), '--policy',
                          self.path('policy.table'))

    def ask(self, *words):
        """Somebody else wants something, and waits for the answer."""
        return self.start(CONTROL, *words, stderr=subprocess.DEVNULL)

    def shown(self, title):
        self.wait_says(title)

    def gone(self, title):
        self.wait(f'"{title}" is not asked any more', lambda: not self.says(title))

    def awake(self):
        self.wait_sensitive('push button', 'No')

    def result(self, process, agreed, what):
        self.processes.remove(process)
        if (process.wait(self.patience) == 0) != agreed:
            self.fail(what)
        print('ok', what, flush=True)

    def withdraw(self, process):
        self.end(process)


def test_answers(rig):
    asked = rig.ask('start', 'home')
    rig.shown('May an administrator start home?')
    if rig.says('To start is to'):
        rig.fail('the verb is explained by itself')
    rig.wait_says('test.policy:6: ask before allowing')
    rig.awake()
    rig.picture('asked')
    if rig.count(HOME) < 500:
        rig.fail('the guest is named without its colour')
    rig.keys('Tab', 'shift+Tab', 'y', 'Escape')
    if not rig.says('May an administrator start home?'):
        rig.fail('it was answered without F6')
    rig.keys('F6')
    rig.wait('no has the keyboard', lambda: rig.has_focus('No'))
    rig.keys('Return')
    rig.result(asked, False, 'Enter is no')
    rig.gone('May an administrator start home?')
    asked = rig.ask('start', 'home')
    rig.shown('Yes, this once')
    rig.awake()
    rig.keys('F6', 'Tab')
    rig.wait('yes has the keyboard', lambda: rig.has_focus('Yes, this once'))
    rig.keys('Return')
    rig.result(asked, True, 'yes is yes')
    rig.wait_state('home', 'running')


def test_asleep(rig):
    """Keys that do not rest keep it asleep, however long."""
    time.sleep(1.5)         # the answer before was by keyboard, and keys are nobody's for a second
    rig.keys('alt+s')
    rig.wait('the speakers have the keyboard', lambda: rig.has_focus('Volume of this computer'))
    typing = rig.start('xdotool', 'key', '--delay', '60', *['F6', 'Return'] * 500)
    asked = rig.ask('start', 'work')
    rig.shown('May an administrator start work?')
    stays = rig.has_focus('Volume of this computer') and rig.says('May an administrator start work?')
    if typing.poll() is not None:
        rig.fail('this machine is too slow to tell')
    rig.end(typing)
    if not stays:
        rig.fail('it got the keyboard while somebody typed')
    rig.withdraw(asked)
    rig.gone('May an administrator start work?')
    rig.keys('Escape')
    if rig.state('work') == 'running':
        rig.fail('keys that were being typed answered')


def test_ends(rig):
    """Who waited has left, while its yes has the keyboard; the policy has changed."""
    asked = rig.ask('shutdown', 'home')
    rig.shown('Yes, until the guest stops')
    rig.wait_says('To stop is to: shut it down, restart it, force it off.')
    rig.awake()
    rig.keys('F6', 'Tab')
    rig.withdraw(asked)
    rig.gone('Yes, until the guest stops')
    asked = rig.ask('start', 'work')
    rig.shown('May an administrator start work?')
    rig.compile(RULES.replace('ask before allowing the administrator to start', 'deny the administrator to start'))
    rig.gone('May an administrator start work?')
    rig.result(asked, False, 'another policy is a no')
    rig.compile(RULES)
    rig.wait('the first policy is back', lambda: 'ask' in rig.control('policy', 'explain', 'administrator', 'start', 'work'))


def test_several(rig, service):
    one, other = rig.ask('start', 'work'), None
    rig.shown('May an administrator start work?')
    other = rig.ask('shutdown', 'home')
    rig.wait_says('1 more question after this')
    rig.picture('several')
    rig.awake()
    rig.keys('F6', 'Tab', 'Return', 'Return', 'Return')
    rig.result(one, True, 'the older one comes first')
    rig.shown('May an administrator stop home?')
    if rig.state('home') != 'running':
        rig.fail('the answer to one was one to the next')
    rig.end(service)
    rig.gone('May an administrator stop home?')
    rig.result(other, False, 'the service went: no')


def test_may(rig):
    """On the guest's page: yes, no and after a question, each with its rule; by keyboard to the last; anew by another policy."""
    rig.keys('alt+Return')
    rig.wait_find('radio button', 'Overview')
    rig.section('m', 'label', 'work may not use screen.')
    rig.wait_says('work may use microphone, after a question.')
    rig.wait_says('test.policy:8: ask before allowing any guest to use microphone')
    rig.wait_says('work may connect to home.')
    rig.wait_says('the person at this laptop may start work.')
    rig.picture('may')
    end = 'the person at this laptop may not delete work.'
    if SIZE == '800x600' and 'showing' in rig.find('label', end).states:
        rig.fail('the end of it is on screen already')
    rig.keys('Next', 'Next')
    rig.wait('the end of it is on screen', lambda: 'showing' in rig.find('label', end).states)
    rig.picture('may-end')
    rig.compile(RULES.replace('ask before allowing any guest to use microphone', 'deny any guest to use microphone'))
    rig.wait_says('work may not use microphone.')
    rig.wait('nothing of the old policy is told', lambda: not rig.says('work may use microphone, after'))
    rig.compile(RULES)
    rig.wait_says('work may use microphone, after a question.')
    rig.keys('Escape')
    rig.wait_find('push button', 'Start: home')


def test_bar(rig):
    """Over a guest there is only that one waits, and where to go."""
    rig.start_service()
    bar = rig.start(UI, '--bar')
    rig.wait_state('work', 'off')
    asked = rig.ask('start', 'work')
    rig.wait_says('A question waits: Ctrl + Alt + 0')
    rig.picture('bar')
    if rig.says('May an administrator'):
        rig.fail('the bar asks itself')
    rig.withdraw(asked)
    rig.gone('A question waits')
    if rig.end(bar) != 0:
        sys.exit('the bar ended badly')


def main():
    os.makedirs(PICTURES, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='roundhouse-question-page-') as folder:
        rig = Questions(folder, SIZE, PICTURES, READER, 'question')
        rig.environment['ROUNDHOUSE_SLOW_QUESTIONS'] = '1'
        try:
            rig.begin()
            for name in ('guests', 'media', 'pool'):
                os.mkdir(rig.path(name))
            rig.define('work', 'slot=1', 'kernel=/k', 'colour=#3465a4')
            rig.define('home', 'slot=2', 'kernel=/k', 'colour=#e8a33d')
            rig.compile(RULES)
            service = rig.start_service()
            rig.wait_state('work', 'off')
            ui = rig.start_ui(UI)
            rig.wait_find('push button', 'Start: home')
            test_may(rig)
            test_answers(rig)
            test_asleep(rig)
            test_ends(rig)
            test_several(rig, service)
            if rig.end(ui) != 0:
                sys.exit('the switcher ended badly')
            test_bar(rig)
        finally:
            rig.close()


if __name__ == '__main__':
    main()
