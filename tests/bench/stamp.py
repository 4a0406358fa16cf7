"""Copies of a hypervisor image and of a Domain-0 kernel that tell when they get control.

The copy of the hypervisor starts with a few instructions more: they write the time stamp counter to QEMU's debug port and
go on to the real entry. In the copy of the kernel the first instructions are replaced by ones that write the counter there
too and switch off. So both ends of the hand-off are read in one boot, with the kernel's true size and packing.

Source: ELF-64 and ELF-32 object file formats; Multiboot2 specification 2.0, 3.1.7 (entry address tag); Linux boot protocol
(Documentation/x86/boot: payload_offset, payload_length); xen/elfnote.h."""

import lzma
import struct

MULTIBOOT2_MAGIC, TAG_END, TAG_ENTRY = 0xe85250d6, 0, 3
HEADER_LIMIT = 32768
PT_LOAD, PT_NOTE = 1, 4
NOTE_ENTRY = 1
PAGE = 4096

# 32-bit code; the displacement of the last jmp is appended.
LOADER_STUB = bytes.fromhex('0f31'              # rdtsc
                            'b904000000'        # mov $4, %ecx
                            'e6e9'              # 1: out %al, $0xe9
                            'c1e808'            # shr $8, %eax
                            'e2f9'              # loop 1b
                            '89d0'              # mov %edx, %eax
                            'b904000000'        # mov $4, %ecx
                            'e6e9'              # 1: out %al, $0xe9
                            'c1e808'            # shr $8, %eax
                            'e2f9'              # loop 1b
                            'b88962d736'        # mov $0x36d76289, %eax: the loader's magic
                            'e9')               # jmp
# 64-bit code of a PV kernel. `one` serves as the I/O privilege level and as SHUTDOWN_reboot.
KERNEL_STUB = bytes.fromhex('0f31'              # rdtsc
                            '48c1e220'          # shl $32, %rdx
                            '4809d0'            # or %rdx, %rax
                            '4889c3'            # mov %rax, %rbx
                            'b821000000'        # mov $__HYPERVISOR_physdev_op, %eax
                            'bf06000000'        # mov $PHYSDEVOP_set_iopl, %edi
                            '488d3527000000'    # lea one(%rip), %rsi
                            '0f05'              # syscall
                            '4889d8'            # mov %rbx, %rax
                            'b908000000'        # mov $8, %ecx
                            'e6e9'              # 1: out %al, $0xe9
                            '48c1e808'          # shr $8, %rax
                            'e2f8'              # loop 1b
                            'b81d000000'        # mov $__HYPERVISOR_sched_op, %eax
                            'bf02000000'        # mov $SCHEDOP_shutdown, %edi
                            '488d3504000000'    # lea one(%rip), %rsi
                            '0f05'              # syscall
                            'ebfe'              # 1: jmp 1b
                            '01000000')         # one: .long 1


