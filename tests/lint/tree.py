# SPDX-License-Identifier: BSD-3-Clause
"""What the lints share: the files of the tree, C without comments, and how a finding is told."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# A comment, a string or a character constant.
_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def files(*patterns):
    """Files of the tree (tracked, or new and not ignored) that match git's path patterns."""
    out = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return sorted({p for p in out.split("\0") if p and os.path.isfile(os.path.join(ROOT, p))})


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def code(path):
    """The file's text with comments blanked and strings emptied; lines keep their numbers."""
    def blank(match):
        token = match.group(0)
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[-1]
    return _TOKEN.sub(blank, text(path))


def is_script(path, shells=("bash", "sh")):
    """Whether the first line names one of these interpreters."""
    with open(os.path.join(ROOT, path), "rb") as f:
        first = f.readline(120).decode("latin-1")
    return first.startswith("#!") and re.split(r"[/\s]+", first.strip())[-1] in shells


def finish(findings, looked_at):
    """Print what was found and leave: 0 clean, 1 findings, 2 nothing was looked at."""
    for finding in findings:
        print(finding)
    if not looked_at:
        print("nothing to look at: the lint itself is broken")
        sys.exit(2)
    print(f"{len(findings)} findings in {looked_at} files")
    sys.exit(1 if findings else 0)
