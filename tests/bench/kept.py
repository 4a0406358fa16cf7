"""What was measured, kept beside the build: a whole run takes long, and one that was broken off can go on.

Each part of a run is kept by itself, under a key of all that it was measured of: the hypervisor, the kernel and disk of
Domain-0, and what of this folder makes the part."""

import hashlib
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def sources(names):
    """Paths of all files that these names of this folder stand for; a folder's name for all that is in it."""
    for name in ('machines.py', *names):
        path = os.path.join(HERE, name)
        if os.path.isdir(path):
            yield from (file.path for file in sorted(os.scandir(path), key=lambda file: file.name) if file.is_file())
        else:
            yield path


def key(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, 'rb') as file:
            digest.update(file.read())
    return digest.hexdigest()


class Kept:
    def __init__(self, build, hypervisors, made_of, use):
        """`hypervisors`: {name: path}; `made_of`: {part: names of this folder, or paths}; `use`: whether what is there counts.
        What is measured anew is kept in any case."""
        self.path, self.hypervisors, self.made_of = f'{build}/bench/kept.json', hypervisors, made_of
        self.images = [f'{build}/images/{name}.key' for name in ('uivm.img', 'uivm.tar')]
        self.figures = {}
        if use and os.path.exists(self.path):
            with open(self.path) as file:
                self.figures = json.load(file)

    def place(self, part, machine, name):
        """Under which the figures of one part are kept."""
        return f'{part} {machine} {name} {key([self.hypervisors[name], *self.images, *sources(self.made_of[part])])}'

    def of(self, place):
        """The figures, or None."""
        return self.figures.get(place)

    def keep(self, place, figures):
        """`place` as it was before the part was measured: its sources may have changed meanwhile."""
        self.figures[place] = figures
        with open(f'{self.path}.new', 'w') as file:
            json.dump(self.figures, file, indent=1)
        os.replace(f'{self.path}.new', self.path)
