"""./dev test mutants [AREA|FILE|NAME...]: plants one fault at a time in a copy of the project and demands that a test sees it.

The rows are described in rows.py. A fault that does not compile, and one whose tests are red without it, is not seen."""

import argparse
import os
import queue
import sys
import threading
import time

import planted
import rows


def chosen(all_rows, words):
    """The rows of an area, of a source file, or with a name that holds the word."""
    if not words:
        return all_rows
    taken = []
    for word in words:
        word = word.removeprefix('tests/mutants/').removesuffix('.toml')
        found = [row for row in all_rows if row['area'] == word or row['file'].endswith(word) or word in row['name']]
        if not found:
            sys.exit(f'./dev test mutants: no area, file or name "{word}"')
        taken += [row for row in found if row not in taken]
    return taken


class Report:
    """Counts and prints; lines of two workers do not mix."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen, self.unseen, self.problems = 0, [], 0

    def row(self, row, seconds, how, problem=None):
        """`how`: what failed, None if nothing did. `problem`: why the row could not be tried."""
        with self.lock:
            excused = row.get('unseen')
            what = 'CANNOT TELL' if problem else 'seen' if how else 'not seen' if excused else 'NOT SEEN'
            print(f'{what:9} {row["area"]}: {row["name"]} ({seconds:.0f} s{": " + how if how else ""})', flush=True)
            if problem:
                print('    ' + problem.replace('\n', '\n    '), flush=True)
            if how and excused:
                problem = 'it is seen, although the row says that no test can: take "unseen" out'
                print(f'    {problem}', flush=True)
            elif how:
                self.seen += 1
            elif not problem:
                self.unseen.append(row)
            self.problems += bool(problem)

    def finish(self):
        excused = [row for row in self.unseen if row.get('unseen')]
        for row in excused:
            print(f'not seen, for a reason: {row["name"]}: {row["unseen"]}')
        failed = len(self.unseen) - len(excused) + self.problems
        print(f'{self.seen} seen, {len(self.unseen)} not seen' + (f', {self.problems} could not be tried' if self.problems else ''))
        print(f'\n{self.seen + len(excused)} passed, {failed} failed')
        return 1 if failed or not self.seen + len(excused) else 0


def try_row(copy, row, names, report):
    started = time.monotonic()
    copy.plant(row)
    try:
        copy.compile(names)
        how = next((f'{name}: {complaint}' for name in names if (complaint := copy.fails(name))), None)
        report.row(row, time.monotonic() - started, how)
    except planted.BuildFailed as error:
        report.row(row, time.monotonic() - started, None, f'it does not build:\n{error}')
    finally:
        copy.lift(row)


class Unfaulted:
    """What each test says without a fault: asked once, by the first worker whose row names it, while the others wait."""

    def __init__(self):
        self.lock, self.known = threading.Lock(), {}

    def green(self, copy, names):
        """Those of the names that pass in the copy, in which nothing is planted."""
        return [name for name in names if self.passes(copy, name)]

    def passes(self, copy, name):
        with self.lock:
            answer = self.known.setdefault(name, {'asked': threading.Lock()})
        with answer['asked']:
            if 'passes' not in answer:
                answer['passes'] = self.ask(copy, name)
            return answer['passes']

    def ask(self, copy, name):
        try:
            copy.compile([name])
            complaint = copy.fails(name)
        except planted.BuildFailed as error:
            complaint = f'it does not build:\n{error}'
        if complaint:
            print(f'RED without any fault: {name}: {complaint}', flush=True)
        return not complaint


def work(folder, jobs, emulator, waiting, unfaulted, report):
    copy = planted.Copy(folder, jobs, emulator)
    while True:
        try:
            row = waiting.get_nowait()
        except queue.Empty:
            return
        names = unfaulted.green(copy, row['seen_by'])
        if names:
            try_row(copy, row, names, report)
        else:
            report.row(row, 0, None, 'all its tests are red without it')


def main():
    parser = argparse.ArgumentParser(prog='./dev test mutants', description=__doc__.splitlines()[0])
    parser.add_argument('build')
    parser.add_argument('--jobs', type=int, default=2, help='faults tried at a time (default 2)')
    parser.add_argument('what', nargs='*', help='areas (files of tests/mutants), source files or parts of names')
    options = parser.parse_args()
    all_rows = rows.load()
    tests = rows.known_tests(options.build)
    stale = rows.problems(all_rows, tests)
    for problem in stale:
        print(problem)
    if stale:
        sys.exit(f'\n0 passed, {len(stale)} failed')
    wanted = sorted(chosen(all_rows, options.what), key=lambda row: row['file'])
    for row in [row for row in wanted if not rows.tried(row, tests)]:
        print(f'not tried, for it takes a whole machine: {row["area"]}: {row["name"]}')
    wanted = [dict(row, seen_by=rows.tried(row, tests)) for row in wanted if rows.tried(row, tests)]
    jobs = max(1, min(options.jobs, len(wanted), os.cpu_count()))
    build = os.path.abspath(options.build)
    folders, emulator = [f'{build}/mutants/{number}' for number in range(jobs)], f'{build}/emulator'
    report, waiting, unfaulted = Report(), queue.Queue(), Unfaulted()
    for row in wanted:
        waiting.put(row)
    workers = [threading.Thread(target=work, args=(folder, max(1, os.cpu_count() // jobs), emulator, waiting, unfaulted, report)) for folder in folders]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tried = report.seen + len(report.unseen) + report.problems
    if tried != len(wanted):
        sys.exit(f'only {tried} of {len(wanted)} faults were tried\n\n0 passed, {len(wanted) - tried} failed')
    sys.exit(report.finish())


if __name__ == '__main__':
    main()
