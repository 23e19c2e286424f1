"""The rooms about trackers: answers for a processor second, memory for a peer.

Each tracker gets the same load (udp_load.rs, http_load.rs, built with `rustc -O`), from the other
processor. A tracker that waits for its load costs little while it waits, so what counts is answers
for each second of its own processor time, not answers a second.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import time
import urllib.request

from measure import MEASURED_CPU, PARTNER_CPU, Cost, Room, cpu_seconds, in_turn, memory_kib, pinned
from process import PROJECT, Child, RowFailed, accepts, free_port, run, wait_until
from rivals import BareSeed, Small, from_crates
from trackers import Opentracker, SwarmletTracker, Tracker

OURS, OPENTRACKER, TORRUST, LIMIT = "swarmlet", "opentracker", "torrust", "bare server"
SMALL = Small.name
SECONDS = 2
TORRENTS, CROWDED = 10_000, 100
MILLION = 1_000_000
HELD = 10_000
LOADS = {name: PROJECT / "target" / name for name in ["udp_load", "http_load"]}
LIMITS = BareSeed.program


def build_loads():
    for name, load in LOADS.items():
        source = PROJECT / f"tests/bench/{name}.rs"
        subprocess.run(["rustc", "-O", "--edition", "2024", "-o", load, source], check=True)


class Bare:
    """A loop that answers without looking."""

    def __init__(self, folder, ip, words):
        self.folder, self.ip, self.port, self.words = folder, ip, free_port(ip), words

    def start(self, deadline):
        words = [LIMITS, self.words[0], f"{self.ip}:{self.port}", *self.words[1:]]
        self.child = Child("bare", words, self.folder)
        wait_until(lambda: self.child.line("ready"), deadline, "a bare loop", [self.child])


class Torrust(Tracker):
    """torrust-tracker, over HTTP only, open to all, without counts of what it was asked."""

    def start(self, deadline):
        settings = f"""
            [metadata]
            app = "torrust-tracker"
            purpose = "configuration"
            schema_version = "2.0.0"
            [logging]
            threshold = "error"
            [core]
            listed = false
            private = false
            tracker_usage_statistics = false
            database = {{ driver = "sqlite3", path = "{self.folder}/torrust.db" }}
            [[http_trackers]]
            bind_address = "{self.ip}:{self.port}"
            [health_check_api]
            bind_address = "{self.ip}:{free_port(self.ip)}"
        """
        words = ["env", f"TORRUST_TRACKER_CONFIG_TOML={settings}", from_crates("torrust-tracker")]
        self.child = Child("torrust", pinned(words), self.folder)
        wait_until(lambda: accepts(self.ip, self.port), deadline, "torrust listens", [self.child])


def started(ground, kind, udp, more=()):
    """A running tracker on the processor that is measured. `kind`: a name, or a bare loop's words;
    `more`: further words of our own's command line."""
    folder, ip = ground.folder("tracker"), "127.0.0.1"
    folder.chmod(0o755)
    if kind in (OURS, SMALL):
        tracker = SwarmletTracker(folder, ip)
        tracker.program = SwarmletTracker.program if kind == OURS else Small.program
        tracker.scheme, tracker.more = "udp" if udp else "http", more
    elif kind == OPENTRACKER:
        tracker = Opentracker(folder, ip)
        tracker.allowed = run([LOADS["udp_load"], "hashes", TORRENTS])[1].split()
    elif kind == TORRUST:
        tracker = Torrust(folder, ip)
    else:
        tracker = Bare(folder, ip, kind)
    tracker.start(time.monotonic() + 20)
    run(["taskset", "-a", "-p", "-c", MEASURED_CPU, tracker.child.pid])
    return tracker


