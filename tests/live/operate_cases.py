# SPDX-License-Identifier: BSD-3-Clause
"""What an operator does beside watching: the report for a partner, finding and marking calls, and outputs
that nobody reads."""

import contextlib
import os
import re
import time

import calls
from case import expect, lab
from lab import ACCESS4, CORE4, Lab, wait_for
from lab_cases import VERGE4, peers
from peer import listening
from sipp import ALLOW, Sipp, answer_timer, recv, reply, scenario, sdp
from system_cases import attempt
from trace_cases import control, read, words
from verge import Verge, config

# A callee that does much of what the RFCs forbid, and then what they allow.
PARTNER = scenario("partner", "\n".join([
    recv(request="INVITE"), reply(422, "Session Interval Too Small", initial=True, extra="Min-SE: 120\n"),
    recv(request="ACK"),
    recv(request="INVITE"), reply(180, "Ringing", initial=True),
    reply(200, "OK", initial=True, contact="5551234", body=sdp(), retrans=500,
          extra=ALLOW + "Supported: timer\nSession-Expires: 150\nX-Mark: | </pre> #\n"),
    recv(request="ACK"),
    recv(request="UPDATE"), reply(491, "Request Pending"),
    recv(request="UPDATE"), reply(405, "Method Not Allowed"),
    recv(request="INVITE"), reply(200, "OK", extra=answer_timer(120), body=sdp(), retrans=500),
    recv(request="ACK"), recv(request="BYE"), reply(200, "OK")]))


@lab()
def report_for_the_partner():
    """trunk T report after a call with a partner that departs from the RFCs: what worked, what not, with messages, in three forms."""
    with Lab() as net:
        timer = {"interval": 90, "refresher": "local", "refresh_at": 0.05, "jitter": 0}
        verge = Verge(net, config(net, timer=timer))
        uac, uas = peers(net, calls.basic_caller(13000), PARTNER, calls=1)
        expect(uac.finish(30)["ok"] == 1, "the call")
        expect(uas.counts()["failed"] == 0, f"the partner: {uas.counts()}")
        report = control(verge, "trunk", "core", "report")
        refreshes, found = report["refreshes"], {v["rfc"]: v for v in report["violations"]}
        expect(refreshes["crossings"] == 1 and refreshes["interval_too_small_from_peer"] == 1 and
               refreshes["sent_invite_ok"] == 1, f"{refreshes}")
        expect(report["answers"].get("491") == 1 and report["answers"].get("405") == 1 and
               report["answers"].get("200") == 1, f"{report['answers']}")
        expect(report["peer_min_se_s"] == 120 and report["calls_answered"] == 1, f"{report}")
        trip = report["round_trip"]
        expect(trip["count"] >= 1 and 0 <= trip["p50_ms"] <= trip["p99_ms"] < 2000, f"{trip}")
        expect(any(c["capability"] == "invite" and c["good_calls"] == 1 for c in report["capabilities"]),
               f"{report['capabilities']}")
        expect(any(s["key"] == "session_timer.interval" and s["value"] == "120" for s in report["suggestions"]),
               f"{report['suggestions']}")
        shown = {v["what"]: v["sample"]["message"] for v in report["violations"]}
        longer = next(m for w, m in shown.items() if "longer Session-Expires" in w)
        expect("Session-Expires: 150" in longer and "sip:h" in longer and "5551234" not in longer, longer)
        expect(any("names no refresher" in w for w in shown), f"{list(shown)}")
        refused = next(m for w, m in shown.items() if "lists UPDATE" in w)
        expect(refused.startswith("SIP/2.0 405") and "CSeq: " in refused, refused)
        expect("RFC 4028 s9" in found, f"{list(found)}")
        text = verge.vergectl("trunk", "core", "report")[1]
        for word in ("What works", "Round trip of refreshes", "    SIP/2.0 405 Method Not Allowed",
                     "crossings", "Suggested settings"):
            expect(word in text, f"{word}: {text}")
        page = verge.vergectl("trunk", "core", "report", "--format", "markdown")[1]
        expect("\n## Where it departs from the RFC\n" in page and "\n    X-Mark: | </pre> #\n" in page, page)
        expect(all(line.startswith(("#", "|", "    ", "- ", "Seen ", "None.")) or line == ""
                   for line in page.splitlines()), page)
        # an operator who wants the message as it was, and one who wants none
        verge.conf["trunks"]["core"]["report_samples"] = "none"
        verge.write(verge.conf)
        expect(verge.vergectl("reload")[0] == 0 and verge.vergectl("trunk", "core", "reset")[0] == 0, "reset")
        expect(all(v["sample"] is None for v in control(verge, "trunk", "core", "report")["violations"]),
               "samples are forgotten")
        uas.stop()
        verge.stop()


