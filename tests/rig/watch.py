"""Looks at the screen all the while that something is done to those who keep it, and asks a unit's log when it was over."""

import threading
import time

from machine import RigError

PAUSE = 0.04    # between two looks: each takes processor time that the machine may need


class Watch:
    """In a `with`: the screen is looked at again and again, from before the body to after it, and the first wrong picture fails it.

    `wrong(rig)` says what is wrong with the screen, or None. The body must leave QMP alone, so it presses no keys."""

    def __init__(self, rig, wrong, label):
        self.rig, self.wrong, self.label = rig, wrong, label
        self.looks, self.problem = 0, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        try:
            while not self.problem:
                over = self.over.is_set()
                self.problem = self.wrong(self.rig)
                self.looks += 1
                if over:
                    break
                time.sleep(PAUSE)
            if self.problem:
                self.rig.machine.screenshot(f'{self.label}.png')
                self.problem = f'{self.label}: look {self.looks}: {self.problem} ({self.label}.png)'
        except RigError as error:
            self.problem = f'{self.label}: {error}'

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join()
        if self.problem and not kind:
            raise RigError(self.problem)


def uptime(rig):
    """Machine time, which logs carry."""
    return float(rig.machine.run('cut -d" " -f1 /proc/uptime'))


def struck(rig, command, prepare='true'):
    """Does something; when that was, in machine time. The shell forks for nothing between the two, which may take seconds."""
    return float(rig.machine.run(f'{prepare}; read now rest </proc/uptime; {command}; echo $now', 60).split()[-1])


# For bash: `await UNIT TEXT SECONDS` waits until the unit's log says it after $now (as /proc/uptime has it), and prints how many
# microseconds after; nothing if it does not. It neither polls nor makes a process while it waits.
AWAIT = """await() {
    while read -r -t $3 line; do
        when=${line%%]*}; when=${when##*[[ ]}; when=${when/./}
        case $line in "["*"$2"*) [ "$when" -gt "${now/./}0000" ] && echo $((when - ${now/./}0000)) && break;; esac
    done < <(exec journalctl -b -f -n 60 -u $1 -o short-monotonic --no-pager)
    kill $! 2>/dev/null
}
"""


def seconds_until(rig, unit, text, since, limit=30):
    """Waits until the unit's log says it; how long after that moment, in machine time."""
    limit *= rig.machine.patience
    took = rig.machine.run(f'{AWAIT}now={since:.2f}; await {unit} "{text}" {int(limit)}', limit, check=False)[1].strip()
    if not took:
        raise RigError(f'{unit} has not said "{text}":\n' + rig.machine.run(
            f'journalctl -b -u {unit} -n 20 -o short-monotonic --no-pager', check=False)[1])
    return int(took) / 1e6
