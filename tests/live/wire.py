# SPDX-License-Identifier: BSD-3-Clause
"""Wires of user space between verge and its peers, for what not every kernel has: 802.1Q tags on
verge's side, loss, delay and reordering both ways.
Usage: wire.py [--vlan ID] [--loss PERCENT] [--delay MS] [--jitter MS] [--seed N] PEER:VERGE...
Frames of an interface PEER leave on VERGE (with the tag), frames of VERGE (with that tag, others are
dropped) leave on PEER. Jitter is added to each frame by itself, so later ones may overtake."""

import argparse
import heapq
import random
import select
import socket
import struct
import time

SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
VLAN_VALID = 1 << 4
AUXDATA = struct.Struct("IIIHHHH")


def opened(interface):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.bind((interface, 0))
    return sock


def received(sock):
    """(frame without tag, its VLAN or 0); (None, 0) for what was sent here."""
    frame, ancillary, _, source = sock.recvmsg(9100, 256)
    if source[2] == PACKET_OUTGOING:
        return None, 0
    # The kernel takes the tag off what it receives and tells it beside the frame.
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = AUXDATA.unpack(data[:AUXDATA.size])
            if status & VLAN_VALID:
                return frame, tci & 0xfff
    return frame, 0


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vlan", type=int, default=0)
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--jitter", type=float, default=0)
    parser.add_argument("--seed", type=int, default=4028)
    parser.add_argument("pairs", nargs="+")
    return parser.parse_args()


def main():
    options = arguments()
    dice = random.Random(options.seed)
    tag = struct.pack("!HH", 0x8100, options.vlan) if options.vlan else b""
    way = {}
    for pair in options.pairs:
        peer, verge = (opened(name) for name in pair.split(":"))
        way[peer] = (verge, True)
        way[verge] = (peer, False)
    waiting, n = [], 0  # (when, n, socket, frame)
    while True:
        patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for sock in select.select(list(way), [], [], patience)[0]:
            frame, vlan = received(sock)
            other, to_verge = way[sock]
            if frame is None or vlan != (0 if to_verge else options.vlan):
                continue
            if dice.uniform(0, 100) < options.loss:
                continue
            if to_verge:
                frame = frame[:12] + tag + frame[12:]
            late = (options.delay + dice.uniform(0, options.jitter)) / 1000
            n += 1
            heapq.heappush(waiting, (time.monotonic() + late, n, other, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, other, frame = heapq.heappop(waiting)
            other.send(frame)


main()
