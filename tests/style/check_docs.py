"""The texts in docs/ speak of the code that is there: files, functions, hypercalls, options and keys they name exist,
and the tables in them leave nothing out."""

import os
import re
import sys

import tree

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'uivm', 'interfaces'))
import make_page

HOTKEYS = 'switcher/seat/core/hotkey_table.h'
MODIFIERS = 'Ctrl|Alt|Shift|Meta'
SUFFIXES = 'c|h|S|py|xml|css|service|socket|conf|md|build|lds\\.S'
FOLDERS = ('docs/', 'policies/')  # whose texts are looked at
# Functions of the C library and of systems we talk to, which need not occur in our sources.
FOREIGN = {'main'}


def code_words(paths):
    """Every identifier that is followed by a parenthesis, and every label of assembly files."""
    words = set()
    for path in paths:
        if path.endswith(('.c', '.h', '.S', '.py')):
            text = tree.read(path) or ''
            words.update(re.findall(r'(\w+)\s*\(', text))
            if path.endswith('.S'):
                words.update(re.findall(r'^(\w+):', text, re.M))
    return words


def known_path(name, paths):
    return any(path == name or path.endswith('/' + name) for path in paths) or \
        any(path.startswith(name.rstrip('/') + '/') or f'/{name.rstrip("/")}/' in path for path in paths)


def missing_names(texts, paths):
    """(file problems, function problems) of all texts."""
    words, files, functions = code_words(paths), [], []
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            line = re.sub(r'https?://\S+', '', line)
            for name in re.findall(rf'(?<![\w/.*<-])((?:[\w-]+/)*[\w.-]+\.(?:{SUFFIXES}))\b', line):
                if not name.startswith('build/') and not known_path(name, paths):
                    files.append(f'{path}:{number}: there is no file {name}')
            for name in re.findall(r'\b([a-z_]\w*)\(\)', line):
                if name not in words and name not in FOREIGN:
                    functions.append(f'{path}:{number}: there is no function {name}()')
    return files, functions


def table(path, pattern):
    return re.findall(pattern, tree.read(path) or '', re.M)


def implemented():
    """The short name of every hypercall and operation in the dispatch tables."""
    abi = 'hypervisor/abi/'
    names = table(abi + 'hypercall.c', r'^\s*\[__HYPERVISOR_(\w+)\]')
    names += table(abi + 'domctl.c', r'^\s*(?:\{XEN_DOMCTL_|OPERATION\()(\w+), ')
    names += table(abi + 'sysctl.c', r'^\s*OPERATION\((\w+), ')
    names += table(abi + 'platform_op.c', r'^\s*OPERATION\((\w+), ')
    names += table(abi + 'physdev_op.c', r'^\s*\[PHYSDEVOP_(\w+)\]')
    names += table(abi + 'memory_op.c', r'^\s*\[XENMEM_(\w+)\]')
    names += table(abi + 'sched_op.c', r'^\s*\[SCHEDOP_(\w+)\]')
    names += table(abi + 'vcpu_op.c', r'^\s*\[VCPUOP_(\w+)\]')
    names += table(abi + 'xen_version.c', r'^\s*\[XENVER_(\w+)\]')
    names += table(abi + 'event_channel_op.c', r'^\s*OPERATION\((\w+), ')
    names += table(abi + 'grant_table.c', r'^\s*(?:OPERATION|SINGLE)\((\w+), ')
    names += table(abi + 'dm_op.c', r'^\s*OPERATION\((\w+), ')
    names += table(abi + 'xsm_op.c', r'^\s*OPERATION\((\w+), ')
    names += table(abi + 'hvm_op.c', r'^\s*\[HVMOP_(\w+)\] = \{')
    names += table(abi + 'roundhouse_op.c', r'^\s*\[ROUNDHOUSEOP_(\w+)\]')
    names += table(abi + 'console_io.c', r'^\s*\[CONSOLEIO_(\w+)\]')
    names += table(abi + 'misc.c', r'^\s*\[XEN_MC_(\w+)\]')
    names += table('hypervisor/pv/callback.c', r'^\s*\[CALLBACKOP_(\w+)\]')
    names += table('hypervisor/pv/mmuext.c', r'^\s*\[MMUEXT_(\w+)\]')
    return names


def left_out(texts):
    """What the code has and the table for it in docs/ does not name."""
    hypercalls, debugging = texts.get('docs/hypercalls.md', ''), texts.get('docs/debugging.md', '')
    described = set(re.findall(r'`(\w+)`', hypercalls))
    problems = [f'docs/hypercalls.md does not name {name}' for name in implemented() if name not in described]
    for name in table('hypervisor/x86/bootinfo.c', r'^\s*\{"(\w+)", \w+\}'):
        if f'`{name}' not in debugging:
            problems.append(f'docs/debugging.md does not name the option {name}')
    for key in table('hypervisor/abi/sysctl.c', r"^\s*\{'(.)', key_\w+,"):
        if f'`{key}`' not in debugging:
            problems.append(f'docs/debugging.md does not name the debug key {key}')
    return problems


def hotkeys():
    """{modifiers: its trigger keys as people call them} of the seat's table."""
    found = {}
    for modifiers, first, last in table(HOTKEYS, r'^    HOTKEY\(([A-Z_| ]+), (\w+), (\w+),'):
        keys = range(int(first), int(last) + 1) if first.isdigit() else {first, last}
        held = tuple(word.removeprefix('HOTKEY_').capitalize() for word in modifiers.split(' | '))
        found.setdefault(held, set()).update(str(key).capitalize() for key in keys)
    return found


def unknown_hotkeys(paths, known):
    """Chords with a hotkey's modifiers, in texts for people, whose key no hotkey has; "Ctrl+Alt+digit" names none."""
    problems = []
    for path in paths:
        if path.startswith('tests/unit/') or not path.endswith(('.md', '.c', '.py', '.xml', '.8', '.in')):
            continue
        for number, line in enumerate((tree.read(path) or '').splitlines(), 1):
            for chord in re.findall(rf'\b(?:(?:{MODIFIERS}) ?\+ ?)+[A-Z0-9]\w*', line):
                *held, key = re.split(r' ?\+ ?', chord)
                if key not in known.get(tuple(held), {key}):
                    problems.append(f'{path}:{number}: there is no hotkey {chord}')
    return problems


def main():
    paths = tree.files()
    texts = {path: tree.read(path) or '' for path in paths
             if path.startswith(FOLDERS) and path.endswith('.md') or path == 'README.md'}
    files, functions = missing_names(texts, paths)
    found, chords = implemented(), hotkeys()
    print('1..7')
    good = [tree.report('files that the texts name exist', files),
            tree.report('functions that the texts name exist', functions),
            tree.report('hypercalls, options and debug keys are all described', left_out(texts)),
            tree.report('hotkeys that texts and programs name exist', unknown_hotkeys(paths, chords) if chords else
                        [f'none were found in {HOTKEYS}: the pattern of this check is out of date']),
            tree.report('the dispatch tables were found', [] if len(found) > 150 else
                        [f'only {len(found)} operations were found in them: the patterns of this check are out of date']),
            tree.report('docs/api.md is what the interfaces say', [] if make_page.page() == texts.get('docs/api.md') else
                        ['docs/api.md is not current: run uivm/interfaces/make_page.py --write']),
            tree.report('all that the interfaces have is described there', list(make_page.undocumented()))]
    sys.exit(not all(good))


if __name__ == '__main__':
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
