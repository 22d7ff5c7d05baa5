# SPDX-License-Identifier: BSD-3-Clause
"""CDRs on real files: an orderly stop loses none, a crash no more than waited for cdr.flush, a full disk
stops no call, and vergectl cdr tail follows over rotations."""

import csv
import glob
import json
import os
import signal
import time

import calls
from case import expect, lab
from lab import CORE4, Lab, run, wait_for
from lab_cases import ended_well, peers
from sipp import Sipp
from verge import Verge, config


def some_calls(net, n, number=0):
    """Calls that are over when this returns; the callee stays."""
    uac, uas = peers(net, calls.basic_caller(100), calls.basic_callee(), calls=n, rate=100) \
        if number == 0 else (Sipp(net, f"uac{number}", "a", "10.91.1.2", 5060 + number,
                                  calls.basic_caller(100), calls=n, rate=100, target="10.91.1.1:5060"),
                             None)
    expect(uac.finish(30)["ok"] == n, "calls")
    return uas


def lines_of(path):
    """Whole lines of a CDR file and of those finished before it; an open line is an error."""
    found = []
    for name in sorted(glob.glob(path + "*")):
        with open(name, encoding="utf-8") as f:
            text = f.read()
        expect(text == "" or text.endswith("\n"), f"{name} ends inside a line")
        found += text.splitlines()
    return found


@lab()
def cdr_crash_and_stop():
    """SIGKILL loses only what waits for cdr.flush; the file goes on in whole lines; SIGTERM loses nothing."""
    with Lab() as net:
        conf = config(net)
        conf["cdr"]["flush"] = "300ms"
        verge = Verge(net, conf)
        path = conf["cdr"]["file"]
        uas = some_calls(net, 60)
        wait_for("60 written", lambda: verge.sum("verge_cdr_lines_total", result="written") == 60, 10)
        verge.process.interrupt(signal.SIGKILL)
        verge.process.wait(10)
        expect(len(lines_of(path)) == 60, "lines after the crash")
        # the same while calls come and go: what is told to be written is there, in whole lines
        verge = Verge(net, conf, "load")
        uac = Sipp(net, "load", "a", "10.91.1.2", 5070, calls.basic_caller(100), calls=3000, rate=150,
                   target="10.91.1.1:5060")
        written = wait_for("200 written", lambda: (n := verge.sum(
            "verge_cdr_lines_total", result="written")) >= 200 and int(n), 20)
        verge.process.interrupt(signal.SIGKILL)
        verge.process.wait(10)
        uac.stop()
        before = lines_of(path)
        expect(len(before) >= 60 + written, f"{len(before)} lines, {written} were told")
        expect(len({json.loads(line)["call_id"] for line in before}) == len(before), "a call twice")
        # what waits is lost, and nothing else: none of it is written before flush is over
        conf["cdr"]["flush"] = "10s"
        verge = Verge(net, conf, "second")
        some_calls(net, 20, 1)
        wait_for("20 wait", lambda: verge.sum("verge_cdr_backlog_bytes") > 20 * 500, 5)
        verge.process.interrupt(signal.SIGKILL)
        verge.process.wait(10)
        expect(len(lines_of(path)) == len(before), "lines that waited were written early")
        with open(path, "a", encoding="utf-8") as f:
            f.write('{"call_id":"half a li')  # a crash of the machine inside a write
        verge = Verge(net, conf, "third")
        some_calls(net, 30, 2)
        verge.stop(20)  # orderly: although they would wait for ten seconds
        lines = lines_of(path)
        expect(len(lines) == len(before) + 31, f"{len(lines)} lines")
        whole = [line for line in lines if line.endswith("}") and json.loads(line)]
        expect(len(whole) == len(before) + 30, f"{len(whole)} whole lines")
        uas.stop()


