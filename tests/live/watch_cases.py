# SPDX-License-Identifier: BSD-3-Clause
"""What an operator watches: a real Prometheus with the rules of conf/prometheus, the dashboard of
conf/grafana, the page in a real browser, and clients that only take places."""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse

import calls
from browser import Browser
from case import expect, lab
from lab import ACCESS4, CORE4, Lab, LabError, wait_for
from lab_cases import LOCAL, VERGE4, ended_well, peers
from peer import listening
from sipp import Sipp, answer_timer, recv, reply, scenario
from verge import METRICS_PORT, ROOT, Verge, config

PROMETHEUS_PORT = 9190
PAGE = f"http://127.0.0.1:{METRICS_PORT}/"
# What a trunk's name may be at its oddest.
ODD = "../a+b@c:d_e-f"
# The most values that a label may have, whatever peers send; trunks are those of the configuration.
MOST = {"kind": 40, "class": 20, "cause": 60, "verdict": 120, "code": 30, "le": 80, "state": 6,
        "direction": 3, "result": 20, "method": 3, "role": 2, "refresher": 3, "ring": 8, "reason": 8,
        "mode": 2, "worker": 64, "way": 2, "how": 2, "pool": 2, "name": 4, "port": 4, "driver": 2,
        "version": 1}


class Prometheus:
    """The Debian package's, with the files of conf/prometheus at a faster pace."""

    def __init__(self, net, side="s"):
        self.net, self.side = net, side
        folder = os.path.join(net.dir, "prometheus")
        shutil.copytree(os.path.join(ROOT, "conf/prometheus"), folder)
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as f:
                text = f.read()
            text = re.sub(r"(scrape|evaluation)_interval: \d+s", r"\1_interval: 1s", text)
            text = re.sub(r"for: \w+", "for: 1s", text)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        self.process = net.start("prometheus-server", [
            "prometheus", "--config.file", os.path.join(folder, "prometheus.yml"),
            "--storage.tsdb.path", os.path.join(net.dir, "tsdb"),
            f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}"], side)
        wait_for("prometheus", self._ready, 30, 0.3)

    def _ready(self):
        if not self.process.alive():
            raise LabError(f"prometheus has ended: {self.process.tail()}")
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def get(self, path):
        with self.net.socket(self.side) as sock:
            sock.settimeout(10)
            sock.connect(("127.0.0.1", PROMETHEUS_PORT))
            sock.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            data = b""
            while piece := sock.recv(1 << 16):
                data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def api(self, path, **query):
        status, text = self.get(f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
        answer = json.loads(text)
        expect(status == 200 and answer["status"] == "success", f"{path} {query}: {text[:500]}")
        return answer["data"]

    def query(self, expression):
        """[(labels, value)] of now, without what is not a number."""
        found = [(r["metric"], float(r["value"][1]))
                 for r in self.api("query", query=expression)["result"]]
        return [(labels, value) for labels, value in found if not math.isnan(value)]


    def firing(self):
        return {(a["labels"]["alertname"], a["labels"].get("trunk")): a
                for a in self.api("alerts")["alerts"] if a["state"] == "firing"}


def watched_config(net):
    """Besides the usual trunks one whose callee knows no refreshed call, and one that is dead."""
    conf = config(net, timer=LOCAL)
    conf["profiles"]["pinged"] = {"options_ping": 1}
    conf["trunks"]["amnesia"] = {"port": "core", "peers": [CORE4 + "4:5060"]}
    conf["trunks"]["dead"] = {"port": "core", "peers": [CORE4 + "99:5060"], "profile": "pinged"}
    conf["trunks"][ODD] = {"port": "core", "peers": [CORE4 + "98:5060"]}
    conf["routes"].insert(0, {"from": "access", "prefix": "2", "to": ["amnesia"]})
    return conf


def watched_load(net):
    """Short calls, held calls, and held calls whose refresh is answered with 481."""
    net.address("c", 4)
    forgets = scenario("callee", calls.ring_and_answer(extra=answer_timer(90, "uac")),
                       calls.hold_loop(side=calls.CALLEE, update=reply(481, "Gone"),
                                       invited=reply(481, "Gone") + recv(request="ACK")))
    Sipp(net, "uas", "c", CORE4 + "2", 5060, calls.callee_held())
    Sipp(net, "amnesia", "c", CORE4 + "4", 5060, forgets)
    listening(net, "c", CORE4 + "2")
    listening(net, "c", CORE4 + "4")
    held = scenario("caller", calls.answered(), calls.hold_loop())
    return [Sipp(net, "held", "a", ACCESS4 + "2", 5060, held, calls=30, rate=10, target=VERGE4),
            Sipp(net, "dropped", "a", ACCESS4 + "2", 5062, calls.caller_held(idle_ms=85000), calls=8,
                 rate=10, target=VERGE4, service="2001"),
            Sipp(net, "short", "a", ACCESS4 + "2", 5064, calls.basic_caller(300), calls=1300, rate=20,
                 target=VERGE4)]


def panel_queries():
    """(panel, query) of the dashboard, its variables set as a browser would."""
    with open(os.path.join(ROOT, "conf/grafana/verge.json"), encoding="utf-8") as f:
        board = json.load(f)
    names = {v["name"] for v in board["templating"]["list"]}
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for name, value in (("__rate_interval", "30s"), ("instance", ".*"), ("trunk", ".*")):
                expect(name in names or name.startswith("__"), f"no variable {name}")
                query = query.replace(f"${name}", value)
            expect("$" not in query, f"{panel['title']}: {query}")
            yield panel["title"], query


def check_labels(verge):
    """No label can grow with what peers send."""
    values = {}
    for _, labels, _ in verge.metrics():
        for label, value in labels.items():
            values.setdefault(label, set()).add(value)
    expect(values.pop("trunk") <= set(verge.conf["trunks"]), "a trunk that is not configured")
    for label, found in values.items():
        expect(label in MOST, f"label {label} is not bounded in MOST")
        expect(len(found) <= MOST[label], f"{label}: {len(found)} values")


# Debian's python has its prometheus_client; `python3` may be another one.
STRICT = """
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(sys.stdin.read())}
assert families["verge_session_timer_refreshes"].type == "counter"
assert families["verge_calls"].type == "gauge"
assert len(families) > 50, len(families)
"""


def check_openmetrics(verge):
    """The strict parser of the Python client takes the whole text, promtool the classic one."""
    text = verge.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})[1]
    expect(text.endswith("# EOF\n"), text[-60:])
    for argv, given in ((["/usr/bin/python3", "-c", STRICT], text),
                        (["promtool", "check", "metrics"], verge.get("/metrics")[1])):
        done = subprocess.run(argv, input=given, text=True, capture_output=True, check=False)
        expect(done.returncode == 0, f"{argv[0]}: {done.stderr[-1500:]}{done.stdout[-1500:]}")


