# SPDX-License-Identifier: BSD-3-Clause
"""A network on this machine: namespaces with veth pairs, and the processes in them.

    access peers  [a] a0 ---- s0 [s] s1 ---- c0 [c]  core peers
                 10.91.1.x   verge owns s0, s1   10.92.1.x

The wires may lose, delay and reorder frames (`disturb`): by the kernel's netem where it has that, by
wire.py otherwise. They may be tagged (`vlan`): by the peers' own 802.1Q interfaces where the kernel
has them, by wire.py otherwise. Lab.means says which it was.

The names carry this process's id and a number, so that labs stand side by side. Lab is a context
manager: whatever happens, its processes are ended by pid and its namespaces deleted. The kernel has
no address on s0 and s1: only verge answers there."""

import atexit
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

CLONE_NEWNET = 0x40000000
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ACCESS4, CORE4 = "10.91.1.", "10.92.1."
ACCESS6, CORE6 = "fd91::", "fd92::"

_count_lock = threading.Lock()
_count = 0
_open_labs = []


class LabError(Exception):
    """What was expected did not happen; the text says what."""


def run(*argv, check=True):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def wait_for(what, check, timeout, every=0.05):
    """Wait until check() is true and return what it said; LabError after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        said = check()
        if said:
            return said
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout} s")
        time.sleep(every)


def end_once(number, _):
    """Handler of signals that end a program: the first one does, so that nobody who presses Ctrl-C
    twice stops the cleaning up. Raises KeyboardInterrupt(number)."""
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt(number)


def catch_endings():
    for number in ENDING:
        signal.signal(number, end_once)


def kernel_has(*argv):
    """Whether the kernel does this in a namespace of its own; {ns} in argv is its name."""
    ns = f"vl{os.getpid() % 100000}probe{threading.get_ident() % 10000}"
    run("ip", "netns", "add", ns)
    try:
        done = subprocess.run([word.format(ns=ns) for word in argv], capture_output=True,
                              check=False, stdin=subprocess.DEVNULL)
        return done.returncode == 0
    finally:
        run("ip", "netns", "del", ns, check=False)


def has_netem():
    return kernel_has("ip", "netns", "exec", "{ns}", "tc", "qdisc", "add", "dev", "lo", "root", "netem",
                      "loss", "1%")


def has_vlan():
    return kernel_has("sh", "-c", "ip -n {ns} link add v0 type veth peer name v1 && "
                      "ip -n {ns} link add link v0 name v5 type vlan id 5")


def _close_all():
    for lab in list(_open_labs):
        lab.close()


atexit.register(_close_all)


class Process:
    """A program in a namespace, its output in a file."""

    def __init__(self, lab, name, argv, side=None, env=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.log = os.path.join(lab.dir, name + ".log")
        prefix = ["ip", "netns", "exec", lab.ns(side)] if side else []
        with open(self.log, "ab") as out:
            self.begin = out.tell()
            # A group of its own: Ctrl-C reaches this program first, which then ends it in order.
            self.child = subprocess.Popen(prefix + list(argv), stdin=stdin, stdout=out,
                                          stderr=subprocess.STDOUT, cwd=lab.dir,
                                          env={**os.environ, **(env or {})}, process_group=0)
        self.pid = self.child.pid  # `ip netns exec` becomes the program
        lab.processes.append(self)

    def alive(self):
        return self.child.poll() is None

    def output(self, begin=0):
        with open(self.log, "rb") as f:
            f.seek(begin)
            return f.read().decode("utf-8", "replace")

    def said(self):
        """The output of this run alone: a name that runs again writes into the same file."""
        return self.output(self.begin)

    def tail(self, lines=15):
        return "\n".join(self.output().rstrip().split("\n")[-lines:])

    def wait(self, timeout):
        """Exit status; LabError if it does not end by itself."""
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} did not end within {timeout} s") from None

    def interrupt(self, number):
        if self.alive():
            self.child.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=5):
        """End it: asked first, made to after timeout. Returns the exit status."""
        self.interrupt(number)
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill_tree()
            return self.child.wait()

    def _kill_tree(self):
        """The process and what it has forked (kamailio)."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def cpu_seconds(self):
        """User and system time of all its threads so far."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Lab:
    def __init__(self, keep=False, one_port=False, vlan=0, disturb=None):
        """vlan: verge's wires are tagged; disturb: loss in percent, delay and jitter in ms, of each
        wire both ways."""
        global _count
        with _count_lock:
            _count += 1
            self.id = f"vl{os.getpid() % 100000}x{_count}"
        self.keep, self.one_port, self.vlan = keep, one_port, vlan
        self.disturb, self.means = disturb or {}, []
        self.netem, self.tagging = disturb and has_netem(), vlan and has_vlan()
        self.processes = []
        self.dir = tempfile.mkdtemp(prefix=f"verge-{self.id}-")
        self.closed = False
        _open_labs.append(self)

    def ns(self, side):
        return f"{self.id}_{side}"

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        self.close()

    def ip(self, side, *argv, check=True):
        return run("ip", "-n", self.ns(side), *argv, check=check)

    def sysctl(self, side, *settings):
        for setting in settings:
            run("ip", "netns", "exec", self.ns(side), "sysctl", "-qw", setting, check=False)

    def _build(self):
        for side in "asc":
            run("ip", "netns", "add", self.ns(side))
            self.ip(side, "link", "set", "lo", "up")
            # Addresses are usable at once, and the hosts keep quiet.
            self.sysctl(side, "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                         "net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0")
        self.sysctl("s", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        if self.one_port:
            self._build_one_port()
        elif (self.vlan and not self.tagging) or self.disturb:
            self._build_between()
        else:
            for side, number in (("a", 0), ("c", 1)):
                self._wire(side, self._device(side), "s", f"s{number}")
        if self.tagging:
            self._tag()
        for side, net4, net6 in (("a", ACCESS4, ACCESS6), ("c", CORE4, CORE6)):
            self.ip(side, "addr", "add", net4 + "2/24", "dev", f"{side}0")
            self.ip(side, "addr", "add", net6 + "2/64", "dev", f"{side}0", "nodad")

    def _wire(self, one, device, other, peer):
        run("ip", "link", "add", device, "netns", self.ns(one), "type", "veth", "peer", "name", peer,
            "netns", self.ns(other))
        for side, name in ((one, device), (other, peer)):
            self.ip(side, "link", "set", name, "up")
        # A kernel's UDP over veth has an unfinished checksum unless it computes it itself.
        run("ip", "netns", "exec", self.ns(one), "ethtool", "-K", device, "tx", "off")

    def _switch(self):
        """A namespace for what stands between verge and its peers."""
        run("ip", "netns", "add", self.ns("w"))
        self.sysctl("w", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")

    def _device(self, side):
        """The peers' end of the wire: below their tagged interface, if they have one."""
        return f"{side}raw" if self.tagging else f"{side}0"

    def _tag(self):
        """The peers' interfaces a0 and c0 are 802.1Q interfaces of the kernel."""
        self.means.append("802.1Q by the kernel")
        for side in "ac":
            self.ip(side, "link", "add", "link", self._device(side), "name", f"{side}0", "type", "vlan",
                    "id", str(self.vlan))
            self.ip(side, "link", "set", f"{side}0", "up")
            run("ip", "netns", "exec", self.ns(side), "ethtool", "-K", f"{side}0", "tx", "off",
                check=False)

    def _build_between(self):
        """Something between verge and its peers that is not perfect, or that tags."""
        self._switch()
        pairs = []
        for side, number in (("a", 0), ("c", 1)):
            self._wire(side, self._device(side), "w", f"w{side}")
            self._wire("w", f"wt{number}", "s", f"s{number}")
            pairs.append((f"w{side}", f"wt{number}"))
        if self.disturb and self.netem and (self.tagging or not self.vlan):
            self._netem(pairs)
        else:
            self._user_space(pairs)

    def _netem(self, pairs):
        """A bridge for each wire, netem where frames leave it, both ways. Not on verge's own
        interface: its drivers go past the queueing disciplines of that."""
        self.means.append("netem")
        d = self.disturb
        for number, pair in enumerate(pairs):
            self.ip("w", "link", "add", f"sw{number}", "type", "bridge")
            self.ip("w", "link", "set", f"sw{number}", "up")
            for device in pair:
                self.ip("w", "link", "set", device, "master", f"sw{number}")
                # delay is the middle of its spread: frames that are sent apart by less reorder
                run("ip", "netns", "exec", self.ns("w"), "tc", "qdisc", "add", "dev", device, "root",
                    "netem", "limit", "10000", "loss", f"{d['loss']}%",
                    "delay", f"{d['delay'] + d['jitter'] / 2}ms", f"{d['jitter'] / 2}ms")

    def _user_space(self, pairs):
        options = ["--vlan", str(self.vlan)] if self.vlan else []
        for key, value in self.disturb.items():
            options += [f"--{key}", str(value)]
        self.means.append("wire.py: " + " ".join(options))
        here = os.path.dirname(os.path.abspath(__file__))
        self.start("wire", ["python3", os.path.join(here, "wire.py"), *options,
                            *(":".join(pair) for pair in pairs)], "w")

    def _build_one_port(self):
        """Both peers behind one port of verge: a switch between."""
        self._switch()
        self.ip("w", "link", "add", "sw", "type", "bridge")
        self.ip("w", "link", "set", "sw", "up")
        for side, device, peer in (("a", "a0", "wa"), ("c", "c0", "wc"), ("s", "s0", "ws")):
            self._wire(side, device, "w", peer)
            self.ip("w", "link", "set", peer, "master", "sw")
        # Trunks of a port see its first address, whichever of its nets they are in.
        self.ip("c", "route", "add", ACCESS4 + "0/24", "dev", "c0")

    def address(self, side, last):
        """Another address of a peer's host; returns it."""
        address = (ACCESS4 if side == "a" else CORE4) + str(last)
        self.ip(side, "addr", "replace", address + "/24", "dev", f"{side}0")
        return address

    def start(self, name, argv, side=None, **more):
        return Process(self, name, argv, side, **more)

    def sockets(self, side, n, kind=socket.SOCK_STREAM, family=socket.AF_INET):
        """Sockets that live in a namespace: made by a thread that has gone there."""
        made = []

        def make():
            libc = ctypes.CDLL(None, use_errno=True)
            fd = os.open(f"/run/netns/{self.ns(side)}", os.O_RDONLY)
            try:
                if libc.setns(fd, CLONE_NEWNET) == 0:
                    made.extend(socket.socket(family, kind) for _ in range(n))
            finally:
                os.close(fd)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if len(made) != n:
            raise LabError(f"no socket in {self.ns(side)}")
        return made

    def socket(self, side, kind=socket.SOCK_STREAM, family=socket.AF_INET):
        return self.sockets(side, 1, kind, family)[0]

    def close(self):
        if self.closed:
            return
        self.closed = True
        if self in _open_labs:
            _open_labs.remove(self)
        if self.keep:
            print(f"kept: namespaces {self.id}_*, their processes, files in {self.dir}. To remove them:\n"
                  f"  for n in $(ls /run/netns | grep ^{self.id}_); do ip netns pids $n | xargs -r kill; "
                  f"ip netns del $n; done; rm -r {self.dir}")
            return
        for process in reversed(self.processes):
            process.stop(timeout=3)
        for side in "ascw":
            run("ip", "netns", "del", self.ns(side), check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
