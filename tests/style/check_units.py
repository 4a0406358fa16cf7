"""No console of the product's image makes anybody root: what does is among the developer's files, which go over the image by an option
of its own (uivm/image/build). And what the developer's files are for is still there."""

import re
import sys

import tree

DEVELOPER = 'uivm/image/developer.files/'
PRODUCT = ('uivm/units/', 'uivm/image/uivm.files/')
CONSOLE = re.compile(r'^(?:StandardInput=tty|TTYPath=|ExecStart=.*(?:agetty|sulogin|bash|login)|Wants=.*developer)|SULOGIN_FORCE', re.M)


def consoles(paths):
    return [f'{path}: {match.group(0)}' for path in paths for match in CONSOLE.finditer(tree.read(path) or '')]


def unlocked():
    """Accounts that the recipe leaves without a password, but for the guests' in the other branch."""
    recipe = re.sub(r'^if \[ "\$kind" = uivm \].*?^else\n.*?^fi$', lambda both: both.group(0).split('\nelse\n')[0],
                    tree.read('uivm/image/rootfs') or '', flags=re.M | re.S)
    return [f'uivm/image/rootfs: {line.strip()}' for line in recipe.splitlines() if 'passwd --delete' in line]


def main():
    paths = tree.files()
    stage = re.search(r'^stage_uivm\(\) \{.*?^\}', tree.read('uivm/image/build') or '', re.M | re.S)
    print('1..4')
    good = [tree.report('no unit of the product gives a console to anybody', consoles(p for p in paths if p.startswith(PRODUCT))),
            tree.report('no account of the product is without a password', unlocked()),
            tree.report('the product is made without the developer\'s files', [] if stage and 'developer' not in stage.group(0) else
                        ['uivm/image/build: stage_uivm() is not there, or takes them']),
            tree.report('the developer\'s files have a console and say so', [] if
                        consoles(p for p in paths if p.startswith(DEVELOPER)) and tree.read(f'{DEVELOPER}etc/roundhouse/notice') else
                        [f'{DEVELOPER}: there is none, or no notice'])]
    sys.exit(not all(good))


if __name__ == '__main__':
    main()
