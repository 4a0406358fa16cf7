"""Tries all interleavings of a Spin model: as it is, where there must be no error, and with each fault it names, which must be found."""

import os
import re
import subprocess
import sys
import tempfile


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f'{" ".join(command)} failed:\n{done.stdout}{done.stderr}')
    return done.stdout


def errors(model, define):
    """How many errors the verifier finds; it must have looked at everything it set out to."""
    with tempfile.TemporaryDirectory() as folder:
        run(['spin', *([f'-D{define}'] if define else []), '-a', model], folder)
        run(['gcc', '-O1', '-w', '-DSAFETY', '-o', 'pan', 'pan.c'], folder)
        text = run(['./pan', '-m20000'], folder)
    found = re.search(r'errors: (\d+)', text)
    if not found or 'search depth too small' in text or 'out of memory' in text:
        sys.exit(f'the verifier did not get through:\n{text}')
    return int(found[1])


def main():
    model = os.path.abspath(sys.argv[1])
    with open(model) as file:
        faults = re.search(r'Broken on purpose[^:]*: ([^.]*)\.', file.read())
    if not faults:
        sys.exit(f'{model} names no faults: a model that cannot fail shows nothing')
    wrong = [] if not errors(model, None) else ['an error in the model as it is']
    wrong += [f'{fault} is not found' for fault in re.findall(r'\w+', faults[1]) if not errors(model, fault)]
    if wrong:
        sys.exit(f'{model}: ' + ', '.join(wrong))


if __name__ == '__main__':
    main()
