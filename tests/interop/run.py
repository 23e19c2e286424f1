#!/usr/bin/env python3
"""Real other clients and trackers against ours, both ways: `make interop`.

    run.py                   everything: agreement on info-hashes, remote control, web seeds, rows
    run.py --only WORD…      the rows whose words contain all of these: aria2, get, single …
    run.py --self-test       the others among themselves, without ours: is the harness sound?
    run.py --jobs N          rows at a time (2)

The binary is $SWARMLET, or target/release/swarmlet. What the rows do stands in rows.py, who plays
in clients.py and trackers.py, what is shared in payloads.py. Other programs come from install.sh,
which is run first unless all are there. Everything happens on 127.0.0.0/8 (local discovery: in
network namespaces of its own), in a folder below target/interop that is removed at the end. Exit 0 only if every row is ok.
"""

import argparse
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

# The folders of the tests hold sources only.
sys.dont_write_bytecode = True

import agreement
import exchange
import local
import payloads
import remote
import webseed
from clients import PROJECT, Aria2, LibTorrent, Swarmlet, Transmission
from process import free_port, stop_all
from rows import Row, run_row
from trackers import LibTorrentDht, Opentracker, OpentrackerUdp, SwarmletTracker, SwarmletUdp

OTHERS = [Aria2, Transmission, LibTorrent]
TRACKERS = [SwarmletTracker, Opentracker]
UDP_TRACKERS = [SwarmletUdp, OpentrackerUdp]
HEADINGS = ["client", "direction", "payload", "tracker", "result", "seconds", "MiB/s"]
WIDTHS = [17, 16, 8, 15, 7, 8]
INSTALL_SECONDS = 600


def rows_with_ours():
    """Each other client, both ways, over all payloads and trackers; then the special ones."""
    rows = []
    for other, payload, tracker in itertools.product(OTHERS, payloads.PLAIN, TRACKERS):
        for ends in both_ways(other):
            rows.append(Row(other.name, *ends, payload, tracker))
    for other, tracker in itertools.product(OTHERS, UDP_TRACKERS):
        for ends in both_ways(other):
            rows.append(Row(other.name, *ends, payloads.SINGLE, tracker))
    for ends in both_ways(LibTorrent):
        rows.append(Row("libtorrent", *ends, payloads.SINGLE, LibTorrentDht))
    rows.append(Row("swarmlet", "both ours", Swarmlet, (Swarmlet,), payloads.MANY, LibTorrentDht))
    for tracker in UDP_TRACKERS:
        rows.append(Row("swarmlet", "both ours", Swarmlet, (Swarmlet,), payloads.MANY, tracker))
    everybody = ("all at once", "ours shares", Swarmlet, (*OTHERS, Swarmlet))
    for tracker in TRACKERS:
        rows.append(Row("swarmlet", "both ours", Swarmlet, (Swarmlet,), payloads.MANY, tracker))
        rows.append(Row(*everybody, payloads.SINGLE, tracker))
    for other in OTHERS:
        for ends in both_ways(other):
            link = (f"{other.name} link", *ends, payloads.MANY, SwarmletTracker)
            rows.append(Row(*link, by_link=True))
        for ends in both_ways(other):
            row = Row(f"{other.name} Fast", *ends, payloads.SINGLE, SwarmletTracker)
            rows.append(replace(row, is_about_fast=True))
    to_aria2 = ("ours shares", Swarmlet, (Aria2,))
    rows.append(Row("aria2", *to_aria2, payloads.PADDED_BY_OURS, SwarmletTracker))
    for ends in both_ways(LibTorrent):
        rows.append(Row("libtorrent", *ends, payloads.PADDED, SwarmletTracker))
        rows.append(Row("libtorrent", *ends, payloads.PADDED_BY_OURS, SwarmletTracker))
        for tracker in [SwarmletTracker, SwarmletUdp]:
            rows.append(Row("libtorrent v6", *ends, payloads.MANY, tracker, is_ipv6=True))
    return rows


def both_ways(other):
    """Direction, sharer and getters."""
    return [("ours gets", other, (Swarmlet,)), ("ours shares", Swarmlet, (other,))]


