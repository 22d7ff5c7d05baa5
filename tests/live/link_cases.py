# SPDX-License-Identifier: BSD-3-Clause
"""Live tests of ports and link without SIP: link_reflector sends each datagram on the SIP port back,
and says at its end which verdict each packet got."""

import json
import os
import socket
import struct
import time

import verge
from case import expect, lab
from lab import ACCESS4, ACCESS6, Lab, run, wait_for
from verge import ROOT

OWN4, OWN6 = ACCESS4 + "1", ACCESS6 + "1"
PEER4, PEER6 = ACCESS4 + "2", ACCESS6 + "2"
SIZES = (12, 1400, 1472, 1473, 3000, 8000)


class Reflector:
    def __init__(self, net, device="net_af_packet0,iface=s0", workers=1, gateway=None, **port):
        self.net = net
        conf = {
            "system": {"workers": [1, 0][:workers], "hugepages": "none", "capacity": {"calls": 100}},
            "ports": {"access": {"device": device, "addresses": [OWN4 + "/24", OWN6 + "/64"],
                                 **port}},
            "profiles": {"p": {}},
            "trunks": {"t": {"port": "access", "peers": [PEER4], "profile": "p"}},
        }
        if gateway:
            conf["ports"]["access"]["gateway"] = gateway
        path = os.path.join(net.dir, "reflector.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(conf, f)
        program = os.path.join(ROOT, verge.BUILD, "tests/live/link_reflector")
        self.process = net.start("reflector", [program, path], "s")
        wait_for("reflector", lambda: "ready" in self.process.output() or not self.process.alive(),
                 15)
        expect(self.process.alive(), self.process.output)

    def verdicts(self):
        """End it; name -> how many packets."""
        expect(self.process.alive(), lambda: "the reflector has ended: " + self.process.tail())
        expect(self.process.stop(timeout=10) == 0, lambda: "status: " + self.process.tail())
        lines = [line.split() for line in self.process.output().split("\n")]
        return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}


def echo(net, family, target, sizes, local=None, timeout=2, side="a"):
    """Datagrams go and come back the same. Returns the sizes that did not."""
    missing = []
    with net.socket(side, socket.SOCK_DGRAM, family) as sock:
        sock.settimeout(timeout)
        if local:
            sock.bind((local, 0))
        for size in sizes:
            data = bytes((i * 7 + size) % 251 for i in range(size))
            sock.sendto(data, (target, 5060))
            try:
                if sock.recv(65535) != data:
                    missing.append(f"{size} changed")
            except TimeoutError:
                missing.append(f"{size} lost")
    return missing


def ping(net, *argv):
    return run("ip", "netns", "exec", net.ns("a"), "ping", "-c", "3", "-i", "0.2", "-W", "2", "-q",
               *argv, check=False)


def both_ways(device):
    with Lab() as net:
        reflector = Reflector(net, device)
        for family, target in ((socket.AF_INET, OWN4), (socket.AF_INET6, OWN6)):
            missing = echo(net, family, target, SIZES)
            expect(not missing, f"{target}: {missing}")
        for target in (OWN4, OWN6):
            for size in ("56", "4000"):
                text = ping(net, "-s", size, target)
                expect(" 0% packet loss" in text, text)
        verdicts = reflector.verdicts()
        expect(verdicts.get("ICMP_ANSWERED") == 12, f"{verdicts}")
        expect(verdicts.get("SIP_HANDLED") == 2 * len(SIZES), f"{verdicts}")
        expect(verdicts.get("SENT_FRAGMENTED", 0) >= 2 * 3, f"{verdicts}")
        if "af_xdp" not in device:  # whose queues hold buffers all the time
            expect(verdicts["mbufs_in_use"] == 0, f"{verdicts}")


@lab()
def link_af_packet():
    """ping and datagrams of 12 to 8,000 bytes over IPv4 and IPv6, fragments both ways, AF_PACKET."""
    both_ways("net_af_packet0,iface=s0")


@lab()
def link_af_xdp():
    """The same over AF_XDP, where verge itself puts IPv4 fragments together."""
    both_ways("net_af_xdp0,iface=s0")


