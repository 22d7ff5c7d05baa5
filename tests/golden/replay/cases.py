# SPDX-License-Identifier: BSD-3-Clause
"""The cases: each returns the capture's bytes, and sets how `verge replay` is called."""

import struct

from flows import CALLEE, CALLER, SBC_A, Capture, Leg, bye, establish, split, two

ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"
NO_UPDATE = "Allow: INVITE, ACK, CANCEL, BYE"
BASE = """
system: { workers: [1] }
ports:
  access: { device: net_null0, addresses: [10.91.0.1/24, "fd91::1/64"] }
  core: { device: net_null1, addresses: [10.92.0.1/24, "fd92::1/64"] }
profiles:
  default: { options_ping: 0, session_timer: { jitter: 0, refresher: local, interval: %s } }
trunks:
  caller: { port: access, peers: [10.91.0.2:5060, "[fd91::2]:5060"] }
  callee: { port: core, peers: [%s], credentials: { username: u, password: p } }
routes:
  - { from: caller, to: [callee] }
  - { from: callee, to: [caller] }
cdr: { file: "" }
metrics: { listen: "" }
"""
CASES = {}


def config(interval=1800, peer="10.92.0.2:5060", more=""):
    return BASE % (interval, f'"{peer}"') + more


def case(*options, yaml=None, other=None, status=0, same_as=None):
    """options: of the command line; other: a configuration for --compare; same_as: whose output it has."""
    def register(function):
        CASES[function.__name__.replace("_", "-")] = {
            "make": function, "options": options, "yaml": yaml or config(), "other": other, "status": status,
            "same_as": same_as, "shows": function.__doc__}
        return function
    return register


def short_call(capture=None, ipv6=False):
    capture = capture or Capture()
    a, b = two(capture)
    if ipv6:
        a.peer, a.sbc, b.peer, b.sbc = (x.replace("10.91.0.", "[fd91::").replace("10.92.0.", "[fd92::")
                                        .replace(":5060", "]:5060") for x in (a.peer, a.sbc, b.peer, b.sbc))
    establish(a, b)
    bye(a, b, 12)
    return capture.bytes()


@case("--ladder", "all")
def short():
    """A call that goes as the capture shows."""
    return short_call()


def same_call(name, shows, **capture):
    """The short call, captured in another way: the same comes out."""
    def make():
        return short_call(Capture(**capture))
    make.__name__, make.__doc__ = name, shows
    case("--ladder", "all", same_as="short")(make)


same_call("short_pcapng", "The same as pcapng.", pcapng=True)
same_call("short_vlan", "The same with an 802.1Q tag.", vlans=(7,))
same_call("short_qinq", "The same with two tags.", vlans=(7, 8))
same_call("short_cooked", 'The same from the device "any": Linux cooked.', link="sll")
same_call("short_cooked_2", "The same as Linux cooked v2.", link="sll2")
same_call("short_raw", "The same without link headers.", link="raw")


@case("--ladder", "all")
def fragments():
    """The same in fragments of 300 bytes: only the count of frames is another one."""
    return short_call(Capture(mtu=300))


@case("--ladder", "all", yaml=config(peer="[fd92::2]:5060"))
def ipv6_fragments():
    """The same over IPv6, in fragments."""
    return short_call(Capture(mtu=400), ipv6=True)


@case("--ladder", "all")
def dropped():
    """The SBC of the capture refreshed by UPDATE although the callee cannot, and ended the call. Verge
    refreshes by re-INVITE: the call is up at the end."""
    capture = Capture()
    a, b = two(capture)
    timer = ("Supported: timer", "Session-Expires: 1800")
    establish(a, b, (*timer, NO_UPDATE), (NO_UPDATE, "Session-Expires: 1800;refresher=uac"))
    b.pair(902, "sbc", "UPDATE", 405, "Method Not Allowed")
    for leg in (a, b):
        leg.pair(1770, "sbc", "BYE")
    return capture.bytes()


@case("--until", "60")
def dead_callee():
    """The callee dies after an hour: it answers no refresh any more, and verge ends the call."""
    capture = Capture()
    a, b = two(capture)
    timer = ("Supported: timer", "Session-Expires: 1800;refresher=uac")
    establish(a, b, (ALLOW,), (ALLOW, *timer))
    for at in (902, 1802, 2702):
        b.pair(at, "sbc", "UPDATE", 200, "OK", *timer)
    asked = b.request(3602, "sbc", "UPDATE", *timer)
    for at in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5):
        b.again(3602 + at, asked)
    a.pair(3634, "sbc", "BYE")
    asked = b.request(3634, "sbc", "BYE")
    b.again(3634.5, asked)
    return capture.bytes()


