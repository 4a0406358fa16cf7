"""Writes an assembly file with a weak definition of every function that the hypervisor's headers declare: it stops the test
and names itself. So a test defines what it is about and nothing else. Arguments: the file, its list of prerequisites."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, '../../../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests/style'))
import check_headers  # noqa: E402
import check_style  # noqa: E402
import tree  # noqa: E402

LIBRARY = 'hypervisor/include/hv/lib.h'     # the C library has most of these, and tests that need the others link them
C_LIBRARY = {'free'}
STUB = '''    .weak {name}
    .type {name}, @function
{name}:
    leaq .L{name}(%rip), %rdi
    jmp fake_unexpected@PLT
    .size {name}, . - {name}
    .section .rodata
.L{name}:
    .string "{name}"
    .text
'''


def main():
    headers = [path for path in tree.files() if path.startswith('hypervisor/') and path.endswith('.h')
               and '/public/' not in path and path != LIBRARY]
    defaults = [os.path.relpath(os.path.join(HERE, name), ROOT) for name in ('default.c', 'memory.c', '../../../../hypervisor/core/policy.c')]
    known = {name for path in defaults for name, _, _ in check_style.c_functions(tree.read(path).splitlines())}
    names = sorted(set().union(*map(check_headers.declared, headers)) - known - C_LIBRARY - check_headers.declared(LIBRARY))
    with open(sys.argv[1], 'w') as file:
        file.write('    .text\n' + ''.join(STUB.format(name=name) for name in names) + '    .section .note.GNU-stack, "", @progbits\n')
    with open(sys.argv[2], 'w') as file:
        file.write(f'{sys.argv[1]}: ' + ' '.join(os.path.join(ROOT, path) for path in [*defaults, *headers]) + '\n')


if __name__ == '__main__':
    main()
