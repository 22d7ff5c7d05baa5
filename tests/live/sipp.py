# SPDX-License-Identifier: BSD-3-Clause
"""SIPp: scenarios put together from steps, runs, and what a run counted and saw.

A scenario is a list of steps (strings of XML) between <scenario> tags; the functions below make
them. Dialog state is SIPp's: [next_url] and [peer_tag_param] from the last message with rrs; a
callee that sends requests of its own remembers From and To of the INVITE in variables."""

import csv
import os
import re
import signal

from lab import LabError, wait_for

CALLER, CALLEE, OUTSIDE = "caller", "callee", "outside of a dialog"
TIMER = "Supported: timer\nSession-Expires: {se}\nMin-SE: 90\n"
ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY\n"
ALLOW_NO_UPDATE = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\n"


def sdp(version=1, direction="sendrecv", extra_lines=0):
    """An offer or answer; extra_lines attributes of 60 bytes make it long."""
    lines = ["v=0", f"o=peer [pid] {version} IN IP[local_ip_type] [media_ip]", "s=-",
             "c=IN IP[media_ip_type] [media_ip]", "t=0 0", "m=audio 6000 RTP/AVP 0 8 101",
             "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000",
             f"a={direction}"]
    lines += [f"a=candidate:{i} 1 UDP 2130706431 192.0.2.{i % 250} 5000 typ host x".ljust(60, "x")
              for i in range(extra_lines)]
    return "\n".join(lines) + "\n"


def _body(body):
    if body is None:
        return "Content-Length: 0\n\n"
    return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{body}"


def send(text, retrans=None):
    again = f' retrans="{retrans}"' if retrans else ""
    return f"<send{again}><![CDATA[\n{text}\n]]></send>"


def invite(user="[service]", extra="", body=None, se=None, target="[remote_ip]:[remote_port]",
           offer=True):
    """The INVITE that begins a call; se: with a session timer."""
    timer = TIMER.format(se=se) if se else ""
    return send(f"""INVITE sip:{user}@{target} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: "Caller" <sip:alice@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:{user}@{target}>
Call-ID: [call_id]
CSeq: [cseq] INVITE
Contact: <sip:alice@[local_ip]:[local_port]>
{ALLOW}{timer}{extra}{_body((body or sdp()) if offer else None)}""", retrans=500)


def ack(body=None, target="[next_url]", cseq="[cseq]"):
    return send(f"""ACK {target} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
Max-Forwards: 70
From: "Caller" <sip:alice@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: {cseq} ACK
{_body(body)}""")


def cancel(back, user="[service]"):
    """back: how many steps ago the INVITE was sent; its branch is used again."""
    return send(f"""CANCEL sip:{user}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-{back}];rport
Max-Forwards: 70
From: "Caller" <sip:alice@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:{user}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: [cseq] CANCEL
Content-Length: 0

""", retrans=500)


def request(method, side=CALLER, extra="", body=None, cseq="[cseq]", target="[next_url]"):
    """A request in the dialog, or OUTSIDE of one to a target. The callee's names come from variables set by remember()."""
    if side == OUTSIDE:
        names = ('From: <sip:alice@[local_ip]:[local_port]>;tag=[pid]o[call_number]\n'
                 f"To: <{target}>")
    elif side == CALLER:
        names = ('From: "Caller" <sip:alice@[local_ip]:[local_port]>;tag=[pid]c[call_number]\n'
                 "To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]")
    else:
        names = "From:[$own];tag=[pid]s[call_number]\nTo:[$peer]"
    contact = "alice" if side == CALLER else "bob"
    # A loop sends the same step again: the CSeq makes its branch another one.
    return send(f"""{method} {target} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]x{cseq};rport
[routes]
Max-Forwards: 70
{names}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:{contact}@[local_ip]:[local_port]>
{ALLOW}{extra}{_body(body)}""", retrans=None if method == "ACK" else 500)


def refresh(method, side=CALLER, se=90, refresher="uac", body=None):
    """An UPDATE or re-INVITE that refreshes the session; uac is who sends it."""
    timer = f"Supported: timer\nSession-Expires: {se};refresher={refresher}\n"
    return request(method, side, extra=timer, body=body)


