"""The driver disc: package_test.py DISC SCRIPT IMPORTS DRIVER.sys ... PROGRAM.exe ...: its INF files, signatures and catalogues, looked at with other
tools than made it, and whether it is the same when it is made again. SCRIPT makes discs; IMPORTS is the list of winpv-lint."""

import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile

import lint_test

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f'{HERE}/../../../pv-drivers/package')
from inf import Inf     # noqa: E402

CLASSES = {'system': '{4d36e97d-e325-11ce-bfc1-08002be10318}', 'scsiadapter': '{4d36e97b-e325-11ce-bfc1-08002be10318}',
           'net': '{4d36e972-e325-11ce-bfc1-08002be10318}', 'hidclass': '{745a17a0-74d3-11d0-b6fe-00a0c90f57da}'}
PLATFORM_DEVICE = r'PCI\VEN_5853&DEV_0001'
# What Windows needs to boot is loaded by boot: pvbus unplugs disks only where it is so.
BOOT, DEMAND = '0', '3'
START = {'pvbus': BOOT, 'pvblk': BOOT, 'pvnet': DEMAND, 'pvinput': DEMAND, 'pvcons': DEMAND}
# Where an entry of a section names other sections.
NAMES_SECTIONS = {'addreg', 'copyfiles'}


def succeeds(*command):
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def extract(disc, folder):
    subprocess.run(['xorriso', '-osirrox', 'on', '-indev', disc, '-extract', '/', folder], check=True, capture_output=True)
    subprocess.run(['chmod', '-R', 'u+w', folder], check=True)
    return folder


def make(script, out, files, *how):
    subprocess.run([sys.executable, script, out, *how, *files], check=True)
    return read(out)


# --- INF files ---

def sections_named(inf, name):
    """Those that the INF's entries name; they have to be there."""
    found = {'version', 'manufacturer', 'strings', 'sourcedisksnames', 'sourcedisksfiles', 'destinationdirs'}
    found |= {'.'.join(names).lower() for _, names in inf.entries('Manufacturer')}
    for install, _ in inf.models():
        found |= {f'{install}.nt'.lower(), f'{install}.nt.services'.lower()}
        found |= {f'{install}.nt.hw'.lower()} & set(inf.sections)
    found |= {values[2].lower() for section in found if section.endswith('.services') for _, values in inf.entries(section)}
    for section in list(found):
        for key, values in inf.entries(section):
            if key and key.lower() in NAMES_SECTIONS:
                found |= {value.lower() for value in values}
    return found


def inf_problems(name, text, bus):
    if b'\n' in text.replace(b'\r\n', b''):
        yield 'a line that does not end as Windows ends lines'
    inf = Inf(text.decode('ascii'))
    named = sections_named(inf, name)
    yield from (f'[{section}] is not there' for section in sorted(named - set(inf.sections)))
    yield from (f'[{section}] is named nowhere' for section in sorted(set(inf.sections) - named))
    used = {word.lower() for section, entries in inf.sections.items() if section != 'strings'
            for key, values in entries for value in [key or '', *values] for word in re.findall(r'%(\w+)%', value) if word != '12'}
    yield from (f'%{word}% is used or defined, not both' for word in sorted(used ^ set(inf.strings)))
    expected = {('version', 'signature'): '$WINDOWS NT$', ('version', 'catalogfile'): f'{name}.cat', ('version', 'pnplockdown'): '1',
                ('version', 'classguid'): CLASSES.get(inf.value('Version', 'Class').lower()),
                ('destinationdirs', 'defaultdestdir'): '12', ('sourcedisksfiles', f'{name}.sys'): '1',
                ('service', 'servicebinary'): f'%12%\\{name}.sys', ('service', 'servicetype'): '1', ('service', 'errorcontrol'): '1',
                ('service', 'starttype'): START[name]}
    yield from (f'{key} of [{section}] is "{inf.value(section, key)}", not "{value}"'
                for (section, key), value in expected.items() if inf.value(section, key) != value)
    if inf.entries('Install.NT.Services') != [('AddService', [name, '0x00000002', 'Service'])]:
        yield 'another service is installed than the driver'
    if inf.entries('Files') != [(None, [f'{name}.sys'])]:
        yield 'other files are copied than the driver'
    yield from id_problems(inf, bus)


def id_problems(inf, bus):
    """Every device that pvbus makes has its name in that file, and an INF names no other."""
    for _, number in inf.models():
        if number != PLATFORM_DEVICE and not (number.startswith('PVBUS\\') and number[6:].encode() + b'\0' in bus and b'PVBUS\\' in bus):
            yield f'there is no device {number}'


def version_problems(inf, image):
    """The driver's own version, of its VS_FIXEDFILEINFO."""
    at = image.find(struct.pack('<I', 0xfeef04bd))
    high, low = struct.unpack_from('<II', image, at + 8)
    own = f'{high >> 16}.{high & 0xffff}.{low >> 16}.{low & 0xffff}'
    said = inf.values('Version', 'DriverVer')[1]
    return [] if own == said else [f'the INF says version {said}, the driver {own}']


# --- signatures ---

def without_signature(path, out):
    if os.path.exists(out):
        os.unlink(out)
    subprocess.run(['osslsigncode', 'remove-signature', '-in', path, '-out', out], check=True, capture_output=True)
    return read(out)


def change_a_byte(path, out):
    data = bytearray(read(path))
    data[0x600] ^= 1
    with open(out, 'wb') as file:
        file.write(data)


