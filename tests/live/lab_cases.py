# SPDX-License-Identifier: BSD-3-Clause
"""Live tests with namespaces and a verge of their own: load, disturbed wires, IPv6, VLAN, one port,
workers, operation. Each ends with nothing of any call left in verge and an orderly stop."""

import json
import os
import random
import subprocess

import calls
from case import end_turn, expect, lab, near
from lab import ACCESS4, ACCESS6, CORE4, CORE6, Lab, wait_for
from peer import kamailio, listening
from sipp import Sipp, ack, answer_timer, invite, label, pause, recv, reply, request, scenario, sdp
from verge import ROOT, Verge, config

VERGE4, VERGE6 = ACCESS4 + "1:5060", f"[{ACCESS6}1]:5060"
LOCAL = {"interval": 90, "refresher": "local"}


def ended_well(verge, timeout=45):
    expect(verge.alive(), "verge has ended")
    end_turn()
    verge.settled(timeout)
    verge.stop()


def peers(net, caller=None, callee=None, builtin=False, **more):
    """Start a callee, then callers; returns both. more goes to the caller."""
    uas = Sipp(net, "uas", "c", CORE4 + "2", 5060, None if builtin else callee,
               builtin="uas" if builtin else None)
    listening(net, "c", CORE4 + "2")
    uac = Sipp(net, "uac", "a", ACCESS4 + "2", 5060, None if builtin else caller,
               builtin="uac" if builtin else None, target=VERGE4, **more)
    return uac, uas


def mixed_config(net, driver, **more):
    """Numbers that begin with 2 go to SIPp's own uas, the others to a callee with SDP and timers."""
    conf = config(net, driver, capacity=20000, **more)
    conf["trunks"]["builtin"] = {"port": "core", "peers": [CORE4 + "2:5080"]}
    conf["routes"].insert(0, {"from": "access", "prefix": "2", "to": ["builtin"]})
    return conf


