# SPDX-License-Identifier: BSD-3-Clause
"""TRex stateless profile: floods of SIP on verge, each packet with a Call-ID and branch of its own.

    start -f sip_flood.py -m 500kpps -p 0 -t kind=options|invite|malformed|unknown|mix

The field engine writes random letters into the token that branch, From tag, Call-ID and the caller's
user carry (16^12 of them), so that no packet repeats a transaction or dialog. Addresses are those of
bench/trex/verge.yaml. The UDP checksum is 0, "none" (RFC 768): memif and AF_PACKET have no hardware
that could put it right behind the field engine."""

import argparse

TOKEN = b"aaaabbbbcccc"  # what the field engine overwrites; letters a..p are its 16 digits
SOURCE, VERGE = "10.91.1.2", "10.91.0.1"
STRANGER = "10.91.7.2"  # of no trunk
SDP = (b"v=0\r\no=- 20518 0 IN IP4 10.91.1.2\r\ns=-\r\nc=IN IP4 10.91.1.2\r\nt=0 0\r\n"
       b"m=audio 49170 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
       b"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
       b"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n")


def request(method, source=SOURCE):
    """A request outside of a dialog."""
    body = SDP if method == b"INVITE" else b""
    lines = [method + b" sip:+15551234567@" + VERGE.encode() + b" SIP/2.0",
             b"Via: SIP/2.0/UDP " + source.encode() + b":5060;branch=z9hG4bK" + TOKEN,
             b"Max-Forwards: 70",
             b"From: <sip:" + TOKEN + b"@" + source.encode() + b">;tag=" + TOKEN,
             b"To: <sip:+15551234567@" + VERGE.encode() + b">",
             b"Call-ID: " + TOKEN + b"@" + source.encode(),
             b"CSeq: 1 " + method,
             b"Contact: <sip:trex@" + source.encode() + b":5060>"]
    if body:
        lines += [b"Supported: timer", b"Session-Expires: 1800", b"Allow: INVITE, ACK, BYE, UPDATE",
                  b"User-Agent: trex", b"Content-Type: application/sdp"]
    lines += [b"Content-Length: " + str(len(body)).encode(), b"", b""]
    return b"\r\n".join(lines) + body


def malformed():
    """INVITEs that are broken, each in its own way."""
    good = request(b"INVITE")
    lines = good.split(b"\r\n")

    def without(name):
        return b"\r\n".join(line for line in lines if not line.startswith(name))
    return [without(b"Via"), without(b"From"), without(b"To"), without(b"Call-ID"), without(b"CSeq"),
            good[:len(good) // 4], good[:len(good) // 2], good.replace(b" SIP/2.0\r", b" SIP/7.0\r", 1),
            good.replace(b"CSeq: 1", b"CSeq: x", 1), good.replace(b"Length: ", b"Length: -", 1),
            good.replace(b";branch=", b";;==;=", 1), bytes(range(256)) * 2]


def messages(kind):
    """[(source address, payload)] of a kind."""
    kinds = {
        "options": [(SOURCE, request(b"OPTIONS"))],
        "invite": [(SOURCE, request(b"INVITE"))],
        "malformed": [(SOURCE, payload) for payload in malformed()],
        "unknown": [(STRANGER, request(b"INVITE", STRANGER))],
    }
    kinds["mix"] = kinds["options"] + kinds["invite"] + kinds["malformed"] + kinds["unknown"]
    return kinds[kind]


def places(payload):
    """Where the token stands in a payload."""
    found, at = [], payload.find(TOKEN)
    while at >= 0:
        found.append(at)
        at = payload.find(TOKEN, at + 1)
    return found


class STLSipFlood:
    """What TRex asks a profile for."""

    def get_streams(self, direction=0, tunables=(), **_):
        from trex_stl_lib.api import (IP, UDP, Ether, STLPktBuilder, STLScVmRaw, STLStream, STLTXCont,
                                      STLVmFlowVar, STLVmWrFlowVar)
        parser = argparse.ArgumentParser()
        parser.add_argument("--kind", default="options",
                            choices=["options", "invite", "malformed", "unknown", "mix"])
        options = parser.parse_args(list(tunables))
        streams, all_messages = [], messages(options.kind)
        for source, payload in all_messages:
            headers = Ether() / IP(src=source, dst=VERGE) / UDP(sport=5060, dport=5060, chksum=0)
            vm = []
            for digit in range(len(TOKEN)):
                vm.append(STLVmFlowVar(f"d{digit}", min_value=ord("a"), max_value=ord("p"), size=1,
                                       op="random"))
                vm += [STLVmWrFlowVar(f"d{digit}", pkt_offset=len(headers) + at + digit)
                       for at in places(payload)]
            streams.append(STLStream(
                packet=STLPktBuilder(pkt=headers / payload, vm=STLScVmRaw(vm)),
                mode=STLTXCont(percentage=100 / len(all_messages))))
        return streams


def register():
    return STLSipFlood()
