#!/usr/bin/env python3
"""1 GiB over loopback between our `share` and our `get`: every byte equal, memory small.

    big.py [--mib N]

Memory is VmHWM of /proc/PID/status, the most that was ever resident: seen again and again while
it runs, and a last time while both still live, for the getter goes on sharing (`--seed`). Prints
sizes, rate and memory; exit 1 if the copy differs or either side took 10 MiB or more.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

# The folders of the tests hold sources only.
sys.dont_write_bytecode = True

from clients import PROJECT, Swarmlet
from payloads import sha256
from process import RowFailed, cleaned, run, stop_all, wait_until

MIB = 1 << 20
RESIDENT_KIB_MAX = 10 * 1024
SECONDS_MAX = 300
NAME = "big.bin"


def main():
    parser = argparse.ArgumentParser(description="a big file between our own two sides")
    parser.add_argument("--mib", type=int, default=1024)
    mebibytes = parser.parse_args().mib
    binary = os.environ.get("SWARMLET", PROJECT / "target/release/swarmlet")
    Swarmlet.program = Path(binary).resolve()
    (PROJECT / "target/interop").mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="big-", dir=PROJECT / "target/interop"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return transfer(scratch, mebibytes)
    except RowFailed as failed:
        print(f"FAILED: {cleaned(str(failed))}")
        for log in sorted(scratch.glob("*.log")):
            for text in log.read_text(errors="replace").splitlines()[-15:]:
                print(f"    {log.stem}: {cleaned(text)[:300]}")
        return 1
    finally:
        stop_all()
        shutil.rmtree(scratch, ignore_errors=True)


def transfer(scratch, mebibytes):
    source, target = scratch / "source", scratch / "target"
    source.mkdir()
    target.mkdir()
    write_file(source / NAME, mebibytes)
    torrent = scratch / "big.torrent"
    status, _, err = run([Swarmlet.program, "create", source / NAME, "-o", torrent], scratch, 120)
    if status:
        raise RowFailed(f"create: {err}")

    deadline = time.monotonic() + SECONDS_MAX
    sharer, getter = Swarmlet(scratch, "127.0.0.1"), Getter(scratch, "127.0.0.1")
    sharer.share(torrent, source, [])
    whole = lambda: sharer.child.line("complete") or sharer.child.line("checked")
    wait_until(whole, deadline, "the sharer has checked its copy", [sharer.child])
    started = time.monotonic()
    getter.get(torrent, target, [sharer.endpoint])
    peaks = {"share": 0, "get": 0}

    def done():
        peaks["share"] = max(peaks["share"], resident_kib(sharer.child.pid))
        peaks["get"] = max(peaks["get"], resident_kib(getter.child.pid))
        return getter.child.line("complete") is not None

    wait_until(done, deadline, "the getter has all", [sharer.child, getter.child])
    seconds = time.monotonic() - started
    done()
    print(f"{mebibytes} MiB in {seconds:.1f} s: {mebibytes / seconds:.0f} MiB/s")
    return judge(peaks, sha256(source / NAME) == sha256(target / NAME))


class Getter(Swarmlet):
    """Ours, going on after it has all, so that it can still be measured."""

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder, peers, ["--seed"])


def judge(peaks, equal):
    for role, kib in peaks.items():
        verdict = "ok" if 0 < kib < RESIDENT_KIB_MAX else "FAILED"
        print(f"{role:6} resident at most {kib / 1024:.2f} MiB  {verdict}")
    print(f"bytes  {'equal  ok' if equal else 'differ  FAILED'}")
    small = all(0 < kib < RESIDENT_KIB_MAX for kib in peaks.values())
    return 0 if equal and small else 1


def write_file(path, mebibytes):
    """A file of which no two MiB are equal."""
    source = random.Random(NAME)
    with open(path, "wb") as file:
        for _ in range(mebibytes):
            file.write(source.randbytes(MIB))


def resident_kib(pid):
    """The peak of the resident memory; 0 when the process is no more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak[0]) if peak else 0


if __name__ == "__main__":
    sys.exit(main())