@lab()
def calls_found():
    """vergectl calls by each of its filters, alone and together, while calls ring and talk."""
    with Lab() as net:
        verge = Verge(net, config(net, timer={"interval": 90, "refresher": "remote"}))

        def check(rows):
            for argv, n in rows:
                found = control(verge, "calls", *argv)["calls"]
                expect(len(found) == n, f"calls {argv}: {len(found)} and not {n}")
        uac, uas = peers(net, calls.basic_caller(7000), calls.basic_callee(ring_ms=3000), calls=3, rate=100,
                         service="2002")
        wait_for("three calls", lambda: verge.sum("verge_calls") == 3, 10)
        wait_for("they ring", lambda: len(control(verge, "calls", "--state", "ringing")["calls"]) == 3, 5)
        check([(("--state", "answered"), 0), (("--over", "1"), 0), (("--state", "setup"), 0)])
        wait_for("three answers", lambda: verge.sum("verge_legs", state="established") == 6, 10)
        wait_for("two seconds", lambda: len(control(verge, "calls", "--over", "2")["calls"]) == 3, 10)
        check([((), 3), (("--state", "answered"), 3), (("--state", "ringing"), 0), (("--trunk", "core"), 3),
               (("--trunk", "access"), 3), (("--limit", "2"), 2), (("--over", "3600"), 0),
               (("--number", "1"), 0), (("--number", "alice"), 3), (("--number", "200"), 3),
               (("--trunk", "core", "--over", "1", "--state", "answered", "--limit", "1"), 1)])
        status, text = verge.vergectl("calls", "--trunk", "core", "--number", "2002")
        expect(status == 0 and "3 calls\n" in text and text.count("answered") == 3, text)
        for argv in (("--trunk", "nobody"), ("--over", "x"), ("--state", "gone"), ("--limit", "-1")):
            expect(verge.vergectl("calls", *argv)[0] in (1, 2), f"calls {argv}")
        expect(uac.finish(30)["ok"] == 3, "calls")
        uas.stop()
        verge.stop()


