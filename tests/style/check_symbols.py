"""What the files of a program offer each other is used: a function or an object that no other file uses is dead, or belongs to
its file alone (static). Tests do not count: what only they use is dead too."""

import glob
import os
import subprocess
import sys

import tree

# Where the objects of each are, and how many at least. The hypervisor's checked image has code that the other has not.
PROGRAMS = {
    'hypervisor': ('hypervisor/libroundhouse*.a.p', 200),
    'seat': ('switcher/seat/roundhouse-seat.p', 40),
    'sound': ('switcher/sound/roundhouse-sound.p', 13),
    'keeper': ('switcher/keeper/roundhouse-keeper.p', 5),
    'ui': ('switcher/ui/roundhouse-ui.p', 9),
    'roundhoused': ('uivm/roundhoused/roundhoused.p', 25),
    'roundhouse-install': ('installer/install/roundhouse-install.p', 18),
    'roundhouse-report': ('installer/report/roundhouse-report.p', 4),
    'roundhouse-policy': ('policies/roundhouse-policy.p', 10),
    'roundhousectl': ('uivm/roundhoused/roundhousectl.p', 1),
}
# Used in ways that no symbol table knows.
NAMED = {
    'protection_data': 'called by an asm statement',
    'main': 'called by the C library',
    'player_turn': 'its timer calls it, and a test with a time of its own',
    'image_find': 'for the bus',
    'image_free': 'for the bus',
    'point_make': 'of one image, as the tests of points have them',
    'pool_set_low_water': 'for the bus',
    'guest_identity_new_generation': 'for what takes a guest back in time; tested as it stands',
    'wizard_view_refill': 'pages are tested one by one',
    'wizard_system_parse': 'what another program prints is tested as it stands',
    'progress_time_words': 'what it says is tested as it stands',
}
# What these offer is not looked at: the linker script names what assembly does, and generators offer more than is wanted.
NOT_LOOKED_AT = ('.S.o', '-resources.c.o', '-protocol.c.o')
OFFERED = 'TDBRC'


def objects_of(build, folder):
    """Also those of files in other folders, whose names begin with dots."""
    return [f'{path}/{name}' for path in glob.glob(f'{build}/{folder}') for name in os.listdir(path) if name.endswith('.o')]


def symbols(objects):
    """{object: (what it offers, what it takes from others)}."""
    known = {path: (set(), set()) for path in objects}
    for line in subprocess.run(['nm', '-gA', *objects], check=True, capture_output=True, text=True).stdout.splitlines():
        path, _, text = line.partition(':')
        *_, kind, name = text.split()
        known[path][kind not in OFFERED].add(name)
    return known


def taken_by(known):
    return set().union(*(taken for _, taken in known.values()))


def unused(known, anywhere):
    """{name: the object's file} of what one object offers and no other takes; of a file in another program's folder, in `anywhere`."""
    taken = taken_by(known)
    return {name: os.path.basename(path) for path, (offered, _) in sorted(known.items()) if not path.endswith(NOT_LOOKED_AT)
            for name in offered - taken - (anywhere if os.path.basename(path).startswith('.._') else set())}


def main():
    objects = {program: objects_of(sys.argv[1], folder) for program, (folder, _) in PROGRAMS.items()}
    known = {program: symbols(paths) for program, paths in objects.items()}
    anywhere = set().union(*(taken_by(symbols_of) for symbols_of in known.values()))
    found = {program: unused(symbols_of, anywhere) for program, symbols_of in known.items()}
    idle = NAMED.keys() - set().union(*found.values())
    print(f'1..{len(PROGRAMS) + 2}')
    good = [tree.report(f'what the files of {program} offer each other is used', [
                f'{name} ({file}) is used by no other file: dead, or static'
                for name, file in sorted(found[program].items()) if name not in NAMED]) for program in PROGRAMS]
    good += [tree.report('exceptions are needed', [f'{name} is used by name: remove its line in this check' for name in sorted(idle)]),
             tree.report('objects were found', [f'{len(objects[program])} objects of {program}, {least} are expected'
                                                for program, (_, least) in PROGRAMS.items() if len(objects[program]) < least])]
    sys.exit(not all(good))


if __name__ == '__main__':
    main()
