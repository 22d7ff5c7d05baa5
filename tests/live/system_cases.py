# SPDX-License-Identifier: BSD-3-Clause
"""Live tests of what verge takes from the machine and gives back: hugepages, rights, devices."""

import contextlib
import ctypes
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import time

import calls
from case import expect, lab
from lab import Lab, wait_for
from lab_cases import peers
from verge import Verge, config

PAGES = "/proc/sys/vm/nr_hugepages"


def number(path):
    with open(path, encoding="ascii") as f:
        return int(f.read())


@contextlib.contextmanager
def hugepages(least):
    """The kernel's hugepages are set aside for a while; yields how many, which may be too few."""
    before = number(PAGES)
    try:
        with open(PAGES, "w", encoding="ascii") as f:
            f.write(str(before + least))
        yield number(PAGES) - before
    finally:
        with open(PAGES, "w", encoding="ascii") as f:
            f.write(str(before))


def status_of(verge, key, thread=None):
    path = f"/proc/{verge.process.pid}/" + (f"task/{thread}/" if thread else "") + "status"
    with open(path, encoding="ascii") as f:
        return re.search(rf"^{key}:\s*(.*)$", f.read(), re.MULTILINE).group(1)


def hugetlb_kib(verge):
    return int(status_of(verge, "HugetlbPages").split()[0])


def ten_calls(net, verge):
    uac, uas = peers(net, calls.basic_caller(100), calls.basic_callee(), calls=10, rate=50)
    expect(uac.finish(20)["ok"] == 10, "calls")
    uas.stop()
    verge.stop()


def attempt(net, binary, conf, prefix=(), more=()):
    """Run verge with a configuration that cannot work; (exit status, what it says)."""
    path = os.path.join(net.dir, "refused.yaml")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(conf, f)
    done = subprocess.run(["ip", "netns", "exec", net.ns("s"), *prefix, binary, "-c", path, *more],
                          text=True, capture_output=True, check=False, timeout=20)
    return done.returncode, done.stdout + done.stderr


@lab(load=True)
def hugepages_used():
    """hugepages: required takes them and gives them back, auto without any warns, none takes none."""
    with Lab() as net:
        conf = config(net, capacity=1000)
        conf["system"]["hugepages"] = "required"
        binary = Verge.program()
        if number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") < 40:
            status, said = attempt(net, binary, conf)
            expect(status == 1 and "system.hugepages is required" in said, f"{status} {said}")
        conf["system"]["hugepages"] = "auto"
        verge = Verge(net, conf, "auto")
        expect(hugetlb_kib(verge) > 0 or "huge pages are not free" in verge.process.output(),
               "auto neither took hugepages nor said that there are none")
        verge.stop()
        with hugepages(200) as got:
            if got < 200:
                return f"half skipped, the kernel set aside {got} of 200 pages"
            conf["system"]["hugepages"] = "none"
            verge = Verge(net, conf, "none")
            expect(hugetlb_kib(verge) == 0, "hugepages: none took some")
            verge.stop()
            conf["system"]["hugepages"] = "required"
            verge = Verge(net, conf, "required")
            # buffers of ports, tables and leg text: all of them
            expect(hugetlb_kib(verge) >= 30 * 1024, f"{hugetlb_kib(verge)} KiB")
            ten_calls(net, verge)


@lab()
def rights_given_up():
    """With system.user no thread keeps a capability in effect; AF_XDP leaves nothing at the interface."""
    nobody = pwd.getpwnam("nobody")
    for driver in ("af_packet", "af_xdp"):
        with Lab() as net:
            conf = config(net, driver)
            conf["system"]["user"] = "nobody"
            conf["system"]["run_dir"] = os.path.join(net.dir, "run")
            os.mkdir(os.path.join(net.dir, "cdr"))
            os.chown(os.path.join(net.dir, "cdr"), nobody.pw_uid, -1)
            os.chmod(net.dir, 0o755)
            conf["cdr"]["file"] = os.path.join(net.dir, "cdr", "cdr.jsonl")
            verge = Verge(net, conf)
            threads = os.listdir(f"/proc/{verge.process.pid}/task")
            expect(len(threads) >= 2, f"threads: {threads}")
            for thread in threads:
                expect(status_of(verge, "Uid", thread).split() == [str(nobody.pw_uid)] * 4, "Uid")
                expect(int(status_of(verge, "CapEff", thread), 16) == 0, f"CapEff of {thread}")
                aside = int(status_of(verge, "CapPrm", thread), 16)
                main = driver == "af_xdp" and int(thread) == verge.process.pid
                expect(aside == (1 << 12 if main else 0), f"{driver}: CapPrm of {thread}: {aside:x}")
                expect(status_of(verge, "NoNewPrivs", thread) == "1", "NoNewPrivs")
            ten_calls(net, verge)
            expect(len(verge.cdrs()) == 10, "CDRs")
            left = net.ip("s", "-d", "link", "show", "s0")
            expect("xdp" not in left, f"left at the interface: {left}")