def signature_problems(file, plain, certificate, work):
    if not succeeds('osslsigncode', 'verify', '-CAfile', certificate, '-in', file):
        yield 'its signature is not right'
    if without_signature(file, work) != plain:
        yield 'without its signature it is not the file that was built'
    change_a_byte(file, work)
    if succeeds('osslsigncode', 'verify', '-CAfile', certificate, '-in', work):
        yield 'its signature is right when a byte of it is another'


def catalogue_problems(folder, name, certificate):
    """The driver by osslsigncode; the INF, which that cannot look for, by its sum's own text."""
    catalogue, driver, work = f'{folder}/{name}.cat', f'{folder}/{name}.sys', f'{folder}/work.sys'
    verify = ['osslsigncode', 'verify', '-CAfile', certificate, '-catalog', catalogue, '-in']
    without_signature(driver, work)
    if not succeeds(*verify, driver) or not succeeds(*verify, work):
        yield 'the driver is not in it, or its signature is not right'
    change_a_byte(work, work)
    if succeeds(*verify, work):
        yield 'a driver is in it that is another'
    if hashlib.sha1(read(f'{folder}/{name}.inf')).hexdigest().upper().encode('utf-16le') + b'\0\0' not in read(catalogue):
        yield 'the INF is not in it'
    if not succeeds('openssl', 'asn1parse', '-inform', 'DER', '-in', catalogue):
        yield 'it is no DER'


# --- the disc ---

def again_problems(disc, script, files, work):
    key = os.path.join(os.path.dirname(disc), 'signing')
    if make(script, f'{work}/again.iso', files, '--key', key) != read(disc):
        yield 'made again with its key, it is another'
    if make(script, f'{work}/first.iso', files, '--unsigned') != make(script, f'{work}/second.iso', files, '--unsigned'):
        yield 'made again without signatures, it is another'


def key_problems(disc, tree):
    key = os.path.join(os.path.dirname(disc), 'signing', 'key.pem')
    if os.stat(key).st_mode & 0o077:
        yield 'others may read the key'
    secret = b''.join(line for line in read(key).splitlines() if not line.startswith(b'--'))[200:260]
    for folder, _, names in os.walk(tree):
        for name in names:
            data = read(f'{folder}/{name}')
            if b'PRIVATE KEY' in data or secret in data:
                yield f'the key is on the disc, in {name}'


def tree_problems(tree, names, programs):
    found = sorted(os.path.relpath(f'{folder}/{name}', tree) for folder, _, files in os.walk(tree) for name in files)
    wanted = sorted(['LICENSE.TXT', 'README.TXT', 'roundhouse.cer', *programs] + [f'drivers/{name}/{name}.{kind}' for name in names
                                                                      for kind in ('inf', 'sys', 'cat')])
    if found != wanted:
        yield f'on it are {found}'
    text = read(f'{tree}/README.TXT').decode('ascii')
    told = [f'\\drivers\\{name}\\{name}.inf' for name in names] + [f'D:\\{name}' for name in programs]
    yield from (f'README.TXT does not tell of {name}' for name in told if name not in text)


def main():
    disc, script, imports, *files = [os.path.abspath(path) for path in sys.argv[1:]]
    drivers, programs = ([file for file in files if file.endswith(kind)] for kind in ('.sys', '.exe'))
    names = [os.path.basename(path).removesuffix('.sys') for path in drivers]
    allowed, bus = lint_test.allowed_imports(imports), read(drivers[names.index('pvbus')])
    print(f'1..{5 * len(names) + len(programs) + 3}')
    good = []
    with tempfile.TemporaryDirectory() as work:
        tree = extract(disc, f'{work}/tree')
        good.append(lint_test.report('the disc: its files', tree_problems(tree, names, [os.path.basename(path) for path in programs])))
        certificate = f'{work}/certificate.pem'
        subprocess.run(['openssl', 'x509', '-inform', 'DER', '-in', f'{tree}/roundhouse.cer', '-out', certificate], check=True)
        for name, path in zip(names, drivers):
            folder = f'{tree}/drivers/{name}'
            data = read(f'{folder}/{name}.sys')
            image = lint_test.Image(data)
            good += [
                lint_test.report(f'{name}.inf', inf_problems(name, read(f'{folder}/{name}.inf'), bus)),
                lint_test.report(f'{name}.inf: version', version_problems(Inf(read(f'{folder}/{name}.inf').decode()), data)),
                lint_test.report(f'{name}.sys: signed, and still what Windows asks of a driver', [
                    *lint_test.header_problems(image, '.sys'), *lint_test.section_problems(image), *lint_test.directory_problems(image),
                    *lint_test.import_problems(image, allowed)]),
                lint_test.report(f'{name}.sys: signature', signature_problems(
                    f'{folder}/{name}.sys', read(path), certificate, f'{work}/work.sys')),
                lint_test.report(f'{name}.cat', catalogue_problems(folder, name, certificate))]
        for path in programs:
            name = os.path.basename(path)
            good.append(lint_test.report(f'{name}: signature', signature_problems(
                f'{tree}/{name}', read(path), certificate, f'{work}/work.exe')))
        good.append(lint_test.report('the disc: the key', key_problems(disc, tree)))
        good.append(lint_test.report('the disc: made again', again_problems(disc, script, files, work)))
    sys.exit(not all(good))


if __name__ == '__main__':
    main()