def loaded(tracker, load, *words, seconds=60):
    """What the tracker paid for the answers that the load got."""
    before, began = cpu_seconds(tracker.child.pid), time.monotonic()
    addr = f"{tracker.ip}:{tracker.port}"
    status, out, err = run(pinned([LOADS[load], addr, *words], PARTNER_CPU), seconds=seconds)
    if status:
        raise RowFailed(f"load: {err.strip()[-200:]}")
    answers = int(re.search(r"(\d+) in all", out)[1])
    cpu = cpu_seconds(tracker.child.pid) - before
    peak = memory_kib(tracker.child.pid)
    return Cost(time.monotonic() - began, cpu, answers / MILLION, peak)


def room_of_answers(ground, title, kinds, udp, load, words, fill=None):
    """`kinds`: name → what `started` takes."""
    room = Room(title, "answers", "million", MILLION)
    trackers = {}
    for name, kind in kinds.items():
        if kind == OPENTRACKER and not shutil.which("opentracker"):
            continue
        try:
            trackers[name] = started(ground, kind, udp)
        except RowFailed as failed:
            room.fault(name, str(failed)[:120])
            continue
        if fill and name != LIMIT:
            loaded(trackers[name], load, *fill)
    in_turn(room, list(trackers), lambda name: loaded(trackers[name], load, *words))
    for tracker in trackers.values():
        tracker.child.stop()
    return room


def against(room, wanted, what, peer, limit, rival=OPENTRACKER):
    """Answers for a processor second: ours, of the other tracker's and of the bare server's."""
    if peer:
        theirs = room.ratio("each", rival, OURS)
        wanted.at_least(f"{what}: answers per CPU second, of {rival}'s", theirs, peer)
    if limit:
        bare = room.ratio("each", LIMIT, OURS)
        wanted.at_least(f"{what}: answers per CPU second, of the bare server's", bare, limit)


