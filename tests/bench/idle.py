#!/usr/bin/env python3
"""What torrents cost that nobody wants anything of.

    idle.py [--torrents N] [--kib N] [--seconds N] [--no-tracker]

A daemon shares N torrents of so many KiB each, complete, and tells a tracker of them; nobody calls.
When all is quiet its resident memory is read, and how often it woke up, all its threads together.
Then the same with one torrent. Exit 1 if 200 torrents take more than 10 MiB in all or wake it more
than twice a second. The binary is $SWARMLET, or target/release/swarmlet.
"""

import argparse
import os
import sys
import time
from pathlib import Path

# The folders of the tests hold sources only.
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))

from process import Child, free_port, our_binary, run, scratch_folder, wait_until

RESIDENT_KIB_MAX = 10 * 1024
WAKEUPS_PER_SECOND_MAX = 2.0
# Saves are over, and whatever else follows a start.
SETTLE_SECONDS = 8


def main():
    parser = argparse.ArgumentParser(description="what idle torrents cost")
    parser.add_argument("--torrents", type=int, default=200)
    parser.add_argument("--kib", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--no-tracker", action="store_true")
    options = parser.parse_args()
    with scratch_folder("idle-") as scratch:
        return bench(our_binary(), scratch, options)


def bench(binary, scratch, options):
    url = []
    if not options.no_tracker:
        port = free_port("127.0.0.1")
        tracker = Child("tracker", [binary, "tracker", "--http", f"127.0.0.1:{port}"], scratch)
        wait_until(lambda: tracker.line("ready"), time.monotonic() + 20, "a tracker", [tracker])
        url = ["--tracker", f"http://127.0.0.1:{port}/announce"]
    is_good = True
    for count in [options.torrents, 1]:
        kib, wakeups = measure(binary, scratch / str(count), count, url, options)
        print(f"{count} torrents of {options.kib} KiB: {kib / 1024:.1f} MiB resident, "
              f"{wakeups:.2f} wake-ups a second")
        is_good &= kib <= RESIDENT_KIB_MAX and wakeups <= WAKEUPS_PER_SECOND_MAX
    return 0 if is_good else 1


def measure(binary, folder, count, url, options):
    data = folder / "data"
    data.mkdir(parents=True)
    for number in range(count):
        (data / f"file-{number}").write_bytes(os.urandom(options.kib << 10))
        words = ["create", data / f"file-{number}", "-o", data / f"file-{number}.torrent"]
        status, _, err = run([binary, *words, "--piece-length", "16K", *url], seconds=60)
        assert status == 0, err
    port, peer = free_port("127.0.0.1"), free_port("127.0.0.1")
    words = ["--dir", data, "--rpc", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{peer}"]
    daemon = Child("daemon", [binary, "peer", *words], folder)
    complete = lambda: daemon.log().count("\ncomplete ") >= count
    wait_until(complete, time.monotonic() + 120, "all is checked", [daemon])
    # What was checked is in the records now. What counts is a daemon that merely runs.
    daemon.stop()
    daemon = Child("again", [binary, "peer", *words], folder)
    complete = lambda: daemon.log().count("\ncomplete ") >= count
    wait_until(complete, time.monotonic() + 60, "all is here again", [daemon])
    time.sleep(SETTLE_SECONDS)
    before, began = switches(daemon.pid), time.monotonic()
    time.sleep(options.seconds)
    wakeups = (switches(daemon.pid) - before) / (time.monotonic() - began)
    kib = int(status_of(daemon.pid)["VmRSS"].split()[0])
    daemon.stop()
    return kib, wakeups


def status_of(pid, thread=None):
    path = Path(f"/proc/{pid}/task/{thread or pid}/status")
    return dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)


def switches(pid):
    """How often a thread of the process went to sleep: as often as it woke up."""
    threads = [path.name for path in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(status_of(pid, thread)["voluntary_ctxt_switches"]) for thread in threads)


if __name__ == "__main__":
    sys.exit(main())
