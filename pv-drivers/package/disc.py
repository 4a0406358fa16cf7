"""Makes the driver disc: disc.py OUT --key FOLDER [--unsigned] DRIVER.sys ... PROGRAM.exe ...

For each driver a folder with the driver, its INF and its catalogue, and beside them the programs; each but the INF signed by the key in
FOLDER, which is made there if there is none, and never leaves it: the disc has its certificate. Without the signatures the same sources
give the same bytes. With the same key they do so too: RSA by PKCS #1 version 1.5 has no chance in it, and the time in a signature is that
of the certificate. The disc's date is that of pvbus.inf."""

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import tempfile

import catalogue
from inf import Inf

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = 'ROUNDHOUSE_DRV'
PACKAGES = {'openssl': 'openssl', 'osslsigncode': 'osslsigncode', 'xorriso': 'xorriso'}


class DiscError(Exception):
    """Its text is a sentence for people."""


def run(*command):
    try:
        made = subprocess.run(command, capture_output=True, text=True, errors='replace',
                              env={**os.environ, 'TZ': 'UTC', 'LC_ALL': 'C'})
    except FileNotFoundError:
        raise DiscError(f'There is no {command[0]}. Install the package "{PACKAGES[command[0]]}".') from None
    if made.returncode:
        raise DiscError(f'{command[0]} failed with status {made.returncode}; it said:\n{(made.stderr or made.stdout)[-2000:]}')
    return made.stdout


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)


def windows_text(path):
    return read(path).replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')


class Key:
    """A key that nobody trusts, and its certificate, in a folder that only its owner reads."""

    def __init__(self, folder):
        self.key, self.certificate = f'{folder}/key.pem', f'{folder}/certificate.pem'
        if not os.path.exists(self.certificate):
            self.make(folder)
        start = run('openssl', 'x509', '-in', self.certificate, '-noout', '-startdate').strip().partition('=')[2]
        made = datetime.datetime.strptime(start, '%b %d %H:%M:%S %Y GMT').replace(tzinfo=datetime.timezone.utc)
        self.time = str(int(made.timestamp()))

    def make(self, folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        run('openssl', 'req', '-x509', '-newkey', 'rsa:3072', '-noenc', '-sha256', '-days', '3650', '-keyout', self.key,
            '-out', f'{self.certificate}.part', '-subj', '/CN=Roundhouse test signing (a key of this build alone)',
            '-addext', 'keyUsage=critical,digitalSignature', '-addext', 'extendedKeyUsage=codeSigning',
            '-addext', 'basicConstraints=critical,CA:FALSE')
        os.replace(f'{self.certificate}.part', self.certificate)

    def sign(self, path, *options):
        run('osslsigncode', 'sign', '-certs', self.certificate, '-key', self.key, '-h', 'sha256', *options, '-time', self.time,
            '-in', path, '-out', f'{path}.signed')
        os.replace(f'{path}.signed', path)


def add_driver(tree, driver, key):
    """The folder of one driver; the date of its INF, as text."""
    name = os.path.basename(driver).removesuffix('.sys')
    folder = f'{tree}/drivers/{name}'
    text = windows_text(f'{HERE}/{name}.inf')
    inf = Inf(text.decode('ascii'))
    month, day, year = inf.values('Version', 'DriverVer')[0].split('/')
    write(f'{folder}/{name}.inf', text)
    write(f'{folder}/{name}.sys', read(driver))
    if key:
        key.sign(f'{folder}/{name}.sys', '-ph')
    files = {file: read(f'{folder}/{file}') for file in (f'{name}.inf', f'{name}.sys')}
    date = f'{year}{month}{day}'
    write(f'{folder}/{name}.cat', catalogue.write(files, [number for _, number in inf.models()], f'{date[2:]}000000Z'))
    if key:
        key.sign(f'{folder}/{name}.cat')
    return date


def add_program(tree, program, key):
    path = f'{tree}/{os.path.basename(program)}'
    write(path, read(program))
    if key:
        key.sign(path)


def make(out, files, key):
    """Makes the disc at once or not at all."""
    out = os.path.abspath(out)
    with tempfile.TemporaryDirectory(prefix='.disc-', dir=os.path.dirname(out)) as work:
        tree = f'{work}/tree'
        date = max(add_driver(tree, file, key) for file in files if file.endswith('.sys'))
        for file in files:
            if file.endswith('.exe'):
                add_program(tree, file, key)
        write(f'{tree}/README.TXT', windows_text(f'{HERE}/disc.txt'))
        shutil.copyfile(f'{HERE}/../../LICENSE', f'{tree}/LICENSE.TXT')
        if key:
            run('openssl', 'x509', '-in', key.certificate, '-outform', 'DER', '-out', f'{tree}/roundhouse.cer')
        epoch = int(datetime.datetime.strptime(date, '%Y%m%d').replace(tzinfo=datetime.timezone.utc).timestamp())
        for folder, folders, names in os.walk(tree):
            for name in [*folders, *names]:
                os.chmod(f'{folder}/{name}', 0o755 if name in folders else 0o644)
        run('xorriso', '-as', 'mkisofs', '-quiet', '-r', '-J', '-V', NAME, '-o', f'{work}/disc', f'--modification-date={date}00000000',
            '--set_all_file_dates', f'={epoch}', tree)
        os.replace(f'{work}/disc', out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out')
    parser.add_argument('files', nargs='+', metavar='FILE', help='a driver, DRIVER.sys, or a program, PROGRAM.exe')
    parser.add_argument('--key', metavar='FOLDER', help='of the key and its certificate')
    parser.add_argument('--unsigned', action='store_true', help='sign nothing: for a comparison')
    options = parser.parse_args()
    if bool(options.key) == options.unsigned:
        parser.error('either --key or --unsigned')
    try:
        make(options.out, options.files, Key(options.key) if options.key else None)
    except (DiscError, OSError, ValueError) as error:
        sys.exit(f'disc.py: {error}')


if __name__ == '__main__':
    main()
