# SPDX-License-Identifier: BSD-3-Clause
"""A network on this machine: namespaces with veth pairs, and the processes in them.

    access peers  [a] a0 ---- s0 [s] s1 ---- c0 [c]  core peers
                 10.91.1.x   verge owns s0, s1   10.92.1.x

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
    def __init__(self, keep=False, one_port=False, vlan=0, wire=()):
        """vlan: verge's wires are tagged; wire: options of wire.py for wires that are not perfect."""
        global _count
        with _count_lock:
            _count += 1
            self.id = f"vl{os.getpid() % 100000}x{_count}"
        self.keep, self.one_port, self.vlan = keep, one_port, vlan
        self.wire = [*wire, *(["--vlan", str(vlan)] if vlan else [])]
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
        elif self.wire:
            self._build_between()
        else:
            self._wire("a", "a0", "s", "s0")
            self._wire("c", "c0", "s", "s1")
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

    def _build_between(self):
        """Wires of user space (wire.py) between verge and its peers."""
        self._switch()
        pairs = []
        for side, number in (("a", 0), ("c", 1)):
            self._wire(side, f"{side}0", "w", f"w{side}")
            self._wire("w", f"wt{number}", "s", f"s{number}")
            pairs.append(f"w{side}:wt{number}")
        here = os.path.dirname(os.path.abspath(__file__))
        self.start("wire", ["python3", os.path.join(here, "wire.py"), *self.wire, *pairs], "w")

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
