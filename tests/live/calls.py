# SPDX-License-Identifier: BSD-3-Clause
"""SIPp callers and callees that the live tests share: held calls that are refreshed, callees that
refuse, fall silent or disturb. Labels: 1 the loop of a held call, 2-4 its answers, 8 and 9 its end."""

from sipp import (ALLOW, CALLEE, ack, answer_timer, count, goto, invite, label, late_reply, pause, recv,
                  refresh, remember, reply, request, scenario, sdp, trying, when_at_least)

IDLE_MS = 85000  # nobody refreshed a session of 90 s


def answered(*, user="[service]", se=90, extra="", body=None, offer=True, ack_body=None):
    """The caller's INVITE up to ACK."""
    return "\n".join([
        invite(user=user, se=se, extra=extra, body=body, offer=offer),
        recv(response=100, optional=True), recv(response=180, optional=True),
        recv(response=183, optional=True), recv(response=200, rrs=True), ack(ack_body)])


def ring_and_answer(*, extra="", body=None, ring_ms=0, rrs=True, allow=ALLOW):
    """The callee's side up to ACK; extra and allow: headers of the 200."""
    return "\n".join([
        recv(request="INVITE", rrs=rrs, actions=remember()), trying(),
        reply(180, "Ringing", initial=True), pause(ring_ms) if ring_ms else "",
        reply(200, "OK", initial=True, extra=allow + extra, body=body or sdp(), retrans=500),
        recv(request="ACK")])


def hold_loop(*, se=90, bye_after=None, idle_ms=IDLE_MS, update=None, invited=None, refresher="uac",
              side="caller", body=None):
    """Answer refreshes until BYE comes, or until bye_after of them came: then say BYE. A session
    that nobody refreshes fails the call. update, invited: steps in place of the usual 200."""
    timer = answer_timer(se, refresher)
    counted = count("n") + when_at_least("n", bye_after, 9) if bye_after else ""
    return "\n".join([
        label(1), recv(request="UPDATE", optional=True, to=2, timeout_ms=idle_ms),
        recv(request="INVITE", optional=True, to=3), recv(request="INFO", optional=True, to=4),
        recv(request="BYE", to=8),
        label(2), update or reply(200, "OK", extra=timer), counted, goto(1),
        label(3), invited or (reply(200, "OK", extra=timer, body=body or sdp(), retrans=500) +
                              recv(request="ACK")), counted, goto(1),
        label(4), reply(200, "OK"), goto(1),
        label(9), request("BYE", side), recv(response=200), goto(7),
        label(8), reply(200, "OK"), label(7)])


def caller_held(name="caller", **more):
    return scenario(name, answered(se=more.pop("offer_se", 90)), hold_loop(**more))


def callee_held(name="callee", se=90, refresher="uac", allow=ALLOW, **more):
    timer = answer_timer(se, refresher) if se else ""
    return scenario(name, ring_and_answer(extra=timer, allow=allow),
                    hold_loop(se=se or 90, side=CALLEE, **more))


def refresher_loop(side, method, every_ms, times, end="bye"):
    """A peer that refreshes by itself `times` times; then says BYE or waits for it."""
    body = sdp() if method == "INVITE" else None
    after = request("ACK", side) if method == "INVITE" else ""
    last = (request("BYE", side) + recv(response=200) if end == "bye" else
            recv(request="BYE", timeout_ms=120000) + reply(200, "OK"))
    return "\n".join([
        label(1), pause(every_ms), refresh(method, side, body=body),
        recv(response=100, optional=True), recv(response=200, rrs=side != CALLEE), after,
        count("n"), when_at_least("n", times, 9), goto(1), label(9), last])


def caller_refreshing(method="UPDATE", every_ms=40000, times=3):
    return scenario("caller", answered(), refresher_loop("caller", method, every_ms, times))


def callee_refreshing(method="UPDATE", every_ms=40000, times=2):
    return scenario("callee", ring_and_answer(extra=answer_timer(90, "uas")),
                    refresher_loop(CALLEE, method, every_ms, times, end="wait"))


def basic_caller(pause_ms=500, se=None, **more):
    return scenario("caller", answered(se=se, **more), pause(pause_ms), request("BYE"),
                    recv(response=200))


def basic_callee(extra="", body=None, ring_ms=0):
    return scenario("callee", ring_and_answer(extra=extra, body=body, ring_ms=ring_ms),
                    recv(request="BYE"), reply(200, "OK"))


def refusing_callee(code, reason, extra=""):
    """A callee that answers the INVITE with an error."""
    return scenario("callee", recv(request="INVITE"), trying(),
                    reply(code, reason, initial=True, extra=extra, retrans=500), recv(request="ACK"))


def refused_caller(code, se=None, user="[service]"):
    return scenario("caller", invite(se=se, user=user), recv(response=100, optional=True),
                    recv(response=180, optional=True), recv(response=code), ack(
                        target=f"sip:{user}@[remote_ip]:[remote_port]"))


def early_media_caller():
    """183 with SDP, reliable: PRACK before the answer."""
    rseq = '<ereg regexp=".*" search_in="hdr" header="RSeq:" assign_to="rseq"/>'
    return scenario("caller", invite(se=90, extra="Supported: 100rel\n"),
                    recv(response=100, optional=True), recv(response=180, optional=True),
                    recv(response=183, rrs=True, actions=rseq),
                    request("PRACK", extra="RAck:[$rseq] 1 INVITE\n"), recv(response=200),
                    recv(response=200, rrs=True), ack(cseq="1"), pause(500), request("BYE"),
                    recv(response=200))


def early_media_callee():
    return scenario(
        "callee", recv(request="INVITE", rrs=True, actions=remember("via")), trying(),
        reply(180, "Ringing", initial=True),
        reply(183, "Session Progress", initial=True, extra="Require: 100rel\nRSeq: 7001\n", body=sdp(),
              retrans=500),
        recv(request="PRACK"), reply(200, "OK"), pause(300), late_reply(200, "OK"),
        recv(request="ACK"), recv(request="BYE"), reply(200, "OK"))


def dead_caller(se=90, wait_ms=120000):
    """A caller that answers refreshes and waits to be told that the call is over."""
    return scenario("caller", answered(se=se), hold_loop(idle_ms=wait_ms))

