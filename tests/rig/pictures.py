"""What is on a screen, by the colours that its picture must have at chosen points: a desktop of uivm/image, or the switcher."""

# uivm/image/guest.files/usr/share/roundhouse-guest/wallpaper.svg: a shade from white (18 %) to black (42 %) over the colour.
DIRECTION = (0.6, 1.0)
OPACITY = (0.18, 0.42)
# switcher/ui/style.css: the window's background from top to bottom, and the colour of text.
GROUND = ((0x18, 0x1c, 0x23), (0x10, 0x13, 0x17))
TEXT = (0xe8, 0xeb, 0xf0)
TOLERANCE = 6       # of 255, for each of red, green and blue
STRIP = 24          # lines at the lower edge that are the seat's own (switcher/seat/core/strip.h)


class Picture:
    def __init__(self, width, height, data):
        self.width, self.height, self.data = width, height, data

    def at(self, x, y):
        offset = (y * self.width + x) * 3
        return self.data[offset:offset + 3]

    def share(self, points, colour_at):
        """The share of the points, given in parts of width and height, that have the colour they should."""
        hits = 0
        for x, y in points:
            wanted = colour_at(x, y)
            there = self.at(int(x * self.width), int(y * self.height))
            hits += all(abs(a - b) <= TOLERANCE for a, b in zip(there, wanted))
        return hits / len(points)


def stage(width, height, data):
    """What of a screen is a guest's or the switcher's."""
    return Picture(width, height - STRIP, data)


def grid(left, top, right, bottom, columns=8, rows=4):
    return [(left + (right - left) * (column + 0.5) / columns, top + (bottom - top) * (row + 0.5) / rows)
            for column in range(columns) for row in range(rows)]


# Where a desktop shows its wallpaper alone: right of the terminal and below it, clear of the figure and the name.
WALLPAPER = grid(0.60, 0.02, 0.98, 0.20) + grid(0.02, 0.51, 0.45, 0.70)
# Where the switcher shows its ground alone: beside the cards, and above and below them.
MARGINS = grid(0.01, 0.13, 0.04, 0.98) + grid(0.96, 0.13, 0.99, 0.98) + grid(0.1, 0.13, 0.9, 0.20)
TITLE = (0.06, 0.03, 0.18, 0.08)


def wallpaper(colour):
    """The colour of the wallpaper at a point."""
    base = colour.to_bytes(3, 'big')

    def at(x, y):
        way = (x * DIRECTION[0] + y * DIRECTION[1]) / (DIRECTION[0] ** 2 + DIRECTION[1] ** 2)
        way = min(max(way, 0), 1)
        opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * way
        return [channel * (1 - opacity) + 255 * (1 - way) * opacity for channel in base]
    return at


def ground(_, y):
    return [first + (last - first) * y for first, last in zip(*GROUND)]


def desktop_share(picture, colour):
    """How much of the wallpaper of this colour is there, 0 to 1."""
    return picture.share(WALLPAPER, wallpaper(colour))


def which_desktop(picture, desktops):
    """The name of the desktop that is on screen, of {name: colour}: nine tenths of its wallpaper and nothing of another's."""
    shares = {name: desktop_share(picture, colour) for name, colour in desktops.items()}
    best = max(shares, key=shares.get)
    return best if shares[best] > 0.9 and sum(shares.values()) - shares[best] < 0.1 else None


def describe(picture, desktops):
    """In words, for who cannot look at it: how much of each desktop's wallpaper there is, and the colours at a few places."""
    shares = ', '.join(f'{name} {desktop_share(picture, colour):.2f}' for name, colour in desktops.items())
    rows = [' '.join(picture.at(int(x * picture.width), int(y * picture.height)).hex() for x, _ in grid(0, 0, 1, 1, 6, 1))
            for y in (0.02, 0.2, 0.4, 0.6, 0.8, 0.98)]
    return '\n'.join([f'{picture.width}x{picture.height}; wallpapers: {shares}; colours:', *rows])


def is_switcher(picture):
    """The switcher: its ground all around, and its name in the corner."""
    left, top, right, bottom = TITLE
    pixels = [picture.at(x, y) for y in range(int(top * picture.height), int(bottom * picture.height))
              for x in range(int(left * picture.width), int(right * picture.width))]
    return picture.share(MARGINS, ground) > 0.9 and pixels.count(bytes(TEXT)) > len(pixels) / 100
