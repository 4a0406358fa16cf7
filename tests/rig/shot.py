"""./dev shot FILE.png: a picture of the screen of the machine that ./dev run started."""

import json
import os
import socket
import sys


def main():
    build, target = sys.argv[1], os.path.abspath(sys.argv[2])
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.path.realpath(f'{build}/run/qmp'))
    except OSError:
        sys.exit('./dev shot: no machine is running. Start one with "./dev run" in another terminal.')
    stream = connection.makefile('rw', encoding='utf-8')
    stream.readline()
    for command in ({'execute': 'qmp_capabilities'},
                    {'execute': 'screendump', 'arguments': {'filename': target, 'format': 'png'}}):
        stream.write(json.dumps(command) + '\n')
        stream.flush()
        while True:
            reply = json.loads(stream.readline())
            if 'error' in reply:
                sys.exit(f'./dev shot: {reply["error"]["desc"]}')
            if 'return' in reply:
                break
    print(target)


if __name__ == '__main__':
    main()