def rows_without_ours():
    """The others among themselves, through opentracker: what fails here is the harness."""
    rows = [
        Row(sharer.name, f"to {getter.name}", sharer, (getter,), payload, Opentracker)
        for sharer, getter, payload in itertools.product(OTHERS, OTHERS, payloads.PLAIN)
    ]
    for getters, payload in [((LibTorrent,), payloads.PADDED), (tuple(OTHERS), payloads.SINGLE)]:
        rows.append(Row("libtorrent", "to these", LibTorrent, getters, payload, Opentracker))
    return [row for row in rows if row.is_possible]


def check_comparison(scratch):
    """Asserts that a comparison of files can fail: a changed, a missing and a foreign file."""
    payload = payloads.ODD
    payload.write(scratch)
    assert payload.faults(scratch) == [], "equal files"
    root = scratch / payload.name
    with open(root / "c", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    (root / "b empty").unlink()
    (root / "d").write_bytes(b"")
    expected = ["missing: b empty", "differs: c", "foreign: d"]
    assert payload.faults(scratch) == expected, payload.faults(scratch)


def main():
    options = arguments()
    install()
    binary = find_binary(options)
    Swarmlet.program = SwarmletTracker.program = binary
    (PROJECT / "target/interop").mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=PROJECT / "target/interop"))
    scratch.chmod(0o755)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leave(stopping))
    signal.signal(signal.SIGINT, lambda *_: leave(stopping))
    try:
        passed, failed = 0, 0
        if options.self_test:
            check_comparison(scratch)
        elif not options.only:
            passed, failed = agreement.check_all(binary, scratch)
            for tell in (remote.tell, webseed.tell, exchange.tell_all, local.tell):
                told, untold = tell(scratch)
                passed, failed = passed + told, failed + untold
        rows = rows_without_ours() if options.self_test else rows_with_ours()
        rows = [row for row in rows if all(word in " ".join(row.words()) for word in options.only)]
        if not has_ipv6():
            print("no ::1 on this machine: rows over IPv6 are left out")
            rows = [row for row in rows if not row.is_ipv6]
        for outcome in outcomes(rows, scratch, options.jobs, stopping):
            show(outcome)
            passed, failed = passed + (not outcome.fault), failed + bool(outcome.fault)
    finally:
        stop_all()
        shutil.rmtree(scratch, ignore_errors=True)
    if stopping.is_set():
        print("stopped before the end")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed or stopping.is_set() else 0


def arguments():
    parser = argparse.ArgumentParser(description="other clients and trackers against ours")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--self-test", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def install():
    """Whatever is missing. The script is quick when nothing is."""
    script = Path(__file__).resolve().parent / "install.sh"
    try:
        done = subprocess.run(["sh", script], stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        sys.exit("run.py: the other clients took too long to install")
    if done.returncode:
        sys.exit("run.py: the other clients could not be installed")


def find_binary(options):
    if options.self_test:
        return None
    binary = Path(os.environ.get("SWARMLET", PROJECT / "target/release/swarmlet")).resolve()
    if not os.access(binary, os.X_OK):
        sys.exit(f"run.py: no binary at {binary}: cargo build --release, or set SWARMLET")
    return binary


def has_ipv6():
    try:
        return free_port("[::1]") > 0
    except OSError:
        return False


def outcomes(rows, scratch, jobs, stopping):
    """Runs the rows, `jobs` at a time; yields them in the order of the table."""
    print(line(*HEADINGS), flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        futures = [
            pool.submit(run_row, row, number, scratch) for number, row in enumerate(rows, start=1)
        ]
        for future in futures:
            if stopping.is_set():
                pool.shutdown(wait=True, cancel_futures=True)
                return
            yield future.result()


def leave(stopping):
    """On a signal: what runs is stopped, so the running rows fail at once, and no more begin."""
    stopping.set()
    stop_all()


def show(outcome):
    if outcome.fault:
        print(line(*outcome.row.words(), "FAILED", "", outcome.fault), flush=True)
        for text in outcome.logs:
            print(f"    {text}")
        return
    total_bytes = outcome.row.payload.total_bytes * len(outcome.row.getters)
    rate = total_bytes / (1 << 20) / max(outcome.seconds, 0.001)
    print(line(*outcome.row.words(), "ok", f"{outcome.seconds:.1f}", f"{rate:.1f}"), flush=True)


def line(*words):
    *firsts, last = words
    return "  ".join([word.ljust(width) for word, width in zip(firsts, WIDTHS)] + [last]).rstrip()


if __name__ == "__main__":
    sys.exit(main())
