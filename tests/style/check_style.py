"""House rules that a script can check. Exceptions are listed, each with its reason, in exceptions.txt."""

import ast
import os
import re
import sys

import tree

MAX_FUNCTION, MAX_FILE = 60, 700
MAX_C_LINE, MAX_LINE = 120, 160  # C is laid out by .clang-format
C_SUFFIXES, SOURCE_SUFFIXES = ('.c', '.h'), ('.c', '.h', '.S', '.py', '.css', '.xml')
EXCEPTIONS = 'tests/style/exceptions.txt'
ELSEWHERE = {'prototype'}  # rules of the exceptions list that check_headers.py looks after
# What a guest may cause is said by domain_log; whatever else logs is listed in exceptions.txt with the reason why no guest can.
PLAIN_LOG = re.compile(r'\b(?:log_(?:error|warning|info|debug)|v?printk)\(')
AT_BOOT = ('hypervisor/boot/', 'hypervisor/x86/acpi.c', 'hypervisor/x86/bootinfo.c')
# Spelled in two parts so that this file passes its own check.
FORBIDDEN = {
    'unfinished work': re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b|not (yet )?implemented'),
    'a path of one machine': re.compile(r'(?<![\w.])/(wo' r'rk/|tmp/l' r'ab\b)'),
}


def c_functions(lines):
    """(name, first line, last line) of each function whose braces stand in the first column, numbered from 1."""
    found, start = [], 0
    for number, line in enumerate(lines, 1):
        if line.rstrip() == '{':
            start = number
        elif start and line.startswith('}'):
            head = ' '.join('' if line.startswith('#') or before.endswith('\\') else line for before, line in
                            zip([''] + lines[max(0, start - 6):], lines[max(0, start - 6):start - 1]))
            names = re.findall(r'(\w+)\s*\(', re.split(r'[;}]|\*/', head)[-1])
            attributes = {'__attribute__', '__printf', '__aligned'}
            names = [name for name in names if name not in attributes]
            found.append((names[0] if names else '?', start, number))
            start = 0
    return found


def python_functions(text):
    return [(node.name, node.lineno, node.end_lineno) for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def check_file(path, text):
    """Yields (rule, subject, sentence)."""
    lines = text.splitlines()
    if len(lines) > MAX_FILE:
        yield 'file-length', path, f'{path}: {len(lines)} lines, {MAX_FILE} are allowed'
    functions = c_functions(lines) if path.endswith(C_SUFFIXES) else \
        python_functions(text) if path.endswith('.py') else []
    for name, first, last in functions:
        if last - first - 1 > MAX_FUNCTION:
            yield 'function-length', f'{path}:{name}', \
                f'{path}:{first}: {name} has {last - first - 1} lines, {MAX_FUNCTION} are allowed'
        if path.endswith(C_SUFFIXES):
            for number in range(first, last):
                if re.match(r'\s*#\s*(if|ifdef|ifndef|elif|else)\b', lines[number - 1]):
                    yield 'if-in-function', f'{path}:{name}', f'{path}:{number}: #if inside {name}'
    columns = MAX_C_LINE if path.endswith(C_SUFFIXES) else MAX_LINE
    for number, line in enumerate(lines, 1):
        if len(line) > columns:
            yield 'line-length', path, f'{path}:{number}: {len(line)} columns, {columns} are allowed'
        if line != line.rstrip():
            yield 'white-space', path, f'{path}:{number}: white space at the end of the line'
        if '\t' in line and path.endswith(C_SUFFIXES):
            yield 'white-space', path, f'{path}:{number}: a tab'
    if text and not text.endswith('\n'):
        yield 'white-space', path, f'{path}: the last line has no end'


def check_log(path, lines):
    """Lines of the hypervisor's log, but for those of boot, that no domain's limit holds back."""
    if not path.startswith('hypervisor/') or not path.endswith('.c') or path.startswith(AT_BOOT):
        return
    functions = c_functions(lines)
    for number, line in enumerate(lines, 1):
        if line.startswith(' ') and PLAIN_LOG.search(line):
            name = next((name for name, first, last in functions if first <= number <= last), '?')
            yield 'plain-log', f'{path}:{name}', f'{path}:{number}: {name} logs without domain_log'


def check_words(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in FORBIDDEN.items():
            found = pattern.search(line)
            if found:
                yield 'words', path, f'{path}:{number}: {what}: "{found[0]}"'


def exceptions():
    """{(rule, subject): reason}, and what is wrong with the list."""
    listed, problems = {}, []
    for number, line in enumerate((tree.read(EXCEPTIONS) or '').splitlines(), 1):
        if not line.strip() or line.startswith('#'):
            continue
        parts = line.split(None, 2)
        if len(parts) < 3:
            problems.append(f'{EXCEPTIONS}:{number}: want "rule subject reason"')
        else:
            listed[parts[0], parts[1]] = parts[2]
    return listed, problems


def main():
    listed, list_problems = exceptions()
    found, used = {}, set()
    for path in tree.files():
        text = tree.read(path)
        if text is None:
            continue
        problems = list(check_words(path, text))
        if path.endswith(SOURCE_SUFFIXES):
            problems += check_file(path, text)
            problems += check_log(path, text.splitlines())
        for rule, subject, sentence in problems:
            if (rule, subject) in listed:
                used.add((rule, subject))
            else:
                found.setdefault(rule, []).append(sentence)
    list_problems += [f'{EXCEPTIONS}: "{rule} {subject}" is no longer needed; remove the line'
                      for rule, subject in sorted(set(listed) - used) if rule not in ELSEWHERE]
    rules = ['function-length', 'file-length', 'line-length', 'if-in-function', 'white-space', 'words', 'plain-log']
    print(f'1..{len(rules) + 1}')
    good = [tree.report(rule, found.get(rule, [])) for rule in rules]
    good.append(tree.report('exceptions are needed and have reasons', list_problems))
    sys.exit(not all(good))


if __name__ == '__main__':
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
