# SPDX-License-Identifier: BSD-3-Clause
"""A caller by hand: a socket in the lab and SIP written out, for tests that have to do something in
a call at an instant of their own choosing, or send what no peer would."""

import re
import socket
import time

from lab import ACCESS4, LabError

VERGE = (ACCESS4 + "1", 5060)
SDP = ("v=0\r\no=hand 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n"
       "m=audio 7000 RTP/AVP 0\r\na={direction}\r\n")


def header(text, name):
    found = re.search(rf"^{name}:[ \t]*(.*?)\r$", text, re.MULTILINE | re.IGNORECASE)
    return found.group(1) if found else None


class HandSocket:
    """One address of the access side; several calls may share it."""

    def __init__(self, net, port=5070, ip=ACCESS4 + "2"):
        self.ip, self.port = ip, port
        self.sock = net.socket("a", socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((ip, port))
        self.kept = []  # responses that were for somebody else

    def send(self, text):
        self.sock.sendto(text.encode(), VERGE)

    def receive(self, seconds):
        """The next message, or None."""
        self.sock.settimeout(max(seconds, 0.001))
        try:
            return self.sock.recv(65535).decode()
        except TimeoutError:
            return None

    def outside(self, method, call_id, user="1001"):
        """A request outside of dialogs, as text."""
        return (f"{method} sip:{user}@{VERGE[0]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {self.ip}:{self.port};branch=z9hG4bK{call_id}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:hand@{self.ip}>;tag=h\r\nTo: <sip:{user}@{VERGE[0]}>\r\n"
                f"Call-ID: {call_id}\r\nCSeq: 1 {method}\r\n"
                f"Contact: <sip:hand@{self.ip}:{self.port}>\r\nContent-Length: 0\r\n\r\n")

    def close(self):
        self.sock.close()


class HandCall:
    """A call of which each message is sent when the test says so."""

    def __init__(self, hands, name, user="1001"):
        self.hands, self.call_id, self.user = hands, name, user
        self.cseq, self.to_tag, self.target, self.n = 0, "", f"sip:{user}@{VERGE[0]}", 0

    def _text(self, method, cseq, body=""):
        self.n += 1
        kind = "Content-Type: application/sdp\r\n" if body else ""
        here = f"{self.hands.ip}:{self.hands.port}"
        return (f"{method} {self.target} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{self.call_id}n{self.n}\r\nMax-Forwards: 70\r\n"
                f"From: <sip:hand@{here}>;tag=h\r\nTo: <sip:{self.user}@{VERGE[0]}>{self.to_tag}\r\n"
                f"Call-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:hand@{here}>\r\n"
                f"Allow: INVITE, ACK, BYE, CANCEL, INFO, UPDATE\r\n{kind}"
                f"Content-Length: {len(body)}\r\n\r\n{body}")

    def begin(self, method, direction=None):
        """Send a request; what was sent, for end()."""
        self.cseq += 1
        body = SDP.format(version=self.cseq, ip=self.hands.ip, direction=direction) if direction else ""
        text = self._text(method, self.cseq, body)
        self.hands.send(text)
        return method, text

    def _is_answer(self, text, method):
        return (text.startswith("SIP/2.0 ") and header(text, "Call-ID") == self.call_id and
                header(text, "CSeq") == f"{self.cseq} {method}" and not text.startswith("SIP/2.0 1"))

    def end(self, sent, seconds=10):
        """The final response; the request is repeated as RFC 3261 wants until it comes."""
        method, text = sent
        end, again, wait = time.monotonic() + seconds, time.monotonic() + 0.5, 0.5
        while time.monotonic() < end:
            got = next((k for k in self.hands.kept if self._is_answer(k, method)), None)
            if got is None:
                got = self.hands.receive(min(end, again) - time.monotonic())
            if got is not None and self._is_answer(got, method):
                self.hands.kept = [k for k in self.hands.kept if k != got]
                return self._finish(method, got)
            if got is not None:
                self.hands.kept.append(got)
            elif time.monotonic() >= again:
                self.hands.send(text)
                wait = min(2 * wait, 4)
                again = time.monotonic() + wait
        raise LabError(f"{self.call_id}: no answer to {method} within {seconds} s")

    def _finish(self, method, got):
        code = int(got.split(" ")[1])
        if method == "INVITE":
            if code < 300:
                self.to_tag = ";" + header(got, "To").split(";", 1)[1]
                self.target = header(got, "Contact").strip("<>")
            self.hands.send(self._text("ACK", self.cseq))
        return code

    def do(self, method, direction=None, seconds=10):
        """Send a request and wait for its final code."""
        return self.end(self.begin(method, direction), seconds)
