# SPDX-License-Identifier: BSD-3-Clause
"""verge in a lab: its configuration, start and stop, metrics, CDRs, vergectl."""

import http.client
import json
import os
import re
import time

from lab import ACCESS4, ACCESS6, CORE4, CORE6, LabError, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = "build"  # the directory whose verge is tested
METRICS_PORT = 9161
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# What has to be back where it was when no call is left: metric -> labels that have to match.
LEVELS = {
    "verge_calls": {}, "verge_worker_legs": {}, "verge_legs": {}, "verge_transactions": {},
    "verge_timers": {}, "verge_arena_bytes": {"kind": "used"}, "verge_sip_buffers": {},
    "verge_mbufs": {"kind": "used"},
}


def device(driver, number, interface):
    """DPDK's name of a kernel interface: driver af_packet or af_xdp."""
    return f"net_{driver}{number},iface={interface}"


def config(lab, driver="af_packet", workers=1, timer=None, profile=None, capacity=4000, **more):
    """A configuration with both peers' trunks: "access" (calls from it) and "core" (calls to it)."""
    access = {"device": device(driver, 0, "s0"), "vlan": lab.vlan,
              "addresses": [ACCESS4 + "1/24", ACCESS6 + "1/64"]}
    ports = {"access": access}
    if lab.one_port:
        access["addresses"] += [CORE4 + "1/24", CORE6 + "1/64"]
    else:
        ports["core"] = {"device": device(driver, 1, "s1"), "vlan": lab.vlan,
                         "addresses": [CORE4 + "1/24", CORE6 + "1/64"]}
    core = "access" if lab.one_port else "core"
    return {
        "system": {"workers": [i % (os.cpu_count() or 1) for i in range(workers)], "control_core": 0,
                   "idle": "adaptive", "capacity": {"calls": capacity}, "run_dir": lab.dir,
                   "hugepages": "none", "stop": "bye", "stop_timeout": 5},
        "ports": ports,
        "profiles": {"default": {"options_ping": 0, "session_timer": timer or {}, **(profile or {})}},
        "trunks": {
            "access": {"port": "access", "peers": [ACCESS4 + "2:5060"]},
            "core": {"port": core, "peers": [CORE4 + "2:5060"]},
        },
        "routes": [{"from": "access", "to": ["core"]}, {"from": "core", "to": ["access"]}],
        "cdr": {"file": os.path.join(lab.dir, "cdr.jsonl"), "rotate": 0},
        "metrics": {"listen": f"127.0.0.1:{METRICS_PORT}"},
        "log": {"level": "info", "to": "stderr"},
        **more,
    }


class Verge:
    @staticmethod
    def program():
        return os.path.join(ROOT, BUILD, "control", "verge")

    def __init__(self, lab, conf, name="verge", prefix=(), env=None):
        self.lab, self.conf = lab, conf
        self.path = os.path.join(lab.dir, name + ".yaml")
        self.binary = self.program()
        self.ctl = os.path.join(ROOT, BUILD, "control", "vergectl")
        self.write(conf)
        self.process = lab.start(name, [*prefix, self.binary, "-c", self.path], "s", env=env)
        self.base = None
        try:
            wait_for("verge ready", self._ready, 20)
        except LabError as error:
            raise LabError(f"{error}\n{self.process.tail(30)}") from None
        self.base = self.levels()

    def write(self, conf):
        """JSON is YAML."""
        with open(self.path, "w", encoding="utf-8") as f:
            json.dump(conf, f, indent=2)

    def _ready(self):
        if not self.process.alive():
            raise LabError(f"verge ended with {self.process.child.returncode}")
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def get(self, path, headers=None):
        """(status, text) from the metrics address."""
        with self.lab.socket("s") as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", METRICS_PORT))
            connection = http.client.HTTPConnection("127.0.0.1", METRICS_PORT)
            connection.sock = sock
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metrics(self):
        """[(name, labels, value)] of now."""
        status, text = self.get("/metrics")
        if status != 200:
            raise LabError(f"/metrics: {status}")
        return [(m.group(1), dict(LABEL.findall(m.group(2) or "")), float(m.group(3)))
                for m in SAMPLE.finditer(text) if not m.group(0).startswith("#")]

    def sum(self, name, **labels):
        """Sum of a metric's samples that have these labels; LabError if there is no such metric."""
        found = [v for n, l, v in self.metrics()
                 if n == name and all(l.get(k) == w for k, w in labels.items())]
        if not found:
            raise LabError(f"no metric {name}{labels}")
        return sum(found)

    def levels(self):
        """Sums of what has to come back: metric -> value."""
        samples = self.metrics()
        level = {}
        for name, labels in LEVELS.items():
            found = [v for n, l, v in samples
                     if n == name and all(l.get(k) == w for k, w in labels.items())]
            if not found:
                raise LabError(f"/metrics has no {name}")
            level[name] = sum(found)
        return level

    def settled(self, timeout=45):
        """Wait until nothing of any call is left; LabError tells what stayed. Transactions of UDP
        live for 64*T1 = 32 s after their last message."""
        last = {}

        def check():
            last.clear()
            last.update(self.levels())
            return all(last[name] <= self.base[name] for name in last)
        try:
            wait_for("levels", check, timeout, 0.5)
        except LabError:
            over = {n: f"{last[n]:.0f} (was {self.base[n]:.0f})" for n in last
                    if last[n] > self.base[n]}
            raise LabError(f"left behind after {timeout} s: {over}") from None

    def cdrs(self):
        try:
            with open(self.conf["cdr"]["file"], encoding="utf-8") as f:
                return [json.loads(line) for line in f if line.strip()]
        except FileNotFoundError:
            return []

    def cdr(self, timeout=5, **match):
        """The CDR of a call: cdr(call_id=...) is the caller's Call-ID."""
        def find():
            for record in self.cdrs():
                if all(record.get(k) == v or record.get("ingress", {}).get(k) == v
                       for k, v in match.items()):
                    return record
            return None
        return wait_for(f"CDR {match}", find, timeout)

    def vergectl(self, *argv):
        """(exit status, text)."""
        log = self.lab.start("vergectl", [self.ctl, "-s", os.path.join(self.lab.dir, "verge.sock"),
                                          *argv], "s")
        status = log.wait(30)
        return status, log.said()

    def alive(self):
        return self.process.alive()

    def stop(self, timeout=15):
        """SIGTERM; the exit status has to be 0."""
        status = self.process.stop(timeout=timeout)
        if status != 0:
            raise LabError(f"verge ended with {status}\n{self.process.tail(30)}")
        left = [path for path in (f"/run/dpdk/verge-{self.process.pid}", f"/tmp/dpdk/verge-{self.process.pid}",
                                  os.path.join(self.conf["system"]["run_dir"], "verge.sock"))
                if os.path.exists(path)]
        if left:
            raise LabError(f"verge left {left}")

    def cpu_seconds(self):
        return self.process.cpu_seconds()


def now_of_day():
    """Seconds since midnight in local time, as SIPp stamps its messages."""
    t = time.time()
    local = time.localtime(t)
    return local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + t % 1
