#!/usr/bin/env python3
"""The page of the machine in the real switcher, with the real roundhoused and a hypervisor in memory. Arguments as those of
guest_page.py."""
import sys
import tempfile

from guest_page import MIB, PICTURES, READER, SIZE, UI, Rig, prepare


def test_sound(rig):
    rig.wait('the speakers have the keyboard', lambda: rig.has_focus('Volume of this computer'))
    rig.wait_find('slider', 'Volume of home')
    rig.picture('sound')
    rig.go_to('slider', 'Volume of home')
    rig.keys('Left', 'Left')
    rig.wait('it is in the definition', lambda: 'volume=90' in rig.definition('home'))
    rig.keys('Left', 'alt+k')    # the slider is gone before it rests
    rig.wait_find('label', 'Ctrl + Alt + 1 to 9')
    rig.wait('it is in the definition', lambda: 'volume=85' in rig.definition('home'))
    rig.section('s', 'slider', 'Volume of home')
    rig.control('start', 'work')
    rig.wait_find('push button', 'Give it to work')
    rig.go_to('push button', 'Give it to work')
    rig.keys('Return')
    rig.wait_says('work hears it.')
    rig.picture('microphone')
    rig.go_to('push button', 'Take it away')
    rig.keys('Return')
    rig.wait_says('Nobody hears it.')


def test_keys(rig):
    rig.section('k', 'label', 'Ctrl + Alt + 1 to 9')
    rig.wait_says('Ctrl + Alt + Shift + Tab')
    rig.wait_says('Show the switcher.')
    rig.picture('keys')


def test_storage(rig):
    rig.section('t', 'push button', 'Delete: old')
    if rig.find('push button', 'Delete: work'):
        rig.fail('an image that a guest has can be deleted')
    rig.picture('storage')
    rig.go_to('push button', 'Delete: old')
    rig.keys('Return')
    rig.wait_says('Delete the image old?')
    rig.say_yes()
    rig.wait_says('The image is deleted.')
    rig.wait('it is not listed', lambda: not rig.find('push button', 'Delete: old'))


def test_about(rig):
    rig.section('b', 'label', 'Roundhouse: 0.')
    rig.picture('about')


def main():
    with tempfile.TemporaryDirectory(prefix='roundhouse-machine-page-') as folder:
        rig = Rig(folder, SIZE, PICTURES, READER, 'machine')
        try:
            rig.begin()
            prepare(rig)
            rig.image('old', 8 * MIB)
            rig.start_service()
            rig.wait_state('work', 'off')
            ui = rig.start_ui(UI)
            rig.wait_find('push button', 'Settings')
            rig.keys('alt+s')
            test_sound(rig)
            test_keys(rig)
            test_storage(rig)
            test_about(rig)
            rig.keys('Escape')
            rig.wait('back at the cards', lambda: rig.has_focus('Settings'))
            if rig.end(ui) != 0:
                sys.exit('the switcher ended badly')
        finally:
            rig.close()


if __name__ == '__main__':
    main()