def reply(code, reason, extra="", body=None, initial=False, contact="bob", retrans=None):
    """A response to the last request; initial: to the INVITE that has no To tag yet."""
    tag = ";tag=[pid]s[call_number]" if initial else ""
    return send(f"""SIP/2.0 {code} {reason}
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:]{tag}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:{contact}@[local_ip]:[local_port]>
{extra}{_body(body)}""", retrans=retrans)


def late_reply(code, reason, body=None):
    """A response to the INVITE when another request has come since: remember("via")."""
    return send(f"""SIP/2.0 {code} {reason}
Via:[$via]
From:[$peer]
To:[$own];tag=[pid]s[call_number]
[last_Call-ID:]
CSeq:[$invite_cseq]
Contact: <sip:bob@[local_ip]:[local_port]>
{_body(body)}""", retrans=500)


def answer_timer(se=90, refresher="uac"):
    return f"Supported: timer\nRequire: timer\nSession-Expires: {se};refresher={refresher}\n"


def trying():
    return reply(100, "Trying")


def recv(request=None, response=None, optional=False, to=None, rrs=False, timeout_ms=None,
         on_timeout=None, actions=""):
    """Wait for a request or a response; to: the label where the scenario goes on."""
    what = f'request="{request}"' if request else f'response="{response}"'
    attributes = "".join([' optional="true"' if optional else "", f' next="{to}"' if to else "",
                          ' rrs="true"' if rrs else "",
                          f' timeout="{timeout_ms}"' if timeout_ms else "",
                          f' ontimeout="{on_timeout}"' if on_timeout else ""])
    inner = f"<action>{actions}</action>" if actions else ""
    return f"<recv {what}{attributes}>{inner}</recv>"


def remember(also=""):
    """Actions for the callee's INVITE: names of both sides, for requests of its own; also="via":
    what a later answer to the same INVITE needs, see late_reply()."""
    more = ('<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>'
            '<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="invite_cseq"/>')
    return (more if also else "") + ('<ereg regexp=".*" search_in="hdr" header="From:" assign_to="peer"/>'
            '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="own"/>')


def count(variable):
    return f'<nop><action><add assign_to="{variable}" value="1"/></action></nop>'


def when_at_least(variable, value, to):
    """Go to label `to` when a counted variable has reached a value."""
    return (f'<nop><action><test assign_to="reached" variable="{variable}" '
            f'compare="greater_than_equal" value="{value}"/></action></nop>'
            f'<nop test="reached" next="{to}"/>')


def log(text):
    return f'<nop><action><log message="{text}"/></action></nop>'


def pause(ms=None):
    return f'<pause milliseconds="{ms}"/>' if ms is not None else "<pause/>"


def label(number):
    return f'<label id="{number}"/>'


def goto(number):
    return f'<nop next="{number}"/>'


def scenario(name, *steps):
    # Variables that are only set have to be named, or SIPp refuses them.
    names = sorted(set(re.findall(r'assign_to="(\w+)"', "".join(steps))))
    if names:
        steps += (f'<Reference variables="{",".join(names)}"/>',)
    return ('<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<scenario name="{name}">\n' + "\n".join(steps) + "\n</scenario>\n")


class Seen:
    """A message as SIPp logged it."""

    def __init__(self, time, sent, text):
        self.time, self.sent, self.text = time, sent, text
        self.first = text.split("\n", 1)[0].strip()
        self.method = self.first.split(" ", 1)[0] if not self.first.startswith("SIP/2.0") else None
        self.code = None if self.method else int(self.first.split(" ")[1])

    def header(self, name):
        found = re.search(rf"^{re.escape(name)}\s*:[ \t]*(.*?)\s*$", self.text,
                          re.MULTILINE | re.IGNORECASE)
        return found.group(1) if found else None

    def body(self):
        return self.text.partition("\n\n")[2]


