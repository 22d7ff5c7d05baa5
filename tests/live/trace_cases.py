# SPDX-License-Identifier: BSD-3-Clause
"""Live tests of traces: what `vergectl trace` writes, read back by Wireshark's and sngrep's own
readers."""

import json
import os
import subprocess

import calls
from case import expect, lab
from lab import ACCESS4, CORE4, Lab, run, wait_for
from lab_cases import VERGE4, ended_well, peers
from sipp import Sipp, invite, recv, reply, scenario
from verge import Verge, config

FIELDS = ("frame.comment", "sip.Method", "sip.Status-Code", "sip.Call-ID", "ip.src", "ip.dst", "udp.srcport",
          "sip.CSeq.method", "ip.checksum.status", "udp.checksum.status")


def read(path):
    """The packets of a capture as Wireshark sees them: one dict a packet."""
    argv = ["tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
            "-T", "fields", "-E", "separator=|"]
    for field in FIELDS:
        argv += ["-e", field]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    expect(done.returncode == 0, f"tshark: {done.stderr}")
    return [dict(zip(FIELDS, line.split("|"))) for line in done.stdout.splitlines()]


def control(verge, *argv, status=0):
    code, text = verge.vergectl("--json", *argv)
    expect(code == status, f"vergectl {argv}: {code} {text}")
    return json.loads(text.splitlines()[0]).get("result")


def legs(packets):
    return {p["frame.comment"].split()[0] for p in packets}


def words(packets, leg):
    """The messages of a leg: "INVITE", "200 INVITE", ..."""
    return [p["sip.Method"] or f"{p['sip.Status-Code']} {p['sip.CSeq.method']}" for p in packets
            if p["frame.comment"].startswith(f"leg={leg} ")]


@lab()
def trace_trunk():
    """A trace of a trunk has each message of both legs from the first INVITE on, with leg and verdict."""
    with Lab() as net:
        verge = Verge(net, config(net))
        path = os.path.join(net.dir, "trunk.pcapng")
        control(verge, "trace", "start", "--trunk", "core", path)
        uac, uas = peers(net, calls.basic_caller(300), calls.basic_callee(), calls=1)
        expect(uac.finish(20)["ok"] == 1, "the call")
        said = control(verge, "trace", "stop")
        packets = read(path)
        expect(said["packets"] == len(packets) and said["dropped"] == 0, f"{said}, {len(packets)}")
        expect(words(packets, "ingress") == ["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK",
                                             "BYE", "200 BYE"], words(packets, "ingress"))
        expect(words(packets, "egress") == ["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK",
                                            "BYE", "200 BYE"], words(packets, "egress"))
        first = packets[0]
        expect(first["frame.comment"] == "leg=ingress trunk=access verdict=SIP_HANDLED", first)
        expect(first["ip.src"] == ACCESS4 + "2" and first["ip.dst"] == ACCESS4 + "1", first)
        expect(all(p["ip.checksum.status"] == "1" and p["udp.checksum.status"] == "1" for p in packets),
               "checksums")
        expect({p["frame.comment"] for p in packets if p["ip.src"].endswith(".1")} ==
               {"leg=ingress trunk=access verdict=SENT", "leg=egress trunk=core verdict=SENT"}, "sent")
        check_sngrep(net, path, len(packets))
        check_replay(net, verge, path)
        expect(verge.vergectl("trace", "stop")[0] == 1, "no trace runs any more")
        uas.stop()
        ended_well(verge)


def check_sngrep(net, path, n):
    """sngrep reads the file: what it saves again has every message."""
    saved = os.path.join(net.dir, "sngrep.pcap")
    done = subprocess.run(["sngrep", "-N", "-q", "-I", path, "-O", saved], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=20,
                          env={**os.environ, "TERM": "xterm"})
    expect(done.returncode == 0, f"sngrep: {done.stdout} {done.stderr}")
    expect(len(read(saved)) == n, "sngrep saw other messages")


def check_replay(net, verge, path):
    """verge replay finds the call of the trace and does the same again; so does it with another timer,
    but for the headers that tell of it."""
    def replay(*more):
        done = subprocess.run([verge.binary, "replay", path, "-c", verge.path, *more], capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL, timeout=30)
        expect(done.returncode == 0, f"verge replay: {done.stdout} {done.stderr}")
        return done.stdout
    said = replay()
    expect("1 calls: 1 go as the capture shows, 0 differently; verge drops 0" in said, said)
    expect("0 of them assumed" in said and "not replayed" not in said, said)
    cdr = json.loads(next(line for line in said.splitlines() if line.startswith("  cdr "))[6:])
    lived = verge.cdr()
    expect(cdr["release"]["cause"] == lived["release"]["cause"] == "normal" and
           cdr["call_id"] == lived["call_id"] and abs(cdr["duration_s"] - lived["duration_s"]) < 0.1, f"{cdr}")
    other = dict(verge.conf, profiles={"default": {"options_ping": 0, "session_timer": {"interval": 600}}})
    other_path = os.path.join(net.dir, "other.yaml")
    with open(other_path, "w", encoding="utf-8") as f:
        json.dump(other, f)
    said = replay("--compare", other_path)
    expect("1 of 1 calls differ" in said and "SE 600" in said, said)


