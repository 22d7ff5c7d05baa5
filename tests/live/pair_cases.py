# SPDX-License-Identifier: BSD-3-Clause
"""Live tests of one call at a time: two peers, the caller on the access side, behind a verge that
all of these share. ctx: sipp(), nua(), verge, access and core (the peers' addresses)."""

import signal
import time

import calls
from case import expect, near, pair
from lab import ACCESS4, wait_for
from sipp import (ALLOW_NO_UPDATE, CALLEE, OUTSIDE, ack, answer_timer, cancel, goto, invite, label, late_reply,
                  pause, recv, remember, reply, request, scenario, sdp, trying)

LOCAL = {"interval": 90, "refresher": "local"}
REMOTE = {"interval": 90, "refresher": "remote"}
LOCAL_INVITE = {"interval": 90, "refresher": "local", "method": "invite"}


def refreshes(run, method):
    """Refreshes that a SIPp peer received: requests with a To tag and Session-Expires."""
    return [m for m in run.seen() if not m.sent and m.method == method and
            "tag=" in (m.header("To") or "") and m.header("Session-Expires")]


def end_of(run):
    """The BYE that a peer received; AssertionError if there was none."""
    byes = [m for m in run.seen() if not m.sent and m.method == "BYE"]
    expect(byes, f"{run.name} got no BYE: {[m.first for m in run.seen()][-6:]}")
    return byes[0]


def answered_at(run):
    """When the 2xx to the INVITE passed, on a peer's clock."""
    return next(m.time for m in run.seen() if m.code == 200 and "INVITE" in m.header("CSeq"))


def call_id(run):
    return next(m.header("Call-ID") for m in run.seen())


def gaps(times):
    return [round(b - a, 2) for a, b in zip(times, times[1:])]


def check_refreshed(run, method, least):
    found = refreshes(run, method)
    expect(len(found) >= least, f"{run.name}: {len(found)} {method} refreshes, not {least}")
    for message in found:
        expect(message.header("Session-Expires").startswith("90"), message.header("Session-Expires"))
    times = [answered_at(run)] + [m.time for m in found]
    # refresh_at 0.5 of 90 s, up to 5 % of the interval earlier
    for gap in gaps(times):
        near(f"{run.name}: time between refreshes", gap, 40.0, 46.0)
    return found


@pair(access=LOCAL, core=LOCAL, slow=True)
def held_update(ctx):
    """Verge refreshes both legs by UPDATE; the call lives for 5 minutes."""
    callee = ctx.callee(calls.callee_held())
    caller = ctx.caller(calls.caller_held(bye_after=7))
    caller.finish(330)
    for run in (caller, callee):
        found = check_refreshed(run, "UPDATE", 6)
        expect(all(not m.body().strip() for m in found), "an UPDATE refresh had a body")
    record = ctx.cdr(caller)
    expect(record["release"]["by"] == "ingress", record["release"])
    expect(record["release"]["cause"] == "normal", record["release"])
    near("duration_s", record["duration_s"], 280, 330)
    for leg in record["legs"]:
        expect(leg["session_timer_refreshes"]["sent"] >= 6, leg)
        expect(leg["session_timer_refreshes"]["failed"] == 0, leg)


@pair(access=LOCAL_INVITE, core=LOCAL_INVITE, slow=True)
def held_reinvite(ctx):
    """Refreshes by re-INVITE carry the session's last SDP, byte for byte, each time."""
    callee = ctx.callee(calls.callee_held(allow=ALLOW_NO_UPDATE))
    caller = ctx.caller(calls.caller_held(bye_after=3))
    caller.finish(200)
    for run, least in ((caller, 3), (callee, 2)):
        found = check_refreshed(run, "INVITE", least)
        bodies = {m.body() for m in found}
        expect(len(bodies) == 1, f"{run.name}: SDP of refreshes differs: {bodies}")
        first = next(m for m in run.seen() if not m.sent and "m=audio" in m.text)
        origin = next(line for line in first.body().split("\n") if line.startswith("o="))
        expect(origin in found[0].body(), f"o= changed: {origin} / {found[0].body()}")


