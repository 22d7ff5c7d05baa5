#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which case proves which requirement: the table in README.md, made from the `proves:` lines of the
cases. Without arguments it checks that the table is up to date, that each id is proven or named in
elsewhere.txt with the reason, that no case names an id that does not exist, and that each cause of a CDR is reached; --write writes
the table anew."""

import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- map: begin -->", "<!-- map: end -->"


def ids():
    """All ids, in the order of the requirements."""
    spans = [("ST", 80), ("DL", 17), ("UP", 6), ("RI", 4), ("RC", 4), ("RS", 2), ("TX", 2), ("NI", 3),
             ("RP", 2), ("BU", 3), ("OA", 1), ("RE", 1), ("OV", 1), ("TT", 1)]
    for kind, last in spans:
        for n in range(1, last + 1):
            yield f"{kind}-{n:02}"
    for n in range(1, 38):
        yield f"P{n}"
    for n in range(1, 93):
        yield f"F{n}"


def proofs():
    """id -> names of cases."""
    found = collections.defaultdict(list)
    for path in sorted((HERE / "cases").glob("*.scn")):
        line = re.search(r"^proves:(.*)$", path.read_text(), re.M)
        for word in line.group(1).split() if line else []:
            if path.stem not in found[word]:
                found[word].append(path.stem)
    return found


def causes():
    """The words of release.cause that no case expects in a CDR."""
    words = re.findall(r'^CAUSE\(\w+, .*?"(\w+)"', (HERE.parents[1] / "lib/msg/cause.def").read_text(), re.M)
    cases = " ".join(path.read_text() for path in (HERE / "cases").glob("*.scn"))
    return [word for word in words if word != "none" and not re.search(rf"(?<!\w)cause\s*=\s*{word}\b", cases)]


def elsewhere():
    """id -> why no case proves it. Lines: "ID or ID..ID: reason"."""
    reasons = {}
    known = list(ids())
    for line in (HERE / "elsewhere.txt").read_text().splitlines():
        match = re.match(r"(\S+): (.+)", line)
        if line.startswith("#") or not match:
            continue
        for part in match.group(1).split(","):
            first, _, last = part.partition("..")
            span = known[known.index(first):known.index(last or first) + 1]
            for word in span:
                reasons[word] = match.group(2)
    return reasons


def table(found, reasons):
    rows = ["| id | proven by |", "| --- | --- |"]
    for word in ids():
        if found.get(word):
            rows.append(f"| {word} | {', '.join(found[word])} |")
    rows += ["", "Not proven by a case:", "", "| id | why |", "| --- | --- |"]
    rows += [f"| {word} | {reasons[word]} |" for word in ids() if not found.get(word) and word in reasons]
    return "\n".join(rows)


def main():
    found, reasons = proofs(), elsewhere()
    known = set(ids())
    readme = HERE / "README.md"
    text = readme.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    wanted = f"{head}{BEGIN}\n{table(found, reasons)}\n{END}{tail}"
    problems = [f"{word}: no case proves it, and elsewhere.txt does not say why"
                for word in ids() if not found.get(word) and word not in reasons]
    problems += [f"{word}: a case proves it, yet elsewhere.txt says that none can"
                 for word in ids() if found.get(word) and word in reasons]
    problems += [f"{', '.join(found[word])}: there is no {word}" for word in found if word not in known]
    problems += [f"no case has a CDR with cause={word} (lib/msg/cause.def)" for word in causes()]
    if "--write" in sys.argv:
        readme.write_text(wanted)
    elif text != wanted:
        problems.append("README.md: the table is old: tests/scenario/map.py --write")
    for problem in problems:
        print(problem)
    proven = sum(1 for word in ids() if found.get(word))
    print(f"{proven} ids proven by {len(list((HERE / 'cases').glob('*.scn')))} cases, "
          f"{len([w for w in ids() if w in reasons])} elsewhere, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
