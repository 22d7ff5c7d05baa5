# SPDX-License-Identifier: BSD-3-Clause
"""Live tests of message rules: what they do to calls, what the operator sees, reloads under load."""

import os
import re
import signal
import time

import calls
from case import expect, lab
from lab import ACCESS4, CORE4, Lab, LabError, wait_for
from lab_cases import LOCAL, VERGE4, ended_well, peers
from peer import listening
from sipp import Sipp, log, recv, reply, scenario
from verge import Verge, config

RELOADS = int(os.environ.get("VERGE_RELOADS", "40"))  # 1000 under 1000 calls/s: bench/loadgen
RATE = int(os.environ.get("VERGE_RELOAD_RATE", "100"))  # calls/s meanwhile

INVITE = ("INVITE sip:1@10.92.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.92.0.1;branch=z9hG4bK1\r\n"
          "Max-Forwards: 70\r\nFrom: <sip:2@10.92.0.1>;tag=a\r\nTo: <sip:1@10.92.0.2>\r\n"
          "Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:10.92.0.1>\r\n"
          "Allow: INVITE, ACK, BYE, UPDATE\r\nContent-Length: 0\r\n\r\n")


def rules_config(net, turn, apply_to="new", capacity=4000):
    """Rules that do the same each turn, and one that writes the turn into requests to the callee; the
    headers and texts that are looked for differ from turn to turn, and so does the database."""
    conf = config(net, timer=LOCAL, capacity=capacity)
    conf["profiles"]["default"]["apply_to"] = apply_to
    conf["rules"] = {
        "arriving": [{"name": "label", "when": {"method": ["INVITE"], "dialog": "creating"},
                      "do": [{"tag": "seen"}]}],
        "leaving": [{"name": "turn", "when": {"method": ["INVITE", "BYE"], "header": {
                         "name": "From" if turn % 2 else "To", "matches": f"turn-{turn}|."}},
                     "do": [{"set": {"header": "X-Turn", "value": str(turn)}}]},
                    {"name": "hide", "when": {"method": ["INVITE"]}, "do": [{"hide_update": True}]}],
    }
    conf["trunks"]["access"]["rules"] = {"in": ["arriving"], "out": []}
    conf["trunks"]["core"]["rules"] = {"in": [], "out": ["leaving"]}
    return conf


def broken_rules(net, turn, kind):
    """Databases that do not compile, and what is said about them."""
    conf = rules_config(net, turn)
    rule = conf["rules"]["leaving"][0]
    if kind == "expression":
        rule["when"]["header"]["matches"] = "turn("
        return conf, "missing closing parenthesis"
    rule["when"]["header"]["matches"] = "(([ab]{1,400}){1,400}c){1,40}"
    return conf, "too large"


def matched(verge, rule):
    return verge.sum("verge_rule_messages_total", rule=rule, result="matched")


@lab()
def rules_at_work():
    """Rules act on calls; their counters, the CDR's tag and `rules test` say what they did."""
    with Lab() as net:
        verge = Verge(net, rules_config(net, 0))
        uac, uas = peers(net, calls.basic_caller(200), calls.basic_callee(), calls=20, rate=20)
        expect(uac.finish(30)["ok"] == 20, f"{uac.counts()}")
        expect(uas.counts()["failed"] == 0, f"callee: {uas.counts()}")
        wait_for("CDRs", lambda: len(verge.cdrs()) == 20, 10, 0.2)
        expect(all(c.get("tags") == ["seen"] for c in verge.cdrs()), f"{verge.cdrs()[0]}")
        expect(matched(verge, "arriving/label") == 20, "the rule that tags calls")
        expect(matched(verge, "leaving/hide") >= 20, "the rule that hides UPDATE")
        status, text = verge.vergectl("rules")
        expect(status == 0 and "label" in text and "hide" in text, f"{status} {text}")
        path = os.path.join(net.dir, "message.sip")
        with open(path, "w", encoding="ascii", newline="") as f:
            f.write(INVITE)
        status, text = verge.vergectl("rules", "test", "--trunk", "core", "--out", path)
        expect(status == 0 and "hide" in text, f"{status} {text}")
        expect("Allow: INVITE, ACK, BYE\r\n" in text.replace("\n", "\r\n").replace("\r\r", "\r"), text)
        expect(verge.vergectl("rules", "test", "--trunk", "nobody", path)[0] == 1, "an unknown trunk")
        ended_well(verge)


def reloads(verge, result):
    """As the counters have it; -1 while nobody answers in time."""
    try:
        return verge.sum("verge_config_reloads_total", result=result)
    except OSError:
        return -1


def reload_until(verge, turn, failed):
    """SIGHUP until the turn is in use. A worker that gets no CPU for a second does not take it: then
    nothing has changed, and an operator would try again. Returns how often."""
    again = 0
    verge.process.interrupt(signal.SIGHUP)
    for _ in range(600):
        if reloads(verge, "ok") >= turn:
            return again
        if reloads(verge, "failed") > failed + again:
            again += 1
            verge.process.interrupt(signal.SIGHUP)
        time.sleep(0.05)
    raise LabError(f"reload {turn} did not come: {verge.process.tail(5)}")


