#!/usr/bin/env python3
"""Announces over UDP a second, ours and opentracker's side by side: `make bench-udp`.

Each in turn gets the same load (udp_load.rs) on loopback. What counts is answers per second of the
tracker's own processor time: it is the same when others use the machine, too. Needs opentracker
(tests/interop/install.sh); without it, ours alone is measured.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
sys.path.insert(0, str(PROJECT / "tests/interop"))

from process import stop_all
from trackers import OpentrackerUdp, SwarmletUdp

LOAD = PROJECT / "target/udp_load"
SECONDS = 5
TORRENTS = 10_000
ROUNDS = 3


def main():
    source = HERE / "udp_load.rs"
    subprocess.run(["rustc", "-O", "--edition", "2024", "-o", LOAD, source], check=True)
    binary = os.environ.get("SWARMLET", PROJECT / "target/release/swarmlet")
    SwarmletUdp.program = str(Path(binary).resolve())
    hashes = subprocess.run([LOAD, "hashes", str(TORRENTS)], capture_output=True, text=True)
    (PROJECT / "target/interop").mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=PROJECT / "target/interop"))
    scratch.chmod(0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    kinds = [SwarmletUdp] + [OpentrackerUdp] * bool(shutil.which("opentracker"))
    try:
        for number, kind in enumerate(kinds, start=1):
            folder = scratch / kind.name
            folder.mkdir(mode=0o755)
            tracker = kind(folder, f"127.2.0.{number}")
            tracker.allowed = hashes.stdout.split()
            tracker.start(time.monotonic() + 20)
            for what in ["announce", "connect", "scrape"]:
                measure(tracker, what)
            tracker.child.stop()
    finally:
        stop_all()
        shutil.rmtree(scratch, ignore_errors=True)


def measure(tracker, what):
    """The best of some rounds: what disturbs only ever makes it slower."""
    pid, best = tracker.child.process.pid, (0, 0)
    words = [LOAD, f"{tracker.ip}:{tracker.port}", what, str(SECONDS), str(TORRENTS)]
    for _ in range(ROUNDS):
        before, begun = processor_seconds(pid), time.monotonic()
        out = subprocess.run(words, capture_output=True, text=True)
        if out.returncode:
            sys.exit(out.stderr)
        elapsed, used = time.monotonic() - begun, processor_seconds(pid) - before
        rate = int(re.search(r"(\d+) a second", out.stdout)[1])
        best = max(best, (int(rate * elapsed / max(used, 0.01)), rate))
        last = out.stdout.strip()
    print(f"{tracker.name:15} {best[0]:7} per processor second, {best[1]:7} a second; {last}")


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