def udp(ground, wanted):
    # The bare server's answers are as long as the trackers' are on average.
    kinds = {OURS: OURS, OPENTRACKER: OPENTRACKER, LIMIT: ["udp", 100]}
    rooms = []
    few = ["announce", SECONDS, TORRENTS]
    rooms.append(room_of_answers(ground, "tracker, UDP announces", kinds, True, "udp_load", few))
    against(rooms[-1], wanted, "UDP", 1.5, 0.8)
    many = ["announce", SECONDS, CROWDED, MILLION // CROWDED]
    fill = ["fill", CROWDED, MILLION // CROWDED]
    kinds[LIMIT] = ["udp", 320]
    title = "tracker, UDP announces, 10,000 peers in each torrent"
    rooms.append(room_of_answers(ground, title, kinds, True, "udp_load", many, fill))
    against(rooms[-1], wanted, "UDP, 10,000 peers in each torrent", 1.5, 0.8)
    return rooms


def http(ground, wanted):
    # A connection each takes a port, which rests for a minute.
    ports = "/proc/sys/net/ipv4/ip_local_port_range"
    if os.environ.get("BENCH_ALONE"):
        with open(ports, "w") as file:
            file.write("1024 65535")
    # The bare server's answers are as long as the trackers': with 50 peers, and with few.
    kept = {OURS: OURS, TORRUST: TORRUST, LIMIT: ["http", "keep", 415]}
    once = {OURS: OURS, OPENTRACKER: OPENTRACKER, LIMIT: ["http", "once", 120]}
    rooms = []
    words = ["keep", SECONDS, TORRENTS]
    title = "tracker, HTTP announces, connections kept"
    # Answers are as long as swarms are full: who had answered more would give longer ones.
    fill = ["fill", TORRENTS]
    rooms.append(room_of_answers(ground, title, kept, False, "http_load", words, fill))
    against(rooms[-1], wanted, "HTTP, kept", 3, 0.7, TORRUST)
    words = ["once", SECONDS, TORRENTS]
    title = "tracker, HTTP announces, a connection each"
    rooms.append(room_of_answers(ground, title, once, False, "http_load", words))
    against(rooms[-1], wanted, "HTTP, a connection each", 1.0, None)
    return rooms


def million(ground, wanted):
    """What a million peers take, and who is connected and says nothing."""
    lines = []
    for kind in [OURS, OPENTRACKER]:
        for torrents in [TORRENTS, CROWDED]:
            tracker = started(ground, kind, True)
            pid = tracker.child.pid
            idle = memory_kib(pid, "VmRSS")
            loaded(tracker, "udp_load", "fill", torrents, MILLION // torrents, seconds=300)
            more = (memory_kib(pid, "VmRSS") - idle) / 1024
            each = more * (1 << 20) / MILLION
            lines.append(f"| {kind}, {torrents} torrents | {idle / 1024:.1f} | {more:.1f} | {each:.1f} |")
            if kind == OURS:
                wanted.at_most(f"a million peers in {torrents} torrents: MiB", more, 12)
            tracker.child.stop()
    # What small hosts have is what counts there.
    idle = idle_mib(ground)
    wanted.at_most("tracker, idle: MiB", idle, 2.5)
    lines.append(f"| {SMALL} | {idle:.1f} | | |")
    head = "| | idle MiB | more with a million peers, MiB | bytes a peer |\n|---|---|---|---|\n"
    table = "### tracker, a million peers\n\n" + head + "\n".join(lines) + "\n\n"
    return table + held(ground, wanted)


def expiry(ground, wanted):
    """How long the loop is held when a million peers have left and are forgotten, at the latest
    four minutes later. What counts is how much of the processor's time a turn used: who else is at
    work makes turns longer, but says nothing of ours."""
    trackers = {torrents: started(ground, OURS, True, ["--interval", "60"]) for torrents in [TORRENTS, CROWDED, 1]}
    lines = []
    for torrents, tracker in trackers.items():
        loaded(tracker, "udp_load", "fill", torrents, MILLION // torrents, seconds=300)
    for torrents, tracker in trackers.items():
        come = numbers(tracker)["busiest_turn_micros"] / 1000
        gone = lambda: numbers(tracker)["seeds"] + numbers(tracker)["leechers"] == 0
        wait_until(gone, time.monotonic() + 300, "all peers are forgotten", [tracker.child])
        sweep = numbers(tracker)["busiest_sweep_micros"] / 1000
        lines.append(f"| {torrents} | {come:.2f} | {sweep:.2f} |")
        wanted.at_most(f"a million peers in {torrents} torrents expire: CPU ms of a turn", sweep, 5)
        tracker.child.stop()
    head = "### tracker, a million peers come and expire: CPU ms of the busiest turn\n\n"
    return head + "| torrents | all come | all expire |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def numbers(tracker):
    """What our tracker tells of itself."""
    with urllib.request.urlopen(f"http://{tracker.ip}:{tracker.port}/stats", timeout=5) as answer:
        return json.load(answer)


def idle_mib(ground):
    tracker = started(ground, SMALL, True)
    kib = memory_kib(tracker.child.pid, "VmRSS")
    tracker.child.stop()
    return kib / 1024


def held(ground, wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * HELD), hard))
    lines = []
    for kind in [OURS, OPENTRACKER]:
        tracker = started(ground, kind, False)
        pid = tracker.child.pid
        idle = memory_kib(pid, "VmRSS")
        words = [LOADS["http_load"], f"{tracker.ip}:{tracker.port}", "hold", HELD]
        holder = Child("holder", pinned(words, PARTNER_CPU), tracker.folder)
        there = lambda: len(os.listdir(f"/proc/{pid}/fd")) > HELD or holder.exit_status() is not None
        most, deadline = 0, time.monotonic() + 15
        while time.monotonic() < deadline and not there():
            most = max(most, memory_kib(pid, "VmRSS"))
            time.sleep(0.02)
        count = len(os.listdir(f"/proc/{pid}/fd"))
        more = (max(most, memory_kib(pid, "VmRSS")) - idle) / 1024
        lines.append(f"| {kind} | {count} | {more:.2f} |")
        if kind == OURS:
            wanted.at_most(f"{HELD} held connections: MiB", more, 4)
            wanted.at_least("held connections: descriptors", count, HELD)
        holder.stop()
        tracker.child.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return "| | descriptors at the end | more with held connections, MiB |\n|---|---|---|\n" + "\n".join(lines) + "\n"