@lab()
def marked_calls():
    """A trace of marked calls has those that a rule marks, both legs whole, and no others."""
    with Lab() as net:
        conf = config(net)
        conf["rules"] = {"watch": [{"name": "mark", "when": {"method": ["INVITE"], "dialog": "creating",
                                                             "header": {"name": "To", "contains": "2002"}},
                                    "do": [{"trace": True}]}]}
        conf["trunks"]["access"]["rules"] = {"in": ["watch"], "out": []}
        verge = Verge(net, conf)
        path = os.path.join(net.dir, "marked.pcapng")
        control(verge, "trace", "start", "--marked", path)
        uac, uas = peers(net, calls.basic_caller(100), calls.basic_callee(), calls=2, service="1001")
        expect(uac.finish(20)["ok"] == 2, "calls that are not marked")
        one = Sipp(net, "marked", "a", ACCESS4 + "2", 5064, calls.basic_caller(100), target=VERGE4, calls=1,
                   service="2002")
        expect(one.finish(20)["ok"] == 1, "the marked call")
        said = control(verge, "trace", "stop")
        packets = read(path)
        whole = ["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]
        expect(words(packets, "ingress") == whole and words(packets, "egress") == whole,
               f"{words(packets, 'ingress')} {words(packets, 'egress')}")
        expect(said["packets"] == len(packets) == 14, f"{said}")
        uas.stop()
        verge.stop()


# Kamailio's module sipcapture, what Homer began with: each HEP packet becomes a row of a text file.
COLLECTOR = """
fork=yes
children=1
disable_tcp=yes
log_stderror=yes
listen=udp:127.0.0.1:9060
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("db_text", "db_mode", 1)
modparam("sipcapture", "db_url", "text://{db}")
modparam("sipcapture", "insert_retries", 1)
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "hep_capture_on", 1)
request_route {{ sip_capture(); drop; }}
onreply_route {{ sip_capture(); drop; }}
"""
COLUMNS = ("id(int,auto) date(time,null) micro_ts(int,null) method reply_reason ruri ruri_user ruri_domain from_user "
           "from_domain from_tag to_user to_domain to_tag pid_user contact_user auth_user callid callid_aleg via_1 "
           "via_1_branch cseq diversion reason content_type auth user_agent source_ip source_port(int,null) "
           "destination_ip destination_port(int,null) contact_ip contact_port(int,null) originator_ip "
           "originator_port(int,null) expires(int,null) correlation_id custom_field1 custom_field2 custom_field3 "
           "proto(int,null) family(int,null) rtp_stat type(int,null) node msg").split()


def captured(db):
    """Rows of the collector's table."""
    with open(os.path.join(db, "sip_capture"), encoding="utf-8") as f:
        rows = f.read().splitlines()[1:]
    names = [column.split("(")[0] for column in COLUMNS]
    return [dict(zip(names, re.split(r"(?<!\\):", row))) for row in rows]


@lab()
def homer_collector():
    """Kamailio's sipcapture takes each message of both legs by HEP3: addresses, time, one correlation id a call."""
    with Lab() as net:
        net.ip("s", "link", "set", "lo", "up")
        db = os.path.join(net.dir, "homer")
        os.mkdir(db)
        with open(os.path.join(db, "sip_capture"), "w", encoding="ascii") as f:
            f.write(" ".join(c if "(" in c else c + "(string,null)" for c in COLUMNS) + "\n")
        with open(os.path.join(db, "version"), "w", encoding="ascii") as f:
            f.write("table_name(string) table_version(int)\nsip_capture:4\n")
        path = os.path.join(net.dir, "homer.cfg")
        with open(path, "w", encoding="ascii") as f:
            f.write(COLLECTOR.format(db=db))
        collector = net.start("homer", ["kamailio", "-f", path, "-DD", "-E", "-Y", net.dir,
                                        "-P", os.path.join(net.dir, "homer.pid")], "s")
        listening(net, "s", "127.0.0.1", 9060)
        conf = config(net)
        conf["hep"] = {"collector": "127.0.0.1:9060", "id": 7}
        verge = Verge(net, conf)
        uac, uas = peers(net, calls.basic_caller(200), calls.basic_callee(), calls=3, rate=10)
        expect(uac.finish(20)["ok"] == 3, "calls")
        wait_for("packets", lambda: verge.sum("verge_hep_packets_total", result="sent") == 42, 5)
        time.sleep(1)  # the collector reads its socket, and writes the table when it ends
        collector.stop()
        rows = captured(db)
        expect(len(rows) == verge.sum("verge_hep_packets_total", result="sent") == 42, f"{len(rows)} rows")
        by_call = {}
        for row in rows:
            by_call.setdefault(row["correlation_id"], []).append(row)
        expect(len(by_call) == 3 and "" not in by_call, f"{list(by_call)}")
        for of_call in by_call.values():
            expect(len({row["callid"] for row in of_call}) == 2 and len(of_call) == 14, "two legs, one name")
            ways = {(row["source_ip"], row["destination_ip"]) for row in of_call}
            expect(ways == {(a, b) for x, y in ((ACCESS4 + "2", ACCESS4 + "1"), (CORE4 + "1", CORE4 + "2"))
                            for a, b in ((x, y), (y, x))}, f"{ways}")
            expect(all(abs(int(row["date"]) - time.time()) < 60 and row["node"].endswith("7")
                       for row in of_call), of_call[0])
        uas.stop()
        verge.stop()


@lab()
def nobody_reads():
    """A pipe in the place of a file and a standard error that nobody reads: calls and control go on, losses are counted."""
    with Lab() as net:
        conf = config(net)
        pipe, errors = (os.path.join(net.dir, name) for name in ("cdr.pipe", "stderr.pipe"))
        os.mkfifo(pipe)
        os.mkfifo(errors)
        reader = os.open(errors, os.O_RDONLY | os.O_NONBLOCK)  # it never reads
        conf["cdr"]["file"] = pipe
        conf["log"]["level"] = "debug"
        status, said = attempt(net, Verge.program(), conf, more=["--check"])
        expect(status == 0 and "cdr.pipe, which is no regular file" in said, f"{status} {said}")
        verge = Verge(net, conf, prefix=["sh", "-c", f'exec "$0" "$@" 2>{errors}'])
        writer = os.open(errors, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        lost_before = verge.sum("verge_log_lines_total", result="lost")
        uac, uas = peers(net, calls.basic_caller(100), calls.basic_callee(), calls=10, rate=50)
        expect(uac.finish(20)["ok"] == 10, "calls")
        uas.stop()
        for _ in range(60):  # each is a line of the log
            verge.vergectl("log", "debug")
            verge.vergectl("trunk", "access", "set", "timers=observe")
        expect(verge.vergectl("trace", "start", pipe)[0] == 1, "a trace into a pipe")
        expect(verge.vergectl("reload")[0] == 0, "reload")
        expect(verge.sum("verge_log_lines_total", result="lost") > lost_before, "lost lines are counted")
        expect(verge.sum("verge_cdr_errors_total") > 0 and verge.sum("verge_cdr_backlog_bytes") > 0,
               "CDRs wait")
        text = os.read(reader, 1 << 20).decode()
        expect("open_failed" in text and "no regular file" in text, text[:2000])
        # the configuration has become a pipe: no reload, no waiting
        os.unlink(verge.path)
        os.mkfifo(verge.path)
        status, said = verge.vergectl("reload")
        expect(status == 1 and "no regular file" in said, f"{status} {said}")
        expect(verge.vergectl("status")[0] == 0, "status")
        verge.stop()
        os.close(writer)
        os.close(reader)
