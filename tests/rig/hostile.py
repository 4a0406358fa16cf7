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


def differences(kind):
    with open(LISTED, 'rb') as file:
        rows = tomllib.load(file)['difference']
    return [Difference(row) for row in rows if kind in row.get('kinds', ['pv', 'pvh'])]


def as_expected(kind, call, fields, expected, listed):
    """The fields of a call, with the reference's answer where the difference is listed."""
    if [column for column, _ in fields] != [column for column, _ in expected]:
        return fields
    return [(column, theirs if ours != theirs and any([d.covers(kind, call, column, ours, theirs) for d in listed]) else ours)
            for (column, ours), (_, theirs) in zip(fields, expected)]


def note_table(rig, kind, log):
    calls = table(log.splitlines())
    rig.check(len(calls) > 400, f'the caller printed {len(calls)} lines')
    reference = rig.reference_notes()
    listed = [] if rig.name == 'reference' or not reference else differences(kind)
    expected = table(line.split(': ', 1)[1] for line in reference or [])
    for call, fields in calls.items():
        fields = as_expected(kind, call, fields, expected.get(call, []), listed) if listed else fields
        rig.note('answer', f'CALL {call} ' + ' '.join(f'{column}={answer}' for column, answer in fields))
    stale = [d.row['reason'] for d in listed if not d.seen]
    rig.check(not stale, 'listed in hostile_differences.toml, but not there:\n' + '\n'.join(stale))
