# SPDX-License-Identifier: BSD-3-Clause
"""Peers of verge other than SIPp, and when a peer is there."""

import os
import subprocess

from lab import LabError, wait_for


def listening(net, side, address, port=5060):
    """Wait until somebody has the UDP port."""
    def check():
        out = subprocess.run(["ip", "netns", "exec", net.ns(side), "ss", "-Hlun"], text=True,
                             capture_output=True, check=False).stdout
        return f"{address}:{port}" in out
    wait_for(f"somebody at {address}:{port}", check, 5)


def kamailio(net, address, port, target, target2=None):
    """Start a record-routing proxy that keeps dialogs and session timers before the callee `target`
    ("address:port"); numbers that begin with 2 go to target2."""
    template = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kamailio.cfg")
    with open(template, encoding="utf-8") as f:
        text = f.read()
    path = os.path.join(net.dir, "kamailio.cfg")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("@LISTEN@", f"{address}:{port}").replace("@TARGET@", target)
                .replace("@TARGET2@", target2 or target))
    process = net.start("kamailio", ["kamailio", "-f", path, "-DD", "-E", "-x", "fm", "-m", "128",
                                     "-M", "16", "-P", path + ".pid", "-Y", net.dir], "c")
    try:
        listening(net, "c", address, port)
    except LabError:
        raise LabError(f"kamailio did not start: {process.tail()}") from None
    return process
