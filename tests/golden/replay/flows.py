# SPDX-License-Identifier: BSD-3-Clause
"""Captures as they were taken at somebody's border controller, written as what passed it: SIP in UDP in
IP in frames of several link types, as pcap or pcapng bytes. The border controller of the captures is
not verge: its tags, Call-IDs and Via branches are its own."""

import ipaddress
import struct

CALLER, SBC_A, SBC_B, CALLEE = "10.91.0.2:5060", "10.91.0.1:5060", "10.92.0.1:5060", "10.92.0.2:5060"
START = 1700000000
SDP = "v=0\r\no=- {n} {n} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n{more}"
LINKS = {"ethernet": 1, "raw": 101, "sll": 113, "sll2": 276}


def split(address):
    host, port = address.rsplit(":", 1)
    return ipaddress.ip_address(host.strip("[]")), int(port)


class Capture:
    def __init__(self, link="ethernet", vlans=(), pcapng=False, mtu=1500, snaplen=65535):
        self.link, self.vlans, self.pcapng, self.mtu, self.snaplen = link, vlans, pcapng, mtu, snaplen
        self.packets = []
        self.ids = 0

    def sip(self, at, source, target, text):
        self.udp(at, source, target, text.encode())

    def udp(self, at, source, target, data):
        (sip, sport), (dip, dport) = split(source), split(target)
        self.ip(at, sip, dip, 17, struct.pack("!HHHH", sport, dport, len(data) + 8, 0) + data)

    def ip(self, at, source, target, proto, payload):
        self.ids += 1
        room = (self.mtu - (20 if source.version == 4 else 48)) & ~7
        pieces = [payload[i:i + room] for i in range(0, len(payload), room)] or [b""]
        for n, piece in enumerate(pieces):
            more, offset = n + 1 < len(pieces), n * room // 8
            if source.version == 4:
                head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(piece), self.ids,
                                   (0x2000 if more else 0) | offset, 64, proto, 0, source.packed, target.packed)
                total = sum(struct.unpack("!10H", head))
                while total >> 16:
                    total = (total & 0xffff) + (total >> 16)
                head = head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:]
            else:
                extra = b"" if len(pieces) == 1 else struct.pack("!BBHI", proto, 0, offset << 3 | more, self.ids)
                head = struct.pack("!IHBB16s16s", 6 << 28, len(piece) + len(extra), 44 if extra else proto, 64,
                                   source.packed, target.packed) + extra
            self.frame(at, 0x0800 if source.version == 4 else 0x86dd, head + piece)

    def frame(self, at, kind, packet):
        tags = b"".join(struct.pack("!HH", 0x8100 if i else (0x88a8 if len(self.vlans) > 1 else 0x8100), tag)
                        for i, tag in enumerate(self.vlans)) + struct.pack("!H", kind)
        head = {"ethernet": b"\2\0\0\0\0\1\2\0\0\0\0\2" + tags,
                "raw": b"",
                "sll": b"\0\0\0\1\0\6\2\0\0\0\0\2\0\0" + tags,
                "sll2": tags + b"\0\0" + struct.pack("!IHBB", 2, 1, 0, 6) + b"\2\0\0\0\0\2\0\0"}[self.link]
        self.packets.append((at, head + packet))

    def bytes(self):
        if self.pcapng:
            return self._pcapng()
        out = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, self.snaplen, LINKS[self.link])]
        for at, frame in self.packets:
            us = round(at * 1e6)
            out.append(struct.pack("<IIII", START + us // 1000000, us % 1000000,
                                   min(len(frame), self.snaplen), len(frame)) + frame[:self.snaplen])
        return b"".join(out)

    def _pcapng(self):
        def block(kind, body):
            body += b"\0" * (-len(body) % 4)
            return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
        out = [block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)),
               block(1, struct.pack("<HHI", LINKS[self.link], 0, 0))]
        for at, frame in self.packets:
            us = START * 1000000 + round(at * 1e6)
            out.append(block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xffffffff, len(frame), len(frame)) + frame))
        return b"".join(out)