@lab()
def link_two_workers():
    """Two workers, one queue: datagrams are handed over, and back to the queue's owner."""
    with Lab() as net:
        reflector = Reflector(net, workers=2)
        with net.socket("a", socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sent = {f"OPTIONS sip:x SIP/2.0\r\nCall-ID : call-{i}\r\n\r\n".encode() for i in range(200)}
            back = set()
            for data in sent:
                sock.sendto(data, (OWN4, 5060))
                back.add(sock.recv(2000))
            expect(back == sent, f"{len(sent - back)} lost")
        verdicts = reflector.verdicts()
        expect(40 <= verdicts.get("handed_over", 0) <= 160, f"{verdicts}")


@lab()
def link_queues():
    """Two workers, two queues of AF_PACKET: each worker polls one, ARP learned by one is told."""
    with Lab() as net:
        reflector = Reflector(net, "net_af_packet0,iface=s0,qpairs=2", workers=2)
        for last in range(20, 40):
            address = net.address("a", last)
            missing = echo(net, socket.AF_INET, OWN4, (200, 3000), local=address)
            expect(not missing, f"{address}: {missing}")
        reflector.verdicts()


@lab()
def link_vlan():
    """The port's tag is taken and sent; another tag and none are dropped and counted."""
    with Lab() as net:
        reflector = Reflector(net, vlan=100)
        wire = Wire(net)
        # By hand: the kernel of the lab may have no VLAN devices.
        wire.send(wire.udp(b"tagged", vlan=100))
        asked = wire.receive(lambda f: f[12:18] == b"\x81\0\0\x64\x08\x06")
        expect(asked[42:46] == socket.inet_aton(PEER4), "ARP asks for another address")
        wire.send(wire.arp(2, PEER4, OWN4, vlan=100))
        back = wire.receive(lambda f: f[12:18] == b"\x81\0\0\x64\x08\0")
        expect(back.endswith(b"tagged"), f"{back}")
        for _ in range(5):
            wire.send(wire.udp(b"x" * 20))
            wire.send(wire.udp(b"x" * 20, vlan=101))
        time.sleep(0.3)
        verdicts = reflector.verdicts()
        expect(verdicts.get("DROP_VLAN", 0) >= 10, f"{verdicts}")
        expect(verdicts.get("SIP_HANDLED") == 1, f"{verdicts}")


@lab()
def link_duplicate_address():
    """Who wants an own address for itself hears that it is taken: IPv6 DAD, and ARP probes."""
    with Lab() as net:
        reflector = Reflector(net)
        run("ip", "netns", "exec", net.ns("a"), "sysctl", "-qw", "net.ipv6.conf.a0.accept_dad=1",
            "net.ipv6.conf.all.accept_dad=1", "net.ipv6.conf.a0.dad_transmits=1")
        net.ip("a", "addr", "add", OWN6 + "/64", "dev", "a0")
        wait_for("DAD fails", lambda: "dadfailed" in net.ip("a", "addr", "show", "dev", "a0"), 5)
        wire = Wire(net)
        wire.send(wire.arp(1, "0.0.0.0", OWN4))
        frame = wire.receive(lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2")
        expect(frame[28:32] == socket.inet_aton(OWN4), "the ARP reply is for another address")
        wire.send(wire.arp(1, OWN4, PEER4))
        time.sleep(0.2)
        verdicts = reflector.verdicts()
        expect(verdicts.get("DROP_ARP_CONFLICT") == 1, f"{verdicts}")


@lab()
def link_next_hop():
    """Replies wait for the next hop's station; no route and no answer are counted, none hangs."""
    with Lab() as net:
        reflector = Reflector(net, gateway=ACCESS4 + "250")
        # The first reply to a new address has to wait for ARP.
        fresh = net.address("a", 77)
        with net.socket("a", socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sock.bind((fresh, 0))
            for i in range(10):
                sock.sendto(b"message %d" % i, (OWN4, 5060))
            back = {sock.recv(100) for _ in range(10)}
            expect(len(back) == 10, f"{back}")
        wire = Wire(net)
        for _ in range(20):  # 16 wait, the oldest go
            wire.send(wire.udp(b"x" * 20, src="172.16.9.9"))
        time.sleep(4)
        wire.send(wire.udp(b"x" * 20, src="172.16.9.9"))
        time.sleep(0.2)
        verdicts = reflector.verdicts()
        expect(verdicts.get("UNSENT_QUEUE_FULL") == 4, f"{verdicts}")
        expect(verdicts.get("UNSENT_UNRESOLVED") == 17, f"{verdicts}")
        expect(verdicts.get("SIP_HANDLED") == 31, f"{verdicts}")


@lab()
def link_device_gone():
    """A device that is deleted under verge: it goes on and stops in order."""
    with Lab() as net:
        reflector = Reflector(net)
        expect(not echo(net, socket.AF_INET, OWN4, (20,)), "echo")
        net.ip("s", "link", "set", "s0", "down")
        time.sleep(0.5)
        net.ip("s", "link", "set", "s0", "up")
        wait_for("echo after down and up",
                 lambda: not echo(net, socket.AF_INET, OWN4, (20,), timeout=0.5), 10)
        net.ip("a", "link", "del", "a0")
        time.sleep(2)
        reflector.verdicts()


@lab()
def link_memif():
    """A memif port opens without anybody on the other side, and verge stops in order."""
    with Lab() as net:
        Reflector(net, f"net_memif0,role=server,socket={net.dir}/memif.sock,socket-abstract=no"
                  ).verdicts()


@lab()
def link_tap():
    """net_tap: a device with RSS and UDP checksums of its own serves two workers over two queues."""
    with Lab() as net:
        reflector = Reflector(net, "net_tap0,iface=tap0", workers=2)
        # The kernel of verge's own namespace is the peer.
        net.sysctl("s", "net.ipv6.conf.tap0.disable_ipv6=0")
        net.ip("s", "link", "set", "tap0", "address", "02:00:00:00:00:77", "up")
        net.ip("s", "addr", "add", PEER4 + "/24", "dev", "tap0")
        net.ip("s", "addr", "add", PEER6 + "/64", "dev", "tap0", "nodad")
        for family, target in ((socket.AF_INET, OWN4), (socket.AF_INET6, OWN6)):
            for _ in range(20):  # each socket has a port of its own: both queues get some
                missing = echo(net, family, target, SIZES, side="s")
                expect(not missing, f"{target}: {missing}")
        verdicts = reflector.verdicts()
        expect(verdicts.get("ports_with_udp_checksum") == 1, f"{verdicts}")
        expect(verdicts.get("SIP_HANDLED") == 40 * len(SIZES), f"{verdicts}")


STATION4, STATION6 = ACCESS4 + "88", ACCESS6 + "88"  # no kernel has them: the test answers


def asks(address):
    """Whether a frame asks who has an address: ARP, or neighbour solicitation."""
    four = ":" not in address
    packed = socket.inet_pton(socket.AF_INET if four else socket.AF_INET6, address)

    def check(f):
        if four:
            return f[12:14] == b"\x08\x06" and f[20:22] == b"\0\1" and f[38:42] == packed and \
                f[28:32] != packed
        return f[12:14] == b"\x86\xdd" and f[54:55] == b"\x87" and f[62:78] == packed
    return check


def is_echo(data):
    return lambda f: f[12:14] in (b"\x08\0", b"\x86\xdd") and f.endswith(data)


def announced(wire):
    """Own addresses are told to everybody: gratuitous ARP and an unsolicited advertisement."""
    own = socket.inet_aton(OWN4)
    frame = wire.receive(lambda f: f[12:14] == b"\x08\x06" and f[28:32] == f[38:42] == own, 15)
    expect(frame[:6] == b"\xff" * 6 and frame[22:28] == wire.verge, f"gratuitous ARP: {frame.hex()}")
    frame = wire.receive(lambda f: f[12:14] == b"\x86\xdd" and f[54:55] == b"\x88" and
                         f[62:78] == socket.inet_pton(socket.AF_INET6, OWN6), 15)
    expect(frame[:6] == b"\x33\x33\0\0\0\1", f"advertisement: {frame.hex()}")


@lab(slow=True)
def link_neighbours_age():
    """A neighbour is asked for once, packets wait; after 30 s it is asked again, first where it was, and
    packets go on there; a new station is learned, a silent one given up. Own addresses are told."""
    one, two = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
    with Lab() as net:
        wire = Wire(net)
        reflector = Reflector(net)
        announced(wire)
        for address in (STATION4, STATION6):  # packets wait for the answer
            wire.send(wire.from_station(address, b"first" * 9))
            asked = wire.receive(asks(address))
            expect(asked[0] & 1, f"the first question is for one station: {asked.hex()}")
            wire.send(wire.answer(address, one))
            expect(wire.receive(is_echo(b"first" * 9))[:6] == one, "the packet that waited")
        time.sleep(31)
        for address in (STATION4, STATION6):
            wire.send(wire.from_station(address, b"again" * 9))
            expect(wire.receive(asks(address))[:6] == one, "asked again where it was")
            expect(wire.receive(is_echo(b"again" * 9))[:6] == one, "the packet does not wait")
            wire.send(wire.answer(address, two))
            time.sleep(0.1)
            wire.send(wire.from_station(address, b"moved" * 9))
            expect(wire.receive(is_echo(b"moved" * 9))[:6] == two, "the new station")
        net.ip("s", "link", "set", "s0", "down")
        time.sleep(2)
        net.ip("s", "link", "set", "s0", "up")
        announced(wire)
        time.sleep(31)
        for address in (STATION4, STATION6):
            wire.send(wire.from_station(address, b"still" * 9))
            expect(wire.receive(asks(address))[:6] == two, "asked again")
            asked = [wire.receive(asks(address))[0] & 1 for _ in range(5)]
            expect(asked == [0, 0, 1, 1, 1], f"further questions to all: {asked}")
            time.sleep(0.7)
            wire.send(wire.from_station(address, b"gone" * 9))
        time.sleep(0.3)
        verdicts = reflector.verdicts()
        expect(verdicts.get("UNSENT_UNRESOLVED") == 2, f"{verdicts}")
        expect(verdicts.get("ARP_LEARNED") == 2 and verdicts.get("ND_LEARNED") == 2, f"{verdicts}")
        expect(verdicts.get("SIP_HANDLED") == 10, f"{verdicts}")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Wire:
    """Frames by hand from the access peer's interface to verge's."""

    def __init__(self, net):
        self.sock = self._open(net)
        self.verge = bytes.fromhex(self._mac(net, "s", "s0"))
        self.own = bytes.fromhex(self._mac(net, "a", "a0"))

    @staticmethod
    def _mac(net, side, device):
        return json.loads(net.ip(side, "-j", "link", "show", device))[0]["address"].replace(":", "")

    @staticmethod
    def _open(net):
        sock = net.socket("a", socket.SOCK_RAW, socket.AF_PACKET)
        sock.bind(("a0", 0x0003))
        sock.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        sock.settimeout(2)
        return sock

    def send(self, frame):
        self.sock.send(frame)

    def receive(self, wanted, seconds=5):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                frame, extra, _, _ = self.sock.recvmsg(4000, 100)
            except TimeoutError:
                break
            for _, _, aux in extra:  # struct tpacket_auxdata: the kernel takes the tag out
                status, tci = struct.unpack_from("=I", aux)[0], struct.unpack_from("=H", aux, 16)[0]
                if status & 0x10:  # TP_STATUS_VLAN_VALID
                    frame = frame[:12] + struct.pack("!HH", 0x8100, tci) + frame[12:]
            if frame[6:12] == self.verge and wanted(frame):
                return frame
        raise AssertionError("no such frame came")

    def ether(self, kind, payload, dst=None, src=None, vlan=0):
        tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
        return (dst or self.verge) + (src or self.own) + tag + struct.pack("!H", kind) + payload

    def arp(self, op, sender, target, vlan=0):
        return self.ether(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + self.own
                          + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target),
                          dst=b"\xff" * 6, vlan=vlan)

    @staticmethod
    def ip4(payload, proto=17, src=PEER4, dst=OWN4, **over):
        head = struct.pack("!BBHHHBBH4s4s", over.get("version", 0x45), 0,
                           over.get("total", 20 + len(payload)), 7, over.get("offset", 0), 64, proto,
                           0, socket.inet_aton(src), socket.inet_aton(dst))
        return head[:10] + struct.pack("!H", over.get("sum", checksum(head))) + head[12:] + payload

    @staticmethod
    def datagram(data, port=5060, src=PEER4, dst=OWN4, **over):
        length = 8 + len(data)
        head = struct.pack("!HHHH", over.get("sport", 5060), port, over.get("length", length), 0)
        pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!HH", 17, length)
        total = over.get("sum", checksum(pseudo + head + data) or 0xffff)
        return head[:6] + struct.pack("!H", total) + data

    def udp(self, data, vlan=0, src=PEER4, dst=OWN4):
        return self.ether(0x0800, self.ip4(self.datagram(data, src=src, dst=dst), src=src, dst=dst),
                          vlan=vlan)

    def from_station(self, address, data):
        """A datagram from an address that is no kernel's."""
        if ":" not in address:
            return self.udp(data, src=address)
        head = struct.pack("!HHHH", 5060, 5060, 8 + len(data), 0)
        return self.ether(0x86dd, self.ip6(self.summed6(head + data, 6, address, OWN6, 17), src=address))

    @staticmethod
    def summed6(payload, at, src, dst, proto):
        pseudo = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + \
            struct.pack("!II", len(payload), proto)
        return payload[:at] + struct.pack("!H", checksum(pseudo + payload) or 0xffff) + payload[at + 2:]

    def answer(self, address, station):
        """ARP reply or neighbour advertisement: the address is at that station."""
        if ":" not in address:
            return self.ether(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + station +
                              socket.inet_aton(address) + self.verge + socket.inet_aton(OWN4))
        packed = socket.inet_pton(socket.AF_INET6, address)
        advertisement = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + packed + b"\2\1" + station
        return self.ether(0x86dd, self.ip6(self.summed6(advertisement, 2, address, OWN6, 58), proto=58,
                                           src=address, hops=255), src=station)

    @staticmethod
    def ip6(payload, proto=17, src=PEER6, dst=OWN6, hops=64, length=None):
        return struct.pack("!IHBB", 0x60000000, len(payload) if length is None else length, proto,
                           hops) + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(
                               socket.AF_INET6, dst) + payload


def refused_frames(w):
    """(verdict, frame) for everything that the link refuses."""
    good = w.datagram(b"x" * 30)
    four, six = 0x0800, 0x86dd
    yield "DROP_ETHERTYPE", w.ether(0x1234, bytes(50))
    yield "DROP_NOT_OUR_MAC", w.ether(four, w.ip4(good), dst=b"\2\0\0\0\0\1")
    yield "DROP_OWN_MAC", w.ether(four, w.ip4(good), src=w.verge)
    yield "DROP_SHORT", w.ether(four, w.ip4(good, total=900))
    yield "DROP_SHORT", w.ether(six, w.ip6(bytes(20), length=900))
    yield "DROP_SHORT", w.ether(four, bytes(10))
    yield "DROP_IP_HEADER", w.ether(four, w.ip4(good, version=0x44))
    yield "DROP_IP_HEADER", w.ether(four, w.ip4(good, version=0x65))
    yield "DROP_IP_HEADER", w.ether(four, w.ip4(good, total=10))
    yield "DROP_IP_HEADER", w.ether(four, w.ip4(good, src="224.0.0.1"))
    yield "DROP_IP_HEADER", w.ether(six, w.ip6(bytes(20), src="ff02::1"))
    yield "DROP_IP_CHECKSUM", w.ether(four, w.ip4(good, sum=1))
    yield "DROP_NOT_OUR_IP", w.ether(four, w.ip4(good, dst=ACCESS4 + "9"))
    yield "DROP_NOT_OUR_IP", w.ether(four, w.ip4(good, dst=ACCESS4 + "255"), dst=b"\xff" * 6)
    yield "DROP_NOT_OUR_IP", w.ether(six, w.ip6(bytes(20), dst=ACCESS6 + "9"))
    yield "DROP_PROTOCOL", w.ether(four, w.ip4(bytes(20), proto=6))
    yield "DROP_PROTOCOL", w.ether(six, w.ip6(bytes(20), proto=6))
    yield "DROP_UDP_CHECKSUM", w.ether(four, w.ip4(w.datagram(b"x" * 30, sum=0x1234)))
    yield "DROP_UDP_CHECKSUM", w.ether(six, w.ip6(struct.pack("!HHHH", 5, 5060, 12, 0) + b"abcd"))
    yield "DROP_UDP_HEADER", w.ether(four, w.ip4(w.datagram(b"x" * 30, length=900)))
    yield "DROP_UDP_HEADER", w.ether(four, w.ip4(w.datagram(b"x" * 30, length=7)))
    yield "DROP_UDP_HEADER", w.ether(four, w.ip4(b"abc"))
    yield "DROP_UDP_PORT", w.ether(four, w.ip4(w.datagram(b"x" * 30, port=5061)))
    yield "KEEPALIVE", w.ether(four, w.ip4(w.datagram(b"\r\n\r\n")))
    yield "KEEPALIVE", w.ether(four, w.ip4(w.datagram(b"\0")))
    yield "DROP_IP_EXTENSION", w.ether(six, w.ip6(struct.pack("!BB", 17, 200) + bytes(30), proto=0))
    yield "DROP_IP_EXTENSION", w.ether(six, w.ip6(struct.pack("!BB", 17, 0) + bytes(30), proto=43))
    yield "DROP_IP_EXTENSION", w.ether(six, w.ip6((struct.pack("!BB", 60, 0) + bytes(6)) * 6, proto=60))
    yield "DROP_IP_EXTENSION", w.ether(six, w.ip6(b"abc", proto=44))
    yield "DROP_FRAGMENT", w.ether(six, w.ip6(struct.pack("!BBHI", 17, 0, 1, 9), proto=44))
    yield "DROP_ICMP_CHECKSUM", w.ether(four, w.ip4(b"\x08\0\1\1" + bytes(8), proto=1))
    yield "DROP_ICMP_CHECKSUM", w.ether(six, w.ip6(b"\x87\0\1\1" + bytes(20), proto=58, hops=255))
    yield "DROP_SHORT", w.ether(four, w.ip4(b"\x08\0\0", proto=1))
    body = b"\3\3\0\0" + bytes(8)
    yield "DROP_ICMP_ERROR", w.ether(four, w.ip4(
        body[:2] + struct.pack("!H", checksum(body)) + body[4:], proto=1))
    yield "DROP_ARP", w.ether(0x0806, bytes(28))
    yield "DROP_ARP", w.arp(1, PEER4, ACCESS4 + "99")


@lab()
def link_refuses():
    """One frame of each kind that the link refuses, and noise: each has its verdict, none hurts."""
    with Lab() as net:
        reflector = Reflector(net)
        wire = Wire(net)
        expected = {}
        for verdict, frame in refused_frames(wire):
            expected[verdict] = expected.get(verdict, 0) + 1
            wire.send(frame)
            time.sleep(0.002)
        for _ in range(3000):
            wire.send(wire.verge + wire.own + os.urandom(60))
        for kind in (0x0800, 0x86dd, 0x0806, 0x8100):
            for i in range(1000):
                noise = os.urandom(80)
                if i % 2 and kind != 0x0806:
                    noise = (wire.ip4 if kind == 0x0800 else wire.ip6)(os.urandom(60),
                                                                       proto=(17, 1, 58, 44, 0)[i % 5])
                wire.send(wire.ether(kind, noise))
        time.sleep(0.5)
        missing = echo(net, socket.AF_INET, OWN4, SIZES)
        expect(not missing, f"{missing}")
        time.sleep(6)  # the last fragments are too old
        verdicts = reflector.verdicts()
        expect(verdicts["mbufs_in_use"] == 0, f"{verdicts}")
        wrong = {v: (n, verdicts.get(v, 0)) for v, n in expected.items() if verdicts.get(v, 0) < n}
        expect(not wrong, f"expected, counted: {wrong}")
        expect(verdicts.get("SIP_HANDLED") == len(SIZES), f"{verdicts}")

