"""Catalogues: lists of the files of a driver package by their sums, in the form of MS-CAT, to be signed.

The first version of the form, with sums by SHA-1, since Windows 7 knows no other; who relies on more looks at the drivers' own
signatures, which are by SHA-256. The same files give the same bytes."""

import hashlib
import struct

SHA1 = '1.3.14.3.2.26'
SYSTEMS = '2:6.1,2:6.2,2:6.3,2:10.0'
X64 = '7X64,8X64,_v63_X64,_v100_X64'
IMAGE = '{C689AAB8-8E78-11D0-8C47-00C04FC295EE}'
FLAT = '{DE351A42-8E59-11D0-8C47-00C04FC295EE}'


# --- DER ---

def tagged(tag, *parts):
    body = b''.join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, 'big')
    return bytes([tag, 0x80 | len(length)]) + length + body


def sequence(*parts):
    return tagged(0x30, *parts)


def set_of(*parts):
    return tagged(0x31, *sorted(parts))


def octets(data):
    return tagged(0x04, data)


def wide(text):
    return tagged(0x1e, text.encode('utf-16be'))


def integer(value):
    return tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, 'big'))


def identifier(text):
    first, second, *rest = [int(part) for part in text.split('.')]
    out = [first * 40 + second]
    for value in rest:
        septets = [value & 127]
        while value := value >> 7:
            septets.insert(0, 0x80 | value & 127)
        out += septets
    return tagged(0x06, bytes(out))


NULL = tagged(0x05)


# --- sums ---

def is_image(data):
    return data[:2] == b'MZ'


def image_sum(data, algorithm='sha1'):
    """Of a PE file without its checksum and its signature, as Authenticode sums it up."""
    optional = struct.unpack_from('<I', data, 0x3c)[0] + 24
    checksum, directory = optional + 64, optional + 112 + 8 * 4
    signature = struct.unpack_from('<I', data, directory)[0]
    end = signature or len(data)
    summed = hashlib.new(algorithm, data[:checksum] + data[checksum + 4:directory] + data[directory + 8:end])
    if not signature:
        summed.update(bytes(-len(data) % 8))
    return summed.digest()


def file_sum(data):
    return image_sum(data) if is_image(data) else hashlib.sha1(data).digest()


# --- the list ---

def named(name, text):
    return sequence(wide(name), integer(0x10010001), octets(text.encode('utf-16le') + b'\0\0'))


def attribute(name, value):
    return sequence(identifier(name), set_of(value))


def indirect_data(data):
    link = tagged(0xa2, tagged(0x80, b''))
    kind = sequence(identifier('1.3.6.1.4.1.311.2.1.15'), sequence(tagged(0x03, b'\0'), tagged(0xa0, link))) if is_image(data) else \
        sequence(identifier('1.3.6.1.4.1.311.2.1.25'), link)
    return sequence(kind, sequence(sequence(identifier(SHA1), NULL), octets(file_sum(data))))


def member(name, data):
    return sequence(octets(file_sum(data).hex().upper().encode('utf-16le') + b'\0\0'), set_of(
        attribute('1.3.6.1.4.1.311.2.1.4', indirect_data(data)),
        attribute('1.3.6.1.4.1.311.12.2.1', named('File', name.lower())),
        attribute('1.3.6.1.4.1.311.12.2.1', named('OSAttr', SYSTEMS)),
        attribute('1.3.6.1.4.1.311.12.2.2', sequence(wide(IMAGE if is_image(data) else FLAT), integer(0x200)))))


def write(files, hardware_ids, date):
    """The bytes of a catalogue without a signature. files: {name: bytes}; date: 'YYMMDDhhmmssZ'."""
    number = hashlib.sha256(b''.join(file_sum(data) for _, data in sorted(files.items()))).digest()[:16]
    extensions = [named(f'HWID{i + 1}', name.lower()) for i, name in enumerate(hardware_ids)] + [named('OS', X64)]
    trust_list = sequence(
        sequence(identifier('1.3.6.1.4.1.311.12.1.1')), octets(number), tagged(0x17, date.encode()),
        sequence(identifier('1.3.6.1.4.1.311.12.1.2'), NULL), sequence(*sorted(member(*file) for file in files.items())),
        tagged(0xa0, sequence(*(sequence(identifier('1.3.6.1.4.1.311.12.2.1'), octets(one)) for one in extensions))))
    return sequence(identifier('1.2.840.113549.1.7.2'), tagged(0xa0, sequence(
        integer(1), set_of(), sequence(identifier('1.3.6.1.4.1.311.10.1'), tagged(0xa0, trust_list)), set_of())))
