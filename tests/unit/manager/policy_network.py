#!/usr/bin/env python3
"""The rules of the network on real packets: guests, this machine and the world are network namespaces around a bridge.
policy_network.py PROGRAM, the program being policy_network_test. Needs root, nft and ip; without them it is skipped."""

import os
import shutil
import subprocess
import sys

NAMES = {'home': 3, 'pc': 12, 'proxy': 7}
ADDRESSES = {'home': '10.9.0.3', 'pc': '10.9.0.12', 'proxy': '10.9.0.7', 'world': '10.9.0.99', 'machine': '10.9.0.1'}
DEFAULT = 'allow any guest to connect to any network, any service\nallow any service to connect to any guest'
ONE_WAY = 'allow the guest home to connect to any guest'
NOTHING = 'allow the person to start any guest'

SERVE = """
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('0.0.0.0', 7777)); s.listen(16)
print('ready', flush=True)
while True:
    c, _ = s.accept(); c.sendall(b'yes'); c.close()
"""
CONNECT = """
import socket, sys
s = socket.socket(); s.settimeout(2)
try:
    s.connect((sys.argv[1], 7777)); sys.exit(0 if s.recv(3) == b'yes' else 1)
except OSError:
    sys.exit(1)
"""
# A frame of the network's own making: ARP request for the second address, from a MAC and an address that are given.
SPOOF = """
import socket, sys
mac, ours, theirs = sys.argv[1:4]
m = bytes(int(x, 16) for x in mac.split(':'))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0))
s.send(b'\\xff' * 6 + m + b'\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x01' + m + socket.inet_aton(ours) + b'\\0' * 6 + socket.inet_aton(theirs))
"""
LISTEN = """
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)); s.bind(('eth0', 0)); s.settimeout(4)
print('ready', flush=True)
end = time.time() + 4
wanted = b'\\0\\1' + bytes(int(x, 16) for x in sys.argv[1].split(':')) + socket.inet_aton(sys.argv[2])
while time.time() < end:
    try:
        frame = s.recv(2000)
    except OSError:
        break
    if frame[20:32] == wanted:
        sys.exit(0)
sys.exit(1)
"""

failures = 0
points = 0


def run(*words, **more):
    return subprocess.run(words, check=True, text=True, **more)


def inside(name, *words):
    return ['ip', 'netns', 'exec', name, *words] if name != 'machine' else list(words)


def python(name, text, *words):
    return inside(name, sys.executable, '-c', text, *words)


def mac(name):
    return f'00:16:3e:00:00:{NAMES[name]:02x}'


