"""Sound by rule: two guests, one PV and one PVH, play two tones, and the machine's speakers are recorded. What is heard is the
tone of the guest on screen alone, before and after a flip."""

import array
import math
import os
import time

from boots import Boot, power_off, toolstack_ready
from guests import KERNEL
from machine import RigError

RATE, CHANNELS, HEADER, BLOCK = 48000, 2, 44, 4800
TONES = {'first': ('pv', 440), 'second': ('pvh', 1000)}
HEARD = 300             # amplitude of a tone that is heard, of 32767
APART = 10              # times weaker is a tone that is not


class SoundBoot(Boot):
    """A machine with a sound card, of which what is played ends in a file."""

    def machine(self, rig, evidence):
        machine = super().machine(rig, evidence)
        machine.extra += ['-audiodev', f'wav,id=speakers,path={recording(evidence)},out.frequency={RATE},out.channels={CHANNELS},out.format=s16',
                          '-device', 'intel-hda', '-device', 'hda-output,audiodev=speakers']
        return machine


def recording(evidence):
    return f'{os.path.abspath(evidence)}/speakers.wav'


def definition(slot, name, kind, tone):
    return '\n'.join(['[guest]', f'name={name}', f'slot={slot}', f'type={kind}', 'memory_mib=160', f'kernel={KERNEL}',
                      'ramdisk=/mnt/guest.cpio.gz', f'cmdline=console=hvc0 quiet test=tone tone={tone}', 'display=fbif',
                      'autostart=true'])


def tones_ready(rig):
    """The seat, roundhoused, the sound process and PulseAudio run, and two guests play."""
    toolstack_ready(rig)
    run = rig.machine.run
    run('rm -f /etc/roundhouse/guests/*.conf')
    for slot, (name, (kind, tone)) in enumerate(TONES.items(), 1):
        run(f"cat >/etc/roundhouse/guests/{name}.conf <<'END'\n{definition(slot, name, kind, tone)}\nEND")
    run('systemctl start roundhouse-picture.target roundhouse-sound.service', 120)
    limit = int(120 * rig.machine.patience)
    for name in TONES:
        console = f'/var/log/xen/console/guest-{name}.log'
        status, _ = run(f"timeout {limit} sh -c 'until grep -qs \"GUEST plays\" {console}; do sleep 0.5; done'", 150, check=False)
        if status:
            raise RigError(f'guest {name} did not play within {limit} s:\n' + run(
                f'cat {console}; roundhousectl list; cat /proc/asound/cards; journalctl -b -u roundhoused -u roundhouse-sound '
                f'-u roundhouse-pulse --no-pager | tail -40', check=False)[1])


def on_screen(rig, slot):
    """By hotkey, as a person does."""
    rig.machine.key('ctrl', 'alt', str(slot))
    limit = int(15 * rig.machine.patience)
    rig.machine.run(f"timeout {limit} sh -c 'until roundhousectl status | grep -q \"on screen *slot {slot}\"; do sleep 0.3; done'", 30)


def size(path):
    """Of the recording, which begins with the first sound."""
    return os.path.getsize(path) if os.path.exists(path) else 0


def listen(rig, path):
    """Where the recording of some seconds from now on begins and ends, in bytes. What was queued before has been heard by then."""
    time.sleep(3 * rig.machine.patience)
    begin = size(path)
    time.sleep(3 * rig.machine.patience)
    return begin, size(path)


def samples_of(path, begin, end):
    """Of the left channel."""
    frame = 2 * CHANNELS
    begin, end = (HEADER + max(0, place - HEADER) // frame * frame for place in (begin, end))
    with open(path, 'rb') as file:
        file.seek(begin)
        return array.array('h', file.read(end - begin))[::CHANNELS]


def amplitude(samples, frequency):
    """Of that frequency, the mean over blocks (Goertzel's algorithm), so that a gap costs no more than its own time."""
    factor, powers = 2 * math.cos(2 * math.pi * frequency / RATE), []
    for start in range(0, len(samples) - BLOCK + 1, BLOCK):
        before = last = 0.0
        for sample in samples[start:start + BLOCK]:
            before, last = last, sample + factor * last - before
        powers.append(math.sqrt(max(0.0, before * before + last * last - factor * before * last)) * 2 / BLOCK)
    return sum(powers) / len(powers) if powers else 0.0


def the_guest_on_screen_alone_is_heard(rig):
    """After each flip the speakers play the tone of the guest on screen, and not the other's."""
    path = recording(rig.machine.evidence)
    parts = []
    for slot, name in ((1, 'first'), (2, 'second'), (1, 'first')):
        on_screen(rig, slot)
        parts.append((name, *listen(rig, path)))
    said = rig.machine.run('journalctl -b -u roundhouse-sound -u roundhouse-pulse --no-pager; grep -a GUEST /var/log/xen/console/*; '
                           'roundhousectl status', check=False)[1]
    with open(f'{rig.machine.evidence}/sound.log', 'w') as log:
        log.write(said)
    for name, begin, end in parts:
        samples = samples_of(path, begin, end) if end > begin else []
        loud = {other: amplitude(samples, tone) for other, (_, tone) in TONES.items()}
        told = ', '.join(f'{other} {level:.0f}' for other, level in loud.items())
        rig.check(len(samples) > RATE, f'{name}: {len(samples)} frames were recorded in some seconds')
        rig.check(loud[name] > HEARD, f'{name} is on screen and is not heard: {told}\n{said[-1500:]}')
        rig.check(all(level * APART < loud[name] for other, level in loud.items() if other != name),
                  f'{name} is on screen, and not it alone is heard: {told}')


BOOTS = [SoundBoot('sound', [the_guest_on_screen_alone_is_heard, power_off], smp=2, ready=tones_ready)]
