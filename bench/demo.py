# SPDX-License-Identifier: BSD-3-Clause
"""Calls through verge, shown: callers [a] -- verge [s] -- callees [c].

2,000 calls are held and refreshed on both legs (SE 90) while short calls come and go. Then one of the
two callees is killed with SIGKILL: verge finds out by the next refreshes and ends these calls with BYE
on the callers' legs. At the end: what was refreshed, who was cleared and why, and what a call cost."""

import argparse
import collections
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "live")]

import calls  # noqa: E402
import runner  # noqa: E402
import verge  # noqa: E402
from lab import ACCESS4, CORE4, Lab, LabError, catch_endings  # noqa: E402
from peer import kamailio, listening  # noqa: E402
from sipp import Sipp, scenario  # noqa: E402

HELD, SE = 2000, 90
CALLEES = {"one": CORE4 + "2:5080", "two": CORE4 + "3:5080"}  # two is the one that is killed
PROXY = CORE4 + "9:5060"
LIMIT = 175  # seconds from the first call to the last word


def arguments():
    parser = argparse.ArgumentParser(prog="bench/demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=["sipp", "kamailio"], default="sipp",
                        help="kamailio: a Kamailio proxy with session timers before the callees")
    parser.add_argument("--driver", choices=["af_packet", "af_xdp"], default="af_packet",
                        help="DPDK driver of verge's ports")
    parser.add_argument("--seconds", type=int, default=20, help="how long short calls are made (20)")
    parser.add_argument("--rate", type=int, default=200, help="short calls per second (200)")
    parser.add_argument("--keep", action="store_true",
                        help="leave namespaces, processes and files (CDRs, logs)")
    return parser.parse_args()


def built():
    """The release build of verge; leaves with the compiler's words if it fails."""
    print("building (release) ...", flush=True)
    ok, _, output = runner.setup("release")
    directory = runner.VARIANTS["release"][0]
    if ok:
        ok, _, output = runner.command(
            ["ninja", "-C", directory, "control/verge", "control/vergectl"], 900)
    if not ok:
        sys.exit(output[-3000:] + "\nbench/demo: the build failed")
    return directory


def configuration(lab, options):
    conf = verge.config(lab, options.driver, timer={"interval": SE, "refresher": "local"},
                        capacity=2 * HELD + 10 * options.rate)
    trunks = {name: CALLEES[name] for name in CALLEES}
    if options.peer == "kamailio":
        trunks = {name: PROXY for name in CALLEES}
    conf["trunks"] = {"callers": {"port": "access", "peers": [ACCESS4 + "2:5060"],
                                  "sources": [ACCESS4 + "0/24"]}}
    if options.peer == "kamailio":
        conf["trunks"]["callees"] = {"port": "core", "peers": [PROXY]}
        conf["routes"] = [{"from": "callers", "to": ["callees"]}]
        return conf
    for name, address in trunks.items():
        conf["trunks"]["callee-" + name] = {"port": "core", "peers": [address]}
    conf["routes"] = [{"from": "callers", "prefix": "1", "to": ["callee-one"]},
                      {"from": "callers", "prefix": "2", "to": ["callee-two"]}]
    return conf


class Show:
    """The progress line and the figures that it is made of."""

    def __init__(self, sbc):
        self.sbc, self.began, self.doing = sbc, time.monotonic(), ""
        self.tty = sys.stdout.isatty()
        self.last = 0.0

    def elapsed(self):
        return time.monotonic() - self.began

    def figures(self):
        total = collections.Counter()
        for name, labels, value in self.sbc.metrics():
            if name == "verge_calls":
                total["calls"] += value
            elif name == "verge_session_timer_refreshes_total" and labels["role"] == "sent":
                total[labels["result"]] += value
                if labels["result"] == "ok":
                    total["callers" if labels["trunk"] == "callers" else "callees"] += value
        return total

    def line(self):
        f = self.figures()
        text = (f"{self.elapsed():4.0f} s  {self.doing:32}  calls now {f['calls']:5.0f}  refreshed: "
                f"callers {f['callers']:5.0f}, callees {f['callees']:5.0f}  failed {f['failed']:4.0f}")
        if self.tty:
            print("\r" + text + "\x1b[K", end="", flush=True)
        elif time.monotonic() - self.last >= 5:
            self.last = time.monotonic()
            print(text, flush=True)

    def until(self, doing, check, limit):
        """Show the line each second until check() is true."""
        self.doing = doing
        end = time.monotonic() + limit
        while not check():
            if not self.sbc.alive():
                raise LabError("verge has ended:\n" + self.sbc.process.tail())
            if time.monotonic() > end:
                raise LabError(f"{doing}: not done after {limit} s")
            self.line()
            time.sleep(1)
        self.line()