@lab(slow=True)
def prometheus_and_dashboard():
    """A real Prometheus scrapes verge under load: values come back, rules run, alerts fire, each panel of the dashboard has data."""
    with Lab() as net:
        verge = Verge(net, watched_config(net))
        prometheus = Prometheus(net)
        wait_for("a first scrape", lambda: prometheus.query("verge_calls_max"), 10)
        runs = watched_load(net)
        wait_for("drops of the amnesiac", lambda: prometheus.query(
            'verge_call_ends_total{class="drop",trunk="amnesia"} > 7'), 80, 1)
        target = prometheus.api("targets")["activeTargets"][0]
        expect(target["health"] == "up", target)
        # what it stored is what verge says
        for metric in ("verge_calls_max", 'verge_session_timer_refreshes_total{trunk="core",method='
                       '"UPDATE",role="sent",result="ok"}', 'verge_call_drops_total{trunk="amnesia",'
                       'direction="out"}'):
            name, _, labels = metric.partition("{")
            labels = dict(re.findall(r'(\w+)="(\w+)"', labels))
            own = wait_for(metric, lambda: {verge.sum(name, **labels)} & {
                v for _, v in prometheus.query(metric)}, 20, 0.3)
            expect(min(own) > 0, f"{metric}: {own}")
        expect(prometheus.query('trunk:verge_drops:rate5m{trunk="amnesia"} > 0'), "recording rules")
        empty = [f"{title}: {query}" for title, query in panel_queries()
                 if not prometheus.query(query)]
        expect(not empty, "panels without data:\n" + "\n".join(empty))
        for group in prometheus.api("rules")["groups"]:
            bad = [r for r in group["rules"] if r["health"] != "ok"]
            expect(not bad, f"rules: {bad}")
        wait_for("the alert of drops", lambda: ("VergeDrops", "amnesia") in prometheus.firing(), 20, 1)
        down = prometheus.firing().get(("VergeTrunkDown", "dead"))
        expect(down, f"{list(prometheus.firing())}")
        expect(down["annotations"]["summary"] == "No peer of trunk dead answers", down)
        quiet = [t for _, t in prometheus.firing() if t not in ("dead", "amnesia", None)]
        expect(not quiet, f"alerts of {quiet}")
        check_labels(verge)
        check_openmetrics(verge)
        prometheus.process.stop()
        for run in runs:
            run.stop()
        ended_well(verge, 120)


