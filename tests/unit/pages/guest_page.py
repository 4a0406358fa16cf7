#!/usr/bin/env python3
"""A guest's page in the real switcher, with the real roundhoused and a hypervisor in memory: by keyboard alone, heard through
AT-SPI. Arguments: roundhouse-ui (with this folder's places), roundhoused, roundhousectl, the screen reader, a folder for
pictures, WIDTHxHEIGHT."""
import os
import subprocess
import sys
import tempfile

from screen import Screen

UI, SERVICE, CONTROL, READER, PICTURES = (os.path.abspath(path) for path in sys.argv[1:6])
SIZE = sys.argv[6]
LONG = 'the-guest-with-the-longest-name-that-a-definition-can-have-63ch'
MIB = 1 << 20


class Rig(Screen):
    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def define(self, name, *lines):
        with open(self.path('guests', name + '.conf'), 'w') as file:
            file.write('\n'.join(['[guest]', *lines, '']))

    def definition(self, name):
        with open(self.path('guests', name + '.conf')) as file:
            return file.read()

    def image(self, name, size):
        os.makedirs(self.path('pool', 'images', name))
        with open(self.path('pool', 'images', name, 'disk.img'), 'wb') as file:
            file.write(b'as it was')
            file.truncate(size)

    def written(self, image, text):
        with open(self.path('pool', 'images', image, 'disk.img'), 'r+b') as file:
            file.write(text)

    def begins(self, image):
        with open(self.path('pool', 'images', image, 'disk.img'), 'rb') as file:
            return file.read(9)

    def start_service(self):
        return self.start(SERVICE, '--guests', self.path('guests'), '--state', self.folder, '--autostart-marker',
                          self.path('marker'), '--pool', self.path('pool'))

    def control(self, *words):
        answer = subprocess.run([CONTROL, *words], env=dict(self.environment, LC_ALL='C.UTF-8'), capture_output=True, text=True)
        if answer.stderr:
            print(answer.stderr, flush=True)
        return answer.stdout

    def state(self, name):
        return next((line.split()[1] for line in self.control('status', name).splitlines() if line.startswith('state ')), None)

    def wait_state(self, name, state):
        self.wait(f'{name} is {state}', lambda: self.state(name) == state)

    def open(self, name):
        """From its card, which has the keyboard or gets it by Tab."""
        self.go_to('table cell' if self.find('table cell', name) else 'list item', name)
        self.keys('alt+Return')
        self.wait_find('radio button', 'Overview')

    def section(self, key, role, name):
        self.keys('alt+' + key)
        self.wait_find(role, name)

    def say_yes(self):
        """What a question has the keyboard on is no."""
        self.wait('no has the keyboard', lambda: self.has_focus('Cancel'))
        self.keys('Tab', 'Return')


def prepare(rig):
    for folder in ('guests', 'media', 'pool'):
        os.mkdir(rig.path(folder))
    with open(rig.path('media', 'debian-12.iso'), 'wb') as file:
        file.truncate(3 * MIB)
    rig.image('work', 64 * MIB)
    rig.define('work', 'slot=1', 'type=hvm', 'cdrom=empty', 'disk=image:work', 'undo_points=3')
    rig.define('home', 'slot=2', 'kernel=/k')
    rig.define(LONG, 'slot=3', 'kernel=/k', 'cmdline=create_error=' + 'a-word-without-end-' * 40)


def card(rig, name):
    focus = rig.focus()
    return focus and focus.name.startswith(name + ', ')


def test_ways(rig):
    """To the page and back: Alt+Enter, the menu key, Shift+F10, the right button, the button of the card."""
    rig.wait('the first card has the keyboard', lambda: card(rig, 'work'))
    for keys in ('alt+Return', 'Menu', 'shift+F10'):
        rig.keys(keys)
        rig.wait_find('radio button', 'Overview')
        rig.keys('Escape')
        rig.wait('back on the card', lambda: card(rig, 'work'))
    rig.go_to('push button', 'More of work')
    rig.keys('Return')
    rig.wait_find('radio button', 'Overview')
    rig.keys('alt+l')
    rig.wait('back on the card', lambda: card(rig, 'work'))


def test_life(rig):
    rig.open('work')
    rig.picture('overview-off')
    rig.keys('Return')
    rig.wait_state('work', 'running')
    rig.wait_find('push button', 'Suspend')
    rig.picture('overview-running')
    rig.wait_sensitive('push button', 'Delete it with', False)
    rig.go_to('push button', 'Pause')
    rig.keys('Return')
    rig.wait_state('work', 'paused')
    rig.wait_find('push button', 'Continue')
    rig.go_to('push button', 'Continue')
    rig.keys('Return')
    rig.wait_state('work', 'running')
    rig.wait_find('push button', 'Suspend')
    rig.go_to('push button', 'Suspend')
    rig.keys('Return')
    rig.wait_state('work', 'suspended')
    rig.wait_find('push button', 'Force off')
    rig.go_to('push button', 'Force off')
    rig.keys('Return')
    rig.wait_says('Force work off?')
    rig.say_yes()
    rig.wait_state('work', 'off')


