# SPDX-License-Identifier: BSD-3-Clause
"""verge and the generator joined by two memif wires, each on a CPU of its own.

Both run as children of this program in a directory of their own; whatever happens they are ended by
pid. No namespace, no kernel interface and no metrics port is involved: verge is asked by vergectl."""

import glob
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRUNKS = 20
RING_BITS = 14  # descriptors of each memif ring, as a power of two: 10 ms of a flood, so that a
# worker that the scheduler takes away for a moment does not lose what is on the wire


class RigError(Exception):
    """What was expected did not happen; the text says what."""


def device(number, role, path, link):
    return (f"net_memif{number},role={role},id={link},socket={path},socket-abstract=no,"
            f"rsize={RING_BITS},bsize=2048")


def configuration(directory, calls, transactions, verge_cpu, control_cpu, timer=None, idle="busy",
                  t1_ms=500, cdr=True, more=None):
    """JSON, which is YAML: 20 trunks a side, each caller's trunk routed to one callee's."""
    trunks, routes = {}, []
    for i in range(TRUNKS):
        trunks[f"a{i}"] = {"port": "access", "peers": [f"10.91.1.{i + 2}:5060"]}
        trunks[f"b{i}"] = {"port": "core", "peers": [f"10.92.1.{i + 2}:5060"]}
        routes += [{"from": f"a{i}", "to": [f"b{i}"]}, {"from": f"b{i}", "to": [f"a{i}"]}]
    return {
        "system": {"workers": [verge_cpu], "control_core": control_cpu, "idle": idle,
                   "capacity": {"calls": calls, "transactions": transactions},
                   "run_dir": directory, "hugepages": "auto", "stop": "bye", "stop_timeout": 1},
        "ports": {
            "access": {"device": device(0, "server", f"{directory}/access.memif", 0),
                       "addresses": ["10.91.0.1/16"]},
            "core": {"device": device(1, "server", f"{directory}/core.memif", 1),
                     "addresses": ["10.92.0.1/16"]},
        },
        "profiles": {"default": {"options_ping": 0, "session_timer": timer or {}}},
        "trunks": trunks, "routes": routes, "timers": {"t1": f"{t1_ms}ms"},
        "cdr": {"file": f"{directory}/cdr.jsonl" if cdr else "", "rotate": 0},
        "metrics": {"listen": ""},
        "log": {"level": "warning", "to": "stderr"},
        **(more or {}),
    }


class Rig:
    """with Rig(build, ...) as rig: rig.set(rate=1000); rig.report()"""

    def __init__(self, build, calls=100000, transactions=0, verge_cpu=1, gen_cpu=0, control_cpu=None,
                 loop=False, slots=0, **conf):
        self.build = os.path.join(ROOT, build)
        self.dir = tempfile.mkdtemp(prefix="verge-loadgen-")
        self.children = []
        self.verge = None
        control = gen_cpu if control_cpu is None else control_cpu
        self.conf = configuration(self.dir, calls, transactions, verge_cpu, control, **conf)
        self.loop, self.gen_cpu, self.slots = loop, gen_cpu, slots or calls

    def __enter__(self):
        try:
            if not self.loop:
                self._start_verge()
            self._start_engine()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self, name, argv, **more):
        with open(os.path.join(self.dir, name + ".log"), "ab") as log:
            child = subprocess.Popen(argv, stderr=log, process_group=0, **more)
        self.children.append(child)
        return child

    def log(self, name):
        with open(os.path.join(self.dir, name + ".log"), encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-15:])

    def write(self):
        """The configuration, for the next reload; one value a line, so that errors have one."""
        path = os.path.join(self.dir, "verge.yaml")
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(self.conf, f, indent=0)
        os.rename(path + ".new", path)
        return path

    def reload(self):
        """vergectl reload: its exit status and what it says."""
        done = subprocess.run([f"{self.build}/control/vergectl", "-s", f"{self.dir}/verge.sock",
                               "reload"], capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def _start_verge(self):
        path = self.write()
        self.verge = self._start("verge", [f"{self.build}/control/verge", "-c", path],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while self.ctl("status") is None:
            if self.verge.poll() is not None or time.monotonic() > end:
                raise RigError("verge did not start:\n" + self.log("verge"))
            time.sleep(0.1)

    def _start_engine(self):
        ends = [f"{self.dir}/access.memif", f"{self.dir}/core.memif"]
        devices = [device(0, "client", ends[0], 0), device(1, "client", ends[1], 1)]
        if self.loop:
            devices = [device(0, "server", ends[0], 0), device(1, "client", ends[0], 0)]
        self.engine = self._start(
            "loadgen", [f"{self.build}/bench/loadgen/loadgen_engine", "--access", devices[0],
                        "--core", devices[1], "--cpu", str(self.gen_cpu),
                        "--calls", str(self.slots), *(["--loop"] if self.loop else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._pending = b""
        if not self._line(60).get("ready"):
            raise RigError("the generator did not start")

    def _line(self, seconds):
        end = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            ready, _, _ = select.select([self.engine.stdout], [], [], max(0, left))
            chunk = os.read(self.engine.stdout.fileno(), 1 << 20) if ready else b""
            if not chunk:
                raise RigError("the generator says nothing:\n" + self.log("loadgen"))
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)

    def _say(self, line):
        self.engine.stdin.write(line.encode() + b"\n")
        self.engine.stdin.flush()

    def set(self, **knobs):
        self._say("set " + " ".join(f"{k} {int(v)}" for k, v in knobs.items()))

    def zero(self):
        self._say("zero")

    def report(self):
        if self.verge is not None and self.verge.poll() is not None:
            raise RigError(f"verge ended with {self.verge.returncode}:\n" + self.log("verge"))
        self._say("report")
        return self._line(10)

    def until(self, check, seconds, every=0.1):
        """The first report for which check is true, or the last one."""
        end = time.monotonic() + seconds
        while True:
            report = self.report()
            if check(report) or time.monotonic() > end:
                return report
            time.sleep(every)

    def ctl(self, *words):
        """What vergectl says, as JSON; None if verge does not answer."""
        done = subprocess.run([f"{self.build}/control/vergectl", "-s", f"{self.dir}/verge.sock",
                               *words, "--json"], capture_output=True, text=True, check=False,
                              timeout=20)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    def memory(self):
        """Resident bytes of verge, hugepages included."""
        total = 0
        with open(f"/proc/{self.verge.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith(("VmRSS:", "HugetlbPages:")):
                    total += int(line.split()[1]) * 1024
        return total

    def cpu_seconds(self):
        """User and system seconds of verge by thread name."""
        tick, threads = os.sysconf("SC_CLK_TCK"), {}
        for task in os.listdir(f"/proc/{self.verge.pid}/task"):
            with open(f"/proc/{self.verge.pid}/task/{task}/stat", encoding="ascii") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            fields = rest.split()
            threads[name] = threads.get(name, 0) + (int(fields[11]) + int(fields[12])) / tick
        return threads

    def freeze(self, seconds):
        """verge does not run for so long: as under a hypervisor that moves it."""
        os.kill(self.verge.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.verge.pid, signal.SIGCONT)

    def close(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(8)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        left = [path for child in self.children for path in glob.glob(f"/run/dpdk/*-{child.pid}")]
        if left:
            raise RigError(f"left behind: {left}")
