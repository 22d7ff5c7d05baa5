# SPDX-License-Identifier: BSD-3-Clause
"""Linphone's daemon (Debian linphone-cli) as a peer: a softphone with session timers of its own.

It needs a home with the directories of its databases: without them it stops before it opens a port
and says so in its log file only. It does without a sound card. Commands go in through a pipe."""

import os
import re

from lab import LabError, wait_for
from peer import listening

CONFIG = """[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
bind_address={ip}
use_ipv6=0
guess_hostname=0
contact=<sip:linphone@{ip}:{port}>
session_expires_enabled=1
session_expires_value={se}
session_expires_min_value=90
session_expires_refresher_value={refresher}
[rtp]
nortp_timeout=86400
"""
REFRESHER = {"none": 0, "uas": 1, "uac": 2}


class Linphone:
    def __init__(self, lab, name, side, ip, port=5060, se=90, refresher="none", answers=False):
        """se, refresher: what it offers as a caller. answers: it takes each call."""
        self.lab, self.name = lab, name
        home = os.path.join(lab.dir, name)
        for directory in (".local/share/linphone", ".config/linphone"):
            os.makedirs(os.path.join(home, directory))
        path, self.log = os.path.join(home, "linphonerc"), os.path.join(home, "linphone.log")
        with open(path, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(ip=ip, port=port, se=se, refresher=REFRESHER[refresher]))
        pipe = os.path.join(home, "commands")
        os.mkfifo(pipe)
        # Read and write: it never sees an end of its input.
        self.commands = os.open(pipe, os.O_RDWR)
        argv = ["linphone-daemon", "--config", path, "--log", self.log, "--disable-stats-events"]
        try:
            self.process = lab.start(name, argv + (["--auto-answer"] if answers else []), side,
                                     env={"HOME": home, "TMPDIR": home, "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""},
                                     stdin=self.commands)
            listening(lab, side, ip, port)
        except LabError as error:
            raise LabError(f"{error}\n{self.complaints()}") from None

    def complaints(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return "\n".join(line for line in f if "-error-" in line)[-2000:]
        except FileNotFoundError:
            return "it wrote no log"

    def say(self, command):
        os.write(self.commands, (command + "\n").encode())

    def states(self):
        """The states that its calls went through."""
        return re.findall(r"^Event: LinphoneCall(\w+)", self.process.output(), re.MULTILINE)

    def reached(self, state, timeout):
        try:
            wait_for(f"{self.name}: {state}", lambda: state in self.states(), timeout)
        except LabError as error:
            raise LabError(f"{error}: {self.states()}\n{self.complaints()}") from None