@lab()
def cdr_full_disk():
    """A full disk stops no call: CDRs wait in memory, are counted, and are written when there is room."""
    with Lab() as net:
        small = os.path.join(net.dir, "small")
        os.mkdir(small)
        run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small)
        try:
            conf = config(net)
            conf["cdr"]["file"] = os.path.join(small, "cdr.jsonl")
            verge = Verge(net, conf)
            uas = some_calls(net, 200)
            wait_for("errors", lambda: verge.sum("verge_cdr_errors_total") > 0, 10)
            expect(verge.sum("verge_cdr_backlog_bytes") > 0, "nothing waits")
            expect("No space left" in verge.process.output(), "the log does not say why")
            expect("waiting_bytes  0\n" not in verge.vergectl("cdr")[1], verge.vergectl("cdr")[1])
            some_calls(net, 100, 1)  # calls go on
            run("mount", "-o", "remount,size=16m", small)
            wait_for("all is written", lambda: verge.sum(
                "verge_cdr_lines_total", result="written") == 300, 15)
            expect(verge.sum("verge_cdr_lines_total", result="lost") == 0, "lost")
            lines = lines_of(conf["cdr"]["file"])
            ids = {json.loads(line)["call_id"] for line in lines}
            expect(len(lines) == 300 and len(ids) == 300, f"{len(lines)} lines, {len(ids)} calls")
            uas.stop()
            ended_well(verge)
        finally:
            run("umount", "-l", small, check=False)


@lab()
def cdr_tail():
    """vergectl cdr tail: text, JSON, CSV, a filter, and --follow over rotations."""
    with Lab() as net:
        conf = config(net)
        conf["cdr"]["rotate"] = 1
        verge = Verge(net, conf)
        path = conf["cdr"]["file"]
        uas = some_calls(net, 15)
        sock = os.path.join(net.dir, "verge.sock")
        wait_for("written", lambda: verge.sum("verge_cdr_lines_total", result="written") == 15, 10)
        follow = net.start("follow", [verge.ctl, "-s", sock, "--json", "cdr", "tail", "--limit", "0",
                                      "--follow"], "s")
        time.sleep(0.5)  # it stands at the end of the file
        for number in (1, 2, 3):  # each in a file of its own
            some_calls(net, 10, number)
            before = verge.sum("verge_cdr_rotations_total")
            wait_for("rotation", lambda: verge.sum("verge_cdr_rotations_total") > before, 10)
        wait_for("30 lines more", lambda: len(follow.output().splitlines()) == 30, 10)
        expect(all(json.loads(line) for line in follow.output().splitlines()), "JSON")
        follow.stop()
        expect(len(lines_of(path)) == 45, f"{len(lines_of(path))} lines")
        some_calls(net, 5, 4)
        wait_for("written", lambda: os.path.exists(path) and len(lines_of(path)) == 50, 10)
        text = wait_for("text", lambda: verge.vergectl("cdr", "tail", "--limit", "3")[1], 5)
        if os.path.getsize(path):
            expect("access > core  normal: The ingress peer hung up." in text, text)
        # CSV from the start, in a file of its own
        conf["cdr"].update(rotate=0, format="csv", file=os.path.join(net.dir, "cdr.csv"))
        verge.write(conf)
        expect(verge.vergectl("reload")[0] == 0, "reload")
        some_calls(net, 7, 5)
        wait_for("written", lambda: len(lines_of(conf["cdr"]["file"])) == 8, 10)
        with open(conf["cdr"]["file"], encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
        expect(len(rows) == 7 and all(r["release_cause"] == "normal" and r["code"] == "200" and
                                      r["egress_source"] == CORE4 + "2:5060" for r in rows), rows)
        expect(len(rows[0]) == 48 and None not in rows[0], list(rows[0]))
        status, text = verge.vergectl("cdr", "tail", "--limit", "2")
        expect(status == 0 and len(text.splitlines()) == 2, text)
        expect(verge.vergectl("--json", "cdr", "tail")[0] == 1, "CSV as JSON")
        uas.stop()
        ended_well(verge)