@pair(access=REMOTE, core=REMOTE, slow=True)
def peers_refresh(ctx):
    """Both peers refresh; each is answered here, nothing crosses."""
    callee = ctx.callee(calls.callee_refreshing("INVITE", 40000, 2))
    caller = ctx.caller(calls.caller_refreshing("UPDATE", 39000, 3))
    caller.finish(200)
    callee.finish_one(20)
    for run in (caller, callee):
        foreign = [m.first for m in run.seen() if not m.sent and m.method in ("UPDATE", "INVITE")
                   and "tag=" in (m.header("To") or "")]
        expect(not foreign, f"{run.name}: a refresh crossed: {foreign}")
    record = ctx.cdr(caller)
    received = [leg["session_timer_refreshes"]["received"] for leg in record["legs"]]
    expect(received == [3, 2], f"received refreshes: {received}")


@pair(access=LOCAL, core=LOCAL, slow=True)
def nua_calls(ctx):
    """Sofia-SIP calls, SIPp answers: 5 minutes, the timer kept on both legs."""
    callee = ctx.callee(calls.callee_held())
    agent = ctx.nua_caller("--duration", "302", "--refresher", "any")
    expect(agent.wait(330) == 0, agent.tail())
    check_refreshed(callee, "UPDATE", 6)
    events = ctx.events(agent)
    got = [e for e in events if e["event"] == "update_received"]
    expect(len(got) >= 6, f"Sofia-SIP got {len(got)} refreshes: {events[-8:]}")
    expect(not [e for e in events if e["event"] == "bye_received"], "verge ended the call")


@pair(access=LOCAL, core=LOCAL, slow=True)
def nua_answers(ctx):
    """SIPp calls, Sofia-SIP answers: 5 minutes, the timer kept on both legs."""
    agent = ctx.nua_callee("--refresher", "any")
    caller = ctx.caller(calls.caller_held(bye_after=7))
    caller.finish(330)
    expect(agent.wait(20) == 0, agent.tail())
    check_refreshed(caller, "UPDATE", 6)
    got = [e for e in ctx.events(agent) if e["event"] == "update_received"]
    expect(len(got) >= 6, f"Sofia-SIP got {len(got)} refreshes")


@pair(access=LOCAL, core=LOCAL, slow=True)
def linphone_calls(ctx):
    """Linphone calls, SIPp answers: verge refreshes both legs three times, the caller hangs up."""
    callee = ctx.callee(calls.callee_held())
    phone = ctx.linphone("a")
    phone.say(f"call sip:1001@{ACCESS4}1")
    phone.reached("StreamsRunning", 10)
    time.sleep(145)
    expect("End" not in phone.states(), f"Linphone's call has ended: {phone.states()}")
    phone.say("terminate")
    phone.reached("Released", 10)
    callee.finish_one(10)
    check_refreshed(callee, "UPDATE", 3)
    record = ctx.verge.cdr(trunk="a-linphone-calls")
    expect(record["release"]["cause"] == "normal" and record["release"]["by"] == "ingress", record)
    leg = record["legs"][0]
    expect(leg["se_s"] == 90 and leg["session_timer_refreshes"]["sent"] >= 3 and
           leg["session_timer_refreshes"]["failed"] == 0, f"Linphone's leg: {leg}")


@pair(access=LOCAL, core=REMOTE, slow=True)
def linphone_answers(ctx):
    """SIPp calls, Linphone answers and refreshes its leg itself, twice."""
    phone = ctx.linphone("c", answers=True)
    caller = ctx.caller(calls.caller_held(bye_after=3))
    caller.finish(200)
    phone.reached("Released", 10)
    record = ctx.cdr(caller)
    expect(record["release"]["cause"] == "normal" and record["release"]["by"] == "ingress", record)
    leg = record["legs"][1]
    expect(leg["se_s"] == 90 and leg["session_timer_refreshes"]["received"] == 2, f"Linphone's leg: {leg}")


