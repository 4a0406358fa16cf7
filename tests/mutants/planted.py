"""A copy of the project with a build of its own, in which faults are planted: the user's tree is only read."""

import json
import os
import shutil
import subprocess
import sys

import rows

sys.path.insert(0, os.path.join(rows.ROOT, 'tests'))
sys.path.insert(0, os.path.join(rows.ROOT, 'tests/style'))
import run       # noqa: E402
import tree      # noqa: E402

# A fault may leave a variable unused; that is no verdict of a test.
SETUP = ['-Dc_args=-w']


class BuildFailed(Exception):
    """The message is the end of what the compiler said."""


class Copy:
    """The project in FOLDER/source, built in FOLDER/build by `jobs` compilers at a time; `emulator` is the folder of the tiny
    kernels' emulator, which is not unpacked again."""

    def __init__(self, folder, jobs, emulator):
        self.source, self.build, self.jobs = f'{folder}/source', f'{folder}/build', jobs
        os.makedirs(self.source, exist_ok=True)
        self.update()
        self.configure()
        self.take_emulator(emulator)
        self.tests = rows.known_tests(self.build)
        with open(f'{self.build}/meson-info/intro-targets.json') as file:
            self.targets = {target['id']: target for target in json.load(file)}

    def update(self):
        """Brings the copy to the user's tree. A file that is the same keeps its time, so that it is not compiled again."""
        wanted = set(tree.files())
        for folder, _, names in os.walk(self.source):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.source) not in wanted:
                    os.unlink(path)
        for name in wanted:
            source, copy = f'{rows.ROOT}/{name}', f'{self.source}/{name}'
            with open(source, 'rb') as file:
                data = file.read()
            if not same(copy, data):
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                with open(copy, 'wb') as file:
                    file.write(data)
            shutil.copymode(source, copy)

    def configure(self):
        folders = '\n'.join(sorted(name for name in tree.files() if name.endswith('meson.build')))
        known, again = f'{self.build}/folders', []
        if os.path.exists(f'{self.build}/build.ninja'):
            if same(known, folders.encode()):
                subprocess.run(['ninja', '-C', self.build, 'build.ninja'], capture_output=True)   # tests that are new in a folder
                return
            again = ['--reconfigure']
        made = subprocess.run(['meson', 'setup', *again, *SETUP, self.build, self.source], capture_output=True, text=True)
        if made.returncode:
            raise BuildFailed(made.stdout[-2000:] + made.stderr[-500:])
        with open(known, 'w') as file:
            file.write(folders)

    def take_emulator(self, emulator):
        link = f'{self.build}/emulator'
        if os.path.exists(emulator) and not os.path.lexists(link):
            os.symlink(emulator, link)

    def compile(self, names):
        """Builds what these tests need."""
        targets = [os.path.relpath(output, self.build) for name in names for target in self.targets_of(name)
                   for output in target['filename']]
        if not targets:
            return
        made = subprocess.run(['ninja', '-C', self.build, '-j', str(self.jobs), *sorted(set(targets))],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
        if made.returncode:
            raise BuildFailed('\n'.join(line for line in made.stdout.splitlines() if not line.startswith('['))[-2000:])

    def targets_of(self, name):
        group, _, kernel = name.partition('/')
        wanted = [self.targets[identity] for identity in self.tests[group if group == rows.KERNELS else name]['depends']]
        if group == rows.KERNELS and kernel:
            wanted = [target for target in wanted if target['type'] != 'executable' or target['name'] == f'guest-{kernel}']
        return wanted

    def fails(self, name):
        """Runs one test; how it failed, or None."""
        group, _, kernel = name.partition('/')
        if group == rows.KERNELS:   # on ours alone: what the reference says is known
            done = subprocess.run(['python3', f'{self.source}/tests/guests/run.py', '--build', self.build, '--first',
                                   *([kernel] if kernel else [])], capture_output=True, text=True, errors='replace')
            return (first_complaint(done.stdout) or f'status {done.returncode}') if done.returncode else None
        tests = run.Meson(self.build, 'mutants', [name, *run.HOST_PATIENCE], output=subprocess.DEVNULL).results()
        if len(tests) != 1:
            raise BuildFailed(f'meson ran {len(tests)} tests for the name "{name}"')
        return (first_complaint(tests[0].get('stdout') or '') or tests[0]['result']) if run.count(tests[0])[1] else None

    def plant(self, row):
        """Puts the fault in; `lift` takes it out. Both leave the file with a new time."""
        path = f'{self.source}/{row["file"]}'
        with open(path, encoding='utf-8') as file:
            text = file.read()
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text.replace(row['from'], row['to']))

    def lift(self, row):
        shutil.copyfile(f'{rows.ROOT}/{row["file"]}', f'{self.source}/{row["file"]}')


def same(path, data):
    if not os.path.exists(path):
        return False
    with open(path, 'rb') as file:
        return file.read() == data


def first_complaint(output):
    return next((line.strip() for line in output.splitlines() if line.lstrip().startswith('not ok')), None)