class Leg:
    """One dialog between a peer and the border controller. first: who sent the INVITE, "peer" or "sbc"."""

    def __init__(self, capture, peer, sbc, call_id, first, caller="1000", callee="1001", body=True):
        self.c, self.peer, self.sbc, self.call_id, self.first = capture, peer, sbc, call_id, first
        self.users = {first: caller, self.other(first): callee}
        self.tags = {"peer": "p" + call_id[:6], "sbc": "s" + call_id[:6]}
        self.body, self.cseq, self.n, self.open = body, {"peer": 1, "sbc": 100}, 0, {}
        self.early = False

    @staticmethod
    def other(who):
        return "sbc" if who == "peer" else "peer"

    def address(self, who):
        return self.peer if who == "peer" else self.sbc

    def party(self, who, tag=True):
        return (f"<sip:{self.users[who]}@{self.address(who).rsplit(':', 1)[0]}>" +
                (f";tag={self.tags[who]}" if tag else ""))

    def contact(self, who):
        return f"<sip:{self.users[who]}@{self.address(who)}>"

    def sdp(self, who, more=""):
        return SDP.format(n=self.users[who], ip=str(split(self.address(who))[0]), port=4000, more=more)

    def send(self, at, who, lines, body=""):
        if body:
            lines = lines + ["Content-Type: application/sdp"]
        text = "\r\n".join(lines + [f"Content-Length: {len(body)}", "", body])
        self.c.sip(at, self.address(who), self.address(self.other(who)), text)

    def request(self, at, who, method, *extra, body="", branch=None, cseq=None, to_tag=True):
        """Returns what answers need."""
        self.n += 1
        if cseq is None:
            self.cseq[who] += 1
        asked = {"who": who, "method": method, "cseq": cseq or self.cseq[who], "to_tag": to_tag,
                 "branch": branch or f"z9hG4bK-{self.call_id[:6]}-{who}-{self.n}"}
        to = self.other(who)
        asked["lines"] = [f"{method} sip:{self.users[to]}@{self.address(to)} SIP/2.0",
                          f"Via: SIP/2.0/UDP {self.address(who)};branch={asked['branch']}",
                          f"From: {self.party(who)}", f"To: {self.party(to, to_tag)}",
                          f"Call-ID: {self.call_id}", f"CSeq: {asked['cseq']} {method}", "Max-Forwards: 70",
                          f"Contact: {self.contact(who)}", *extra]
        asked["body"] = body
        self.send(at, who, asked["lines"], body)
        return asked

    def again(self, at, asked):
        self.send(at, asked["who"], asked["lines"], asked["body"])

    def answer(self, at, asked, code, reason, *extra, body=""):
        who = self.other(asked["who"])
        self.send(at, who, [f"SIP/2.0 {code} {reason}",
                            f"Via: SIP/2.0/UDP {self.address(asked['who'])};branch={asked['branch']}",
                            f"From: {self.party(asked['who'])}", f"To: {self.party(who, code != 100)}",
                            f"Call-ID: {self.call_id}", f"CSeq: {asked['cseq']} {asked['method']}",
                            f"Contact: {self.contact(who)}", *extra], body)

    def invite(self, at, *extra, body=None):
        return self.request(at, self.first, "INVITE", *extra, to_tag=False,
                            body=self.sdp(self.first) if body is None else body)

    def ack(self, at, asked, good=True, body=""):
        return self.request(at, asked["who"], "ACK", cseq=asked["cseq"], body=body,
                            branch=None if good else asked["branch"])

    def pair(self, at, who, method, code=200, reason="OK", *extra, body="", answer_body=""):
        asked = self.request(at, who, method, *extra, body=body)
        self.answer(at + 0.01, asked, code, reason, *extra, body=answer_body)
        return asked


def two(capture, call_id="a84b4c76e66710", **more):
    return (Leg(capture, CALLER, SBC_A, call_id, "peer", **more),
            Leg(capture, CALLEE, SBC_B, "SBC-" + call_id, "sbc", **more))


def establish(a, b, timer=(), answer=(), at=0.0, ring=2.0):
    """A call up to ACK; timer: headers of the caller's INVITE, answer: of the callee's 200."""
    one = a.invite(at, *timer)
    a.answer(at + 0.001, one, 100, "Trying")
    two_ = b.invite(at + 0.002, *timer)
    b.answer(at + 0.010, two_, 100, "Trying")
    b.answer(at + 0.100, two_, 180, "Ringing")
    a.answer(at + 0.101, one, 180, "Ringing")
    b.answer(at + ring, two_, 200, "OK", *answer, body=b.sdp("peer"))
    a.answer(at + ring + 0.001, one, 200, "OK", body=a.sdp("sbc"))
    a.ack(at + ring + 0.010, one)
    b.ack(at + ring + 0.011, two_)
    return one, two_


def bye(a, b, at, by="caller"):
    first, second = (a, b) if by == "caller" else (b, a)
    asked = first.request(at, "peer", "BYE")
    first.answer(at + 0.001, asked, 200, "OK")
    asked = second.request(at + 0.002, "sbc", "BYE")
    second.answer(at + 0.010, asked, 200, "OK")