def table(sbc, runs, cpu, options):
    """What happened, from SIPp's counters, verge's metrics and its CDRs."""
    records = sbc.cdrs()
    print("\n\ncalls (SIPp's word)        made  went well  failed  said twice")
    for title, run in runs:
        c = run.counts()
        print(f"  {title:22} {c['outgoing']:7} {c['ok']:10} {c['failed']:7} "
              f"{c['retransmissions']:11}")
    print("\nrefreshes sent by verge      method      ok   retry  failed")
    rows = collections.defaultdict(collections.Counter)
    for name, labels, value in sbc.metrics():
        if name == "verge_session_timer_refreshes_total" and labels["role"] == "sent":
            rows[labels["trunk"], labels["method"]][labels["result"]] += value
    for (trunk, method), n in sorted(rows.items()):
        if sum(n.values()):
            print(f"  {trunk:26} {method:8} {n['ok']:6.0f} {n['retry']:7.0f} {n['failed']:7.0f}")
    print("\nhow calls ended (CDRs)         calls  by       seconds     why")
    ends = collections.defaultdict(list)
    for record in records:
        release = record["release"]
        ends[release["cause"], release["by"], release["sentence"]].append(record["duration_s"])
    for (cause, by, sentence), lengths in sorted(ends.items()):
        span = f"{min(lengths):.1f}..{max(lengths):.1f}"
        print(f"  {cause:26} {len(lengths):7}  {by:8} {span:11} {sentence}")
    made = sum(run.counts()["outgoing"] for _, run in runs)
    refreshes = sum(sum(n.values()) for n in rows.values())
    busy = sbc.sum("verge_worker_busy_seconds_total")
    print(f"\nCPU per call ({made} calls, {refreshes:.0f} refreshes, {options.driver}, idle: adaptive)")
    print(f"  of the process, polling of idle ports included  {1e6 * cpu / made:7.0f} us")
    print(f"  of the worker while it had work                 {1e6 * busy / made:7.0f} us")
    return records


def judge(records, runs, lost):
    """What the demo promises; LabError if it is not so."""
    cleared = [r for r in records if r["release"]["by"] == "verge"]
    for title, run in runs:
        c = run.counts()
        if c["failed"] or c["ok"] != c["outgoing"]:
            raise LabError(f"{title}: {c}\n{run.complaints()}")
    if len(cleared) != lost:
        raise LabError(f"{len(cleared)} calls were cleared by verge, {lost} had lost their callee")


def demo(lab, options):
    sbc = verge.Verge(lab, configuration(lab, options))
    lab.address("c", 3)
    callees = {}
    for name, address in CALLEES.items():
        ip, port = address.split(":")
        callees[name] = Sipp(lab, "callee-" + name, "c", ip, int(port), calls.callee_held(se=SE))
        listening(lab, "c", ip, int(port))
    if options.peer == "kamailio":
        lab.address("c", 9)
        kamailio(lab, CORE4 + "9", 5060, CALLEES["one"], CALLEES["two"])
    show = Show(sbc)
    idle = sbc.cpu_seconds()

    held = scenario("held", calls.answered(se=SE), calls.hold_loop(se=SE, bye_after=2))
    bereft = scenario("bereft", calls.answered(se=SE), calls.hold_loop(se=SE))  # waits for BYE
    short = calls.basic_caller(1000)
    target, half = ACCESS4 + "1:5060", HELD // 2

    def callers(name, port, xml, n, rate, service):
        return Sipp(lab, name, "a", ACCESS4 + "2", port, xml, target=target, calls=n, rate=rate,
                    service=service)
    runs = [("held, callee one", callers("held-one", 5061, held, half, 100, "1001")),
            ("held, callee two", callers("held-two", 5062, bereft, half, 100, "2001"))]
    show.until("setting up held calls", lambda: show.figures()["calls"] >= HELD, 40)
    n_short = options.rate * options.seconds
    runs.append(("short", callers("short", 5063, short, n_short, options.rate, "1002")))
    show.until(f"short calls at {options.rate}/s", lambda: not runs[2][1].process.alive(),
               options.seconds + 30)
    # Before the callee dies each leg has shown that it can be refreshed: a call that stops answering
    # then has lost its peer. One that never answered could be of a trunk without session timers,
    # whose calls verge spares.
    show.until("waiting for the refreshes",
               lambda: min(show.figures()[side] for side in ("callers", "callees")) >= HELD, 60)
    callees["two"].kill()
    show.until("callee two killed (SIGKILL)",
               lambda: not any(run.process.alive() for _, run in runs), LIMIT - show.elapsed())
    cpu = sbc.cpu_seconds() - idle
    time.sleep(1)  # the last CDRs
    records = table(sbc, runs, cpu, options)
    judge(records, runs, half)
    if not options.keep:
        sbc.stop()


def main():
    options = arguments()
    catch_endings()
    try:
        verge.BUILD = built()
        began = time.monotonic()
        with Lab(options.keep) as lab:
            demo(lab, options)
    except KeyboardInterrupt as stop:
        print("\nstopped" if options.keep else "\nstopped; everything is cleaned up")
        return 128 + stop.args[0]
    except LabError as error:
        print(f"\nbench/demo: {error}", file=sys.stderr)
        return 1
    print(f"done in {time.monotonic() - began:.0f} s" +
          ("" if options.keep else ", nothing left behind"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