def refused_call(code, reason, *lines, trying=False):
    """An INVITE that the callee refuses; each ACK is hop by hop."""
    capture = Capture()
    a, b = two(capture)
    one = a.invite(0)
    if trying:
        a.answer(0.001, one, 100, "Trying")
    two_ = b.invite(0.002)
    b.answer(0.010, two_, code, reason, *lines)
    b.ack(0.011, two_, good=False)
    a.answer(0.012, one, code, reason, *lines)
    a.ack(0.020, one, good=False)
    return capture.bytes()


@case("--ladder", "all", "--until", "1")
def refused_busy():
    """486 from the callee; the caller's ACK is hop by hop."""
    return refused_call(486, "Busy Here")


@case("--ladder", "all", "--until", "1")
def cancelled():
    """The caller gives up while it rings."""
    capture = Capture()
    a, b = two(capture)
    one = a.invite(0)
    a.answer(0.001, one, 100, "Trying")
    two_ = b.invite(0.002)
    b.answer(0.010, two_, 180, "Ringing")
    a.answer(0.011, one, 180, "Ringing")
    asked = a.request(5, "peer", "CANCEL", branch=one["branch"], cseq=one["cseq"], to_tag=False)
    a.answer(5.001, asked, 200, "OK")
    asked = b.request(5.002, "sbc", "CANCEL", branch=two_["branch"], cseq=two_["cseq"], to_tag=False)
    a.answer(5.003, one, 487, "Request Terminated")
    a.ack(5.005, one, good=False)
    b.answer(5.010, asked, 200, "OK")
    b.answer(5.011, two_, 487, "Request Terminated")
    b.ack(5.012, two_, good=False)
    return capture.bytes()


@case("--ladder", "all", "--until", "1")
def challenge():
    """The callee's trunk asks for credentials; both INVITEs have their answers."""
    capture = Capture()
    a, b = two(capture)
    one = a.invite(0)
    a.answer(0.001, one, 100, "Trying")
    first = b.invite(0.002)
    b.answer(0.010, first, 407, "Proxy Authentication Required",
             'Proxy-Authenticate: Digest realm="r", nonce="n1", algorithm=MD5')
    b.ack(0.011, first, good=False)
    second = b.invite(0.012, 'Proxy-Authorization: Digest username="u"')
    b.answer(1.0, second, 200, "OK", body=b.sdp("peer"))
    a.answer(1.001, one, 200, "OK", body=a.sdp("sbc"))
    a.ack(1.010, one)
    b.ack(1.011, second)
    bye(a, b, 3, by="callee")
    return capture.bytes()


@case("--ladder", "all", yaml=config(interval=90), other=config(interval=1800), )
def compare():
    """A call of 200 seconds with an interval of 90 seconds, and of 1800."""
    capture = Capture()
    a, b = two(capture)
    timer = ("Supported: timer", "Session-Expires: 1800;refresher=uac")
    establish(a, b, (ALLOW,), (ALLOW, *timer))
    bye(a, b, 202)
    return capture.bytes()


@case("--ladder", "all", "--as", "203.0.113.9=access", "--as", "198.51.100.9:5070=core")
def elsewhere():
    """The SBC of the capture had other addresses than the configuration."""
    capture = Capture()
    a, b = two(capture)
    a.sbc, b.sbc = "203.0.113.9:5060", "198.51.100.9:5070"
    establish(a, b)
    bye(a, b, 12)
    return capture.bytes()


@case(status=1)
def nobody():
    """Addresses that the configuration does not have: says who talks."""
    capture = Capture()
    a, b = two(capture)
    a.sbc, b.sbc = "203.0.113.9:5060", "198.51.100.9:5070"
    establish(a, b)
    return capture.bytes()


@case("--ladder", "all")
def foreign():
    """A capture with other things in it: TCP, ARP, media, a call that had begun before, an unknown peer,
    broken SIP, and frames that were cut."""
    capture = Capture()
    old = Leg(capture, CALLER, SBC_A, "before-the-capture", "peer")
    old.pair(0, "peer", "BYE")
    a, b = two(capture)
    establish(a, b, at=1)
    capture.udp(1.5, CALLER, "10.92.0.2:4000", b"\x80\x00" + bytes(170))
    capture.ip(1.6, split(CALLER)[0], split(SBC_A)[0], 6, bytes(40))
    capture.ip(1.6, split(CALLER)[0], split(SBC_A)[0], 132, bytes(40))
    capture.frame(1.7, 0x0806, bytes(28))
    capture.udp(1.8, CALLER, SBC_A, b"\r\n\r\n")
    capture.sip(1.9, CALLER, SBC_A, "INVITE sip:x SIP/2.0\r\nVia: broken\r\n\r\n")
    Leg(capture, "10.91.0.77:5060", SBC_A, "unknown-peer", "peer").invite(2)
    Leg(capture, "10.99.0.1:5060", "10.99.0.2:5060", "between-others", "peer").invite(2)
    capture.frame(2.1, 0x0800, b"\x45\x00\x00")
    bye(a, b, 12)
    return capture.bytes()