@pair(access=REMOTE, core=REMOTE, slow=True)
def nua_refreshes_and_holds(ctx):
    """Sofia-SIP on both sides refreshes by re-INVITE; hold crosses, refreshes do not."""
    callee = ctx.nua_callee("--refresher", "local", "--method", "invite")
    caller = ctx.nua_caller("--refresher", "local", "--method", "invite", "--hold", "3", "--resume",
                            "6", "--duration", "115")
    expect(caller.wait(150) == 0, caller.tail())
    expect(callee.wait(20) == 0, callee.tail())
    crossed = [e for e in ctx.events(callee) if e["event"] == "reinvite_received"]
    expect(len(crossed) == 2, f"hold and resume have to cross, nothing else: {crossed}")
    answered = [e for e in ctx.events(caller) if e["event"] == "reinvite_answered"
                and e.get("status") == 200]
    expect(len(answered) >= 4, f"hold, resume and two refreshes: {answered}")


@pair(access=LOCAL, core=LOCAL, slow=True)
def killed_callee_verge_refreshes(ctx):
    """The callee dies, verge's refresh stays unanswered: BYE on the living leg when a third of the
    interval is left (RFC 4028 s10; UPDATE and re-INVITE have been tried by then)."""
    callee = ctx.callee(calls.callee_held())
    caller = ctx.caller(calls.dead_caller())
    ctx.answered(caller)
    callee.kill()
    caller.finish(110)
    bye = end_of(caller)
    near("BYE after the answer", bye.time - answered_at(caller), 59.8, 61.0)
    expect("Reason" in bye.text, "BYE has no Reason")
    record = ctx.cdr(caller)
    expect(record["release"]["by"] == "verge", record["release"])
    expect(record["release"]["cause"] == "refresh_failure", record["release"])
    expect("Refresh Failure" in record["release"]["sentence"], record["release"])
    expect([a["method"] for a in record["legs"][1]["attempts"]] == ["UPDATE", "INVITE"], record["legs"])


@pair(access=LOCAL, core=LOCAL, slow=True)
def killed_nua_callee(ctx):
    """Sofia-SIP answers and is killed: verge's refresh stays unanswered, the SIPp caller gets BYE."""
    agent = ctx.nua_callee("--refresher", "any")
    caller = ctx.caller(calls.dead_caller())
    ctx.answered(caller)
    agent.interrupt(signal.SIGKILL)
    caller.finish(110)
    near("BYE after the answer", end_of(caller).time - answered_at(caller), 59.8, 61.0)
    expect(ctx.cdr(caller)["release"]["cause"] == "refresh_failure", "cause")


@pair(access=REMOTE, core=LOCAL, slow=True)
def killed_nua_caller(ctx):
    """Sofia-SIP calls, has to refresh and is killed: the SIPp callee gets BYE 30 s before expiry."""
    callee = ctx.callee(calls.callee_held())
    agent = ctx.nua_caller("--duration", "302", "--refresher", "local")
    # its ACK has left: before, it would be a call that was never confirmed
    wait_for("ready", lambda: [e for e in ctx.events(agent) if e.get("state") == "ready"], 10)
    time.sleep(0.5)
    agent.interrupt(signal.SIGKILL)
    callee.finish_one(110)
    near("BYE after the answer", end_of(callee).time - answered_at(callee), 59.8, 61.0)
    record = ctx.verge.cdr(trunk="a-killed-nua-caller")
    expect(record["release"]["cause"] == "session_expired", record["release"])


@pair(access=LOCAL, core=REMOTE, slow=True)
def killed_callee_peer_refreshes(ctx):
    """The callee had to refresh and dies: BYE on both legs 30 s before expiry (RFC 4028 s10)."""
    callee = ctx.callee(calls.callee_held(refresher="uas"))
    caller = ctx.caller(calls.dead_caller())
    ctx.answered(caller)
    callee.kill()
    caller.finish(110)
    bye = end_of(caller)
    near("BYE after the answer", bye.time - answered_at(caller), 59.8, 61.0)
    expect("Reason" in bye.text, "BYE has no Reason")
    record = ctx.cdr(caller)
    expect(record["release"]["cause"] == "session_expired", record["release"])


