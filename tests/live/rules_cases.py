# SPDX-License-Identifier: BSD-3-Clause
"""Live tests of message rules: what they do to calls, what the operator sees, reloads under load."""

import os
import time

import calls
from case import expect, lab
from lab import Lab, wait_for
from lab_cases import LOCAL, ended_well, peers
from verge import Verge, config

RELOADS = int(os.environ.get("VERGE_RELOADS", "100"))  # 1000 by hand: takes minutes
RATE = int(os.environ.get("VERGE_RELOAD_RATE", "100"))  # calls/s meanwhile

INVITE = ("INVITE sip:1@10.92.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.92.0.1;branch=z9hG4bK1\r\n"
          "Max-Forwards: 70\r\nFrom: <sip:2@10.92.0.1>;tag=a\r\nTo: <sip:1@10.92.0.2>\r\n"
          "Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:10.92.0.1>\r\n"
          "Allow: INVITE, ACK, BYE, UPDATE\r\nContent-Length: 0\r\n\r\n")


def rules_config(net, turn):
    """Two rules that do the same each turn, and one whose number tells the turns apart."""
    conf = config(net, timer=LOCAL)
    conf["rules"] = {
        "arriving": [{"name": "label", "when": {"method": ["INVITE"], "dialog": "creating"},
                      "do": [{"tag": "seen"}]}],
        "leaving": [{"name": "turn", "when": {"kind": "request", "header": {
                         "name": "User-Agent" if turn % 2 else "X-None", "matches": f"turn-{turn}|."}},
                     "do": [{"set": {"header": "X-Turn", "value": str(turn)}}]},
                    {"name": "hide", "when": {"method": ["INVITE"]}, "do": [{"hide_update": True}]}],
    }
    conf["trunks"]["access"]["rules"] = {"in": ["arriving"], "out": []}
    conf["trunks"]["core"]["rules"] = {"in": [], "out": ["leaving"]}
    return conf


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


@lab(slow=True, load=True)
def rules_reload():
    """Rules are reloaded 100 times under 100 calls/s: no call fails, each database serves."""
    with Lab() as net:
        verge = Verge(net, rules_config(net, 0))
        n_calls = RATE * max(10, RELOADS // 5)
        uac, uas = peers(net, calls.basic_caller(200), calls.basic_callee(), calls=n_calls, rate=RATE)
        for turn in range(1, RELOADS + 1):
            verge.write(rules_config(net, turn))
            verge.process.interrupt(1)
            wait_for(f"reload {turn}",
                     lambda turn=turn: verge.sum("verge_config_reloads_total", result="ok") >= turn, 10)
            time.sleep(0.1)
        counts = uac.finish(n_calls / RATE + 60)
        expect(counts["ok"] == n_calls, f"{counts}")
        expect(counts["retransmissions"] == 0, f"the caller had to repeat itself: {counts}")
        expect(uas.counts()["failed"] == 0, f"callee: {uas.counts()}")
        expect(verge.sum("verge_config_reloads_total", result="ok") == RELOADS, "reloads")
        wait_for("CDRs", lambda: len(verge.cdrs()) == n_calls, 10, 0.2)
        tagged = sum(c.get("tags") == ["seen"] for c in verge.cdrs())
        expect(tagged == n_calls, f"{tagged} of {n_calls} calls met the rules")
        ended_well(verge)
