# SPDX-License-Identifier: BSD-3-Clause
"""Builds each variant and runs every suite; one line a test, "N passed, N failed" at the end.

A suite is a function that yields Result, one for each thing proven. What a variant is built for
stands in VARIANTS; which suites run, and in which order, in SUITES. tests/run calls this."""

import argparse
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORES = os.cpu_count() or 1
# How a program of many cases tells them, a line each.
CASE = re.compile(r"^(ok|FAIL) {1,3}([a-z0-9][\w.-]*)$", re.MULTILINE)
MODEL_HOURS = 1000000
SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}

# name -> (directory, compiler, meson options). Each treats warnings as errors but those of gcc's
# sanitizers, whose instrumented code makes its flow analysis see what is not there.
VARIANTS = {
    "debug": ("build", "gcc", ["-Dbuildtype=debugoptimized"]),
    "release": ("build-release", "gcc", ["-Dbuildtype=release"]),
    "lto": ("build-lto", "gcc", ["-Dbuildtype=release", "-Db_lto=true"]),
    "asan": ("build-asan", "gcc", ["-Dbuildtype=debugoptimized", "-Dwerror=false",
                                   "-Db_sanitize=address,undefined"]),
    "tsan": ("build-tsan", "gcc", ["-Dbuildtype=debugoptimized", "-Dwerror=false",
                                   "-Db_sanitize=thread"]),
    "clang": ("build-clang", "clang", ["-Dbuildtype=debugoptimized", "-Dfuzzers=true",
                                       "-Db_sanitize=address,undefined", "-Db_lundef=false"]),
}


class Result:
    def __init__(self, suite, name, ok, seconds, output="", note=""):
        self.suite, self.name, self.ok, self.seconds, self.output = suite, name, ok, seconds, output
        self.note = note  # shown although it is well


# What only computes, while peers of the suite "live" mostly wait: gets the CPU that nobody wants.
IDLE = ["chrt", "--idle", "0"]


def command(argv, timeout, env=None, cwd=ROOT):
    """Run to the end or to the time limit, its whole process group; (ok, seconds, output)."""
    began = time.monotonic()
    with subprocess.Popen(argv, cwd=cwd, env={**os.environ, **(env or {})}, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as child:
        try:
            output, _ = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, _ = child.communicate()
            output += f"\nended after {timeout} s"
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)
            raise
    return child.returncode == 0, time.monotonic() - began, output


def setup(variant):
    """Configure a variant's directory; (ok, seconds, output)."""
    directory, compiler, options = VARIANTS[variant]
    exists = os.path.exists(os.path.join(ROOT, directory, "build.ninja"))
    argv = ["meson", "setup", directory, "-Dwerror=true", *options]
    return command(argv + (["--reconfigure"] if exists else []), 300, {"CC": compiler})


def introspect(variant, what):
    directory = os.path.join(ROOT, VARIANTS[variant][0])
    out = subprocess.run(["meson", "introspect", directory, "--" + what], check=True,
                         capture_output=True).stdout
    return json.loads(out)


def build(variant, options, suites=None, targets=()):
    """Build a variant: all of it, some targets, or what the tests of some suites need; one Result."""
    directory = VARIANTS[variant][0]
    ok, seconds, output = setup(variant)
    if ok:
        if suites:
            programs = {t["cmd"][0] for t in introspect(variant, "tests")
                        if set(suites) & {s.split(":")[-1] for s in t["suite"]}}
            targets = [os.path.relpath(p, os.path.join(ROOT, directory)) for p in sorted(programs)
                       if p.startswith(os.path.join(ROOT, directory))]
        if not suites or targets:
            ok, took, output = command(["ninja", "-C", directory, "-j", str(CORES), *targets], 1500)
            seconds += took
    yield Result("build", variant, ok, seconds, output)


def meson_tests(variant, suites, options, suite_name=None, more=()):
    """Run meson's tests of some suites in a variant; one Result each."""
    directory = VARIANTS[variant][0]
    log = os.path.join(ROOT, directory, "meson-logs", "run.json")
    if os.path.exists(log):
        os.unlink(log)
    argv = ["meson", "test", "-C", directory, "--no-rebuild", "--logbase", "run",
            "--num-processes", str(CORES), *more]
    for suite in suites:
        argv += ["--suite", suite]
    _, _, output = command(argv, 1500, SANITIZERS)
    if not os.path.exists(log):
        if "No suitable tests" not in output:
            yield Result(suite_name or suites[0], variant, False, 0, output)
        return
    with open(log, encoding="utf-8") as f:
        for line in f:
            test = json.loads(line)
            name = test["name"].split(" / ")[-1]
            said = test.get("stdout", "") + test.get("stderr", "")
            suite, ok = suite_name or suites[0], test["result"] == "OK"
            cases = CASE.findall(said)
            # A program that names its cases counts as these; what else went wrong counts too.
            for verdict, case in cases:
                yield Result(suite, f"{case} ({variant})", verdict == "ok", 0,
                             "" if verdict == "ok" else said)
            if not cases or (not ok and all(verdict == "ok" for verdict, _ in cases)):
                yield Result(suite, f"{name} ({variant})", ok, test["duration"], said)