def rows_of(html, section):
    return re.findall(r"<tr>.*?</tr>", re.search(
        rf'<section id="{section}">.*?</section>', html, re.DOTALL).group(0), re.DOTALL)


def no_foreign_requests(browser):
    urls = [u for u in browser.requests() if not u.startswith((PAGE, "data:", "about:"))]
    expect(not urls, f"the page asked for {urls}")
    expect(not browser.complaints(), f"{browser.complaints()}")


@lab(slow=True)
def page_in_a_browser():
    """The page in Chromium: live, hostile Call-IDs are text, whole without JavaScript, fits a phone."""
    with Lab() as net:
        conf = watched_config(net)
        # nobody refreshes: at risk from 50 s on, given up at 60 s
        conf["profiles"]["lazy"] = {"session_timer": {"interval": 90, "refresher": "remote"}}
        conf["trunks"]["access"]["profile"] = "lazy"
        verge = Verge(net, conf)
        hold = scenario("caller", calls.answered(), calls.hold_loop(idle_ms=100000))
        with Browser(net, "s") as browser:
            browser.open(PAGE)
            before = browser.js("document.querySelector('.tile strong').textContent")
            expect(before == "0", f"calls: {before}")
            uac, _ = peers(net, hold, calls.callee_held(), calls=5, more=("-cid_str", "<b>%u</b>&'\"@%s"))
            wait_for("5 calls", lambda: verge.sum("verge_calls") == 5, 10)
            wait_for("the page to renew itself", lambda: browser.wait(0.5) or browser.js(
                "document.querySelector('.tile strong').textContent") == "5", 15)
            expect(browser.js("performance.getEntriesByType('navigation').length") == 1, "reloaded")
            wait_for("calls at risk", lambda: browser.wait(1) or browser.js(
                "document.querySelectorAll('#risks tbody tr').length") == 5, 75)
            shown = browser.js("document.querySelector('#risks td').textContent")
            expect(re.fullmatch(r"<b>\d+</b>&'\"@10\.91\.1\.2", shown), f"Call-ID: {shown}")
            names = browser.js("[...document.querySelectorAll('#trunks td.head')].map(c => c.textContent)")
            expect(sorted(names) == sorted(conf["trunks"]), f"{names}")
            expect(browser.js("document.querySelectorAll('main script, main img, main b').length") == 0,
                   "markup from outside")
            expect(browser.js("document.querySelectorAll('svg rect').length") > 0, "empty charts")
            no_foreign_requests(browser)
        for width, mobile in ((390, True), (320, True), (768, False), (1280, False)):
            with Browser(net, "s", width, 844, mobile, scripts=False) as browser:
                browser.open(PAGE)
                html = browser.html()
                size = browser.call("Page.getLayoutMetrics")["cssContentSize"]["width"]
                expect(size <= width, f"{width} px: {size} px wide")
                expect(len(rows_of(html, "trunks")) == 1 + len(conf["trunks"]), "trunks")
                expect(len(rows_of(html, "workers")) == 2, "workers")
                expect("<rect" in html, "charts without scripts")
                path = os.path.join(net.dir, f"page-{width}.png")
                browser.picture(path)
                expect(os.path.getsize(path) > 20000, "picture")
                no_foreign_requests(browser)
                keep = os.environ.get("VERGE_PICTURES")
                if keep:
                    shutil.copy(path, keep)
        uac.process.wait(60)
        wait_for("drops on the page", lambda: "session_expired" in verge.get("/")[1], 10)
        with Browser(net, "s") as browser:
            browser.open(PAGE)
            verge.process.interrupt(19)  # SIGSTOP: it does not answer
            wait_for("a lost connection is told", lambda: browser.wait(1) or "no answer since" in
                     browser.js("document.getElementById('live').textContent"), 20)
            verge.process.interrupt(18)
            wait_for("and found again", lambda: browser.wait(1) or "live" in
                     browser.js("document.getElementById('live').textContent"), 20)
        ended_well(verge)


def crowd(net, verge, n):
    """n clients of each listener: silent, with half a line, with junk, or that never read."""
    held = []
    for i in range(n):
        kind = i % 4
        unix = socket.socket(socket.AF_UNIX)
        unix.connect(os.path.join(verge.conf["system"]["run_dir"], "verge.sock"))
        unix.setblocking(False)
        say = (b"", b'{"command":"st', bytes(range(256)) * 4,
               b'{"command":"stats"}\n' * 200)[kind]
        try:
            if say:
                unix.send(say)
        except BlockingIOError:
            pass
        held.append(unix)
    for sock in net.sockets("s", n):
        sock.connect(("127.0.0.1", METRICS_PORT))
        sock.setblocking(False)
        kind = len(held) % 4
        say = (b"", b"GET /metr", bytes(range(256)) * 4,
               b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)[kind]
        if say:
            sock.send(say)
        held.append(sock)
    return held


