#!/usr/bin/env python3
"""The pages of the installation in the real switcher, by keyboard alone, heard through AT-SPI; the installer is a stand-in. Arguments as
those of guest_page.py, and the stand-in."""
import os
import subprocess
import sys
import tempfile

import guest_page
from guest_page import PICTURES, READER, SIZE, UI, prepare

STAND_IN = os.path.abspath(sys.argv[7])
PASSPHRASE = 'Kamel trinkt 42 Tee'


class Rig(guest_page.Rig):
    def play(self, outcome):
        with open(self.path('outcome'), 'w') as file:
            file.write(outcome)

    def requests(self):
        with open(self.path('requests')) as file:
            return file.read()

    def start_installer(self):
        open(self.path('requests'), 'w').close()
        process = self.start(sys.executable, STAND_IN, 'installer.sock', 'outcome', 'requests', stdout=subprocess.PIPE, text=True)
        process.stdout.readline()

    def next(self, heading, key='alt+n'):
        self.wait_sensitive('push button', 'Install' if key == 'alt+i' else 'Next')
        self.keys(key)
        self.wait_says(heading)

    def fill(self, name, text):
        self.go_to('password text' if self.find('password text', name) else 'text', name)
        self.keys('ctrl+a')
        self.type(text)


def choose_disk(rig):
    rig.wait_find('radio button', '/dev/sda')
    rig.wait_sensitive('push button', 'Next', False)
    rig.wait_sensitive('radio button', '/dev/sdc', False)
    rig.picture('disk')
    rig.go_to('radio button', '/dev/sda')
    rig.keys('space')
    rig.wait_find('radio button', 'The whole disk')
    rig.wait_sensitive('radio button', 'Renew Roundhouse', False)
    rig.go_to('radio button', 'The whole disk')
    rig.keys('space')
    rig.wait_says('Windows: is lost')
    rig.picture('plan')


def recovery_key(rig):
    return next(widget.name or widget.text for widget in rig.heard() if (widget.name or widget.text).count('-') == 7)


def walk(rig):
    rig.wait_says('Try Roundhouse, or install it?')
    rig.picture('start')
    rig.next('What of it works with Roundhouse', 'alt+i')
    rig.wait_says('IOMMU: does not work')
    rig.next('Where is it installed?')
    choose_disk(rig)
    rig.next('Which keyboard is it?')
    rig.go_to('text', 'Try it out here')
    rig.type('us')
    rig.wait_text('Try it out here', 'us')
    rig.picture('keyboard')
    rig.next('Is it encrypted?')
    rig.fill('Passphrase', 'short')
    rig.wait_says('too weak')
    rig.fill('Passphrase', PASSPHRASE)
    rig.wait_sensitive('push button', 'Next', False)
    rig.fill('The same again', PASSPHRASE)
    rig.picture('encryption')
    rig.next('The recovery key')
    key = recovery_key(rig)
    rig.fill('Its last eight letters', key[-8:])
    rig.picture('key')
    rig.next('Who uses it?')
    rig.fill('Your login name', 'berta')
    rig.fill('Password', 'geheim')
    rig.fill('The same again', 'geheim')
    rig.picture('person')
    rig.next('Which policy does it start with?')
    rig.next('Install Roundhouse like this?')
    rig.picture('summary')
    return key


def test_nothing_before_yes(rig):
    if 'install\n' in rig.requests() or PASSPHRASE in rig.requests() or 'berta' in rig.requests():
        rig.fail('the installer was told more than a plan needs')
    for key in ('Return', 'Escape'):
        rig.wait('no has the keyboard', lambda: rig.has_focus('Back'))
        rig.keys(key)
        rig.wait_says('Which policy does it start with?')
        rig.next('Install Roundhouse like this?')


def test_outcomes(rig, key):
    rig.play('fails')
    rig.wait_sensitive('push button', 'Yes, install')
    rig.keys('alt+y')
    rig.wait_says('Roundhouse was not installed')
    rig.wait_says('What was on the disk before is lost.')
    rig.picture('failed-installation')
    sent = rig.requests()
    for line in (f'passphrase = {PASSPHRASE}\n', f'recovery-key = {key}\n', 'person = berta\n', 'use = whole-disk\n'):
        if line not in sent:
            rig.fail('the request lacks an answer')
    if 'geheim' in sent:
        rig.fail('the password itself was sent')
    for outcome, says in (('dies', 'has ended without a word'), ('waits', None), ('done', 'Take out the boot medium')):
        rig.play(outcome)
        rig.keys('alt+b')
        rig.wait_sensitive('push button', 'Yes, install')
        rig.keys('alt+y')
        if outcome == 'waits':
            rig.wait_says('2 of 3: Step 2')
            rig.picture('progress')
            rig.keys('alt+s')
            says = 'The disk is as it was before.'
        rig.wait_says(says)
    rig.wait_sensitive('push button', 'Restart')


def test_try(rig):
    rig.wait_says('Try Roundhouse, or install it?')
    rig.keys('alt+t')
    rig.wait('the switcher', lambda: not rig.says('Try Roundhouse, or install it?'))
    if 'install\n' in rig.requests():
        rig.fail('it installed')
    rig.wait_find('push button', 'Install Roundhouse')
    rig.picture('tried')
    rig.keys('alt+i')
    rig.wait_says('Try Roundhouse, or install it?')


def main():
    with tempfile.TemporaryDirectory(prefix='roundhouse-install-page-') as folder:
        rig = Rig(folder, SIZE, PICTURES, READER, 'install')
        try:
            rig.begin()
            prepare(rig)
            rig.start_service()
            rig.start_installer()
            ui = rig.start_ui(UI)
            test_try(rig)
            if rig.end(ui) != 0:
                sys.exit('the switcher ended badly')
            ui = rig.start_ui(UI)
            key = walk(rig)
            test_nothing_before_yes(rig)
            test_outcomes(rig, key)
            if rig.end(ui) != 0:
                sys.exit('the switcher ended badly')
        finally:
            rig.close()


if __name__ == '__main__':
    main()