def turns_seen(uas):
    """{Call-ID: [turn of its INVITE, turn of its BYE]} in the order in which the INVITEs came."""
    found = {}
    with open(uas.log_file, encoding="latin-1") as f:
        for line in f:
            match = re.match(r"turn Call-ID: *(\S+) X-Turn: *(\d+)", line)
            expect(match, f"a request without turn: {line}")
            found.setdefault(match.group(1), []).append(int(match.group(2)))
    return found


def judge_turns(uas):
    """Each database acted on calls, in its order, and a call kept the one that it began with."""
    calls_seen = turns_seen(uas)
    order = [turns[0] for turns in calls_seen.values()]
    expect(order == sorted(order), "a call met an older database than the call before it")
    expect(sorted(set(order)) == list(range(RELOADS + 1)),
           f"databases that no call met: {sorted(set(range(RELOADS + 1)) - set(order))[:20]}")
    changed = {call: turns for call, turns in calls_seen.items() if turns[0] != turns[-1]}
    expect(not changed, f"calls whose rules changed under them: {list(changed.items())[:5]}")
    expect(all(len(turns) == 2 for turns in calls_seen.values()), "a call without BYE")


@lab(slow=True, load=True)
def rules_reload():
    """Rules are reloaded 40 times under 100 calls/s: no call fails, each database acts, in order,
    and a call keeps the one that it began with; what does not compile changes nothing and says why."""
    turn_log = log("turn [last_Call-ID:] [last_X-Turn:]")
    callee = scenario("callee", calls.ring_and_answer().replace("</recv>", "</recv>" + turn_log, 1),
                      recv(request="BYE"), turn_log, reply(200, "OK"))
    with Lab() as net:
        capacity = max(4000, RATE * 40)
        verge = Verge(net, rules_config(net, 0, capacity=capacity))
        uas = Sipp(net, "uas", "c", CORE4 + "2", 5060, callee, logs=True)
        listening(net, "c", CORE4 + "2")
        uac = Sipp(net, "uac", "a", ACCESS4 + "2", 5060, calls.basic_caller(200), target=VERGE4,
                   calls=RATE * 3600, rate=RATE)
        wait_for("calls", lambda: uac.counts()["ok"] > 0, 20)
        refused = again = 0
        for turn in range(1, RELOADS + 1):
            if turn % max(1, RELOADS // 10) == 0:
                conf, why = broken_rules(net, turn, "expression" if refused % 2 else "size")
                conf["system"]["capacity"] = {"calls": capacity}
                verge.write(conf)
                status, text = verge.vergectl("reload")
                expect(status == 1 and why in text and re.search(r"\.yaml:\d+", text),
                       f"a database that does not compile: {status} {text}")
                refused += 1
            verge.write(rules_config(net, turn, capacity=capacity))
            again += reload_until(verge, turn, refused + again)
            time.sleep(max(0.1, 20 / RATE))
        uac.process.stop(signal.SIGUSR1, 30)
        counts = uac.counts()
        expect(counts["failed"] == 0 and counts["ok"] >= RELOADS, f"{counts}")
        expect(verge.sum("verge_ring_drops_total") == 0, "something was lost between threads")
        wait_for("CDRs", lambda: len(verge.cdrs()) >= counts["ok"], 20, 0.5)
        expect(reloads(verge, "ok") == RELOADS, "reloads")
        expect(reloads(verge, "failed") == refused + again, "refused reloads")
        cdrs = verge.cdrs()
        expect(all(c.get("tags") == ["seen"] and c["release"]["cause"] == "normal" for c in cdrs),
               [c for c in cdrs if c.get("tags") != ["seen"]][:1])
        uas.process.stop(signal.SIGUSR1, 10)
        expect(uas.counts()["failed"] == 0, f"callee: {uas.counts()}")
        judge_turns(uas)
        print(f"  {counts['ok']} calls, {counts['retransmissions']} retransmissions, "
              f"{RELOADS} reloads, {refused} refused, {again} repeated")
        ended_well(verge)


@lab(slow=True)
def rules_apply_to():
    """Calls that are up: without apply_to they keep their rules over a reload, with `all` they take the
    new ones from their next transaction on."""
    callee = scenario("callee", calls.ring_and_answer(), recv(request="BYE"), reply(200, "OK"))
    with Lab() as net:
        verge = Verge(net, rules_config(net, 0))
        uas = Sipp(net, "uas", "c", CORE4 + "2", 5060, callee, trace=True)
        listening(net, "c", CORE4 + "2")
        for turn, apply_to in ((1, "new"), (2, "all")):
            uac = Sipp(net, "uac-" + apply_to, "a", ACCESS4 + "2", 5060, calls.basic_caller(2000),
                       target=VERGE4, calls=1)
            wait_for("the call", lambda: verge.sum("verge_calls") == 1, 10)
            verge.write(rules_config(net, turn, apply_to))
            status, text = verge.vergectl("reload")
            expect(status == 0, text)
            uac.finish(20)
        wait_for("BYE", lambda: sum(m.method == "BYE" for m in uas.seen()) == 2, 10)
        turns = [(m.method, m.header("X-Turn")) for m in uas.seen()
                 if not m.sent and m.method in ("INVITE", "BYE")]
        expect(turns == [("INVITE", "0"), ("BYE", "0"), ("INVITE", "1"), ("BYE", "2")], f"{turns}")
        ended_well(verge)