def field(rig, name):
    return rig.go_to('text', name)


def typed(rig, name, text):
    field(rig, name)
    rig.keys('ctrl+a', 'BackSpace')
    rig.type(text)


def test_settings(rig):
    before = rig.definition('work')
    rig.section('s', 'text', 'Slot')
    rig.picture('settings')
    typed(rig, 'Slot', '2')
    typed(rig, 'Memory', '12x')
    rig.wait_says('"12x" is not a number from 32')
    rig.wait('what is wrong is said of the field', lambda: '"12x"' in rig.wait_find('text', 'Memory').about)
    rig.picture('settings-wrong')
    rig.wait_sensitive('push button', 'Save', False)
    typed(rig, 'Memory', '768')
    rig.wait_sensitive('push button', 'Save')
    rig.keys('alt+v')
    rig.wait_says("2 is home's")
    rig.wait('what was refused has the keyboard', lambda: rig.has_focus('Slot'))
    rig.picture('settings-refused')
    if rig.definition('work') != before:
        rig.fail('something of it was written')
    rig.keys('ctrl+a')
    rig.type('5')
    rig.keys('alt+v')
    rig.wait_says('Saved.')
    if 'slot=5' not in rig.definition('work') or 'memory_mib=768' not in rig.definition('work'):
        rig.fail('it was not saved')
    rig.wait_sensitive('push button', 'Save', False)


def test_given_up(rig):
    """Leaving asks where something was typed, and leaves nothing."""
    before = rig.definition('work')
    typed(rig, 'Slot', '7')
    rig.keys('Escape')
    rig.wait_says('Leave without saving?')
    rig.keys('Escape')
    rig.wait_text('Slot', '7')
    rig.keys('alt+c')
    rig.wait_text('Slot', '5')
    typed(rig, 'Slot', '8')
    rig.keys('Escape')
    rig.say_yes()
    rig.wait('back on the card', lambda: card(rig, 'work'))
    if rig.definition('work') != before:
        rig.fail('something of it was written')


def test_rename(rig):
    rig.open('work')
    rig.section('s', 'text', 'Slot')
    typed(rig, 'Name', 'play')
    rig.keys('alt+v')
    rig.wait_says('Saved.')
    rig.wait('the page is that of the new name', lambda: rig.find('label', 'play'))
    if not os.path.exists(rig.path('guests', 'play.conf')) or os.path.exists(rig.path('guests', 'work.conf')):
        rig.fail('it was not renamed')


def test_disks(rig):
    rig.section('d', 'push button', 'Put a disc in')
    rig.picture('disks')
    rig.wait_says('Image work, 64')
    rig.go_to('push button', 'Make larger')
    rig.keys('Return')
    rig.wait_find('text', 'New size')
    rig.go_to('text', 'New size')
    rig.keys('ctrl+a')
    rig.type('many')
    rig.keys('Return')
    rig.wait_says('Type a number of GiB')
    rig.keys('ctrl+a')
    rig.type('1')
    rig.keys('Return')
    rig.wait_says('It is larger.')
    rig.wait_says('Image work, 1.0')
    rig.keys('alt+p')
    rig.wait_find('push button', 'debian-12.iso')
    rig.picture('discs')
    rig.go_to('push button', 'debian-12.iso')
    rig.keys('Return')
    rig.wait('the disc is in the definition', lambda: 'media/debian-12.iso' in rig.definition('play'))


def test_points(rig):
    rig.section('u', 'text', 'Name of the snapshot')
    rig.keys('alt+k')
    rig.wait_says('It needs a name')
    rig.go_to('text', 'Name of the snapshot')
    rig.type('before the upgrade')
    rig.keys('Return')
    rig.wait_says('It is kept.')
    rig.control('snapshot', 'play', '\u0642\u0628\u0644 \u0627\u0644\u062a\u062d\u062f\u064a\u062b \u202eevil\u202c')
    rig.wait('another one comes by itself', lambda: rig.says('\u0642\u0628\u0644'))
    if rig.says('\u202e'):
        rig.fail('a label turns the direction of what stands around it')
    rig.written('work', b'broken!!!')
    rig.control('snapshot', 'play', 'x' * 120)
    rig.wait('and a third', lambda: rig.says('xxxx'))
    rig.picture('undo')
    rig.go_to('push button', 'Go back')
    rig.keys('Tab', 'Tab', 'Tab', 'Tab')
    rig.keys('Return')
    rig.wait_says('Take play back to')
    rig.picture('undo-asked')
    rig.say_yes()
    rig.wait_says('It has gone back.')
    if rig.begins('work') != b'as it was':
        rig.fail('it did not go back')
    rig.go_to('push button', 'Delete: ')
    rig.keys('Return')
    rig.wait_says('Delete the point of')
    rig.keys('Escape')


