# SPDX-License-Identifier: BSD-3-Clause
"""Live tests of what is full: tables, memory for text, message buffers, the rings between workers and
to control. Each time new calls get 503 and are counted, the calls that are there stay, and afterwards
everything is back at its level and calls are taken again. And of what vanishes: ports."""

import time

import calls
from case import expect, lab
from hand import HandCall, HandSocket, header
from lab import ACCESS4, CORE4, Lab, wait_for
from lab_cases import LOCAL, VERGE4, ended_well, peers
from sipp import (Sipp, ack, cancel, invite, label, late_reply, goto, pause, recv, remember, reply,
                  request, scenario, sdp, trying)
from peer import listening
from system_cases import stopped_thread, thread_named
from verge import Verge, config

REFUSED = ack(target="sip:[service]@[remote_ip]:[remote_port]")


def caller_or_503(hold_ms, body=None):
    """A call of hold_ms, or a refusal with 503, which is no failure; with 500, if it was being set up
    when the last memory went, which the answer would have needed."""
    return scenario(
        "caller", invite(body=body), recv(response=100, optional=True),
        recv(response=503, optional=True, to=5), recv(response=180, optional=True),
        recv(response=500, optional=True, to=5), recv(response=200, rrs=True), ack(), pause(hold_ms), request("BYE"), recv(response=200), goto(6),
        label(5), REFUSED, label(6))


def refused(verge, reason):
    return verge.sum("verge_refused_total", reason=reason)


def answered(verge):
    return verge.sum("verge_calls_total", trunk="access", result="answered")


def calls_again(net, verge):
    """After it was full: new calls are taken."""
    run = Sipp(net, "again", "a", ACCESS4 + "2", 5077, calls.basic_caller(100), target=VERGE4, calls=10,
               rate=50)
    expect(run.finish(20)["ok"] == 10, "calls afterwards")
    ended_well(verge, 60)


def hand_calls(hands, n):
    held = [HandCall(hands, f"held-{i}") for i in range(n)]
    for call in held:
        expect(call.do("INVITE", "sendrecv") == 200, "a call by hand")
    return held


def answering(net):
    """A callee that answers what calls by hand do, however often, until BYE."""
    uas = Sipp(net, "uas", "c", CORE4 + "2", 5060, calls.callee_held(se=None, idle_ms=120000))
    listening(net, "c", CORE4 + "2")
    return uas


@lab(load=True)
def leg_text_full():
    """Long SDP fills the memory for leg text: 503 to new calls, the calls that are there end as ever."""
    with Lab() as net:
        conf = config(net, capacity=1000)
        conf["system"]["capacity"]["leg_text"] = 512
        verge = Verge(net, conf)
        long_body = sdp(extra_lines=45)
        uac, uas = peers(net, caller_or_503(5000, long_body), calls.basic_callee(body=long_body),
                         calls=450, rate=110)
        wait_for("503", lambda: refused(verge, "arena") > 0, 20)
        there = verge.sum("verge_legs", state="established") / 2
        expect(there >= 20, f"{there} calls when the first was refused")
        expect(uac.finish(40)["ok"] == 450, "calls")
        no = refused(verge, "arena")
        expect(answered(verge) >= there, f"{answered(verge)} answered, {no} refused")
        wait_for("CDRs", lambda: len(verge.cdrs()) == 450, 10)
        expect(uas.counts()["failed"] == 0, f"callee: {uas.counts()}")
        calls_again(net, verge)


def ringing_callee():
    return scenario(
        "ringing", recv(request="INVITE", rrs=True, actions=remember("via")), trying(),
        reply(180, "Ringing", initial=True), recv(request="CANCEL"), reply(200, "OK"),
        late_reply(487, "Request Terminated"), recv(request="ACK"))


def ringing_caller(ms):
    """An INVITE of 3,000 bytes that rings for a while and is cancelled, or is refused with 503."""
    return scenario(
        "caller", invite(body=sdp(extra_lines=45)), recv(response=100, optional=True),
        recv(response=503, optional=True, to=5), recv(response=180), pause(ms), cancel(5),
        recv(response=200), recv(response=487), REFUSED, goto(6), label(5), REFUSED, label(6))


@lab(load=True)
def buffers_few():
    """INVITEs of 3,000 bytes that ring hold the large message buffers: before the last ones are gone new
    calls get 503; calls that are there change their media and end, and everything comes back."""
    with Lab() as net:
        conf = config(net, capacity=1000)
        conf["trunks"]["ringing"] = {"port": "core", "peers": [CORE4 + "2:5070"]}
        conf["routes"].insert(0, {"from": "access", "prefix": "9", "to": ["ringing"]})
        verge = Verge(net, conf)
        uas = answering(net)
        ringing = Sipp(net, "ringing", "c", CORE4 + "2", 5070, ringing_callee())
        listening(net, "c", CORE4 + "2", 5070)
        hands = HandSocket(net)
        held = hand_calls(hands, 5)
        flood = Sipp(net, "flood", "a", ACCESS4 + "2", 5075, ringing_caller(8000), target=VERGE4,
                     calls=800, rate=150, service="9001")
        wait_for("503", lambda: refused(verge, "buffers") > 0, 30)
        for call in held:
            expect(call.do("INVITE", "sendonly") == 200, "a change of media while buffers are few")
        left = verge.sum("verge_mbufs", kind="all", pool="large") - \
            verge.sum("verge_mbufs", kind="used", pool="large")
        expect(left > 0, "no large buffer is left, and so nothing to receive with")
        for call in held:
            expect(call.do("BYE") == 200, "BYE while buffers are few")
        expect(flood.finish(60)["ok"] == 800, "calls that rang or were refused")
        expect(refused(verge, "buffers") > 50, f"{refused(verge, 'buffers')} refused")
        expect(verge.sum("verge_packets_total", verdict="drop_no_mbuf") == 0, "packets found no buffer")
        uas.stop()
        ringing.stop()
        hands.close()
        peers_again(net)
        calls_again(net, verge)