class Sipp:
    """A run of SIPp in a namespace of the lab."""

    def __init__(self, lab, name, side, ip, port, xml=None, builtin=None, target=None, calls=None,
                 rate=10, limit=None, trace=False, logs=False, service="1001", more=()):
        self.lab, self.name = lab, name
        base = os.path.join(lab.dir, name)
        self.stat, self.messages_file, self.errors = base + ".csv", base + ".msg", base + ".err"
        argv = ["sipp"]
        if target:
            argv.append(target)
        if builtin:
            argv += ["-sn", builtin]
        else:
            with open(base + ".xml", "w", encoding="utf-8") as f:
                f.write(xml)
            argv += ["-sf", base + ".xml"]
        argv += ["-i", ip, "-p", str(port), "-mi", ip, "-nostdin", "-s", service, "-nd",
                 "-buff_size", "4000000", "-deadcall_wait", "0", "-trace_stat", "-fd", "1s", "-stf",
                 self.stat, "-trace_err", "-error_file", self.errors]
        if calls:
            argv += ["-m", str(calls), "-r", str(rate), "-l", str(limit or 100000)]
        self.log_file = base + ".logged"  # of log(), if asked for
        if logs:
            argv += ["-trace_logs", "-log_file", self.log_file, "-log_overwrite", "false"]
        if trace:
            argv += ["-trace_msg", "-message_file", self.messages_file, "-message_overwrite", "false"]
        # SIPp opens media ports although nothing is played: each run gets its own.
        argv += ["-mp", str(20000 + (port * 4) % 40000), *map(str, more)]
        self.process = lab.start(name, argv, side)

    def _row(self):
        try:
            with open(self.stat, encoding="latin-1") as f:
                rows = list(csv.DictReader(f, delimiter=";"))
        except FileNotFoundError:
            return {}
        return rows[-1] if rows else {}

    def counts(self):
        row = self._row()

        def number(column):
            try:
                return int(row.get(column) or 0)
            except ValueError:
                return 0
        return {"ok": number("SuccessfulCall(C)"), "failed": number("FailedCall(C)"),
                "retransmissions": number("Retransmissions(C)"), "now": number("CurrentCall"),
                "unexpected": number("FailedUnexpectedMessage(C)"),
                "incoming": number("IncomingCall(C)"), "outgoing": number("OutgoingCall(C)"),
                "dead": number("OutOfCallMsgs(C)")}

    def finish(self, timeout):
        """Wait until all calls of -m are over; LabError tells what SIPp said if one failed."""
        status = self.process.wait(timeout)
        counts = self.counts()
        if status or counts["failed"]:
            raise LabError(f"sipp {self.name}: exit {status}, {counts}\n{self.complaints()}")
        return counts

    def complaints(self):
        try:
            with open(self.errors, encoding="latin-1") as f:
                text = f.read()
        except FileNotFoundError:
            text = ""
        return (text or self.process.output())[-1500:]

    def seen(self):
        """Messages in order, when the run was started with trace."""
        try:
            with open(self.messages_file, encoding="latin-1", newline="") as f:
                text = f.read().replace("\r\n", "\n")
        except FileNotFoundError:
            return []
        head = re.compile(r"^-{40,} \S+?(?:\t\S+\t(\d+\.\d+)|[^\n]*?)\n"
                          r"UDP message (sent|received)[^\n]*:\n\n", re.MULTILINE)
        marks = list(head.finditer(text))
        found = []
        for i, mark in enumerate(marks):
            end = marks[i + 1].start() if i + 1 < len(marks) else len(text)
            found.append(Seen(_stamp(mark.group(0)), mark.group(2) == "sent",
                              text[mark.end():end].rstrip("\n") + "\n"))
        return found

    def finish_one(self, timeout):
        """Wait until a callee has had its call and it went well."""
        wait_for(f"{self.name}: end of its call", lambda: self.counts()["ok"] or
                 self.counts()["failed"], timeout, 0.2)
        counts = self.counts()
        if counts["failed"]:
            raise LabError(f"sipp {self.name}: {counts}\n{self.complaints()}")
        return counts

    def stop(self):
        """End a callee in order (it finishes what it is doing)."""
        return self.process.stop(signal.SIGUSR1, 3)

    def kill(self):
        self.process.interrupt(signal.SIGKILL)
        self.process.child.wait()


def _stamp(head):
    """Seconds since midnight of SIPp's time stamp."""
    found = re.search(r"(\d+):(\d+):(\d+\.\d+)", head)
    if not found:
        raise LabError(f"no time in {head!r}")
    h, m, s = found.groups()
    return int(h) * 3600 + int(m) * 60 + float(s)
