"""The policies that are shipped and what docs/policies.md says of them: the words there are those of the program; each policy
is a page, has its expectations and is described; each verb is used by one of them."""

import os
import re
import subprocess
import sys

import tree

DOC, FOLDER, PAGE = 'docs/policies.md', 'policies/', 60
PART = re.compile(r'(<!-- roundhouse-policy words -->\n)(.*?)(<!-- end of words -->)', re.S)


def shipped():
    return [path for path in tree.files() if re.fullmatch(rf'{FOLDER}[\w-]+\.policy', path)]


def words_of_text(text, words):
    found = PART.search(text)
    if not found:
        return [f'{DOC} has no place for the words']
    return [] if found[2] == words else [f'the words in {DOC} are not those of the program; check_policies.py PROGRAM --write']


def problems_of(path, text):
    name = os.path.basename(path)[:-len('.policy')]
    lines = tree.read(path).splitlines()
    promises = tree.read(path.replace('.policy', '.expect')) if os.path.exists(f'{tree.ROOT}/{FOLDER}{name}.expect') else ''
    problems = [] if len(lines) <= PAGE else [f'{path} has {len(lines)} lines; a page has {PAGE}']
    problems += [] if len(re.findall(r'^(?:allow|deny|ask) ', promises, re.M)) >= 20 else [f'{path} has less than 20 expectations']
    return problems + ([] if f'| `{name}` |' in text else [f'{DOC} does not describe {name}'])


def unused_verbs(words, paths):
    verbs = re.findall(r'^\| `([^`]+)` \|.*\| (?:hypervisor|services|seat|sound) \|', words, re.M)
    rules = ' '.join(re.sub(r'\b(the|a|an) |#.*', '', tree.read(path)) for path in paths)
    return [f'no policy has a rule about "{verb}"' for verb in verbs if not re.search(rf'\b{verb}\b', rules)] + \
        ([] if len(verbs) > 30 else [f'{len(verbs)} verbs were found: the pattern of this check is out of date'])


def main():
    words = subprocess.run([sys.argv[1], 'words'], check=True, capture_output=True, text=True).stdout
    text, paths = tree.read(DOC) or '', shipped()
    if sys.argv[2:] == ['--write']:
        with open(os.path.join(tree.ROOT, DOC), 'w') as file:
            file.write(PART.sub(lambda found: found[1] + words + found[3], text))
        return
    print('1..3')
    good = [tree.report('the words in the manual are those of the program', words_of_text(text, words)),
            tree.report('each policy is a page, keeps promises and is described', [
                problem for path in paths for problem in problems_of(path, text)] + ([] if len(paths) == 4 else [f'{paths}'])),
            tree.report('each verb is used', unused_verbs(words, paths))]
    sys.exit(not all(good))


if __name__ == '__main__':
    main()