def suite_build(options):
    yield from build("debug", options)
    if not options.quick:
        yield from build("release", options)
        # each program would be optimized as a whole, tests too, for minutes: the one that counts
        yield from build("lto", options, targets=["control/verge"])


def suite_lint(options):
    programs = ["includes", "format", "spdx", "tokens", "sizes", "words", "commits", "shell"]
    for name in programs:
        ok, seconds, output = command([f"tests/lint/{name}"], 300)
        yield Result("lint", name, ok, seconds, output)


def suite_static(options):
    """The slow lints. They read the clang build's compile commands, which need no build."""
    ok, seconds, output = setup("clang")
    if not ok:
        yield Result("lint", "clang setup", ok, seconds, output)
        return
    for name in ("tidy", "cppcheck"):
        ok, seconds, output = command([*IDLE, f"tests/lint/{name}"], 1500)
        yield Result("lint", name, ok, seconds, output)


def suite_unit(options):
    for variant in ("debug",) if options.quick else ("debug", "release"):
        yield from meson_tests(variant, ["unit", "golden"], options, "unit")


def suite_replay(options):
    yield from meson_tests("debug", ["fuzz"], options, "replay")


def suite_bench(options):
    """Benchmarks run one round, so that they never rot; numbers are made by hand."""
    yield from meson_tests("debug", ["micro"], options, "bench", ["--benchmark"])
    ok, seconds, output = command(["bench/loadgen/loadgen", "once", "--build",
                                   VARIANTS["debug"][0], "--calls", "5000"], 120)
    yield Result("bench", "loadgen over memif", ok, seconds, output)
    ok, seconds, output = command(["bench/loadgen/loadgen", "reload", "--build", VARIANTS["debug"][0],
                                   "--rate", "1000", "--reloads", "40", "--every", "0.05",
                                   "--calls", "20000", "--idle", "adaptive"], 180)
    yield Result("bench", "40 reloads under 1,000 calls/s", ok, seconds, output)
    ok, seconds, output = command(["bench/peers/peers", "--quick", "--build",
                                   VARIANTS["debug"][0]], 180)
    yield Result("bench", "side by side with peers", ok, seconds, output)
    ok, seconds, output = command(["bench/trex/check"], 60)
    yield Result("bench", "packets of the TRex profile", ok, seconds, output)


def suite_conf(options):
    """What conf/ brings for other programs, judged by these."""
    ok, seconds, output = command(["tests/conf/run"], 300)
    cases = CASE.findall(output)
    for verdict, case in cases:
        yield Result("conf", case, verdict == "ok", 0, "" if verdict == "ok" else output)
    if not cases or (not ok and all(verdict == "ok" for verdict, _ in cases)):
        yield Result("conf", "frame", False, seconds, output)


def suite_scenario(options):
    yield from meson_tests("debug", ["scenario"], options)


def suite_model(options):
    """Random peers for a million virtual call-hours, in the release build, half on each core."""
    program = os.path.join(ROOT, VARIANTS["release"][0], "tests/scenario/model")
    hours = MODEL_HOURS // 2

    def half(seed):
        ok, seconds, output = command([*IDLE, program, "--hours", str(hours), "--seed", str(seed)],
                                      1500)
        return Result("model", f"{hours} call-hours from seed {seed}", ok, seconds, output)

    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(half, (1, 1000001))


def suite_asan(options):
    yield from build("asan", options)
    yield from meson_tests("asan", ["unit", "golden", "fuzz", "scenario"], options, "asan")


def suite_race(options):
    yield from build("tsan", options, ["race"])
    yield from meson_tests("tsan", ["race"], options)


def fuzz_one(target, seconds):
    """One libFuzzer target over its corpus; what it finds stays in the build directory."""
    name = os.path.basename(target)
    corpus = os.path.join(ROOT, "tests/fuzz/corpus", name.replace("fuzz_", ""))
    work = os.path.join(ROOT, VARIANTS["clang"][0], "fuzz-work", name)
    os.makedirs(work, exist_ok=True)
    argv = [target, f"-max_total_time={seconds}", "-rss_limit_mb=4096", "-timeout=10",
            "-print_final_stats=1", f"-artifact_prefix={work}/", work]
    if os.path.isdir(corpus):
        argv.append(corpus)
    dictionary = os.path.join(ROOT, "tests/fuzz", name.replace("fuzz_", "") + ".dict")
    if os.path.exists(dictionary):
        argv.append(f"-dict={dictionary}")
    ok, took, output = command(argv, seconds + 120, SANITIZERS)
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    units = int(runs.group(1)) if runs else 0
    # A target that runs nothing proves nothing.
    return Result("fuzz", f"{name} {units} runs", ok and units > 100, took, output)