class Elf:
    """Just enough of an ELF file: its program headers."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.wide = data[4] == 2
        self.header = '<IIQQQQQQ' if self.wide else '<IIIIIIII'
        at, size, count = (32, 54, 56) if self.wide else (28, 42, 44)
        self.table, = struct.unpack_from('<Q' if self.wide else '<I', data, at)
        self.size, = struct.unpack_from('<H', data, size)
        self.count_at = count
        self.count, = struct.unpack_from('<H', data, count)

    def segments(self):
        for number in range(self.count):
            fields = struct.unpack_from(self.header, self.data, self.table + number * self.size)
            if self.wide:
                kind, _, offset, virtual, physical, in_file, in_memory, _ = fields
            else:
                kind, offset, virtual, physical, in_file, in_memory, _, _ = fields
            yield {'number': number, 'type': kind, 'offset': offset, 'virtual': virtual, 'physical': physical,
                   'file': in_file, 'memory': in_memory}

    def loaded(self):
        return [s for s in self.segments() if s['type'] == PT_LOAD]

    def add_segment(self, code):
        """Appends `code` behind all that is loaded; returns its physical address. Takes the place of a header that is
        not loaded, or a free one behind the table."""
        last = max(self.loaded(), key=lambda s: s['physical'] + s['memory'])
        end = last['physical'] + last['memory']
        physical = (end + PAGE - 1) // PAGE * PAGE
        virtual = physical + last['virtual'] - last['physical']
        spare = [s['number'] for s in self.segments() if s['type'] != PT_LOAD]
        number = spare[0] if spare else self.count
        at = self.table + number * self.size
        if not spare and any(self.data[at:at + self.size]):
            raise ValueError('no room for one more program header')
        self.data += bytes(-len(self.data) % PAGE)
        offset, size = len(self.data), len(code)
        fields = ((PT_LOAD, 7, offset, virtual, physical, size, size, PAGE) if self.wide
                  else (PT_LOAD, offset, virtual & 0xffffffff, physical, size, size, 7, PAGE))
        struct.pack_into(self.header, self.data, at, *fields)
        self.count = max(self.count, number + 1)
        struct.pack_into('<H', self.data, self.count_at, self.count)
        self.data += code
        return physical


def entry_place(data):
    """Where a multiboot2 image keeps the address of its entry: offset in the file and address."""
    for at in range(0, min(len(data), HEADER_LIMIT), 8):
        if struct.unpack_from('<I', data, at)[0] == MULTIBOOT2_MAGIC:
            break
    else:
        raise ValueError('not a multiboot2 image')
    tag = at + 16
    while True:
        kind, _, size = struct.unpack_from('<HHI', data, tag)
        if kind == TAG_ENTRY:
            return tag + 8, struct.unpack_from('<I', data, tag + 8)[0]
        if kind == TAG_END:
            return 24, struct.unpack_from('<I', data, 24)[0]
        tag += (size + 7) // 8 * 8


def stamp_hypervisor(data):
    elf = Elf(data)
    place, entry = entry_place(data)
    stub = elf.add_segment(LOADER_STUB + bytes(4))
    struct.pack_into('<i', elf.data, len(elf.data) - 4, entry - (stub + len(LOADER_STUB) + 4))
    struct.pack_into('<I', elf.data, place, stub)
    return bytes(elf.data)


def kernel_entry(elf):
    """The ENTRY note's address as an offset in the file."""
    for note in (s for s in elf.segments() if s['type'] == PT_NOTE):
        at, end = note['offset'], note['offset'] + note['file']
        while at < end:
            name_size, size, kind = struct.unpack_from('<III', elf.data, at)
            name, value = at + 12, at + 12 + (name_size + 3) // 4 * 4
            if kind == NOTE_ENTRY and elf.data[name:name + 4] == b'Xen\0':
                entry, = struct.unpack_from('<Q', elf.data, value)
                for s in elf.loaded():
                    if s['virtual'] <= entry < s['virtual'] + s['file']:
                        return s['offset'] + entry - s['virtual']
            at = value + (size + 3) // 4 * 4
    raise ValueError('the kernel has no Xen entry note')


def stamp_kernel(data):
    elf = Elf(data)
    at = kernel_entry(elf)
    elf.data[at:at + len(KERNEL_STUB)] = KERNEL_STUB
    return bytes(elf.data)


def stamp_bzimage(data):
    """The same for a kernel packed with xz, packed again as it was."""
    setup = (data[0x1f1] or 4) * 512 + 512
    offset, length = struct.unpack_from('<II', data, 0x248)
    start = setup + offset
    packed = data[start:start + length]
    kernel = lzma.decompress(packed[:-4])
    again = lzma.compress(stamp_kernel(kernel), check=lzma.CHECK_CRC32, filters=[
        {'id': lzma.FILTER_X86}, {'id': lzma.FILTER_LZMA2, 'preset': 6, 'dict_size': 32 << 20}])
    again += struct.pack('<I', len(kernel))
    stamped = bytearray(data[:start] + again + data[start + length:])
    struct.pack_into('<I', stamped, 0x24c, len(again))
    return bytes(stamped)