@pair(access=REMOTE, core=LOCAL, slow=True)
def killed_caller_peer_refreshes(ctx):
    """The caller had to refresh and dies: the callee is told."""
    callee = ctx.callee(calls.callee_held())
    caller = ctx.caller(calls.dead_caller())
    ctx.answered(caller)
    began = answered_at(caller)
    caller.kill()
    callee.finish_one(110)
    near("BYE after the answer", end_of(callee).time - began, 59.8, 61.0)
    expect(ctx.cdr(caller)["release"]["cause"] == "session_expired", "cause")


def update_refused(ctx, code, reason):
    """UPDATE is refused: the refresh goes on as re-INVITE and the call lives."""
    callee = ctx.callee(calls.callee_held(update=reply(code, reason), bye_after=None))
    caller = ctx.caller(calls.caller_held(bye_after=2))
    caller.finish(130)
    expect(refreshes(callee, "UPDATE"), "no UPDATE was tried")
    expect(refreshes(callee, "INVITE"), "no re-INVITE followed")
    record = ctx.cdr(caller)
    expect(record["release"]["cause"] == "normal", record["release"])


@pair(access=LOCAL, core=LOCAL, slow=True)
def update_405(ctx):
    """UPDATE refused with 405: re-INVITE follows, the call lives."""
    update_refused(ctx, 405, "Method Not Allowed")


@pair(access=LOCAL, core=LOCAL, slow=True)
def update_488(ctx):
    """UPDATE refused with 488: re-INVITE follows, the call lives."""
    update_refused(ctx, 488, "Not Acceptable Here")


@pair(access=LOCAL, core=LOCAL, slow=True)
def update_500(ctx):
    """UPDATE refused with 500 each time: the call lives all the same."""
    ctx.callee(calls.callee_held(update=reply(500, "Server Internal Error")))
    caller = ctx.caller(calls.caller_held(bye_after=2))
    caller.finish(130)
    expect(ctx.cdr(caller)["release"]["cause"] == "normal", "the call was not kept")


@pair(access=LOCAL, core=LOCAL, slow=True)
def refresh_481(ctx):
    """The callee has forgotten the call: 481 to UPDATE is doubted, to the re-INVITE it is believed,
    and both legs are ended at once."""
    gone = "Call/Transaction Does Not Exist"
    callee = ctx.callee(scenario(
        "callee", calls.ring_and_answer(extra=answer_timer(90, "uac")),
        recv(request="UPDATE", timeout_ms=60000), reply(481, gone),
        recv(request="INVITE", timeout_ms=5000), reply(481, gone, retrans=500),
        recv(request="ACK"), recv(request="BYE", timeout_ms=5000), reply(481, gone)))
    caller = ctx.caller(calls.dead_caller())
    caller.finish(80)
    callee.finish_one(5)
    refused = [m.time for m in callee.seen() if m.code == 481 and "INVITE" in m.header("CSeq")]
    near("BYE on the other leg after 481", end_of(caller).time - refused[0], -0.1, 1.0)
    expect(ctx.cdr(caller)["release"]["cause"] == "refresh_dialog_gone", "cause")


@pair(access=LOCAL, core=LOCAL_INVITE, slow=True)
def glare_491(ctx):
    """491 to a re-INVITE refresh: tried again after the back-off of RFC 3261 s14.1."""
    first = scenario(
        "callee", calls.ring_and_answer(extra=answer_timer(90, "uac")),
        recv(request="INVITE", timeout_ms=60000),
        reply(491, "Request Pending", retrans=500), recv(request="ACK"),
        recv(request="INVITE", timeout_ms=6000),
        reply(200, "OK", extra=answer_timer(90, "uac"), body=sdp(), retrans=500),
        recv(request="ACK"), calls.hold_loop(side=CALLEE))
    callee = ctx.callee(first)
    caller = ctx.caller(calls.caller_held(bye_after=2))
    caller.finish(130)
    tries = [m.time for m in refreshes(callee, "INVITE")]
    expect(len(tries) >= 2, f"tries at {tries}")
    # verge made the Call-ID of this leg: its owner waits 2.1 to 4 s.
    near("back-off", tries[1] - tries[0], 2.0, 4.3)