@lab()
def idle_and_hostile_clients():
    """200 silent, slow and junk clients on the socket and on the HTTP port: calls, vergectl and scrapes go on."""
    with Lab() as net:
        verge = Verge(net, config(net, timer=LOCAL))
        uac, uas = peers(net, calls.basic_caller(300), calls.basic_callee(), calls=600, rate=60)
        held = crowd(net, verge, 200)
        worst = 0.0
        end = time.monotonic() + 14
        while time.monotonic() < end:
            began = time.monotonic()
            status, text = verge.vergectl("status")
            expect(status == 0 and "uptime" in text, text)
            expect(verge.get("/healthz")[0] == 200, "healthz")
            expect("verge_calls" in verge.get("/metrics")[1], "metrics")
            worst = max(worst, time.monotonic() - began)
            time.sleep(0.2)
        print(f"\tidle-and-hostile-clients: the slowest round of three took {worst * 1000:.0f} ms",
              flush=True)
        counts = uac.finish(30)
        expect(counts["ok"] == 600, f"{counts}")
        # whoever sent half a line or does not read has been cut off by now
        closed = 0
        for sock in held[:200]:
            try:
                while data := sock.recv(1 << 16):
                    pass
                closed += data == b""
            except BlockingIOError:
                pass
            except ConnectionError:
                closed += 1
        expect(closed >= 50, f"{closed} of 200 clients of the socket were cut off")
        for sock in held:
            sock.close()
        uas.stop()
        ended_well(verge)


@lab()
def thousand_trunks():
    """/metrics and the page of 1,000 trunks while calls run: all of them are there, no call notices."""
    with Lab() as net:
        conf = config(net, timer=LOCAL)
        conf["ports"]["core"]["gateway"] = CORE4 + "254"
        for i in range(1000):
            conf["trunks"][f"trunk-{i:04}"] = {"port": "core", "peers": [f"10.92.{2 + i // 250}.{1 + i % 250}:5060"]}
        verge = Verge(net, conf)
        uac, uas = peers(net, calls.basic_caller(200), calls.basic_callee(), calls=600, rate=100)
        took = []
        while uac.process.alive() and len(took) < 12:
            began = time.monotonic()
            text = verge.get("/metrics")[1]
            took.append((time.monotonic() - began) * 1000)
            time.sleep(0.3)
        names = set(re.findall(r'^verge_legs{trunk="([^"]*)",state="setup"}', text, re.MULTILINE))
        expect(names == set(conf["trunks"]), f"{len(names)} trunks")
        print(f"\tthousand-trunks: a scrape of {len(text) >> 10} KiB took {sorted(took)[len(took) // 2]:.0f} ms "
              f"(median), {max(took):.0f} ms at most", flush=True)
        page = verge.get("/")[1]
        expect("and 502 more" in page and page.endswith("</html>\n"), page[-500:])
        expect(uac.finish(30)["ok"] == 600, "calls")
        uas.stop()
        ended_well(verge)


@lab()
def hostile_series():
    """Noise, strangers and odd methods add no series: labels come from the configuration and from tables."""
    with Lab() as net:
        verge = Verge(net, config(net))
        before = len(verge.metrics())
        with net.socket("a", kind=2) as sock:
            sock.bind((ACCESS4 + "2", 5070))
            for i in range(600):
                text = (f"M{i} sip:u{i}@h{i} SIP/2.0\r\nVia: SIP/2.0/UDP 10.91.1.2:5070;branch=z9hG4bK{i}\r\n"
                        f"From: <sip:a{i}@h>;tag={i}\r\nTo: <sip:b{i}@h>\r\nCall-ID: {i}\r\n"
                        f"CSeq: 1 M{i}\r\nUser-Agent: agent-{i}\r\nContent-Length: 0\r\n\r\n")
                sock.sendto(text.encode(), (ACCESS4 + "1", 5060))
        wait_for("they are counted", lambda: verge.sum(
            "verge_sip_messages_total", trunk="access") >= 600, 10)
        after = len(verge.metrics())
        # sparse rows of the tables appear: two for the trunk's odd methods and their answers
        expect(after - before <= 8, f"{before} series, then {after}")
        check_labels(verge)
        ended_well(verge)
