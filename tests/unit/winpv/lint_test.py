"""What Windows and its code integrity ask of a file of ours, checked on the shipped bytes: lint_test.py ALLOWED FILE AGAIN ...,
where ALLOWED is the list of imports, FILE a driver or a program, and AGAIN the same built a second time."""

import struct
import sys

EXECUTE, READ, WRITE = 0x20000000, 0x40000000, 0x80000000
AMD64 = 0x8664
HIGH_ENTROPY_VA, DYNAMIC_BASE, NX_COMPAT, WDM_DRIVER, TERMINAL_SERVER_AWARE = 0x0020, 0x0040, 0x0100, 0x2000, 0x8000
# By the end of the file's name: the subsystem, native or that of windows, and the DllCharacteristics.
KINDS = {'.sys': (1, HIGH_ENTROPY_VA | DYNAMIC_BASE | NX_COMPAT | WDM_DRIVER),
         '.exe': (2, HIGH_ENTROPY_VA | DYNAMIC_BASE | NX_COMPAT | TERMINAL_SERVER_AWARE)}
EXPORTS, IMPORTS, EXCEPTIONS, RELOCATIONS = 0, 1, 3, 5
# Import tables are written by the loader; nothing else is of the linker's making.
WRITABLE = {'.data', '.bss', '.idata', '.rsrc'}


class Image:
    """A PE32+ file."""

    def __init__(self, data):
        self.data = data
        self.pe, = struct.unpack_from('<I', data, 0x3c)
        self.machine, count, self.time, _, _, optional_size, _ = struct.unpack_from('<HHIIIHH', data, self.pe + 4)
        self.optional = self.pe + 24
        self.sections = []
        for i in range(count):
            name, size, address, raw_size, raw, _, _, _, _, flags = struct.unpack_from(
                '<8sIIIIIIHHI', data, self.optional + optional_size + 40 * i)
            self.sections.append((name.rstrip(b'\0').decode(), address, size, raw, raw_size, flags))

    def field(self, offset, form):
        return struct.unpack_from('<' + form, self.data, self.optional + offset)[0]

    def directory(self, number):
        return struct.unpack_from('<II', self.data, self.optional + 112 + 8 * number)

    def at(self, address, form):
        return struct.unpack_from('<' + form, self.data, self.offset(address))

    def offset(self, address):
        for _, start, size, raw, raw_size, _ in self.sections:
            if start <= address < start + max(size, raw_size):
                return raw + address - start
        raise ValueError(f'{address:#x} is in no section')

    def text(self, address):
        start = self.offset(address)
        return self.data[start:self.data.index(b'\0', start)].decode()

    def imports(self):
        """[(module, name)]."""
        address, found = self.directory(IMPORTS)[0], []
        while address:
            names, _, _, module, first = self.at(address, 'IIIII')
            if not module:
                break
            slot = names or first
            while entry := self.at(slot, 'Q')[0]:
                found.append((self.text(module), self.text(entry + 2)))
                slot += 8
            address += 20
        return found

    def checksum(self):
        data = bytearray(self.data)
        data[self.optional + 64:self.optional + 68] = bytes(4)
        total = sum(struct.unpack(f'<{len(data) // 2}H', data))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return total + len(data)


def header_problems(image, kind):
    subsystem, characteristics = KINDS[kind]
    if image.machine != AMD64:
        yield f'machine {image.machine:#x}'
    if image.field(68, 'H') != subsystem:
        yield f'subsystem {image.field(68, "H")}, not {subsystem}'
    if image.field(70, 'H') != characteristics:
        yield f'DllCharacteristics {image.field(70, "H"):#x}, not {characteristics:#x}'
    if (image.field(48, 'H'), image.field(50, 'H')) != (6, 1):
        yield f'wants Windows {image.field(48, "H")}.{image.field(50, "H")}, not 6.1'
    if image.time:
        yield f'a time stamp, {image.time:#x}'
    if image.field(64, 'I') != image.checksum():
        yield f'checksum {image.field(64, "I"):#x}, not {image.checksum():#x}'
    if image.field(32, 'I') != 4096:
        yield 'sections are not aligned to pages'


def section_problems(image):
    for name, _, _, _, _, flags in image.sections:
        if flags & EXECUTE and flags & WRITE:
            yield f'{name} is writable code'
        if flags & WRITE and name not in WRITABLE:
            yield f'{name} is writable'
        if not flags & READ:
            yield f'{name} cannot be read'
    if not any(name == '.text' and flags & EXECUTE for name, _, _, _, _, flags in image.sections):
        yield 'no code'


def directory_problems(image):
    """Without relocations the image loads at one address alone; without unwind data a fault in it cannot be walked."""
    for number, name in ((RELOCATIONS, 'relocations'), (EXCEPTIONS, 'unwind data')):
        address, size = image.directory(number)
        if not address or size < 12:
            yield f'no {name}'
    if image.directory(EXPORTS)[1]:
        yield 'it exports something'
    address, size = image.directory(EXCEPTIONS)
    begins = [image.at(address + offset, 'I')[0] for offset in range(0, size - 11, 12)]
    if begins != sorted(begins):
        yield 'the unwind data is not in order'


def allowed_imports(path):
    with open(path, encoding='utf-8') as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith('#')]
    return {(module, name): first for module, name, first in rows}


def import_problems(image, allowed):
    return [f'{module} {name} is not in the list of Windows 7\'s' for module, name in image.imports() if (module, name) not in allowed]


def report(title, problems):
    problems = list(problems)
    print(f'{"not ok" if problems else "ok"} - {title}')
    for problem in problems:
        print(f'# {problem}')
    return not problems


def main():
    allowed, pairs = allowed_imports(sys.argv[1]), list(zip(sys.argv[2::2], sys.argv[3::2]))
    print(f'1..{5 * len(pairs) + 1}')
    good, used = [], set()
    for path, again in pairs:
        name = path.rsplit('/', 1)[-1]
        with open(path, 'rb') as file, open(again, 'rb') as other:
            data, same = file.read(), other.read()
        image = Image(data)
        used |= set(image.imports())
        good += [report(f'{name}: header', header_problems(image, name[-4:])), report(f'{name}: sections', section_problems(image)),
                 report(f'{name}: directories', directory_problems(image)),
                 report(f'{name}: imports', import_problems(image, allowed) if image.imports() else ['none were found']),
                 report(f'{name}: built twice, the same', [] if data == same else ['the bytes differ'])]
    good.append(report('the list of imports has no more than is used',
                       [f'{module} {name}' for module, name in sorted(set(allowed) - used)]))
    sys.exit(not all(good))


if __name__ == '__main__':
    main()
