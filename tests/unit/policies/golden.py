"""What roundhouse-policy says, word by word. golden/NAME.golden has commands, `$ check bad.policy`, each with what it prints on
either output and `exit N` unless that is 0. golden.py PROGRAM --write writes down what it prints now: read the difference."""

import glob
import os
import shlex
import subprocess
import sys

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'golden')


def run(program, line):
    result = subprocess.run([program, *shlex.split(line)], cwd=FOLDER, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.stdout + (f'exit {result.returncode}\n' if result.returncode else '')


def now(program, path):
    """The file as it should be, with what its commands print now."""
    with open(path, encoding='utf-8') as file:
        commands = [line[2:].strip() for line in file if line.startswith('$ ')]
    return ''.join(f'$ {command}\n{run(program, command)}' for command in commands)


def main():
    program, paths = os.path.abspath(sys.argv[1]), sorted(glob.glob(f'{FOLDER}/*.golden'))
    write = sys.argv[2:] == ['--write']
    good = len(paths) > 5
    print(f'1..{len(paths) + 1}')
    for path in paths:
        with open(path, encoding='utf-8') as file:
            wanted = file.read()
        got = now(program, path)
        if write:
            with open(path, 'w', encoding='utf-8') as file:
                file.write(got)
        same = write or got == wanted
        good &= same
        print(f'{"ok" if same else "not ok"} - {os.path.basename(path)}')
        if not same:
            print('\n'.join(f'# {line}' for line in ['wanted:', *wanted.splitlines(), 'got:', *got.splitlines()]))
    print(f'{"ok" if len(paths) > 5 else "not ok"} - goldens were found')
    sys.exit(not good)


if __name__ == '__main__':
    main()