def peers_again(net):
    Sipp(net, "uas-again", "c", CORE4 + "2", 5060, calls.basic_callee())
    listening(net, "c", CORE4 + "2")


@lab(load=True)
def hand_over_ring_full():
    """One of two workers stands still until its hand-over ring is full: the other answers 503 to what is
    new, its own calls go on at once, those of the first when it goes on, none is lost."""
    with Lab() as net:
        conf = config(net, workers=2)
        conf["routes"] = [{"from": "access", "prefix": "1", "to": ["core"]}]  # the flood goes nowhere
        verge = Verge(net, conf)
        uas = answering(net)
        hands = HandSocket(net)
        held = hand_calls(hands, 16)
        wait_for("calls of both workers", lambda: all(
            verge.sum("verge_worker_legs", worker=w) >= 4 for w in ("0", "1")), 5)
        flood = HandSocket(net, 5071)
        codes = {}
        with stopped_thread(thread_named(verge, "worker-2")):
            for i in range(9000):
                flood.send(flood.outside("INVITE" if i % 10 == 0 else "OPTIONS", f"flood{i}", "404"))
                if i % 20 == 0:
                    time.sleep(0.005)
            wait_for("503", lambda: refused(verge, "overload") > 0, 10)
            while text := flood.receive(0.3):
                code = text.split(" ")[1]
                codes[code] = codes.get(code, 0) + 1
                if code == "503":
                    expect(header(text, "Retry-After"), "503 has no Retry-After")
            expect(codes.get("503", 0) >= 100, f"{codes}")
            waiting, went = [], 0
            for call in held:
                sent = call.begin("INFO")
                try:
                    expect(call.end(sent, 0.3) == 200, "INFO")
                    went += 1
                except Exception as error:  # its worker stands still: answered later
                    expect("no answer" in str(error), str(error))
                    waiting.append((call, sent))
            expect(went >= 1 and waiting, f"{went} calls went on, {len(waiting)} wait")
        for call, sent in waiting:
            expect(call.end(sent) == 200, "INFO when the worker goes on")
        for call in held:
            expect(call.do("BYE") == 200, "BYE")
        lost = verge.sum("verge_packets_total", verdict="drop_handoff_full")
        expect(lost == verge.sum("verge_ring_drops_total", ring="handoff"), "two counts of one thing")
        uas.stop()
        hands.close()
        flood.close()
        peers_again(net)
        calls_again(net, verge)


@lab(load=True)
def control_stands_still():
    """Control stands still until the rings to it are full: calls go on, then new ones get 503; when it
    goes on it has every CDR."""
    with Lab() as net:
        verge = Verge(net, config(net, capacity=4000))
        with stopped_thread(verge.process.pid):
            uac, uas = peers(net, caller_or_503(100), calls.basic_callee(), calls=2600, rate=320)
            counts = uac.finish(40)
            # the last calls' BYE came before
        expect(counts["ok"] == 2600, f"{counts}")
        wait_for("metrics", lambda: verge.sum("verge_ring_used", ring="records") == 0, 20)
        no = refused(verge, "overload")
        expect(no > 0, "nothing was refused")
        expect(verge.sum("verge_ring_late_total", ring="records") > 0, "no ring was full")
        expect(verge.sum("verge_ring_lost_total") == 0, "messages to control were lost")
        expect(answered(verge) + no == 2600, f"{answered(verge)} answered, {no} refused")
        wait_for("CDRs", lambda: len(verge.cdrs()) == answered(verge), 10)
        expect(uas.counts()["failed"] == 0, f"callee: {uas.counts()}")
        calls_again(net, verge)


@lab()
def port_deleted():
    """The callees' interface is deleted under verge: the calls stay, the callers' legs go on, BYE ends
    them as the timers say, and verge stops in order."""
    with Lab() as net:
        verge = Verge(net, config(net, timer=LOCAL))
        answering(net)
        hands = HandSocket(net)
        held = hand_calls(hands, 5)
        net.ip("s", "link", "del", "s1")
        wait_for("port down", lambda: verge.sum("verge_port_up") == 1, 10)
        time.sleep(1)
        expect(verge.sum("verge_legs", state="established") == 10, "calls did not stay")
        for call in held:
            expect(call.do("UPDATE") == 200, "the living leg")
        for call in held:
            expect(call.do("BYE") == 200, "BYE")
        wait_for("CDRs", lambda: len(verge.cdrs()) == 5, 45)
        expect({c["release"]["cause"] for c in verge.cdrs()} == {"normal"}, "causes")
        hands.close()
        ended_well(verge, 60)
