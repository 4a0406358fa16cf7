#!/usr/bin/env python3
"""Stands in for roundhouse-install --serve behind its socket, SOCKET, and plays the outcome that the file OUTCOME names: done, fails,
dies, or waits (for a stop). Every request is kept in REQUESTS, one after the other."""
import json
import socket
import sys
import threading

SOCKET, OUTCOME, REQUESTS = sys.argv[1:4]
GIB = 1 << 30
DISKS = [('/dev/sda', 'GPT', 'other', 'Windows (100.0 GiB)', ''), ('/dev/sdb', 'GPT', 'roundhouse', 'guests (60.0 GiB)', ''),
         ('/dev/sdc', 'MBR', 'other', '', 'it is mounted')]


def part(when, start, size, fate, what, encrypted=False):
    return dict(record='part', when=when, start=start * GIB, size=size * GIB, fate=fate, name='', what=what, encrypted=encrypted)


def check(_):
    yield dict(record='finding', name='memory', verdict='works', says='16.0 GiB')
    yield dict(record='finding', name='IOMMU', verdict='does-not', says='the firmware describes none')
    yield dict(record='end', status=0, says='')


def disks(_):
    for path, table, holds, parts, refused in DISKS:
        yield dict(record='disk', path=path, model='A "disk"\n\u202emodel', size=200 * GIB, table=table, free=90 * GIB, holds=holds,
                   parts=parts, refused=refused)
    yield dict(record='end', status=0, says='')


def plan(request):
    whole, encrypted = 'use = whole-disk' in request, 'encrypt = yes' in request
    yield part('before', 0, 100, 'goes' if whole else 'stays', 'Windows')
    if not whole:
        yield part('after', 0, 100, 'stays', 'Windows')
    yield part('after', 0 if whole else 100, 8, 'new', 'the system')
    yield part('after', 8 if whole else 108, 80, 'new', 'guests', encrypted)
    yield dict(record='end', status=0, says='')


def install(stream):
    def step(number, permille):
        return dict(record='progress', stage='x', title=f'Step {number}', number=number, count=3, permille=permille)
    with open(OUTCOME) as file:
        outcome = file.read().strip()
    yield step(1, 0)
    yield step(2, 500)
    if outcome == 'dies':
        return
    if outcome == 'waits':
        stream.readline()
        yield dict(record='end', status=1, says='It was told to stop.\nThe disk is as it was before.')
    elif outcome == 'fails':
        yield dict(record='end', status=1, says='The disk is full.\nWhat was on the disk before is lost.')
    else:
        yield step(3, 1000)
        yield dict(record='end', status=0, says='Roundhouse is installed.')


def serve(connection):
    with connection, connection.makefile('r', encoding='utf-8') as stream:
        request = ''
        while not request.endswith('\nend\n'):
            line = stream.readline()
            if not line:
                return
            request += line
        with open(REQUESTS, 'a') as file:
            file.write(request)
        kind = request.split('\n', 1)[0]
        answers = {'check': check, 'disks': disks, 'plan': plan}
        for record in install(stream) if kind == 'install' else answers[kind](request):
            connection.sendall((json.dumps(record, ensure_ascii=False) + '\n').encode())


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen()
    print('ready', flush=True)
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()


if __name__ == '__main__':
    main()