def suite_fuzz(options):
    result = next(build("clang", options))
    yield result
    if not result.ok:
        return
    directory = os.path.join(ROOT, VARIANTS["clang"][0])
    targets = sorted(p for p in glob.glob(f"{directory}/tests/fuzz/fuzz_*")
                     if os.path.isfile(p) and os.access(p, os.X_OK))
    if not targets:
        yield Result("fuzz", "no target was found", False, 0)
    with ThreadPoolExecutor(max(1, min(2, CORES))) as pool:
        yield from pool.map(lambda t: fuzz_one(t, options.fuzz_seconds), targets)


def suite_live(options):
    """tests/live/run prints "ok|FAIL NAME SECONDS" lines, each FAIL followed by indented detail."""
    argv = ["tests/live/run"] + (["--quick"] if options.quick else [])
    ok, seconds, output = command(argv, 1500)
    found = re.findall(r"^(ok|FAIL) (\S+) ([\d.]+)((?:\n[ \t].*)*)", output, re.MULTILINE)
    for verdict, name, took, detail in found:
        yield Result("live", name, verdict == "ok", float(took), detail, detail)
    if not found or (not ok and all(f[0] == "ok" for f in found)):
        yield Result("live", "frame", False, seconds, output)


def suite_package(options):
    """tests/package/run prints lines as tests/live/run does."""
    ok, seconds, output = command(["tests/package/run"], 900)
    found = re.findall(r"^(ok|FAIL) (\S+) ([\d.]+)((?:\n[ \t].*)*)", output, re.MULTILINE)
    for verdict, name, took, detail in found:
        yield Result("package", name, verdict == "ok", float(took), detail)
    if not found or (not ok and all(f[0] == "ok" for f in found)):
        yield Result("package", "frame", False, seconds, output)


SUITES = {
    "lint": suite_lint,
    "build": suite_build,
    "unit": suite_unit,
    "replay": suite_replay,
    "conf": suite_conf,
    "scenario": suite_scenario,
    "model": suite_model,
    "bench": suite_bench,
    "live": suite_live,
    "package": suite_package,
    "asan": suite_asan,
    "race": suite_race,
    "fuzz": suite_fuzz,
    "static": suite_static,
}
QUICK = ("lint", "build", "unit", "replay", "conf", "scenario")
HELP = {
    "lint": "form of sources and commits", "build": "debug and release builds, warnings are errors",
    "unit": "unit and golden tests", "replay": "fuzz corpus through plain builds",
    "conf": "Prometheus rules, dashboard, completion", "scenario": "calls in virtual time",
    "model": "random peers, a million virtual call-hours", "bench": "each micro benchmark once",
    "asan": "all of these under ASan and UBSan",
    "race": "what threads share, under TSan", "fuzz": "libFuzzer targets, two at a time",
    "static": "clang-tidy and cppcheck", "live": "real peers in network namespaces",
    "package": "the Debian package, by the README's first trunk",
}


# suite -> the suites that go on beside it, one after the other.
BESIDE = {"live": ("model", "static")}


def run(name, options, aside):
    """The results of one suite, then of those that went on beside it."""
    with ThreadPoolExecutor(1) as pool:
        others = [(other, pool.submit(lambda o=other: list(SUITES[o](options)))) for other in aside]
        for suite, results in [(name, SUITES[name](options)), *others]:
            count = 0
            for result in results if suite == name else results.result():
                count += 1
                yield result
            if count == 0:
                yield Result(suite, "no test was found", False, 0)


def show(result):
    word = "ok  " if result.ok else "FAIL"
    print(f"{word} {result.suite}: {result.name}  {result.seconds:.1f} s", flush=True)
    text = result.note if result.ok else result.output
    if text or not result.ok:
        lines = text.strip("\n").rstrip().split("\n")
        for line in lines[-80:]:
            print("     | " + line)
        sys.stdout.flush()


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Build and prove verge.",
        epilog="suites:\n" + "\n".join(f"  {n:9} {HELP[n]}" for n in SUITES))
    parser.add_argument("--quick", action="store_true",
                        help="debug build and the suites that take seconds: " + ", ".join(QUICK))
    parser.add_argument("--only", action="append", choices=list(SUITES), metavar="SUITE",
                        help="this suite (may be repeated); builds what it needs")
    parser.add_argument("--fuzz-seconds", type=int, default=60, metavar="N",
                        help="time for each fuzz target (60)")
    parser.add_argument("--list", action="store_true", help="print the suites and leave")
    return parser.parse_args()


def main():
    options = arguments()
    if options.list:
        print("\n".join(f"{n:9} {HELP[n]}" for n in SUITES))
        return 0
    wanted = options.only or (QUICK if options.quick else SUITES)
    order = [name for name in SUITES if name in wanted]
    if set(order) & {"unit", "replay", "conf", "scenario", "model", "bench", "live"} and "build" not in order:
        order.insert(0, "build")
    passed = failed = 0
    began = time.monotonic()
    beside = {name: [o for o in BESIDE.get(name, ()) if o in order] for name in order}
    for name in [n for n in order if not any(n in others for others in beside.values())]:
        for result in run(name, options, beside[name]):
            show(result)
            passed += result.ok
            failed += not result.ok
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