@pair(access=LOCAL, core=LOCAL, slow=True)
def silent_update(ctx):
    """UPDATE is swallowed, re-INVITE answered: the call survives the refresh."""
    callee = ctx.callee(calls.callee_held(update=pause(1)))
    caller = ctx.caller(calls.caller_held(bye_after=2))
    caller.finish(130)
    expect(refreshes(callee, "UPDATE"), "no UPDATE was tried")
    expect(refreshes(callee, "INVITE"), "no re-INVITE followed")
    expect(ctx.cdr(caller)["release"]["cause"] == "normal", "the call was not kept")


@pair(access=LOCAL_INVITE, core=LOCAL_INVITE, slow=True)
def hold_across_refresh(ctx):
    """Hold crosses; the refresh after it says hold too; resume crosses. The callee's leg is refreshed
    within 4.5 s of the caller's (jitter), before the caller resumes."""
    def offer(version, direction):
        return (request("INVITE", extra="Supported: timer\n", body=sdp(version, direction)) +
                recv(response=100, optional=True) + recv(response=200, rrs=True) + ack())
    caller = scenario(
        "caller", calls.answered(), pause(1000), offer(2, "sendonly"),
        recv(request="INVITE", timeout_ms=60000),
        reply(200, "OK", extra=answer_timer(90, "uac"), body=sdp(2, "sendonly"), retrans=500),
        recv(request="ACK"), pause(6000), offer(3, "sendrecv"), pause(500), request("BYE"),
        recv(response=200))
    callee = ctx.callee(calls.callee_held(allow=ALLOW_NO_UPDATE, body=sdp(2, "recvonly")))
    run = ctx.caller(caller)
    run.finish(100)
    offers = [m.body() for m in callee.seen() if not m.sent and m.method == "INVITE"]
    held = [i for i, body in enumerate(offers) if "a=sendonly" in body]
    expect(len(offers) >= 4 and len(held) >= 2, f"offers on the callee's leg: {offers}")
    expect(offers[held[0]] == offers[held[1]], "the refresh changed the SDP of the hold")
    expect("a=sendrecv" in offers[-1], "resume did not cross")


@pair(access=LOCAL, core=LOCAL, slow=True)
def offerless_reinvite(ctx):
    """A re-INVITE without SDP: an offer comes in the 2xx, the answer in the ACK; the call lives."""
    caller = scenario(
        "caller", calls.answered(), pause(1000),
        request("INVITE", extra="Supported: timer\n"), recv(response=100, optional=True),
        recv(response=200, rrs=True), ack(sdp(2)),
        pause(1000), request("BYE"), recv(response=200))
    ctx.callee(calls.callee_held())
    run = ctx.caller(caller)
    run.finish(30)
    answers = [m for m in run.seen() if m.code == 200 and "INVITE" in m.header("CSeq")]
    expect(len(answers) == 2 and "m=audio" in answers[1].body(), "no offer in the 2xx")


@pair(core=LOCAL)
def interval_422_from_callee(ctx):
    """The callee wants 120 s (422): verge asks again with 120, the caller notices nothing."""
    callee = scenario(
        "callee", recv(request="INVITE"), trying(),
        reply(422, "Session Interval Too Small", extra="Min-SE: 120\n", initial=True, retrans=500),
        recv(request="ACK"), recv(request="INVITE", rrs=True),
        reply(200, "OK", initial=True, extra=answer_timer(120, "uac"), body=sdp(), retrans=500),
        recv(request="ACK"), recv(request="BYE"), reply(200, "OK"))
    run = ctx.callee(callee)
    ctx.caller(calls.basic_caller(se=None)).finish(20)
    again = [m for m in run.seen() if m.method == "INVITE"][-1]
    expect(again.header("Session-Expires").startswith("120"), again.header("Session-Expires"))
    expect(again.header("Min-SE") == "120", again.header("Min-SE"))