def plug(name, port, hardware=None):
    """A namespace with one card, whose other end is a port of the bridge."""
    run('ip', 'netns', 'add', name)
    run('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    run('ip', 'link', 'set', port, 'master', 'xenbr0', 'up')
    if hardware:
        run(*inside(name, 'ip', 'link', 'set', 'eth0', 'address', hardware))
    run(*inside(name, 'ip', 'addr', 'add', f'{ADDRESSES[name]}/24', 'dev', 'eth0'))
    run(*inside(name, 'ip', 'link', 'set', 'eth0', 'up'))


def build():
    run('mount', '--make-rprivate', '/')
    run('mount', '-t', 'tmpfs', 'none', '/run')
    run('ip', 'link', 'add', 'xenbr0', 'type', 'bridge')
    run('ip', 'addr', 'add', f'{ADDRESSES["machine"]}/24', 'dev', 'xenbr0')
    run('ip', 'link', 'set', 'xenbr0', 'up')
    for name, number in NAMES.items():
        plug(name, f'vif{number}.0', mac(name))
    plug('world', 'enp1s0')


def check(good, title):
    global failures, points
    points += 1
    failures += not good
    print(f'{"ok" if good else "not ok"} {points} - {title}', flush=True)


def rules(program, policy, address=None):
    cards = [f'{name}/{NAMES[name]}/{mac(name)}' + (f'/{ADDRESSES[name]}' if address == name else '') for name in NAMES]
    text = run(program, '--rules', policy, *cards, capture_output=True).stdout
    run('nft', '-c', '-f', '-', input=text)
    run('nft', '-f', '-', input=text)
    for name in (*ADDRESSES,):
        subprocess.run(inside(name, 'ip', 'neigh', 'flush', 'all'), check=False, capture_output=True)


def reaches(one, other):
    return subprocess.run(python(one, CONNECT, ADDRESSES[other]), check=False).returncode == 0


def who_reaches(title, wanted):
    """Each pair, at once; wanted: the pairs that are to be."""
    pairs = [(one, other) for one in ADDRESSES for other in ADDRESSES if one != other]
    tries = {pair: subprocess.Popen(python(pair[0], CONNECT, ADDRESSES[pair[1]])) for pair in pairs}
    found = {pair for pair, process in tries.items() if process.wait() == 0}
    check(found == wanted, f'{title}: {sorted(found ^ wanted) or "as the policy says"}')


def hears(listener, spoofer, hardware, address):
    """Whether a frame from that MAC and address, sent by the spoofer, comes to the listener."""
    ear = subprocess.Popen(python(listener, LISTEN, hardware, address), stdout=subprocess.PIPE, text=True)
    ear.stdout.readline()
    run(*python(spoofer, SPOOF, hardware, address, ADDRESSES[listener]))
    return ear.wait() == 0


def try_all(program):
    everybody = {(one, other) for one in ADDRESSES for other in ADDRESSES if one != other}
    outside = {('machine', 'world'), ('world', 'machine')}
    who_reaches('without rules everybody reaches everybody', everybody)
    rules(program, NOTHING)
    who_reaches('nothing is allowed', outside)
    rules(program, DEFAULT)
    guests_out = {pair for name in NAMES for pair in ((name, 'world'), ('world', name))}
    with_proxy = {pair for name in ('home', 'pc') for pair in ((name, 'proxy'), ('proxy', name))}
    who_reaches('networks and services', outside | guests_out | with_proxy)
    check(hears('world', 'home', mac('home'), ADDRESSES['home']), 'its own frames go out')
    check(not hears('world', 'home', mac('pc'), ADDRESSES['home']), 'those of another MAC do not')
    check(hears('world', 'pc', mac('pc'), '10.9.0.50'), 'while its address is not known, it may have any')
    rules(program, DEFAULT, address='pc')
    check(not hears('world', 'pc', mac('pc'), '10.9.0.50'), 'when it is known, no other')
    check(hears('world', 'pc', mac('pc'), ADDRESSES['pc']), 'but that')
    rules(program, ONE_WAY)
    who_reaches('one way', outside | {('home', 'pc'), ('home', 'proxy')})
    run('ip', 'link', 'set', 'vif12.0', 'name', 'vif99.0')
    rules(program, DEFAULT)
    check(not reaches('pc', 'world') and not reaches('world', 'pc'), 'a card that nobody knows reaches nothing')


def main():
    program = sys.argv[1]
    if len(sys.argv) == 2:
        tools = os.geteuid() == 0 and all(shutil.which(tool) for tool in ('ip', 'nft', 'unshare'))
        able = tools and subprocess.run(['unshare', '-n', '-m', 'sh', '-c', 'echo table bridge x | nft -f - && ip link add br0 type bridge'],
                                        check=False, capture_output=True).returncode == 0
        if not able:
            print('1..0 # SKIP needs root, nft, ip, and a kernel with bridges and nftables')
            return 0
        return subprocess.run(['unshare', '-n', '-m', sys.executable, __file__, program, 'inside'], check=False).returncode
    build()
    servers = [subprocess.Popen(python(name, SERVE), stdout=subprocess.PIPE, text=True) for name in ADDRESSES]
    for server in servers:
        server.stdout.readline()
    try_all(program)
    for server in servers:
        server.terminate()
    print(f'1..{points}')
    return failures > 0


if __name__ == '__main__':
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    sys.exit(main())
