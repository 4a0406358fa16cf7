"""Guests' disks on a pool of their own: the disk of the machine that has it is found, checked and mounted; guests are made with
disks in it, changed, and taken back."""

import json
import os
import subprocess

from boots import Boot, power_off, toolstack_ready
from guests import UNPACKED
from life import wait_for_state
from machine import RigError

PLACE = '/var/lib/roundhouse'
POOL_BYTES, DISK_MIB = 8 << 30, 64
WRITTEN = 16 << 20      # what the guest's test writes


def pool_disk(rig):
    """An XFS with the label that the service VM's rules know, as the installer makes it."""
    path = f'{rig.build}/images/pool.img'
    if not os.path.exists(path):
        new = f'{path}.new'
        with open(new, 'wb') as file:
            file.truncate(POOL_BYTES)
        made = subprocess.run(['mkfs.xfs', '-q', '-f', '-L', 'rh-pool', '-m', 'reflink=1', new], capture_output=True, text=True)
        if made.returncode:
            raise RigError(f'no file system for the pool: {made.stderr}')
        os.rename(new, path)
    return [path]


def disk_of(name):
    return f'{PLACE}/images/{name}/disk.img'


def control(rig, words, limit=60):
    return rig.machine.run(f'roundhousectl {words}', limit)


def listed(rig, words):
    return json.loads(control(rig, f'{words} --json'))


def pool_ready(rig):
    """The pool is mounted, and roundhoused and the seat run without a definition."""
    toolstack_ready(rig)
    run = rig.machine.run
    run(f"timeout 60 sh -c 'until mountpoint -q {PLACE}; do sleep 0.5; done' || "
        "{ systemctl status roundhouse-pool-check var-lib-roundhouse.mount; false; }", 90)
    run('rm -f /etc/roundhouse/guests/*.conf; systemctl start roundhouse-picture.target', 120)


def pool_is_told(rig):
    """The pool is an XFS of its own disk, and its size is told."""
    rig.check('xfs' in rig.machine.run(f'findmnt -no FSTYPE {PLACE}'), 'the pool is no XFS')
    rig.check(listed(rig, 'image list') == [], 'a new pool has images')
    told = control(rig, 'status')
    size = int(next(line for line in told.splitlines() if line.startswith('disks')).split()[3])
    rig.check(POOL_BYTES * 0.9 < size << 20 <= POOL_BYTES, f'the pool is said to have {size} MiB')


def written(rig, salt):
    """Lets the guest write its disk with this salt; the digest of what it wrote."""
    run = rig.machine.run
    log = '/var/log/xen/console/guest-maker.log'
    control(rig, f"edit maker 'cmdline=console=hvc0 quiet test=disk salt={salt}'")
    control(rig, 'start maker', 120)
    limit = int(60 * rig.machine.patience)
    run(f"timeout {limit} sh -c 'until grep -qa \"GUEST done\" {log}; do sleep 0.5; done' || {{ tail -20 {log}; false; }}", limit + 20)
    wait_for_state(rig, 'maker', 'off')
    said = run(f'grep -a "GUEST disk ok" {log} | tail -1; rm {log}').split()
    rig.check(len(said) == 4, f'the guest said {said}')
    return said[-1].strip()


def digest(rig):
    """Of the same part of the guest's image, past the cache of what was there before."""
    return rig.machine.run(f'head -c {WRITTEN} {disk_of("maker")} | md5sum').split()[0]


def free(rig):
    return int(rig.machine.run(f'sync; df --output=avail -B1 {PLACE} | tail -1'))


def guest_is_made_with_a_disk(rig):
    """A guest is made with a new disk, writes it, and what it wrote is in its image."""
    control(rig, f'create maker type=pv memory_mib=160 kernel={UNPACKED} ramdisk=/mnt/guest.cpio.gz display=none --disk {DISK_MIB}M')
    said = written(rig, 'pepper')
    rig.check(digest(rig) == said, f'the image holds something else than the guest wrote: {said}')


def snapshot_comes_back(rig):
    """A snapshot takes no room of its own; what was written after it goes, and comes again, by a revert."""
    before, room = digest(rig), free(rig)
    control(rig, 'snapshot maker "with pepper"')
    rig.check(room - free(rig) < 1 << 20, f'a snapshot takes {room - free(rig)} bytes')
    after = written(rig, 'salt')
    rig.check(digest(rig) == after != before, 'the guest wrote nothing else')
    points = [point for point in listed(rig, 'points maker') if point['label'] == 'with pepper']
    rig.check(len(points) == 1, f'the points are {points}')
    control(rig, f'revert maker {points[0]["time"]}')
    rig.check(digest(rig) == before, 'the snapshot did not come back')
    control(rig, 'undo maker')
    rig.check(digest(rig) == after, 'what was there before the revert did not come back')


def clone_shares_its_blocks(rig):
    """A guest whose disk is a clone starts from what the other one has, and takes no room but for its changes."""
    room = free(rig)
    control(rig, f'create second type=pv memory_mib=160 kernel={UNPACKED} ramdisk=/mnt/guest.cpio.gz display=none --disk-clone maker')
    rig.check(room - free(rig) < 1 << 20, f'a clone takes {room - free(rig)} bytes')
    same = rig.machine.run(f'cmp {disk_of("maker")} {disk_of("second")}', check=False)
    rig.check(same[0] == 0, f'the clone differs: {same[1]}')


def full_pool_pauses_who_writes(rig):
    """Guests are paused before the pool is full, the reason is told, and they go on when there is room again."""
    run = rig.machine.run
    control(rig, "edit second 'cmdline=console=hvc0 quiet test=hello'")
    control(rig, 'start second', 120)
    wait_for_state(rig, 'second', 'running')
    run(f'fallocate -l $(($(df --output=avail -B1 {PLACE} | tail -1) - 8 * 1024 * 1024)) {PLACE}/filler')
    wait_for_state(rig, 'second', 'paused')
    told = listed(rig, 'status')['Problems']
    rig.check(any('almost used up' in problem for problem in told), f'nobody says why: {told}')
    run(f'rm {PLACE}/filler')
    wait_for_state(rig, 'second', 'running')
    control(rig, 'destroy second')
    wait_for_state(rig, 'second', 'off')


def what_is_deleted_gives_its_room_back(rig):
    """Guests go with their disks, and the pool is as empty as before."""
    for name in ('maker', 'second'):
        control(rig, f'delete {name} --yes --with-images')
    rig.check(listed(rig, 'image list') == [], 'images are left')
    left = rig.machine.run(f'find {PLACE}/images {PLACE}/making -type f').strip()
    rig.check(not left, f'files are left: {left}')


BOOTS = [Boot('pool', [pool_is_told, guest_is_made_with_a_disk, snapshot_comes_back, clone_shares_its_blocks, full_pool_pauses_who_writes,
                       what_is_deleted_gives_its_room_back, power_off], smp=1, ready=pool_ready, disks=pool_disk)]
