"""What the hostile caller (tests/guests/hostile-caller) was answered, compared with the reference field by field.

Fields that differ on purpose are listed in hostile_differences.toml with the reason. A difference that is not listed is a
failure, and so is a listed one that is not there."""

import fnmatch
import os
import re
import tomllib

LINE = re.compile(r'^CALL (\S+) (.*)$', re.M)
LISTED = f'{os.path.dirname(os.path.abspath(__file__))}/hostile_differences.toml'


def table(lines):
    """{call: [(column, answer)]} of the caller's lines."""
    return {call: [tuple(field.split('=', 1)) for field in fields.split()] for call, fields in LINE.findall('\n'.join(lines))}


class Difference:
    def __init__(self, row):
        self.row, self.seen = row, False

    def covers(self, kind, call, column, ours, reference):
        row = self.row
        found = (kind in row.get('kinds', ['pv', 'pvh']) and any(fnmatch.fnmatchcase(call, pattern) for pattern in row['calls'])
                 and any(fnmatch.fnmatchcase(column, pattern) for pattern in row.get('columns', ['*']))
                 and ours in row['ours'] and reference in row['reference'])
        self.seen |= found
        return found


def differences(kind, path=LISTED):
    with open(path, 'rb') as file:
        rows = tomllib.load(file)['difference']
    return [Difference(row) for row in rows if kind in row.get('kinds', ['pv', 'pvh'])]


def as_expected(kind, call, fields, expected, listed):
    """The fields of a call, with the reference's answer where the difference is listed."""
    if [column for column, _ in fields] != [column for column, _ in expected]:
        return fields
    return [(column, theirs if ours != theirs and any([d.covers(kind, call, column, ours, theirs) for d in listed]) else ours)
            for (column, ours), (_, theirs) in zip(fields, expected)]


def full_table(rig, log):
    calls = table(log.splitlines())
    rig.check(len(calls) > 400, f'the caller printed {len(calls)} lines')
    return calls


def check_stale(rig, listed, path):
    stale = [d.row['reason'] for d in listed if not d.seen]
    rig.check(not stale, f'listed in {os.path.basename(path)}, but not there:\n' + '\n'.join(stale))


def check(rig, calls, expected, kind, path):
    """The answers are the expected ones but for those listed in that file."""
    listed = differences(kind, path)
    wrong = [f'{call}: {told(fields)}\n    expected: {told(expected.get(call, []))}' for call, fields in calls.items()
             if as_expected(kind, call, fields, expected.get(call, []), listed) != expected.get(call)]
    rig.check(not wrong and len(calls) == len(expected), '\n'.join(['what nothing lists:', *wrong]))
    check_stale(rig, listed, path)


def told(fields):
    return ' '.join(f'{column}={answer}' for column, answer in fields)


def note_table(rig, kind, log):
    calls = full_table(rig, log)
    reference = rig.reference_notes()
    listed = [] if rig.name == 'reference' or not reference else differences(kind)
    expected = table(line.split(': ', 1)[1] for line in reference or [])
    for call, fields in calls.items():
        fields = as_expected(kind, call, fields, expected.get(call, []), listed) if listed else fields
        rig.note('answer', f'CALL {call} {told(fields)}')
    check_stale(rig, listed, LISTED)