@lab()
def trace_call_and_number():
    """A call in progress is traced by its Call-ID, both legs; a number's calls are, others are not."""
    with Lab() as net:
        verge = Verge(net, config(net))
        uac, uas = peers(net, calls.basic_caller(4000), calls.basic_callee(), calls=1, trace=True)
        wait_for("the call", lambda: verge.sum("verge_legs", state="established") == 2, 10)
        call_id = next(m.header("Call-ID") for m in uac.seen())
        by_call, by_number = (os.path.join(net.dir, name) for name in ("call.pcapng", "number.pcapng"))
        control(verge, "trace", "start", "--call-id", call_id, by_call)
        expect(verge.vergectl("trace", "start", by_number)[0] == 1, "one trace at a time")
        other = Sipp(net, "other", "a", ACCESS4 + "2", 5062, calls.basic_caller(200), target=VERGE4,
                     calls=3, rate=20)
        expect(other.finish(20)["ok"] == 3 and uac.finish(20)["ok"] == 1, "calls")
        control(verge, "trace", "stop")
        packets = read(by_call)
        expect(words(packets, "ingress") == ["BYE", "200 BYE"] and
               words(packets, "egress") == ["BYE", "200 BYE"], [p["frame.comment"] for p in packets])
        expect(len({p["sip.Call-ID"] for p in packets}) == 2 and
               call_id in {p["sip.Call-ID"] for p in packets}, "Call-IDs")
        control(verge, "trace", "start", "--number", "2002", by_number)
        for name, port, user in (("called", 5064, "2002"), ("elsewhere", 5066, "1001")):
            one = Sipp(net, name, "a", ACCESS4 + "2", port, calls.basic_caller(100), target=VERGE4,
                       calls=1, service=user)
            expect(one.finish(20)["ok"] == 1, name)
        control(verge, "trace", "stop")
        packets = read(by_number)
        expect(len(packets) == 14 and legs(packets) == {"leg=ingress", "leg=egress"},
               [p["frame.comment"] for p in packets])
        expect(verge.vergectl("trace", "start", by_number)[0] == 1, "a file that is there stays")
        uas.stop()
        verge.stop()


@lab()
def trace_ends():
    """A trace ends by itself at its size limit and on a full disk, says why, and the file is whole."""
    with Lab() as net:
        conf = config(net)
        conf["trace"] = {"max_size": 1}
        disk = os.path.join(net.dir, "disk")
        os.mkdir(disk)
        run("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk)
        try:
            verge = Verge(net, conf)  # after the mount: it has mounts of its own
            for path, least, why in ((os.path.join(net.dir, "big.pcapng"), 900 << 10, "trace.max_size"),
                                     (os.path.join(disk, "full.pcapng"), 100 << 10, "No space left")):
                control(verge, "trace", "start", "--trunk", "access", path)
                uac, uas = peers(net, calls.basic_caller(100), calls.basic_callee(), calls=300, rate=150)
                expect(uac.finish(30)["ok"] == 300, "calls go on")
                uas.stop()
                status = control(verge, "trace")
                expect(not status["runs"] and why in status["ended_by"], f"{status}")
                expect(least < os.path.getsize(path) <= 1 << 20, f"{os.path.getsize(path)} bytes")
                expect(len(read(path)) == status["packets"] == control(verge, "trace", "stop")["packets"],
                       f"{status}")
            verge.stop()
        finally:
            run("umount", "-l", disk, check=False)


@lab()
def hep_and_evidence():
    """sngrep as a collector gets both legs by HEP3; a dropped call leaves its last messages, numbers hashed."""
    with Lab() as net:
        net.ip("s", "link", "set", "lo", "up")
        got, evidence = os.path.join(net.dir, "hep.pcap"), os.path.join(net.dir, "evidence")
        os.mkdir(evidence)
        collector = net.start("collector", ["sngrep", "-N", "-L", "udp:127.0.0.1:9060", "-O", got], "s",
                              env={"TERM": "xterm"})
        conf = config(net)
        conf["hep"] = {"collector": "127.0.0.1:9060", "password": "hush"}
        conf["evidence"] = {"dir": evidence}
        conf["trunks"]["access"]["evidence"] = True
        verge = Verge(net, conf)
        uac, uas = peers(net, calls.basic_caller(300), calls.basic_callee(), calls=1)
        expect(uac.finish(20)["ok"] == 1, "the call")
        wait_for("HEP packets", lambda: verge.sum("verge_hep_packets_total", result="sent") >= 14, 5)
        # a caller that never says ACK: 32 s later verge gives up
        mute = Sipp(net, "mute", "a", ACCESS4 + "2", 5062, scenario("mute", "\n".join([
            invite(), recv(response=100, optional=True), recv(response=180, optional=True),
            recv(response=200), recv(request="BYE", timeout_ms=60000), reply(200, "OK")])),
            target=VERGE4, calls=1, service="5551234")
        mute.finish(60)
        files = wait_for("evidence", lambda: os.listdir(evidence), 10)
        packets = read(os.path.join(evidence, files[0]))
        expect(len(files) == 1 and files[0].endswith(".pcapng"), files)
        expect("BYE" in words(packets, "ingress") and "BYE" in words(packets, "egress"), words(packets, "ingress"))
        expect(legs(packets) == {"leg=ingress", "leg=egress"} and len(packets) <= 32, len(packets))
        with open(os.path.join(evidence, files[0]), "rb") as f:
            data = f.read()
        expect(b"5551234" not in data and b"sip:h" in data, "numbers are not hashed")
        expect(verge.sum("verge_evidence_total", result="written") == 1, "counted")
        collector.stop(number=2)
        found = read(got)
        expect(sum(p["sip.Method"] == "INVITE" for p in found) >= 2 and
               sum(p["sip.Status-Code"] == "200" for p in found) >= 4, [p["sip.Method"] for p in found])
        expect({ACCESS4 + "2", CORE4 + "2"} <= {p["ip.src"] for p in found}, {p["ip.src"] for p in found})
        uas.stop()
        ended_well(verge)
