"""Compares the lengths the emulator gives to instructions with what objdump disassembles, in 16-, 32- and 64-bit code.

Each instruction stands at the start of a 32-byte slot whose rest is nops, so that the disassembler is in step again at
the next slot. What objdump does not know is not compared."""

import os
import random
import re
import subprocess
import sys
import tempfile

SLOT = 32
PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3]
MACHINES = {2: 'i8086', 4: 'i386,intel64', 8: 'x86-64,intel64'}
# 8F with a ModRM.reg other than 0: XOP, which no processor we run on has. 9B: objdump joins fwait with what follows.
SKIPPED = {0x8f, 0x9b}
LONE_PREFIX = re.compile(r'^((rex[.\w]*|data16|data32|addr16|addr32|lock|repn?z|bnd|notrack|[cdefgs]s)\s*)+$')


# Of the 386 alone, of another vendor's processors, and a VEX prefix after a REX, which is #UD.
FOREIGN = re.compile(r'%tr\d|montmul|xsha|xstore|xcrypt|rex[.\w]* v')


def escapes(rng, code_bytes):
    """The bytes before an opcode: none, one of the maps, or a VEX prefix."""
    choice = rng.randrange(8)
    if choice < 3:
        return []
    if choice < 5:
        return [0x0f]
    if choice == 5:
        return [0x0f, rng.choice([0x38, 0x3a])]
    top = 0xc0 if code_bytes != 8 else rng.choice([0, 0x40, 0x80, 0xc0])
    if choice == 6:
        return [0xc5, top | rng.randrange(64)]
    return [0xc4, top | 0x20 | rng.randrange(1, 4), rng.randrange(256)]


def instruction(rng, code_bytes):
    head = escapes(rng, code_bytes)
    prefixes = []
    if not head or head[0] == 0x0f:
        prefixes = [rng.choice(PREFIXES) for _ in range(rng.choice([0, 0, 0, 1, 1, 2]))]
        if code_bytes == 8 and rng.randrange(3) == 0:
            prefixes.append(0x40 | rng.randrange(16))
    return bytes(prefixes + head + [rng.randrange(256) for _ in range(15 - len(prefixes) - len(head))])


def corpus(code_bytes, count):
    """Every opcode of the two main maps with each kind of ModRM, then instructions by chance."""
    rng = random.Random(code_bytes)
    found = []
    for opcode in range(256):
        for modrm in (0x00, 0x04, 0x05, 0x06, 0x44, 0x86, 0x84, 0xc0, 0xc8, 0xff, 0x10, 0x1d):
            tail = [modrm, 0x25] + [rng.randrange(256) for _ in range(11)]
            found += [bytes([opcode] + tail), bytes([0x0f, opcode] + tail), bytes([0x66, 0x0f, opcode] + tail)]
    found += [instruction(rng, code_bytes) for _ in range(count)]
    return [code[:15] + b'\x90' * (SLOT - len(code[:15])) for code in found]


def disassemble(path, machine):
    """{offset: length} of the instructions at slot starts that objdump knows."""
    text = subprocess.run(['objdump', '-D', '-z', '-w', '-b', 'binary', '-m', 'i386', '-M', machine, path], check=True,
                          capture_output=True, text=True).stdout
    lengths = {}
    for offset, code, name in re.findall(r'^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t?(.*)$', text, re.M):
        at = int(offset, 16)
        if at % SLOT == 0 and '(bad)' not in name and not LONE_PREFIX.match(name.strip()) and \
                not FOREIGN.search(name):
            lengths[at] = (len(code.split()), name)
    return lengths


def skipped(code):
    while code and (code[0] in PREFIXES + [0xf0] or code[0] & 0xf0 == 0x40):
        code = code[1:]
    return not code or code[0] in SKIPPED


def compare(program, code_bytes):
    slots = corpus(code_bytes, 20000)
    image = b''.join(slots)
    with tempfile.NamedTemporaryFile(suffix='.bin') as file:
        file.write(image)
        file.flush()
        known = disassemble(file.name, MACHINES[code_bytes])
    answer = subprocess.run([program, str(code_bytes)], input=image, check=True, capture_output=True).stdout
    lengths = [int(line) for line in answer.split()]
    compared, wrong = 0, []
    for index, code in enumerate(slots):
        if index * SLOT not in known or skipped(code):
            continue
        compared += 1
        length, name = known[index * SLOT]
        if lengths[index] != length:
            wrong.append(f'{code[:15].hex()}: {lengths[index]}, objdump {length} ({" ".join(name.split())})')
    return compared, wrong


def main():
    program = os.path.abspath(sys.argv[1])
    print(f'1..{len(MACHINES)}')
    good = True
    for number, code_bytes in enumerate(MACHINES, 1):
        compared, wrong = compare(program, code_bytes)
        ok = not wrong and compared > 10000
        good &= ok
        print(f'{"ok" if ok else "not ok"} {number} - {compared} instructions of {8 * code_bytes}-bit code')
        for line in wrong[:40]:
            print('#', line)
    sys.exit(not good)


if __name__ == '__main__':
    main()