def mixed_calls(net, n_calls, rate, hold_ms, se=None):
    """Half of the calls are of SIPp's built-in scenarios, half of ours. Callers, then callees."""
    callees = [Sipp(net, "uas", "c", CORE4 + "2", 5060,
                    calls.basic_callee(answer_timer(se) if se else "")),
               Sipp(net, "builtin-uas", "c", CORE4 + "2", 5080, builtin="uas")]
    for port in (5060, 5080):
        listening(net, "c", CORE4 + "2", port)
    half = {"target": VERGE4, "calls": n_calls // 2, "rate": rate // 2}
    callers = [Sipp(net, "uac", "a", ACCESS4 + "2", 5060, calls.basic_caller(hold_ms, se=se), **half),
               Sipp(net, "builtin-uac", "a", ACCESS4 + "2", 5061, builtin="uac", service="2001",
                    more=("-d", hold_ms), **half)]
    return callers, callees


def load(driver, n_calls, rate=300):
    """Calls at a steady rate: none fails, nobody has to say anything twice, nothing is left."""
    with Lab() as net:
        verge = Verge(net, mixed_config(net, driver))
        callers, callees = mixed_calls(net, n_calls, rate, 200)
        for run in callers:
            counts = run.finish(n_calls / rate + 40)
            expect(counts["ok"] == n_calls // 2, f"{run.name}: {counts}")
        for run in callers + callees:
            counts = run.counts()
            expect(counts["failed"] == 0, f"{run.name}: {counts}")
            expect(counts["retransmissions"] == 0, f"{run.name} had to repeat itself: {counts}")
        again = verge.sum("verge_sip_retransmissions_total")
        expect(again == 0, f"{again:.0f} retransmissions")
        expect(verge.sum("verge_calls_total", trunk="access", result="answered") == n_calls, "answered")
        ended_well(verge)
        expect(len(verge.cdrs()) == n_calls, f"{len(verge.cdrs())} CDRs")


@lab(load=True, slow=True)
def load_af_packet():
    """10,000 calls at 300/s over AF_PACKET, half of SIPp's own scenarios, half with SDP and 180."""
    load("af_packet", 10000)


@lab(load=True, slow=True)
def load_af_xdp():
    """10,000 calls at 300/s over AF_XDP, half of SIPp's own scenarios, half with SDP and 180."""
    load("af_xdp", 10000)


@lab(load=True, quick=True)
def calls_af_packet():
    """600 such calls at 200/s over AF_PACKET."""
    load("af_packet", 600, 200)


@lab(load=True, quick=True)
def calls_af_xdp():
    """600 such calls at 200/s over AF_XDP."""
    load("af_xdp", 600, 200)


def disturbed(driver, n_calls=10000, rate=300):
    """Each message may be lost, and may overtake others, on each of four wires."""
    with Lab(disturb={"loss": 5, "delay": 5, "jitter": 20}) as net:
        verge = Verge(net, mixed_config(net, driver, timer=LOCAL))
        callers, callees = mixed_calls(net, n_calls, rate, 500, se=90)
        for run in callers:
            run.process.wait(n_calls / rate + 120)
        end_turn()
        for run in callers:
            counts = run.counts()
            expect(counts["ok"] + counts["failed"] == n_calls // 2, f"{run.name}: {counts}")
            # SIP repeats what matters; SIPp itself gives a few up.
            expect(counts["ok"] >= 0.97 * n_calls / 2, f"{counts}\n{run.complaints()}")
        again = verge.sum("verge_sip_retransmissions_total")
        expect(again > n_calls / 10, f"{again:.0f} retransmissions: no loss?")
        verge.settled(180)
        made = sum(run.counts()["ok"] for run in callers)
        expect(len(verge.cdrs()) >= made, f"{len(verge.cdrs())} CDRs of {made} calls")
        for run in callees:
            run.stop()
        verge.stop()
        return (f"{n_calls} calls, {made} as SIPp wants them, {again:.0f} messages repeated; "
                f"loss and reordering by {', '.join(net.means)}")


@lab(load=True, slow=True)
def disturbed_af_packet():
    """10,000 calls at 300/s, 5 % loss and reordering on all wires: each ends, no leg is left."""
    return disturbed("af_packet")


@lab(load=True, slow=True)
def disturbed_af_xdp():
    """The same over AF_XDP."""
    return disturbed("af_xdp")


@lab()
def ipv6():
    """Calls over IPv6, among them an INVITE in fragments."""
    with Lab() as net:
        conf = config(net)
        conf["trunks"]["access"]["peers"] = [f"[{ACCESS6}2]:5060"]
        conf["trunks"]["core"]["peers"] = [f"[{CORE6}2]:5060"]
        verge = Verge(net, conf)
        Sipp(net, "uas", "c", CORE6 + "2", 5060, calls.basic_callee())
        listening(net, "c", f"[{CORE6}2]")
        for name, caller, n in (("uac", calls.basic_caller(100), 100),
                                ("big", calls.basic_caller(100, body=sdp(extra_lines=45)), 5)):
            run = Sipp(net, name, "a", ACCESS6 + "2", 5060, caller, target=VERGE6, calls=n, rate=50)
            expect(run.finish(30)["ok"] == n, "calls")
        ended_well(verge)


def some_calls(net, verge, n=200, rate=100):
    uac, uas = peers(net, calls.basic_caller(100), calls.basic_callee(), calls=n, rate=rate)
    expect(uac.finish(30)["ok"] == n, "calls")
    expect(verge.sum("verge_calls_total", trunk="access", result="answered") == n, "metric")
    uas.stop()


@lab()
def vlan():
    """Both ports tagged with VLAN 100."""
    with Lab(vlan=100) as net:
        verge = Verge(net, config(net))
        some_calls(net, verge)
        ended_well(verge)
        return f"tags by {', '.join(net.means)}"


@lab()
def one_port():
    """Both trunks behind one port."""
    with Lab(one_port=True) as net:
        verge = Verge(net, config(net))
        some_calls(net, verge)
        ended_well(verge)


@lab()
def two_workers():
    """Two workers share the calls; packets are handed to the owner."""
    with Lab() as net:
        verge = Verge(net, config(net, workers=2))
        some_calls(net, verge, 400)
        for worker in ("0", "1"):
            share = verge.sum("verge_worker_messages_total", worker=worker)
            near(f"messages of worker {worker}", share, 800, 4800)
        ended_well(verge)


@lab(load=True, slow=True)
def held_legs():
    """10,000 legs held at SE 90 and refreshed by verge: none is lost; notes how late refreshes were."""
    with Lab() as net:
        verge = Verge(net, config(net, timer=LOCAL, capacity=12000))
        hold = scenario("caller", calls.answered(), calls.hold_loop(bye_after=2))
        uac, uas = peers(net, hold, calls.callee_held(), calls=5000, rate=300)
        counts = uac.finish(170)
        expect(counts["ok"] == 5000, f"{counts}")
        sent = verge.sum("verge_session_timer_refreshes_total", role="sent", result="ok")
        expect(sent >= 15000, f"{sent:.0f} refreshes")
        expect(verge.sum("verge_session_timer_expired_total") == 0, "sessions expired")
        late = quantile_below(verge, "verge_session_timer_lateness_seconds", 0.99)
        ended_well(verge)
        return f"p99 of the refreshes' lateness at most {late * 1000:.0f} ms"  # a timing judges nothing


def quantile_below(verge, name, share):
    """Upper bound of the bucket in which this share of a histogram's values is reached."""
    buckets = {}
    for sample, labels, value in verge.metrics():
        if sample == name + "_bucket":
            bound = float(labels["le"].replace("+Inf", "inf"))
            buckets[bound] = buckets.get(bound, 0) + value
    total = buckets.get(float("inf"), 0)
    expect(total > 0, f"{name} is empty")
    return min(bound for bound, n in buckets.items() if n >= share * total)


@lab()
def hostile_bytes():
    """Noise, broken SIP and unknown sources: counted, not answered in kind; calls go on."""
    with Lab() as net:
        verge = Verge(net, config(net))
        before = verge.sum("verge_packets_total")
        dice = random.Random(4028)
        whole = ("INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.91.1.2;branch=z9hG4bKx\r\nFrom: <sip:a@h>"
                 ";tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
        with net.socket("a", kind=2) as sock:
            sock.bind((ACCESS4 + "2", 5070))
            for i in range(4000):
                if i % 2:
                    data = dice.randbytes(dice.randrange(1, 1400))
                else:
                    at = dice.randrange(len(whole))
                    data = (whole[:at] + chr(dice.randrange(1, 256)) + whole[at + 1:]) \
                        .encode("latin-1")[:dice.randrange(20, 400)]
                sock.sendto(data, (ACCESS4 + "1", 5060))
        stranger = net.address("a", 99)
        with net.socket("a", kind=2) as sock:
            sock.bind((stranger, 5060))
            sock.settimeout(1)
            sock.sendto(whole.encode(), (ACCESS4 + "1", 5060))
            try:
                answer = sock.recv(2000)
                raise AssertionError(f"a stranger was answered: {answer[:80]!r}")
            except TimeoutError:
                pass
        wait_for("packets counted", lambda: verge.sum("verge_packets_total") >= before + 3900, 10)
        some_calls(net, verge, 50, 50)
        ended_well(verge)


@lab()
def full():
    """More calls than fit: 503 with Retry-After, the calls that are there stay."""
    with Lab() as net:
        conf = config(net)
        conf["trunks"]["access"]["limits"] = {"calls": 20}
        verge = Verge(net, conf)
        uac, uas = peers(net, calls.basic_caller(4000), calls.basic_callee(), calls=20, rate=100)
        wait_for("20 calls", lambda: verge.sum("verge_calls") == 20, 10)
        refused = Sipp(net, "refused", "a", ACCESS4 + "2", 5066, calls.refused_caller(503),
                       target=VERGE4, calls=5, rate=10, trace=True)
        refused.finish(10)
        expect(all(m.header("Retry-After") for m in refused.seen() if m.code == 503), "Retry-After")
        expect(uac.finish(20)["ok"] == 20, "the calls that were there")
        uas.stop()
        ended_well(verge)


@lab()
def capacity_reached():
    """The smallest system.capacity holds that many calls, not one less; the next gets 503."""
    with Lab() as net:
        verge = Verge(net, config(net, capacity=16))
        uac, uas = peers(net, calls.basic_caller(3000), calls.basic_callee(), calls=16, rate=100)
        wait_for("16 calls", lambda: verge.sum("verge_legs", state="established") == 32, 10)
        refused = Sipp(net, "refused", "a", ACCESS4 + "2", 5066, calls.refused_caller(503),
                       target=VERGE4, calls=3, rate=10, trace=True)
        refused.finish(10)
        expect(all(m.header("Retry-After") for m in refused.seen() if m.code == 503), "Retry-After")
        expect(uac.finish(20)["ok"] == 16, "the calls that were there")
        expect([c["release"]["cause"] for c in verge.cdrs()].count("capacity") == 3, "causes")
        uas.stop()
        ended_well(verge)


@lab()
def peer_unreachable():
    """ICMP port unreachable and a next hop without a station: the INVITE goes to the next peer at once."""
    with Lab() as net:
        conf = config(net)
        conf["trunks"]["core"]["peers"] = [CORE4 + "2:5999", CORE4 + "77:5060", CORE4 + "2:5060"]
        verge = Verge(net, conf)
        uac, uas = peers(net, calls.basic_caller(), calls.basic_callee(), calls=3, rate=1)
        expect(uac.finish(20)["ok"] == 3, "calls")
        expect(verge.sum("verge_packets_total", verdict="sip_unreachable") >= 1, "ICMP was not heeded")
        slow = [c["setup_ms"] for c in verge.cdrs() if c["setup_ms"] is None or c["setup_ms"] > 6000]
        expect(not slow, f"setup took {slow} ms: failover waited for timers")
        uas.stop()
        ended_well(verge, 60)


@lab()
def port_vanishes():
    """The callees' wire is cut and mended: calls stay, BYE is repeated until it gets through."""
    with Lab() as net:
        verge = Verge(net, config(net))
        uac, uas = peers(net, calls.basic_caller(3000), calls.basic_callee(), calls=20, rate=100)
        wait_for("20 calls", lambda: verge.sum("verge_legs", state="established") == 40, 10)
        net.ip("c", "link", "set", "c0", "down")
        wait_for("callers hang up", lambda: uac.counts()["ok"] > 0 or not uac.process.alive(), 15)
        net.ip("c", "link", "set", "c0", "up")
        expect(uac.finish(40)["ok"] == 20, "calls")
        ended_well(verge, 60)
        uas.stop()


@lab()
def stop_and_reload():
    """SIGHUP keeps calls and takes new routes, a bad file is refused; SIGTERM ends calls by BYE."""
    with Lab() as net:
        conf = config(net)
        verge = Verge(net, conf)
        hold = scenario("caller", calls.answered(se=None),
                        recv(request="BYE", timeout_ms=30000), reply(200, "OK"))
        uac, uas = peers(net, hold, calls.basic_callee(), calls=10, rate=50)
        wait_for("10 calls", lambda: verge.sum("verge_legs", state="established") == 20, 10)
        with open(verge.path, "w", encoding="utf-8") as f:
            f.write("ports: {}\nnonsense: 1\n")
        verge.process.interrupt(1)
        wait_for("refused reload", lambda: verge.sum("verge_config_reloads_total") >= 1, 5)
        expect(verge.sum("verge_calls") == 10, "calls were lost by a reload that was refused")
        conf["routes"] = [{"from": "access", "prefix": "999", "to": ["core"]}]
        verge.write(conf)
        verge.process.interrupt(1)
        wait_for("reload", lambda: verge.sum("verge_config_reloads_total") >= 2, 5)
        none = Sipp(net, "noroute", "a", ACCESS4 + "2", 5066, calls.refused_caller(404),
                    target=VERGE4, calls=1)
        none.finish(10)
        verge.stop(20)
        expect(uac.finish(10)["ok"] == 10, "BYE at SIGTERM")
        uas.stop()


def what_if_says_what_comes(net, verge):
    """vergectl what-if of a trunk with a call; then the change is made, and the next call is as was said."""
    changes = ["interval=600", "refresher=remote"]
    status, text = verge.vergectl("what-if", "access", *changes, "--json")
    expect(status == 0, text)
    said = json.loads(text)["result"]
    load = {row["figure"]: row for row in said["load"]}
    expect(said["legs"] == 1 and load["verge_refreshes"]["now"] == 1 and load["dead_peer_s"]["now"] == 90 - 30 and
           load["peer_refreshes"]["then"] == 1 and load["dead_peer_s"]["then"] == 600 - 32, f"what-if: {said}")
    status, text = verge.vergectl("what-if", "access", "se=60")
    expect(status == 1 and "90" in text, f"what-if below 90: {status} {text}")
    for change in changes:
        expect(verge.vergectl("trunk", "access", "set", f"session_timer.{change}")[0] == 0, f"set {change}")
    run = Sipp(net, "then", "a", ACCESS4 + "2", 5078, calls.caller_held(offer_se=600), target=VERGE4, calls=1,
               trace=True)
    wait_for("a second call", lambda: verge.sum("verge_legs", state="established") == 4, 10)
    call_id = run.seen()[0].header("Call-ID")
    leg = json.loads(verge.vergectl("--json", "call", call_id)[1])["result"]["legs"][0]
    expect((leg["se_s"], leg["refresher"]) == (600, "remote"), f"the call that came: {leg}")
    expect(verge.vergectl("call", call_id, "end")[0] == 0, "the second call's end")
    run.finish(10)


@lab()
def operator_commands():
    """vergectl, /metrics and --check say what is so."""
    with Lab() as net:
        conf = config(net, timer=LOCAL)
        verge = Verge(net, conf)
        hold = scenario("caller", calls.answered(), calls.hold_loop())
        uac, _ = peers(net, hold, calls.callee_held(), calls=1, trace=True)
        wait_for("the call", lambda: verge.sum("verge_legs", state="established") == 2, 10)
        call_id = uac.seen()[0].header("Call-ID")
        for words in (["status"], ["workers"], ["stats"], ["timers"], ["calls"], ["trunks"],
                      ["trunk", "core"], ["call", call_id], ["why", call_id], ["calls", "--json"]):
            status, text = verge.vergectl(*words)
            expect(status == 0 and text.strip(), f"vergectl {words}: {status} {text}")
        expect(call_id in verge.vergectl("calls")[1], "vergectl calls does not list the call")
        expect("90" in verge.vergectl("why", call_id)[1], "vergectl why says no interval")
        what_if_says_what_comes(net, verge)
        expect(verge.vergectl("call", "nobody")[0] == 1, "an unknown call is not refused")
        expect(verge.vergectl("nonsense")[0] == 2, "an unknown command is not refused")
        text = verge.get("/metrics")[1]
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                              capture_output=True, check=False)
        expect(done.returncode == 0, done.stderr + done.stdout)
        bad = os.path.join(net.dir, "bad.yaml")
        with open(bad, "w", encoding="utf-8") as f:
            f.write("ports:\n  access: { device: x, addresses: [10.0.0.1/99] }\n")
        done = subprocess.run([verge.binary, "-c", bad, "--check"], text=True, capture_output=True,
                              check=False)
        expect(done.returncode == 1, f"--check: {done.returncode}")
        expect("bad.yaml:2" in done.stderr + done.stdout, done.stderr + done.stdout)
        status, text = verge.vergectl("call", call_id, "end")
        expect(status == 0, text)
        uac.finish(10)
        expect(verge.cdr(call_id=call_id)["release"]["cause"] == "admin", "cause")
        ended_well(verge)


@lab(slow=True)
def kamailio_between():
    """A Kamailio with dialog and sst between verge and the callee: refreshes pass it, the call lives."""
    with Lab() as net:
        conf = config(net, timer=LOCAL)
        verge = Verge(net, conf)
        kamailio(net, CORE4 + "2", 5060, CORE4 + "2:5080")
        callee = Sipp(net, "uas", "c", CORE4 + "2", 5080, calls.callee_held(), trace=True)
        listening(net, "c", CORE4 + "2", 5080)
        caller = Sipp(net, "uac", "a", ACCESS4 + "2", 5060, calls.caller_held(bye_after=3),
                      target=VERGE4, calls=1, trace=True)
        caller.finish(160)  # longer than 90 s: Kamailio's own timer was moved too
        passed = [m for m in callee.seen() if not m.sent and m.method == "UPDATE"]
        expect(len(passed) >= 2, f"{len(passed)} refreshes came through Kamailio")
        ended_well(verge)


def timer_breaks(hold_ms):
    """A caller without timers that hangs up at once when an answer has Session-Expires."""
    seen = '<ereg regexp="[0-9]+" search_in="hdr" header="Session-Expires:" assign_to="se"/>'
    return scenario("device", invite(), recv(response=100, optional=True),
                    recv(response=180, optional=True), recv(response=200, rrs=True, actions=seen), ack(),
                    '<nop test="se" next="5"/>', pause(hold_ms), label(5), request("BYE"),
                    recv(response=200))


def imported_rules_config(net):
    """Trunks access and core as they are, vsxi and cube with the files of their systems."""
    conf = config(net, timer=LOCAL)
    files = os.path.join(ROOT, "tests", "golden", "convert")
    conf["rules"] = {"smc": {"import": f"smc {files}/smc-18-remove-session-expires.json"},
                     "lines": {"import": f"sip_profiles {files}/cube-hide-update.txt"},
                     "copy": {"import": f"sip_profiles {files}/cube-copy.txt"}}
    conf["trunks"]["vsxi"] = {"port": "access", "peers": [ACCESS4 + "3:5060"],
                              "rules": {"in": [], "out": ["smc"]}}
    conf["trunks"]["cube"] = {"port": "core", "peers": [CORE4 + "3:5060"],
                              "rules": {"in": ["lines"], "out": ["lines", "copy"]}}
    conf["routes"] += [{"from": "vsxi", "to": ["cube"]}, {"from": "cube", "to": ["vsxi"]}]
    return conf


@lab(slow=True)
def imported_rules():
    """A VSXi SMC profile and lines of a CUBE, unchanged: a caller that hangs up on Session-Expires
    keeps its call, a callee that lists UPDATE and refuses it is refreshed by re-INVITE at once, and
    gets what `copy` took from From and To."""
    callee = calls.callee_held(update=reply(501, "Not Implemented"))
    with Lab() as net:
        net.address("a", 3)
        net.address("c", 3)
        verge = Verge(net, imported_rules_config(net))
        core = Sipp(net, "core", "c", CORE4 + "2", 5060, callee, trace=True)
        cube = Sipp(net, "cube", "c", CORE4 + "3", 5060, callee, trace=True)
        listening(net, "c", CORE4 + "2")
        listening(net, "c", CORE4 + "3")
        broken = Sipp(net, "broken", "a", ACCESS4 + "2", 5062, timer_breaks(55000), target=VERGE4,
                      calls=1, trace=True)
        cured = Sipp(net, "cured", "a", ACCESS4 + "3", 5060, timer_breaks(55000), target=VERGE4,
                     calls=1, trace=True)
        held = Sipp(net, "held", "a", ACCESS4 + "2", 5060, calls.caller_held(bye_after=2),
                    target=VERGE4, calls=1, trace=True)
        for run in (broken, cured, held):
            run.finish(120)
        wait_for("three CDRs", lambda: len(verge.cdrs()) == 3, 10, 0.2)
        lasted = {c["ingress"]["source"]: c["duration_s"] for c in verge.cdrs()}
        # the problems, where nothing is imported
        expect(lasted[ACCESS4 + "2:5062"] < 5, f"the device did not mind Session-Expires: {lasted}")
        expect([m for m in core.seen() if not m.sent and m.method == "UPDATE"], "no UPDATE was tried")
        # and cured, where it is
        near("duration of the cured call", lasted[ACCESS4 + "3:5060"], 54, 60)
        answer = next(m for m in cured.seen() if m.code == 200)
        expect(answer.header("Session-Expires") is None, answer.text)
        expect(not [m for m in cube.seen() if not m.sent and m.method == "UPDATE"], "UPDATE was tried")
        found = [m for m in cube.seen() if not m.sent and m.method == "INVITE"]
        expect(len(found) >= 2 and found[1].header("Session-Expires"), "no refresh by re-INVITE")
        expect("UPDATE" not in found[0].header("Allow"), found[0].text)
        # copy: the caller's user of From, the number called of To and of the Request-URI
        expect(found[0].header("P-Asserted-Identity") == "<sip:alice@pbx.example>", found[0].text)
        expect(found[0].text.startswith("INVITE sip:00" + found[0].header("X-Dialed").split(";")[0]),
               found[0].text)
        expect(found[0].header("X-Dialed").endswith(";by=alice"), found[0].text)
        expect(found[1].header("P-Asserted-Identity") is None, "a re-INVITE begins no call")
        ended_well(verge)
