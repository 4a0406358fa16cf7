#!/usr/bin/env python3
"""Makes docs/api.md of the interfaces' XML and of the errors in roundhoused: make_page.py [--write]. Suite style looks whether the page is
the one that this makes."""

import os
import re
import sys
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(ROOT, 'docs', 'api.md')
INTERFACES = ['Manager1', 'Guest1', 'Job1', 'Question1']
ACTIONS = {'use': 'use', 'administer': 'administer', 'answer': 'answer', 'none': 'everybody'}

HEAD = """# The D-Bus API

Made of `uivm/interfaces` by `uivm/interfaces/make_page.py --write`.

`roundhoused` is `org.roundhouse.Manager1` on the system bus. `/org/roundhouse` has `org.freedesktop.DBus.ObjectManager`: one call,
`GetManagedObjects`, tells all there is, and `InterfacesAdded`, `InterfacesRemoved` and `PropertiesChanged` what comes, goes and changes. `gdbus
introspect --system --dest org.roundhouse.Manager1 --object-path /org/roundhouse --recurse` shows the same; `roundhousectl --json` prints the
properties by the names below.

The number at the end of an interface's name is its version. Within it, properties, methods, words of a state or kind and settings are added,
and nothing that is there changes its meaning: clients skip what they do not know.

## Who may

Everybody may look at properties. For a call polkit is asked about one of two actions: `org.roundhouse.use`, which it allows the active local
user, or `org.roundhouse.administer`, for which it wants an administrator. Root, and the person at the switcher, may do both. A caller that can
be asked for a password sets the flag `ALLOW_INTERACTIVE_AUTHORIZATION` in its call. Where polkit is not there or gives no
answer, root and the switcher may, and nobody else. A third, `org.roundhouse.answer`, is the switcher's and root's alone: who asks must not be able
to say yes.

Where a policy is in force, it is asked afterwards (`docs/policies.md`): the column "verb" says what for, in the policy's words. Reading properties is
not asked about.

To administer guests is not to be root. Root alone may give a guest any file or device of this machine; others may give it images of
the pool and, to read, CD drives and files that everybody may read, by a path without links in folders that root alone can change.

## Errors

A message is a sentence or two for the user: what happened, and what to do. One about a setting begins with the setting's name and a colon.

"""


def sentence(text):
    """One line of a comment's text."""
    return ' '.join((text or '').split()).replace('|', '\\|')


def documented(node):
    """Each element under the node with the comment before it."""
    comment = ''
    for child in node:
        if child.tag is ET.Comment:
            comment = child.text
        else:
            yield child, sentence(comment)
            comment = ''


def signature(method):
    arguments = {'in': [], 'out': []}
    for arg in method.findall('arg'):
        arguments[arg.get('direction')].append(f'{arg.get("name")}: {arg.get("type")}')
    text = f'{method.get("name")}({", ".join(arguments["in"])})'
    return text + (f' → {", ".join(arguments["out"])}' if arguments['out'] else '')


def action(method):
    return next((ACTIONS[note.get('value')] for note in method.findall('annotation') if note.get('name') == 'org.roundhouse.Action'),
                'administer')


def verb(method):
    return next((note.get('value') for note in method.findall('annotation') if note.get('name') == 'org.roundhouse.Verb'), '')


def interface_text(name):
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    root = ET.parse(os.path.join(HERE, f'org.roundhouse.{name}.xml'), parser).getroot()
    (interface, about), = documented(root)
    children = list(documented(interface))
    lines = [f'\n## {interface.get("name")}\n', about, '', '| property | type | what it is |', '|---|---|---|']
    lines += [f'| {node.get("name")} | `{node.get("type")}` | {text} |' for node, text in children if node.tag == 'property']
    lines += ['', '| method | who may | verb | what it does |', '|---|---|---|---|']
    lines += [f'| `{signature(node)}` | {action(node)} | {verb(node)} | {text} |' for node, text in children if node.tag == 'method']
    return '\n'.join(lines) + '\n'


def read(name):
    with open(os.path.join(ROOT, 'uivm', 'roundhoused', name), encoding='utf-8') as file:
        return file.read()


def errors_text():
    names = dict(re.findall(r'\{(RH_ERROR_\w+), "([\w.]+)"\}', read('errors.c')))
    rows = re.findall(r'(RH_ERROR_\w+), +/\* (.*?) \*/', read('errors.h'))
    return '| error | when |\n|---|---|\n' + ''.join(f'| `{names[code]}` | {text} |\n' for code, text in rows)


def undocumented():
    """What of the interfaces has no text."""
    for name in INTERFACES:
        parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
        root = ET.parse(os.path.join(HERE, f'org.roundhouse.{name}.xml'), parser).getroot()
        for interface, _ in documented(root):
            yield from (f'{name}.{node.get("name")}' for node, text in documented(interface) if not text and node.tag != 'annotation')


def page():
    return HEAD + errors_text() + ''.join(interface_text(name) for name in INTERFACES)


def main():
    if sys.argv[1:] == ['--write']:
        with open(PAGE, 'w', encoding='utf-8') as file:
            file.write(page())
    else:
        print(page(), end='')


if __name__ == '__main__':
    main()
