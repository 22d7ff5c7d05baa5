# SPDX-License-Identifier: BSD-3-Clause
"""What is measured, each by its definition (RFC 7501, RFC 7502; for session timers: bench/README.md).

Each method takes a Rig whose generator is idle and returns a dictionary for the JSON output."""

import re
import time

from rig import RigError

HOLD_MS = 100
THRESHOLD_MS = 4000
FAILURES = ("late", "refused_503", "refused_other", "unanswered", "byes_failed", "ended_by_verge",
            "no_bye", "no_ack")


def delays(report, *names):
    """p50, p99, p99.9 and the largest, in us."""
    return {name: {k: round(v / 1000, 1) if k != "n" else v
                   for k, v in report[name + "_ns"].items()} for name in names}


def failures(report):
    """Attempts that failed, and calls that did not end as they should."""
    return sum(report[name] for name in FAILURES)


def counters(rig):
    return rig.ctl("stats")["result"]["workers"]


def quiescent(rig, seconds=70):
    """Wait until verge holds no call and no transaction: each trial begins from the same state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = counters(rig)
        if now["calls"] + now["server_transactions"] + now["client_transactions"] == 0:
            return
        time.sleep(0.2)
    raise RigError(f"calls or transactions are left after {seconds} s")


def trial(rig, rate, seconds, hold_ms=HOLD_MS, refresh_rate=0):
    """rate x seconds sessions, begun at this rate; what became of them."""
    sessions, held = int(rate * seconds), rig.report()["used"]
    before, cpu = (counters(rig), rig.cpu_seconds()) if rig.verge else ({}, {})
    rig.zero()
    rig.set(rate=rate, calls=sessions, hold_ms=hold_ms, threshold_ms=THRESHOLD_MS,
            refresh_rate=refresh_rate)
    time.sleep(seconds)
    report = rig.until(lambda r: r["calls_left"] == 0 and r["used"] <= held,
                       hold_ms / 1000 + THRESHOLD_MS / 1000 + 3)
    rig.set(rate=0, calls=0, refresh_rate=0)
    tried = report["attempts"]
    out = {"rate": rate, "sessions": sessions, "attempts": tried, "not_made": sessions - tried,
           "established": report["established"], "failures": failures(report) + max(0, report["used"] - held),
           "retransmissions": report["retrans_out"], "wire_full": report["wire_full"],
           "refused_503": report["refused_503"], "unanswered": report["unanswered"],
           **delays(report, "forward", "setup", "bye")}
    if rig.verge and tried:
        after, end = counters(rig), rig.cpu_seconds()
        out["worker_us_per_call"] = round((after["busy_us"] - before["busy_us"]) / tried, 2)
        out["control_us_per_call"] = round(1e6 * (end["verge"] - cpu["verge"]) / tried, 2)
    return out


def clean(result):
    """No session attempt failed (RFC 7501 s3.4.1), and all of them were made as planned."""
    return result["failures"] == 0 and result["not_made"] <= result["sessions"] // 100


def search(run, start, resolution=0.03, most=40):
    """RFC 7502 s4.10: up by a step while trials are clean; back and half the step when one is not,
    until the step is below resolution. Returns (highest clean rate, all trials)."""
    rate, step, good, trials = start, start, 0, []
    while len(trials) < most and step >= resolution * max(rate, 1):
        result = run(int(rate))
        trials.append(result)
        print(f"  {int(rate):8} /s  {'clean' if clean(result) else 'not clean'}", flush=True)
        if clean(result):
            good = int(rate)
        else:
            step /= 2
        rate = good + step
    return good, trials


def warm_up(rig, rate, seconds):
    """Touch the memory that trials will use."""
    trial(rig, rate, seconds)
    quiescent(rig)


def establishment_rate(rig, options):
    """Session Establishment Rate; then delays at 50 % and 90 % of it."""
    def run(rate):
        result = trial(rig, rate, options.seconds)
        if rig.verge:
            quiescent(rig)
        return result
    if rig.verge:
        warm_up(rig, options.rate / 2, options.seconds)
    best, trials = search(run, options.rate)
    out = {"session_establishment_rate": best, "trials": trials}
    for share in (50, 90):
        out[f"at_{share}_percent"] = run(int(best * share / 100)) if best else None
    return out


def hold(rig, calls, rate):
    """Bring calls up and keep them; the report once they are."""
    rig.zero()
    rig.set(rate=rate, calls=calls, hold_ms=0, threshold_ms=THRESHOLD_MS)
    report = rig.until(lambda r: r["calls_left"] == 0 and r["up"] + failures(r) >= r["attempts"],
                       calls / rate * 3 + 20)
    rig.set(rate=0, calls=0)
    if report["up"] != calls:
        raise RigError(f"{report['up']} of {calls} calls are up: {failures(report)} failed, "
                       f"{report['behind']} not made")
    return report


def release(rig, rate):
    """End all held calls by BYE."""
    up = rig.report()["up"]
    rig.set(end_rate=rate)
    report = rig.until(lambda r: r["used"] == 0, up / rate * 3 + 30)
    rig.set(end_rate=0)
    return report


def held_capacity(rig, options):
    """Held Session Capacity: sessions kept for 2 x SE with timers on both legs, none lost by a timer.
    The number is given (memory decides it); the run says whether it holds."""
    memory = rig.memory()
    hold(rig, options.held, options.rate)
    used = rig.memory() - memory
    rig.zero()
    seconds = options.hold_seconds or 2 * options.se
    time.sleep(seconds)
    report = rig.report()
    out = {"held_sessions": options.held, "legs": 2 * options.held, "seconds": seconds,
           "session_expires": options.se, "lost": report["ended_by_verge"],
           "still_up": report["up"], "refreshes": report["refreshes"],
           "refreshes_per_s": round(report["refreshes"] * 1000 / report["ms"], 1),
           "resident_mib": rig.memory() >> 20, "bytes_per_leg": round(used / (2 * options.held)),
           "memory_growth_mib": (rig.memory() - memory - used) >> 20}
    end = release(rig, options.rate)
    out["byes_failed"] = end["byes_failed"] + end["no_bye"]
    return out


def refresh_trial(rig, rate, seconds, kind=0):
    """Refreshes of the peers in held calls at a rate; verge answers them."""
    before = counters(rig)
    rig.zero()
    rig.set(refresh_rate=rate, refresh_kind=kind, threshold_ms=THRESHOLD_MS)
    time.sleep(seconds)
    rig.set(refresh_rate=0)
    report = rig.until(lambda r: r["requests_ok"] + r["requests_failed"] >= r["requests"],
                       THRESHOLD_MS / 1000 + 2)
    sent = report["requests"]
    after = counters(rig)
    return {"rate": rate, "sessions": int(rate * seconds), "attempts": sent,
            "not_made": max(0, int(rate * seconds) - sent),
            "failures": report["requests_failed"] + report["ended_by_verge"],
            "retransmissions": report["retrans_out"], "wire_full": report["wire_full"],
            "worker_us_each": round((after["busy_us"] - before["busy_us"]) / max(1, sent), 3),
            **delays(report, "request")}


def refresh_rate(rig, options):
    """Refresh Rate (answered) by UPDATE and the Refresh Response Delay at 50 % and 90 % of it."""
    hold(rig, options.held, options.rate)

    def run(rate):
        result = refresh_trial(rig, rate, options.seconds)
        time.sleep(options.drain)
        return result
    run(options.refreshes / 2)
    best, trials = search(run, options.refreshes)
    out = {"held_sessions": options.held, "method": "UPDATE", "refresh_rate_answered": best,
           "trials": trials}
    for share in (50, 90):
        out[f"at_{share}_percent"] = run(int(best * share / 100)) if best else None
    release(rig, options.rate)
    return out


def accuracy(rig, options):
    """Timer Accuracy: verge's refreshes against the instant half an interval after the last proof of
    the session, with jitter 0; and Refresh Rate (sent): how many that were a second."""
    rig.set(plan_ms=options.se * 1000 * options.refresh_at)
    hold(rig, options.held, options.rate)
    rig.zero()
    time.sleep(options.hold_seconds or options.se)
    report = rig.report()
    shell = rig.ctl("stats")["result"]
    out = {"legs": 2 * options.held, "session_expires": options.se, "refreshes": report["refreshes"],
           "refreshes_per_s": round(report["refreshes"] * 1000 / report["ms"], 1),
           "lost": report["ended_by_verge"], **delays(report, "late_by", "early_by"),
           "lateness_of_verge": shell["workers"].get("lateness")}
    rig.set(plan_ms=0)
    release(rig, options.rate)
    return out


def spread(rig, options):
    """Refresh Spread: peak and mean of refreshes per 100 ms after a synchronous set-up."""
    hold(rig, options.held, options.rate)
    rig.zero()
    time.sleep(options.se * options.refresh_at + 3)
    report = rig.report()
    bins = report["spread"]
    first = next((i for i, n in enumerate(bins) if n), 0)
    window = bins[first:]
    mean = sum(window) / max(1, len(window))
    out = {"legs": 2 * options.held, "set_up_s": round(options.held / options.rate, 2),
           "refreshes": sum(bins), "window_s": len(window) / 10, "peak_per_100ms": max(window or [0]),
           "mean_per_100ms": round(mean, 1), "peak_to_mean": round(max(window or [0]) / mean, 2)
           if mean else None, "lost": report["ended_by_verge"], "bins": bins}
    release(rig, options.rate)
    return out


def served(report, what):
    """Share of the requests of a kind that were answered with 200."""
    made = report[what + "s"]
    return round(report[what + "s_ok"] / made, 6) if made else None


def pressed(rig, seconds, **knobs):
    """Calls and requests under some load, and what became of both."""
    before = counters(rig)
    rig.zero()
    rig.set(hold_ms=HOLD_MS, threshold_ms=THRESHOLD_MS, **knobs)
    time.sleep(seconds)
    rig.set(rate=0, calls=0, flood_rate=0, refresh_rate=0)
    report = rig.until(lambda r: r["byes_ok"] + r["byes_failed"] >= r["byes"] and r[
        "requests_ok"] + r["requests_failed"] >= r["requests"], THRESHOLD_MS / 1000 + 2)
    after = counters(rig)
    names = ("attempts", "established", "late", "refused_503", "refused_other", "unanswered",
             "behind", "no_slot", "byes", "byes_failed", "requests", "requests_failed",
             "ended_by_verge", "flood", "flood_answers", "sent", "wire_full", "retrans_out", "up")
    return {**{k: v for k, v in knobs.items() if k != "calls"}, "seconds": seconds,
            **{name: report[name] for name in names}, "byes_served": served(report, "bye"),
            "requests_served": served(report, "request"),
            "refused_by_overload": after["overload"] - before["overload"],
            **delays(report, "setup", "bye", "request", "forward")}


def overload(rig, options):
    """Overload Fairness: at 2 and 5 times the maximum rate (--rate), the share of BYEs, refreshes
    (UPDATE) and requests that cross (INFO) that is served; memory; recovery within 5 s."""
    hold(rig, options.held, options.rate / 2)
    pressed(rig, 2, rate=options.rate // 2, calls=options.rate)
    out = {"maximum": options.rate, "held_sessions": options.held, "levels": []}
    for times in options.times:
        for kind, name in ((0, "UPDATE"), (2, "INFO")):
            memory = rig.memory()
            level = pressed(rig, options.seconds, rate=times * options.rate,
                            calls=int(times * options.rate * options.seconds), refresh_kind=kind,
                            refresh_rate=options.rate // 10)
            level.update({"times": times, "method": name,
                          "memory_growth_mib": (rig.memory() - memory) >> 20})
            began = time.monotonic()
            rig.until(lambda r: r["up"] <= options.held, 5)
            level["recovered_after_s"] = round(time.monotonic() - began, 1)
            after = trial(rig, options.rate * 3 // 4, 2)
            level["after"] = {k: after[k] for k in ("rate", "attempts", "established")}
            out["levels"].append(level)
            print(f"  {times} x, {name}: BYE {level['byes_served']}, requests "
                  f"{level['requests_served']}, new: {level['established']} of {level['attempts']}, "
                  f"503: {level['refused_503']}; after {level['recovered_after_s']} s: {after['established']} of {after['attempts']}", flush=True)
            time.sleep(options.drain)
    out["lost"] = sum(level["ended_by_verge"] for level in out["levels"])
    return out


def flood(rig, options):
    """Parser Flood Tolerance: held and new calls under a flood at the generator's full rate, of
    malformed messages, of unknown sources, of OPTIONS. p99 of established calls below 50 ms."""
    hold(rig, options.held, options.rate)
    out = {"held_sessions": options.held, "floods": {}}
    for name, kind, rate in (("none", 0, 0), ("malformed", 2, 10**8), ("unknown sources", 3, 10**8),
                             ("OPTIONS", 0, 10**8)):
        level = pressed(rig, options.seconds, rate=options.rate, refresh_kind=0,
                        calls=int(options.rate * options.seconds), refresh_rate=options.rate,
                        flood_kind=kind, flood_rate=rate)
        level["flood_per_s"] = round((level["sent"] - level["attempts"] * 7) / options.seconds)
        out["floods"][name] = level
        print(f"  {name}: {level['flood_per_s']} /s; UPDATE p99 {level['request']['p99']} us, BYE p99 "
              f"{level['bye']['p99']} us, requests {level['requests_served']}, BYEs "
              f"{level['byes_served']}, lost {level['ended_by_verge']}", flush=True)
        time.sleep(options.drain)
    return out


def storm(rig, options):
    """Refresh storm: verge is frozen while all its legs fall due, and runs on in the middle of their
    intervals: they are due in the same instant. All have to be refreshed before they expire."""
    began = time.monotonic()
    hold(rig, options.held, options.rate)
    took = time.monotonic() - began
    due = options.se * options.refresh_at
    time.sleep(max(0, due - took - 1))
    rig.zero()
    rig.freeze(took + 2)
    report = rig.until(lambda r: r["refreshes"] >= 2 * options.held, due - 5)
    bins = report["spread"]
    first = next((i for i, n in enumerate(bins) if n), 0)
    out = {"legs": 2 * options.held, "due_at_once": 2 * options.held, "set_up_s": round(took, 1),
           "frozen_s": round(took + 2, 1), "refreshes": report["refreshes"],
           "window_s": len(bins[first:]) / 10, "peak_per_100ms": max(bins or [0]),
           "retransmissions_in": report["retrans_in"], "lost": report["ended_by_verge"], "bins": bins}
    time.sleep(max(0, due - 10))
    report = rig.report()
    out["lost_later"], out["still_up"] = report["ended_by_verge"] - out["lost"], report["up"]
    release(rig, options.rate)
    return out


def once(rig, options):
    """Every kind of message once or a few times: does all of it work? For continuous integration."""
    calls = trial(rig, 500, 1)
    hold(rig, 200, 500)
    kinds = [refresh_trial(rig, 500, 1, kind) for kind in range(3)]
    rig.zero()
    for kind in range(4):
        rig.set(flood_kind=kind, flood_rate=500)
        time.sleep(0.5)
    rig.set(flood_rate=0)
    time.sleep(0.2)
    flood = rig.report()
    rig.zero()
    end = release(rig, 500)
    wrong = calls["failures"] + sum(k["failures"] for k in kinds) + end["byes_failed"]
    if wrong or not flood["flood_answers"] or flood["unreadable"] or any(
            k["attempts"] < 400 for k in kinds) or calls["established"] < 400:
        raise RigError(f"calls {calls}\nrequests {kinds}\nflood {flood['flood_answers']}, "
                       f"unreadable {flood['unreadable']}\n{rig.log('loadgen')}")
    return {"calls": calls, "requests": kinds, "flood": flood["flood"],
            "flood_answers": flood["flood_answers"]}


def turn_rules(turn, extra):
    """Rules that write the turn into what calls begin and end with. What they look for differs from
    turn to turn, in all of them, and so does the database that is compiled."""
    never = [{"name": f"never{i}", "when": {"header": {"name": f"X-{i % 20}", "matches": f"{turn}-{i}"}},
              "do": [{"tag": "never"}]} for i in range(extra)]
    return {"leaving": [*never, {
        "name": "turn", "when": {"method": ["INVITE", "BYE"], "header": {
            "name": "From" if turn % 2 else "To", "matches": f"turn-{turn}|sip:"}},
        "do": [{"set": {"header": "X-Turn", "value": str(turn)}}]}]}


def take_turn(rig, turn, extra):
    """The configuration with the rules of a turn."""
    rig.conf["profiles"]["default"]["rules"] = {"out": ["leaving"]}
    rig.conf["rules"] = turn_rules(turn, extra)
    rig.write()


def refused_reload(rig, turn, extra):
    """A database that does not compile: refused, with the line; nothing has changed."""
    rig.conf["rules"]["leaving"][-1]["when"]["header"]["matches"] = "turn("
    rig.write()
    status, text = rig.reload()
    if status != 1 or not re.search(r"\.yaml:\d+: .*parenthesis", text):
        raise RigError(f"a database that does not compile: {status} {text}")
    take_turn(rig, turn, extra)


def next_turn(rig, turn, out, seconds=5):
    """Reload until the turn is taken (a worker without CPU for a second does not take it; then nothing
    has changed), and wait for a call that meets it."""
    began = time.monotonic()
    for _ in range(5):
        status, text = rig.reload()
        if status == 0:
            break
        out["repeated"] += 1
    else:
        raise RigError(f"reload {turn} was refused: {text}")
    took = time.monotonic() - began
    report = rig.until(lambda r: r["turn"] >= turn, seconds, 0.01)
    out["reloads"] += 1
    out["without_effect"] += report["turn"] != turn
    out["longest_reload_ms"] = max(out["longest_reload_ms"], round(took * 1000))
    out["longest_until_used_ms"] = max(out["longest_until_used_ms"],
                                       round((time.monotonic() - began) * 1000))


def ring_drops(rig):
    """What found a ring between threads full."""
    return sum(v for k, v in counters(rig).items() if k.startswith("drops_") and k.endswith("_ring"))


def turns_judged(out, report, drops):
    """What a run of reloads comes to: passed only if each reload acted and no call failed."""
    out.update({name: report[name] for name in (
        "attempts", "established", *FAILURES, "behind", "no_slot", "turns_new", "turns_old",
        "turns_changed", "retrans_out", "retrans_in", "wire_full", "unreadable")})
    out["failures"] = failures(report) + report["attempts"] - report["established"]
    out["lost_between_threads"] = drops
    out["calls_per_s"] = round(report["attempts"] / out["seconds"], 1)
    out.update(delays(report, "setup", "forward", "bye"))
    out["passed"] = (out["failures"] == 0 and report["established"] > 0 and drops == 0
                     and out["without_effect"] == 0 and out["turns_new"] == out["reloads"]
                     and out["turns_old"] == out["turns_changed"] == out["unreadable"] == 0)
    return out


def reloads(rig, options):
    """Reloads under calls (--rate): --reloads times new rules, each compiled into a database of its own
    and met by calls in its order, while a call keeps the rules that it began with and none fails.
    Exit status 1 if one did, or a reload did not act."""
    out = {"reloads": 0, "refused": 0, "repeated": 0, "without_effect": 0, "longest_reload_ms": 0,
           "longest_until_used_ms": 0, "rules": options.rules + 1}
    take_turn(rig, 1, options.rules)
    next_turn(rig, 1, dict(out), 0)  # not one of those that are counted
    trial(rig, options.rate, 1)
    drops, memory, began = ring_drops(rig), 0, time.monotonic()
    rig.zero()
    rig.set(rate=options.rate, calls=10**12, hold_ms=options.hold_ms, threshold_ms=THRESHOLD_MS)
    for turn in range(2, options.reloads + 2):
        take_turn(rig, turn, options.rules)
        if turn % 20 == 0:
            refused_reload(rig, turn, options.rules)
            out["refused"] += 1
        next_turn(rig, turn, out)
        if turn == options.reloads // 2 + 1:
            memory = rig.memory()
        if turn % 50 == 0:
            report = rig.report()
            print(f"  {turn} reloads, {report['attempts']} calls, {failures(report)} failed", flush=True)
        time.sleep(options.every)
    rig.set(rate=0, calls=0)
    out["seconds"] = round(time.monotonic() - began, 1)
    report = rig.until(lambda r: r["used"] == 0, options.hold_ms / 1000 + THRESHOLD_MS / 1000 + 3)
    out["memory_growth_of_second_half_mib"] = (rig.memory() - memory) >> 20
    return turns_judged(out, report, ring_drops(rig) - drops)
