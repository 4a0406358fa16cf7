"""./dev test fresh: runs `./dev test unit style` in a minimal Debian 12 tree, as an ordinary user and as root, from a clone.
With --whole it runs all that a plain `./dev test` runs.

What a test needs must come from ./dev's list of packages. A machine on which people work has more than that list, so only
a tree that is made for it can tell. The tree has git, sudo and nothing else; it is gone afterwards."""

import argparse
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUITES = ['unit', 'style']
LAST_LINE = re.compile(r'^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$', re.M)
PERSON = 'person'
# Runs in the tree.
INSIDE = '''set -e
cd ~ && rm -rf roundhouse && git clone --quiet /repository roundhouse && cd roundhouse && git checkout --quiet COMMIT
began=$(date +%s)
./dev test SUITES </dev/null || true
echo "It took $((($(date +%s) - began) / 60)) minutes."
'''
# The tree becomes the root, and the mounts are its own: in a chroot a user may not make the user namespaces that images are made in.
ENTER = '''set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
pivot_root . mnt
cd /
umount -l /mnt
exec su - "$2" -c "sh /inside"
'''


def here(build):
    """What the suites say on this machine."""
    done = subprocess.run([sys.executable, f'{ROOT}/tests/run.py', build, *SUITES], stdout=subprocess.PIPE, text=True)
    return done.stdout


def counted(output):
    """(passed, failed, skipped) of the closing line, or None."""
    found = LAST_LINE.findall(output)
    return tuple(int(number or 0) for number in found[-1]) if found else None


def problem(who, output, wanted=None):
    """What is wrong with how an account's run ended; `wanted` is the same line of this machine."""
    got = counted(output)
    if not got:
        return f'{who}: it did not come to its closing line:\n' + '\n'.join(output.splitlines()[-30:])
    if wanted is None and (got[1] or not got[0]):
        return f'{who}: {got[0]} passed, {got[1]} failed, {got[2]} skipped'
    if wanted and (got[1] or got != wanted):
        failed = '\n'.join(line for line in output.splitlines() if line.startswith('FAILED') or line.startswith('    '))
        return f'{who}: {got[0]} passed, {got[1]} failed, {got[2]} skipped; on this machine {wanted[0]}, {wanted[1]}, {wanted[2]}\n{failed}'
    return None


def sources():
    """This machine's Debian sources; without any, mmdebstrap knows its own."""
    return [path for path in ('/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources')
            if os.path.exists(path) and re.search(r'^(deb |URIs:)', open(path).read(), re.M)]


def fetching():
    """How this machine's apt reaches them: a proxy and the like."""
    lines = subprocess.run(['apt-config', 'dump', '--no-empty', 'Acquire::http', 'Acquire::https'], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return [f'--aptopt={line}' for line in lines if line.startswith('Acquire::http')]


def make_and_run(folder, revision, suites, logs):
    """Makes the tree and runs the suites in it for each account of `logs`, {who: path}; {who: output}. The hooks run while the
    tree is mounted and has a network."""
    bundle, script, enter = f'{folder}/repository', f'{folder}/inside', f'{folder}/enter'
    subprocess.run(['git', '-C', ROOT, 'bundle', 'create', '--quiet', bundle, 'HEAD'], check=True)
    commit = subprocess.run(['git', '-C', ROOT, 'rev-parse', revision], capture_output=True, text=True, check=True).stdout.strip()
    with open(script, 'w') as file:
        file.write(INSIDE.replace('SUITES', ' '.join(suites)).replace('COMMIT', commit))
    with open(enter, 'w') as file:
        file.write(ENTER)
    hooks = [f'upload {bundle} /repository', f'upload {script} /inside',
             f'chroot "$1" useradd --create-home --shell /bin/bash {PERSON}',
             f'echo "{PERSON} ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/{PERSON}"',
             'chmod 644 "$1/repository" "$1/inside"; rm -rf "$1"/var/lib/apt/lists/*; chroot "$1" apt-get clean',
             *(f'unshare --mount --pid --fork sh {enter} "$1" {who} >{log} 2>&1 || true' for who, log in logs.items())]
    command = ['mmdebstrap', '--quiet', '--variant=minbase', '--include=git,sudo,ca-certificates', '--format=null', *fetching(),
               *(f'--customize-hook={hook}' for hook in hooks), 'bookworm', '/dev/null', *sources()]
    made = subprocess.run(command, stdout=sys.stderr)
    outputs = {}
    for who, log in logs.items():
        outputs[who] = open(log, errors='replace').read() if os.path.exists(log) else f'mmdebstrap ended with status {made.returncode}'
    return outputs


def main():
    parser = argparse.ArgumentParser(prog='./dev test fresh', description=__doc__.splitlines()[0])
    parser.add_argument('build')
    parser.add_argument('--revision', default='HEAD', help='commit before HEAD to test instead of it')
    parser.add_argument('--whole', action='store_true', help='all suites of a plain ./dev test')
    parser.add_argument('--account', choices=[PERSON, 'root'], action='append', help='only as this one')
    options = parser.parse_args()
    if subprocess.run(['git', '-C', ROOT, 'status', '--porcelain', '--untracked-files=no'], capture_output=True, text=True).stdout:
        print('What is not committed is not in the clone.', flush=True)
    wanted = None if options.whole else counted(here(options.build))
    if not options.whole and not (wanted and wanted[0]):
        sys.exit('the suites gave no result on this machine\n\n0 passed, 1 failed')
    evidence = f'{os.path.abspath(options.build)}/test-evidence/fresh'
    os.makedirs(evidence, exist_ok=True)
    accounts, failed = options.account or [PERSON, 'root'], 0
    with tempfile.TemporaryDirectory(prefix='roundhouse-fresh-') as folder:
        os.chmod(folder, 0o755)
        logs = {who: f'{evidence}/{who}.log' for who in accounts}
        for who, output in make_and_run(folder, options.revision, [] if options.whole else SUITES, logs).items():
            wrong = problem(who, output, wanted)
            minutes = re.findall(r'^It took .*$', output, re.M)
            print(wrong or f'{who}: {counted(output)[0]} passed. {"".join(minutes)}', flush=True)
            failed += bool(wrong)
    print(f'# evidence: {evidence}\n\n{len(accounts) - failed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