def test_may(rig):
    rig.keys('alt+m')
    rig.wait_says('No policy is in force')
    rig.picture('may')


def test_running_disc(rig):
    """Another disc while it runs, and what cannot be done then."""
    rig.control('start', 'play')
    rig.wait_state('play', 'running')
    rig.wait_says('It can go back while it is off')
    rig.control('snapshot', 'play', 'on screen')
    rig.wait_find('image', 'What it showed then')
    rig.picture('undo-pictures')
    rig.section('d', 'push button', 'Put a disc in')
    rig.keys('alt+e')
    rig.wait_says('The drive has been told.')
    rig.control('destroy', 'play')
    rig.wait_state('play', 'off')


def test_service_away(rig, service):
    rig.section('s', 'text', 'Slot')
    typed(rig, 'Slot', '9')
    rig.end(service)
    rig.wait_says('is being started again')
    rig.start_service()
    rig.wait_state('play', 'off')
    rig.wait('the service is back', lambda: not rig.says('is being started again'))
    rig.wait_text('Slot', '9')
    rig.keys('alt+c')
    rig.keys('alt+o')


def test_delete(rig):
    rig.wait_find('push button', 'Delete it with')
    rig.wait_sensitive('push button', 'Delete it with')
    rig.keys('alt+w')
    rig.wait_says('all that is on its disk work')
    rig.picture('delete')
    rig.keys('Return')
    rig.wait('nothing is asked any more', lambda: not rig.says('Delete play and'))
    if not os.path.exists(rig.path('pool', 'images', 'work')):
        rig.fail('Enter alone deleted it')
    rig.keys('alt+w')
    rig.say_yes()
    rig.wait('the cards are back', lambda: rig.find('push button', 'Start: home'))
    if os.path.exists(rig.path('pool', 'images', 'work')) or os.path.exists(rig.path('guests', 'play.conf')):
        rig.fail('it was not deleted')


def test_long(rig):
    """A long name with a long error."""
    rig.open(LONG)
    rig.keys('Return')
    rig.wait_says('a-word-without-end')
    rig.picture('long')
    rig.section('s', 'text', 'Slot')
    rig.section('o', 'push button', 'Start')


def test_gone(rig):
    os.unlink(rig.path('guests', LONG + '.conf'))
    rig.wait_says('is not there any more')
    rig.picture('gone')
    rig.wait('the cards are back', lambda: rig.find('push button', 'Start: home'))


def test_all(rig, service):
    test_ways(rig)
    test_life(rig)
    test_settings(rig)
    test_given_up(rig)
    test_rename(rig)
    test_may(rig)
    test_points(rig)
    test_running_disc(rig)
    test_disks(rig)
    test_service_away(rig, service)
    test_delete(rig)
    test_long(rig)
    test_gone(rig)


def test_looks(rig, service):
    """The sections on another screen."""
    rig.control('snapshot', 'work', 'before the upgrade')
    rig.control('snapshot', 'work', 'x' * 120)
    rig.control('start', 'work')
    rig.wait_state('work', 'running')
    rig.open('work')
    rig.wait_find('push button', 'Suspend')
    rig.picture('overview')
    for key, role, name, picture in (('s', 'text', 'Slot', 'settings'), ('d', 'push button', 'Put a disc in', 'disks'),
                                     ('u', 'push button', 'Go back', 'undo')):
        rig.section(key, role, name)
        rig.picture(picture)
    rig.keys('Escape')
    test_long(rig)


def main():
    os.makedirs(PICTURES, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='roundhouse-guest-page-') as folder:
        rig = Rig(folder, SIZE, PICTURES, READER, 'guest')
        try:
            rig.begin()
            prepare(rig)
            service = rig.start_service()
            rig.wait_state('work', 'off')
            ui = rig.start_ui(UI)
            (test_all if SIZE == '800x600' else test_looks)(rig, service)
            if rig.end(ui) != 0:
                sys.exit('the switcher ended badly')
        finally:
            rig.close()


if __name__ == '__main__':
    main()