@pair(access={"interval": 1800, "min_interval": 100})
def interval_422_to_caller(ctx):
    """The caller offers less than min_interval: 422 with Min-SE, then the call succeeds."""
    ctx.callee(calls.basic_callee())
    caller = scenario(
        "caller", invite(se=90), recv(response=100, optional=True), recv(response=422),
        ack(target="sip:[service]@[remote_ip]:[remote_port]"),
        calls.answered(se=100), pause(300), request("BYE"), recv(response=200))
    run = ctx.caller(caller)
    run.finish(20)
    refused = next(m for m in run.seen() if m.code == 422)
    expect(refused.header("Min-SE") == "100", refused.header("Min-SE"))


@pair()
def busy(ctx):
    """486 crosses to the caller, who ACKs; nothing is left."""
    ctx.callee(calls.refusing_callee(486, "Busy Here"))
    run = ctx.caller(calls.refused_caller(486))
    run.finish(20)
    expect(ctx.cdr(run)["release"]["cause"] == "busy", "cause")


@pair()
def cancelled(ctx):
    """CANCEL while it rings: 487 on both legs."""
    callee = ctx.callee(scenario(
        "callee", recv(request="INVITE", rrs=True, actions=remember("via")),
        reply(180, "Ringing", initial=True), recv(request="CANCEL"), reply(200, "OK"),
        late_reply(487, "Request Terminated"), recv(request="ACK")))
    run = ctx.caller(scenario(
        "caller", invite(), recv(response=100, optional=True), recv(response=180), pause(200),
        cancel(4), recv(response=200), recv(response=487),
        ack(target="sip:[service]@[remote_ip]:[remote_port]")))
    run.finish(20)
    callee.finish_one(5)
    expect(ctx.cdr(run)["release"]["cause"] == "cancelled", "cause")


@pair()
def cancel_race(ctx):
    """CANCEL and 200 cross, sooner or later by some ms: no side is left with half a call."""
    callee = scenario(
        "callee", recv(request="INVITE", rrs=True, actions=remember("via")),
        reply(180, "Ringing", initial=True), '<pause distribution="uniform" min="190" max="210"/>',
        late_reply(200, "OK", sdp()),
        label(1), recv(request="CANCEL", optional=True, to=2), recv(request="ACK", optional=True, to=1),
        recv(request="BYE", to=3),
        label(2), reply(481, "Call/Transaction Does Not Exist"), goto(1),
        label(3), reply(200, "OK"))
    caller = scenario(
        "caller", invite(), recv(response=100, optional=True), recv(response=180, rrs=True),
        '<pause distribution="uniform" min="190" max="210"/>', cancel(4),
        # 200 to the CANCEL, and either 487 or the answer to the INVITE, in any order.
        label(1), recv(response=487, optional=True, to=3, timeout_ms=3000, on_timeout=4),
        recv(response=481, optional=True, to=1), recv(response=200, rrs=True, to=1),
        label(3), ack(target="sip:[service]@[remote_ip]:[remote_port]", cseq="1"), goto(9),
        label(4), ack(cseq="1"), request("BYE", cseq="2"), recv(response=200), label(9))
    ctx.callee(callee)
    ctx.caller(caller, calls=20, rate=10).finish(30)


@pair()
def early_media_prack(ctx):
    """180, reliable 183 with SDP, PRACK, 200: RAck is translated between the legs."""
    ctx.callee(calls.early_media_callee())
    ctx.caller(calls.early_media_caller()).finish(20)


