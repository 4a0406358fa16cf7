"""tests/rig/pictures.py tells the pictures of docs/screenshots, taken from the running machine, from each other."""

import subprocess
import unittest

import tap
import desktops
import pictures

SHOWN = {'work': 'work', 'home': 'home', 'client': 'client', 'bar': None, 'switcher': None}


def picture(name):
    size, data = [subprocess.run(['convert', f'{tap.ROOT}/docs/screenshots/{name}.png', *how], capture_output=True, check=True).stdout
                  for how in (['-format', '%w %h', 'info:'], ['-depth', '8', 'rgb:-'])]
    width, height = map(int, size.split())
    return pictures.Picture(width, height, data)


def plain(colour):
    return pictures.Picture(64, 40, bytes(colour) * 64 * 40)


class Pictures(unittest.TestCase):
    def test_desktops(self):
        """each desktop is told from the others, from the bar over one and from the switcher"""
        for name, desktop in SHOWN.items():
            self.assertEqual(pictures.which_desktop(picture(name), desktops.DESKTOPS), desktop, name)

    def test_switcher(self):
        """the switcher is told from the desktops"""
        for name in SHOWN:
            self.assertEqual(pictures.is_switcher(picture(name)), name == 'switcher', name)

    def test_empty_switcher(self):
        """the switcher's ground with nothing on it is not the switcher"""
        rows = [bytes(round(value) for value in pictures.ground(0, y / 400)) * 640 for y in range(400)]
        empty = pictures.Picture(640, 400, b''.join(rows))
        self.assertGreater(empty.share(pictures.MARGINS, pictures.ground), 0.9)
        self.assertFalse(pictures.is_switcher(empty))

    def test_plain_colour(self):
        """a screen of one colour, a desktop's or the switcher's, is neither"""
        for colour in (*(value.to_bytes(3, 'big') for value in desktops.DESKTOPS.values()), pictures.GROUND[0], (0, 0, 0)):
            self.assertIsNone(pictures.which_desktop(plain(colour), desktops.DESKTOPS))
            self.assertFalse(pictures.is_switcher(plain(colour)))


if __name__ == '__main__':
    tap.main()