@lab()
def devices_told():
    """A device that is not there or not allowed: --check and the start say which and what to do."""
    with Lab() as net:
        conf = config(net)
        binary = os.path.join(net.dir, "verge")
        shutil.copy(Verge.program(), binary)
        os.chmod(net.dir, 0o777)
        nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        status, said = attempt(net, binary, conf, nobody)
        expect(status == 1 and "not_root" in said and "CAP_NET_RAW" in said, f"{status} {said}")
        for device, words in (("0000:fe:1f.7", "no PCI device 0000:fe:1f.7"),
                              ("net_af_packet0,iface=away0", 'no interface "away0"'),
                              ("s0", "net_af_packet0,iface=s0")):
            conf["ports"]["access"]["device"] = device
            status, said = attempt(net, binary, conf, more=["--check"])
            expect(status == 0 and words in said, f"{status} {said}")
            status, said = attempt(net, binary, conf)
            expect(status == 1 and words in said, f"{status} {said}")
        # an ordinary user may start where no device needs more
        conf = config(net)
        conf["ports"]["access"]["device"], conf["ports"]["core"]["device"] = "net_ring0", "net_ring1"
        conf["cdr"]["file"] = ""
        verge = Verge(net, conf, prefix=nobody)
        expect(status_of(verge, "Uid").split()[1] != "0", "Uid")
        verge.stop()


class Supervisor:
    """The end of a socket that systemd would hold."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(0.05)

    def listen(self, seconds, until=None):
        """What is said in so many seconds, or until a line is among it."""
        said, end = [], time.monotonic() + seconds
        while time.monotonic() < end and until not in said:
            with contextlib.suppress(TimeoutError):
                said += self.socket.recv(4096).decode().split("\n")
        return said


@contextlib.contextmanager
def stopped_thread(thread):
    """One thread stands still; the others go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    attach, detach = 16, 17
    expect(libc.ptrace(attach, thread, None, None) == 0, f"ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(thread, 0x40000000)  # __WALL: a thread, no child of ours
    try:
        yield
    finally:
        libc.ptrace(detach, thread, None, None)


def thread_named(verge, part):
    """The thread of verge whose name has this part."""
    task = f"/proc/{verge.process.pid}/task"
    for thread in os.listdir(task):
        with open(f"{task}/{thread}/comm", encoding="ascii") as f:
            if part in f.read():
                return int(thread)
    raise AssertionError(f"verge has no thread {part}")


@lab()
def watchdog_fed():
    """systemd hears READY, WATCHDOG while all workers go round, nothing while one stands, when /healthz says which; STOPPING."""
    with Lab() as net:
        path = os.path.join(net.dir, "notify")
        systemd = Supervisor(path)
        verge = Verge(net, config(net, workers=2), env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"})
        expect("READY=1" in systemd.listen(5, "READY=1"), "READY")
        expect(systemd.listen(3).count("WATCHDOG=1") >= 3, "WATCHDOG twice in its time")
        with stopped_thread(thread_named(verge, "worker-2")):
            systemd.listen(1)  # what was on its way
            expect("WATCHDOG=1" not in systemd.listen(3), "WATCHDOG although a worker stands still")
            status, text = verge.get("/healthz")
            expect(status == 503 and text.startswith("worker 1 on CPU ") and "stands still" in text,
                   f"/healthz although a worker stands still: {status} {text}")
            expect("stands still" in verge.vergectl("status")[1], "vergectl status")
        expect("WATCHDOG=1" in systemd.listen(5, "WATCHDOG=1"), "WATCHDOG when it goes on")
        wait_for("/healthz when it goes on", lambda: verge.get("/healthz")[0] == 200, 5)
        expect("worker_stands_still worker=1" in verge.process.output(), verge.process.tail())
        verge.stop()
        expect("STOPPING=1" in systemd.listen(5, "STOPPING=1"), "STOPPING")