@pair()
def info_and_refer(ctx):
    """INFO, REFER and its NOTIFY cross; Refer-To arrives."""
    notify = request("NOTIFY", CALLEE, body="SIP/2.0 200 OK\n",
                     extra="Event: refer\nSubscription-State: terminated;reason=noresource\n")
    notify = notify.replace("application/sdp", "message/sipfrag")
    callee = ctx.callee(scenario(
        "callee", calls.ring_and_answer(), recv(request="INFO"), reply(200, "OK"),
        recv(request="REFER"), reply(202, "Accepted"), notify, recv(response=200),
        recv(request="BYE"), reply(200, "OK")))
    run = ctx.caller(scenario(
        "caller", calls.answered(se=None), request("INFO"), recv(response=200),
        request("REFER", extra="Refer-To: <sip:1003@[remote_ip]>\n"), recv(response=202),
        recv(request="NOTIFY"), reply(200, "OK", contact="alice"), request("BYE"),
        recv(response=200)))
    run.finish(20)
    refer = next(m for m in callee.seen() if m.method == "REFER")
    expect("1003@" in refer.header("Refer-To"), refer.header("Refer-To"))


@pair()
def big_invite(ctx):
    """An INVITE of more than 3,000 bytes comes and goes in fragments, whole."""
    callee = ctx.callee(calls.basic_callee(body=sdp(extra_lines=40)))
    run = ctx.caller(calls.basic_caller(body=sdp(extra_lines=45)))
    run.finish(20)
    arrived = next(m for m in callee.seen() if m.method == "INVITE")
    expect(len(arrived.text) > 3000, f"{len(arrived.text)} bytes arrived")
    expect(arrived.body().count("a=candidate:") == 45, "lines are missing")
    answer = next(m for m in run.seen() if m.code == 200 and "m=audio" in m.text)
    expect(answer.body().count("a=candidate:") == 40, "lines of the answer are missing")


@pair()
def spellings_of_users(ctx):
    """Users that a careless B2BUA breaks arrive as they were written."""
    for user in ("+12125551234", "1001;phone-context=+1", "a.b_c~d!*'()", "al%40ice", "%23123",
                 "1001;tgrp=x;trunk-context=y", "a=b&c+d$e,f/g"):
        callee = ctx.callee(calls.basic_callee())
        ctx.caller(calls.basic_caller(pause_ms=50, user=user)).finish(20)
        arrived = next(m for m in callee.seen() if m.method == "INVITE")
        expect(f"sip:{user}@" in arrived.first, f"{user} arrived as {arrived.first}")
        callee.stop()


@pair()
def refused_methods(ctx):
    """OPTIONS is answered, REGISTER gets 405 with Allow, unknown Require 420, Max-Forwards 0 483."""
    verge = "sip:[remote_ip]:[remote_port]"
    refused = ack(target="sip:[service]@[remote_ip]:[remote_port]")
    run = ctx.caller(scenario(
        "caller", request("OPTIONS", OUTSIDE, target=verge), recv(response=200),
        request("REGISTER", OUTSIDE, target=verge), recv(response=405),
        invite(extra="Require: teleportation\n"), recv(response=100, optional=True),
        recv(response=420), refused,
        invite().replace("Max-Forwards: 70", "Max-Forwards: 0"), recv(response=100, optional=True),
        recv(response=483), refused))
    run.finish(20)
    by_code = {m.code: m for m in run.seen() if m.code}
    expect("INVITE" in (by_code[405].header("Allow") or ""), "405 has no Allow")
    expect("teleportation" in (by_code[420].header("Unsupported") or ""), "420 has no Unsupported")


@pair()
def both_hang_up(ctx):
    """BYE from both sides at once: each gets its 200."""
    def end(side):
        return "\n".join([
            pause(500), request("BYE", side), recv(request="BYE", optional=True, to=2),
            recv(response=200, to=3), label(2), reply(200, "OK"), recv(response=200), label(3)])
    ctx.callee(scenario("callee", calls.ring_and_answer(), end(CALLEE)))
    ctx.caller(scenario("caller", calls.answered(se=None), end("caller"))).finish(20)