@case("--ladder", "all")
def truncated():
    """The file ends in the middle of a packet: what came before is replayed."""
    return short_call()[:-300]


@case(status=1)
def link_type():
    """A link type that is not read."""
    return struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 127) + bytes(0)


@case(status=1)
def not_a_capture():
    """A file that is none."""
    return b"INVITE sip:1001@example.com SIP/2.0\r\n\r\n" + bytes(100)


@case(status=1)
def empty():
    """A capture without SIP."""
    capture = Capture()
    capture.udp(0, CALLER, CALLEE, b"hello")
    return capture.bytes()


@case("--silent", "--until", "40")
def silent():
    """With --silent nobody answers the refresh that the capture does not have."""
    capture = Capture()
    a, b = two(capture)
    timer = ("Supported: timer", "Session-Expires: 1800;refresher=uac")
    establish(a, b, (ALLOW,), (ALLOW, *timer))
    bye(a, b, 1500)
    return capture.bytes()


@case("--ladder", "all", "--until", "1")
def reliable():
    """A reliable 183 (RFC 3262): PRACK crosses with the RAck of each leg."""
    capture = Capture()
    a, b = two(capture)
    one = a.invite(0, "Supported: 100rel")
    a.answer(0.001, one, 100, "Trying")
    two_ = b.invite(0.002, "Supported: 100rel")
    b.answer(0.010, two_, 183, "Session Progress", "Require: 100rel", "RSeq: 71", body=b.sdp("peer"))
    a.answer(0.011, one, 183, "Session Progress", "Require: 100rel", "RSeq: 900", body=a.sdp("sbc"))
    asked = a.request(0.020, "peer", "PRACK", f"RAck: 900 {one['cseq']} INVITE")
    crossed = b.request(0.021, "sbc", "PRACK", f"RAck: 71 {two_['cseq']} INVITE")
    b.answer(0.030, crossed, 200, "OK")
    a.answer(0.031, asked, 200, "OK")
    b.answer(2, two_, 200, "OK")
    a.answer(2.001, one, 200, "OK")
    a.ack(2.010, one)
    b.ack(2.011, two_)
    bye(a, b, 4)
    return capture.bytes()


@case("--ladder", "all", "--until", "1")
def late_offer():
    """An INVITE without an offer: the 200 has it, the ACK the answer (RFC 3261 s13.2.1)."""
    capture = Capture()
    a, b = two(capture)
    one = a.request(0, "peer", "INVITE", to_tag=False)
    a.answer(0.001, one, 100, "Trying")
    two_ = b.request(0.002, "sbc", "INVITE", to_tag=False)
    b.answer(0.010, two_, 180, "Ringing")
    a.answer(0.011, one, 180, "Ringing")
    b.answer(1, two_, 200, "OK", body=b.sdp("peer"))
    a.answer(1.001, one, 200, "OK", body=a.sdp("sbc"))
    a.ack(1.010, one, body=a.sdp("peer"))
    b.ack(1.011, two_, body=b.sdp("sbc"))
    bye(a, b, 3)
    return capture.bytes()


@case("--ladder", "all", "--until", "1")
def unauthorized():
    """401 in a scheme that verge does not speak: the caller gets 403, no challenge crosses."""
    return refused_call(401, "Unauthorized", 'WWW-Authenticate: Unknown realm="r"', trying=True)


@case("--ladder", "all", "--until", "1")
def forked():
    """Two of the callee's phones ring in dialogs of their own; the second one answers."""
    capture = Capture()
    a, b = two(capture)
    one = a.invite(0)
    a.answer(0.001, one, 100, "Trying")
    two_ = b.invite(0.002)
    b.tags["peer"] = "phone-one"
    b.answer(0.010, two_, 180, "Ringing")
    a.answer(0.011, one, 180, "Ringing")
    b.tags["peer"] = "phone-two"
    b.answer(0.030, two_, 183, "Session Progress", body=b.sdp("peer"))
    a.tags["sbc"] = "sbc-two"
    a.answer(0.031, one, 183, "Session Progress", body=a.sdp("sbc"))
    b.answer(2, two_, 200, "OK", body=b.sdp("peer"))
    a.answer(2.001, one, 200, "OK", body=a.sdp("sbc"))
    a.ack(2.010, one)
    b.ack(2.011, two_)
    bye(a, b, 5)
    return capture.bytes()


@case("--ladder", "all")
def cut_packets():
    """A capture with a short snap length: requests that were cut are told, and not fed in."""
    return short_call(Capture(snaplen=300))


@case(status=1)
def cut_header():
    """A file that is shorter than a capture's header."""
    return short_call()[:20]


@case("--ladder", "all")
def cut_block():
    """A pcapng file that ends inside a block."""
    return short_call(Capture(pcapng=True))[:-37]
