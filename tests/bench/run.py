#!/usr/bin/env python3
"""What ours costs beside the other peers and trackers, and beside loops that only move bytes.

    run.py [--check] [ROOM…]         all rooms, or these; see ROOMS below

    RUNS=5 SIZE=1024 DIR=/dev/shm    how often each, MiB, and on which file system
    DISK=target/interop              a folder on a disk: where the room `disk` gets to
    STATIC=… PORTABLE=…              our program as small hosts have it; without the processor's SHA

Prints tables in Markdown. Each figure is a median, taken in turn with those that it is held
against: ours, then the bare loop, then theirs, and again. Ratios count, and are medians of those in
each run: the machine decides the rest, and not always the same. With `--check`, exit 1 if one that
was promised is missed; otherwise figures fail nothing. Whoever is measured runs on one processor,
its partner on the other. Run as root, all of it happens in a network of its own, in which there is
only loopback.
"""

import argparse
import os
import shutil
import sys
import time
import urllib.request
from pathlib import Path

# The folders of the tests hold sources only.
sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))
sys.path.insert(1, str(HERE))

from clients import Swarmlet
from idle import measure as idling
from measure import (GIB, MEASURED_CPU, MIB, PARTNER_CPU, TURN_SECONDS, Cost, Room, Wanted, Watch, command, cpu_seconds, in_turn,
                     pinned)
from process import PROJECT, Child, RowFailed, free_port, our_binary, run, scratch_folder, wait_until
from rivals import RIVALS, SLOW, BareLeech, BareSeed, Ours, Portable, QuietLibTorrent, Rtorrent, Small
from trackers import SwarmletTracker
from tracking import build_loads, expiry, http, million, udp

OURS = Ours.name
SIZE_MIB = int(os.environ.get("SIZE", 1024))
LIMITS = BareSeed.program
SECONDS_MAX = int(os.environ.get("PATIENCE", 120))
PIECE_KIB = 256
SMALL_FILES, SMALL_KIB = 2000, 100
GETTERS = 8
LIMIT = BareSeed.name
DRAINED_LIMIT = "bare loop, to one that only receives"
POURED_LIMIT = "bare loop, from one that only sends"
PORTABLE_LIMIT = "bare loop, portable hash, from one that only sends"
SLOW_MIB = min(SIZE_MIB, 128)


class Ground:
    """Where a room takes place: a scratch folder, content and its torrent, and a tracker."""

    def __init__(self, scratch):
        self.scratch, self.number = scratch, 0
        self.tracker = SwarmletTracker(self.folder("tracker"), "127.0.0.1")
        self.tracker.start(time.monotonic() + 20)
        self.torrents = {}

    def folder(self, name):
        """A new one, whatever others there were."""
        self.number += 1
        folder = self.scratch / f"{self.number}-{name}"
        folder.mkdir()
        return folder

    def content(self, name, mebibytes, files=0):
        """Random bytes in one file, or in so many; the folder they are in, and two torrents: one
        that names the tracker, and one for those who are told of their peer by hand."""
        if name not in self.torrents:
            folder = self.folder("content")
            if files:
                (folder / name).mkdir()
                for number in range(files):
                    (folder / name / f"{number:05}").write_bytes(os.urandom(SMALL_KIB << 10))
            else:
                with open(folder / name, "wb") as file:
                    for _ in range(mebibytes):
                        file.write(os.urandom(MIB))
            made = []
            for url in [["--tracker", self.tracker.url], []]:
                made.append(folder / f"{name}{len(url)}.torrent")
                words = [folder / name, "-o", made[-1], "--piece-length", f"{PIECE_KIB}K", *url]
                status, _, err = run([Ours.program, "create", *words], seconds=120)
                assert status == 0, err
            self.torrents[name] = (folder, *made)
        return self.torrents[name]

    def announce(self, torrent, seed, event):
        """Tells the tracker of a seed that does not do so itself."""
        coded = "".join(f"%{byte:02x}" for byte in bytes.fromhex(self.hash_of(torrent)))
        said = f"info_hash={coded}&peer_id={seed.peer_id}&port={seed.endpoint.split(':')[1]}&left=0&event={event}"
        urllib.request.urlopen(f"{self.tracker.url}?{said}", timeout=5).read()

    def hash_of(self, torrent):
        link = Swarmlet.link_of(torrent)
        return link.split("btih:")[1][:40]

    def discard(self, folder):
        shutil.rmtree(folder, ignore_errors=True)


def transfer(ground, content, share, get, measured, from_start=False):
    """One gets what one shares. `share`, `get`: peers, of which `measured` is looked at.

    The span is that in which data flows: from the first byte on the getter's disk to the last. The
    processor's time is counted in the same span, or `from_start` of whoever is measured.
    """
    folder, torrent, bare = content
    target = get.folder / "target"
    target.mkdir()
    by_hand = get.dials_by_hand
    get.get(bare if by_hand else torrent, target, [share.endpoint] if by_hand else [])
    deadline = time.monotonic() + SECONDS_MAX
    watch, cpu_before = Watch(measured.child, deadline), None
    while True:
        if watch.look() and not (get.exits_when_done or measured.exits_when_done):
            raise RowFailed(f"{measured.name} left: {measured.child.log()[-200:]}")
        now = time.monotonic()
        if cpu_before is None and has_bytes(target):
            cpu_before, began = watch.cpu, now
        is_done = get.exits_when_done and watch.ended is not None
        if is_done or cpu_before is not None and get.has_all():
            break
        if now > deadline:
            raise RowFailed("not done in time")
        time.sleep(TURN_SECONDS)
    if cpu_before is None:
        raise RowFailed(f"{get.name} got nothing: {get.child.log()[-200:]}")
    watch.look()
    cpu = watch.cpu - (0 if from_start else cpu_before)
    cost = Cost(time.monotonic() - began, cpu, amount_of(content), watch.peak_kib)
    if isinstance(measured, Ours):
        measured.stop()
        cost.turn_ms = measured.longest_turn_ms()
    return cost


def amount_of(content):
    """GiB."""
    folder, torrent, _ = content
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".torrent"]
    return sum(path.stat().st_size for path in files) / GIB


def has_bytes(folder):
    """Whether anything below it has room on the disk; what is only made as long as it shall be
    has none."""
    return any(path.is_file() and path.stat().st_blocks for path in folder.rglob("*"))


def fresh(kind, ground, cpu=None, ip="127.0.0.1"):
    peer = kind(ground.folder(kind.name), ip)
    if cpu is not None:
        peer.cpu = cpu
    return peer


def seeded(ground, kind, content, cpu):
    """A sharer that has checked its copy, and of whom the tracker knows."""
    folder, torrent, bare = content
    peer = fresh(kind, ground, cpu)
    peer.share(torrent, folder, [])
    deadline = time.monotonic() + SECONDS_MAX
    wait_until(peer.is_sharing, deadline, "it shares", [peer.child])
    info_hash = ground.hash_of(torrent)
    ground.tracker.wait_for(info_hash, "complete", deadline, [peer.child])
    return peer


# ── The rooms ───────────────────────────────────────────────────────────────────────────────


def get(ground, wanted):
    content = ground.content("big", SIZE_MIB)
    seed = common_seed(ground, content)
    room = Room(f"get: {SIZE_MIB} MiB from {seed.name}")
    # aria2 tells of many new pieces by a bitfield where that is shorter, at which rtorrent hangs
    # up; in large torrents it never is.
    kinds = [Ours, BareLeech, POURED_LIMIT, *RIVALS, SLOW]
    if Portable.program:
        kinds += [Portable, PORTABLE_LIMIT]
    in_turn(room, kinds, lambda kind: got(ground, content, seed, kind, ground))
    seed.stop()
    judge_transfer(room, wanted, "get", [0.90, 1.05, 6], [1.10, 0.90])
    portable = room.ratio("each", Portable.name, PORTABLE_LIMIT)
    wanted.at_most("get, portable hash: CPU, of the bare loop's", portable, 1.10)
    return room


def disk(ground, wanted):
    """The same, to a disk. Bytes that the system still holds back are no part of it, for nobody."""
    content = ground.content("big", SIZE_MIB)
    seed = common_seed(ground, content)
    with scratch_folder("bench-", os.environ.get("DISK")) as scratch:
        there = Elsewhere(scratch)
        room = Room(f"get to a disk ({there.kind()}): {SIZE_MIB} MiB from {seed.name}")
        in_turn(room, [Ours, BareLeech, POURED_LIMIT, *RIVALS], lambda kind: got(ground, content, seed, kind, there))
    seed.stop()
    judge_transfer(room, wanted, "get to a disk", [0.90, 1.05, 6], [1.10, 0.90])
    return room


class Elsewhere:
    """Folders on another file system than the ground's."""

    def __init__(self, scratch):
        self.scratch, self.number = scratch, 0

    folder, discard = Ground.folder, Ground.discard

    def kind(self):
        return run(["stat", "-f", "-c", "%T", self.scratch])[1].strip()


def common_seed(ground, content):
    kind = Rtorrent if shutil.which("rtorrent") else QuietLibTorrent
    return seeded(ground, kind, content, PARTNER_CPU)


def got(ground, content, seed, kind, there):
    """What it costs a peer to get from the seed, into a folder `there`. The bare loop knows as much of
    the protocol as the seed insists on; the other, which knows none, shows what that costs them all."""
    if kind in (POURED_LIMIT, PORTABLE_LIMIT):
        return bare_get(ground, there, "smol" if kind == PORTABLE_LIMIT else "hw")
    peer = fresh(kind, there)
    caller = fresh(QuietLibTorrent, there, PARTNER_CPU) if kind is SLOW else None
    if caller:
        folder, torrent, _ = content = ground.content("slow", SLOW_MIB)
        peer.caller = lambda: caller.share(torrent, folder, [peer.endpoint])
    try:
        return transfer(ground, content, seed, peer, peer)
    finally:
        for each in filter(None, [peer, caller]):
            each.stop()
            there.discard(each.folder)


def share(ground, wanted):
    """What it costs a peer to share, to the same leecher. The bare loop knows as much of the protocol
    as that insists on; the other, which knows none, shows what the leecher's ways cost them all."""
    room = Room(f"share: {SIZE_MIB} MiB to libtorrent")

    def measure(kind):
        if kind == DRAINED_LIMIT:
            return bare_share(ground)
        is_slow = kind is SLOW
        content = ground.content("slow", SLOW_MIB) if is_slow else ground.content("big", SIZE_MIB)
        if kind is BareSeed:
            peer = fresh(BareSeed, ground)
            peer.share(content[0] / "big", PIECE_KIB << 10)
        else:
            peer = seeded(ground, kind, content, None)
        leecher = fresh(QuietLibTorrent, ground, PARTNER_CPU)
        try:
            return transfer(ground, content, peer, leecher, peer)
        finally:
            leecher.stop()
            peer.stop()
            ground.discard(peer.folder)
            ground.discard(leecher.folder)

    in_turn(room, [Ours, BareSeed, DRAINED_LIMIT, Small, *RIVALS, SLOW], measure)
    judge_transfer(room, wanted, "share", [0.65, None, 4], [1.25, None])
    return room


def judge_transfer(room, wanted, name, against_peers, against_limit):
    """Bounds: processor and rate against the best other, resident MiB; both against the loop."""
    others = [kind.name for kind in RIVALS if kind.name in room.costs]
    least, fastest = room.least("each", others), room.most("rate", others)
    if least:
        wanted.at_most(f"{name}: CPU, of {least}'s", room.ratio("each", OURS, least), against_peers[0])
    if fastest and against_peers[1]:
        wanted.at_least(f"{name}: rate, of {fastest}'s", room.ratio("rate", OURS, fastest), against_peers[1])
    wanted.at_most(f"{name}: CPU, of the bare loop's", room.ratio("each", OURS, LIMIT), against_limit[0])
    if against_limit[1]:
        wanted.at_least(f"{name}: rate, of the bare loop's", room.ratio("rate", OURS, LIMIT), against_limit[1])
    # What small hosts have is what counts there.
    peak = room.median(Small.name, "peak_kib") or room.median(OURS, "peak_kib")
    wanted.at_most(f"{name}: resident MiB", peak and peak / 1024, against_peers[2])


def bare(ground, measured, partner, mebibytes=None):
    """Two bare loops, of which one is measured. Which of them listens, is named first."""
    folder = ground.folder("limits")
    addr = f"127.0.0.1:{free_port('127.0.0.1')}"
    listening, calling = sorted([measured, partner], key=lambda words: words[0] in ("get", "scatter", "drain"))
    words = lambda which: [LIMITS, which[0], addr, *which[1:]]
    cpu = lambda which: MEASURED_CPU if which is measured else PARTNER_CPU
    first = Child("listening", pinned(words(listening), cpu(listening)), folder)
    wait_until(lambda: first.line("ready"), time.monotonic() + 20, "a bare loop", [first])
    began = time.monotonic()
    second = Child("calling", pinned(words(calling), cpu(calling)), folder)
    watches = [Watch(first, began + SECONDS_MAX), Watch(second, began + SECONDS_MAX)]
    while not all([watch.look() for watch in watches]):
        time.sleep(TURN_SECONDS)
    seconds = time.monotonic() - began
    ground.discard(folder)
    amount = (mebibytes or SIZE_MIB) / 1024
    return [Cost(seconds, watch.cpu, amount, watch.peak_kib) for watch in watches]


def bare_get(ground, there=None, hash="hw"):
    there = there or ground
    target = there.folder("bare") / "file"
    cost = bare(ground, ["get", target, hash], ["pour", SIZE_MIB * MIB])[1]
    there.discard(target.parent)
    return cost


def bare_scatter(ground):
    target = ground.folder("bare")
    total, each = SMALL_FILES * SMALL_KIB << 10, SMALL_KIB << 10
    cost = bare(ground, ["scatter", target, each, "hw"], ["pour", total], total / MIB)[1]
    ground.discard(target)
    return cost


def bare_share(ground):
    folder, *_ = ground.content("big", SIZE_MIB)
    return bare(ground, ["share", folder / "big"], ["drain"])[0]


def both(ground, wanted):
    """Ours to ours: what both ends cost together."""
    content = ground.content("big", SIZE_MIB)
    room = Room(f"ours to ours: {SIZE_MIB} MiB, both ends together")

    def measure(kind):
        if kind == LIMIT:
            get, share = bare_get(ground), bare_share(ground)
            return Cost(max(get.seconds, share.seconds), get.cpu + share.cpu, get.amount)
        sharer, getter = seeded(ground, Ours, content, PARTNER_CPU), fresh(Ours, ground)
        before = cpu_seconds(sharer.child.pid)
        cost = transfer(ground, content, sharer, getter, getter)
        cost.cpu += cpu_seconds(sharer.child.pid) - before
        sharer.stop()
        ground.discard(sharer.folder)
        ground.discard(getter.folder)
        return cost

    in_turn(room, [Ours, LIMIT], measure)
    wanted.at_most("ours to ours: CPU, of the bare loops'", room.ratio("each", OURS, LIMIT), 1.15)
    return room


def verify(ground, wanted):
    content = ground.content("big", SIZE_MIB)
    folder, torrent, _ = content
    room = Room(f"verify: {SIZE_MIB} MiB")
    aria2 = ["aria2c", "--no-conf", "--check-integrity=true", "--hash-check-only=true", "--enable-dht=false",
             "--show-console-readout=false", "--dir", folder, torrent]

    def measure(kind):
        place = ground.folder("verify")
        amount = SIZE_MIB / 1024
        try:
            if kind == OURS:
                return command(OURS, [Ours.program, "verify", torrent, "--dir", folder], place, amount)
            if kind == LIMIT:
                return command("limit", [LIMITS, "hash", folder / "big", "hw"], place, amount)
            if kind == "aria2":
                return command("aria2", aria2, place, amount)
            # These check what they are to share, and say when they have.
            peer = {each.name: each for each in RIVALS}[kind](place, "127.0.0.1")
            began = time.monotonic()
            peer.share(torrent, folder, [])
            watch = Watch(peer.child, began + SECONDS_MAX)
            while not peer.is_sharing() and not watch.look():
                time.sleep(TURN_SECONDS)
            watch.look()
            cost = Cost(time.monotonic() - began, watch.cpu, amount, watch.peak_kib)
            peer.stop()
            return cost
        finally:
            ground.discard(place)

    in_turn(room, [OURS, LIMIT, "rtorrent", "aria2", "libtorrent"], measure)
    others = [who for who in room.costs if who not in (OURS, LIMIT)]
    fastest = room.most("rate", others)
    if fastest:
        wanted.at_least(f"verify: rate, of {fastest}'s", room.ratio("rate", OURS, fastest), 1.15)
    wanted.at_least("verify: rate, of the bare loop's", room.ratio("rate", OURS, LIMIT), 0.90)
    return room


def create(ground, wanted):
    folder, *_ = ground.content("big", SIZE_MIB)
    room = Room(f"create: {SIZE_MIB} MiB, pieces of {PIECE_KIB} KiB")
    script = [QuietLibTorrent.python(), PROJECT / "tests/interop/libtorrent_peer.py", "create"]

    def measure(kind):
        place = ground.folder("create")
        out = place / "made.torrent"
        power = (PIECE_KIB << 10).bit_length() - 1
        words = {
            OURS: [Ours.program, "create", folder / "big", "-o", out, "--piece-length", f"{PIECE_KIB}K"],
            "mktorrent": ["mktorrent", "-t", 1, "-l", power, "-o", out, folder / "big"],
            "libtorrent": [*script, folder, "big", out, "", PIECE_KIB << 10, "v1"],
            "transmission": ["transmission-create", "-o", out, "-s", PIECE_KIB, folder / "big"],
            LIMIT: [LIMITS, "hash", folder / "big", "hw"],
        }[kind]
        try:
            return command(kind.replace(" ", "-"), words, place, SIZE_MIB / 1024)
        finally:
            ground.discard(place)

    in_turn(room, [OURS, "mktorrent", "libtorrent", "transmission", LIMIT], measure)
    wanted.at_least("create: rate, of mktorrent's", room.ratio("rate", OURS, "mktorrent"), 1.0)
    return room


def small(ground, wanted):
    """Many small files, from a seed that only sends: any other is what all wait for (libtorrent takes
    2 to 5 processor seconds for each GiB of them).

    Making files is half of the work, and some do it before data flows: aria2 makes all of them
    first, and has received 16 MiB, a twelfth of these, when its first byte is on the disk. So the
    processor's time counts from the start of each process. The bare loop makes files, too, but
    neither directories nor a survey."""
    content = ground.content("many", 0, SMALL_FILES)
    folder, torrent, _ = content
    # To a seed that knows no files, they are one.
    together = ground.folder("together") / "many"
    together.write_bytes(b"".join(path.read_bytes() for path in sorted((folder / "many").iterdir())))
    room = Room(f"{SMALL_FILES} small files, {SMALL_FILES * SMALL_KIB >> 10} MiB, from one that only sends")

    def measure(kind):
        if kind == LIMIT:
            return bare_scatter(ground)
        seed, peer = fresh(BareSeed, ground, PARTNER_CPU), fresh(kind, ground)
        seed.share(together, PIECE_KIB << 10)
        ground.announce(torrent, seed, "started")
        try:
            return transfer(ground, content, seed, peer, peer, from_start=True)
        finally:
            ground.announce(torrent, seed, "stopped")
            for each in [peer, seed]:
                each.stop()
                ground.discard(each.folder)

    in_turn(room, [Ours, *RIVALS, LIMIT], measure)
    others = [who for who in room.costs if who not in (OURS, LIMIT)]
    if others:
        least, fastest = room.least("each", others), room.most("rate", others)
        better = room.ratio("each", least, OURS)
        wanted.at_least(f"small files: GiB per CPU second, of {least}'s", better, 1.3)
        wanted.at_least(f"small files: rate, of {fastest}'s", room.ratio("rate", OURS, fastest), 1.3)
    return room


def swarm(ground, wanted):
    """One who shares and eight who get, all of a kind, on all processors."""
    mebibytes = min(SIZE_MIB, 256)
    content = ground.content("swarm", mebibytes)
    room = Room(f"swarm of 1 + {GETTERS}, {mebibytes} MiB: what all got together")
    everywhere = f"0-{os.cpu_count() - 1}"

    def measure(kind):
        seed = seeded(ground, kind, content, everywhere)
        # rtorrent keeps one connection to an address, whatever the ports.
        getters = [fresh(kind, ground, everywhere, f"127.0.1.{n}") for n in range(1, GETTERS + 1)]
        wire, began = loopback_bytes(), time.monotonic()
        before = cpu_seconds(seed.child.pid)
        for getter in getters:
            (getter.folder / "target").mkdir()
            getter.get(content[1], getter.folder / "target", [seed.endpoint] if kind is Ours else [])
        watches = [Watch(getter.child, began + SECONDS_MAX) for getter in getters]
        left = list(zip(getters, watches))
        while left:
            left = [(getter, watch) for getter, watch in left if not (watch.look() or getter.has_all())]
            time.sleep(4 * TURN_SECONDS)
        for getter, watch in zip(getters, watches):
            if watch.ended is not None and not getter.exits_when_done:
                raise RowFailed(f"{getter.name} left: {getter.child.log()[-200:]}")
        cost = Cost(time.monotonic() - began, 0, GETTERS * amount_of(content))
        for watch in watches:
            watch.look()
        cost.cpu = sum(watch.cpu for watch in watches) + cpu_seconds(seed.child.pid) - before
        cost.wire = (loopback_bytes() - wire) / (GETTERS * amount_of(content) * GIB)
        cost.peak_kib = max(watch.peak_kib for watch in watches)
        for peer in [*getters, seed]:
            peer.stop()
            ground.discard(peer.folder)
        return cost

    in_turn(room, [Ours, *RIVALS], measure)
    others = [who for who in room.costs if who != OURS]
    if others:
        least, fastest = room.least("each", others), room.most("rate", others)
        last = room.ratio("rate", fastest, OURS)
        wanted.at_most(f"swarm: time to the last completion, of {fastest}'s", last, 0.80)
        wanted.at_most(f"swarm: CPU, of {least}'s", room.ratio("each", OURS, least), 0.75)
    if os.environ.get("BENCH_ALONE"):
        # Where others use the loopback, too, nobody can tell.
        wanted.at_most("swarm: bytes on the wire, of those needed", room.median(OURS, "wire"), 1.01)
    return room


def loopback_bytes():
    """Bytes that went over the loopback, heads of packets and all."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split()[1])
    return 0


def small_program():
    """What small hosts get (`make static`), if it was built."""
    return Path(os.environ.get("STATIC", Ours.program)).resolve()


def idle(ground, wanted):
    """What torrents cost that nobody wants anything of: see idle.py."""
    lines = []
    options = argparse.Namespace(kib=64, seconds=10)
    url = ["--tracker", ground.tracker.url]
    for count, most in [(1, 3), (200, 8)]:
        kib, wakeups = idling(small_program(), ground.folder("idle"), count, url, options)
        lines.append(f"| {count} | {kib / 1024:.1f} | {wakeups:.2f} |")
        wanted.at_most(f"{count} idle torrents: resident MiB", kib / 1024, most)
        wanted.at_most(f"{count} idle torrents: wake-ups a second", wakeups, 1)
    return "### idle\n\n| torrents | resident MiB | wake-ups/s |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def size(ground, wanted):
    """The program itself."""
    mebibytes = small_program().stat().st_size / MIB
    wanted.at_most("size: MiB", mebibytes, 1.5)
    return f"### size\n\n{mebibytes:.2f} MiB\n"


def turn(ground, wanted):
    """The longest turn while 4 GiB are verified and another torrent comes: see rpc.py."""
    status, out, err = run([sys.executable, HERE / "rpc.py"], seconds=300)
    words = out.split("longest turn ")
    assert len(words) == 2, out + err
    wanted.at_most("longest turn, verifying and downloading: ms", float(words[1].split()[0]), 50)
    return f"### turn\n\n{out}"


ROOMS = {room.__name__: room for room in [
    get, disk, share, both, verify, create, small, swarm, udp, http, million, expiry, idle, size, turn
]}


def main():
    parser = argparse.ArgumentParser(description="what ours costs beside others")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    options = parser.parse_args()
    unknown = set(options.rooms) - set(ROOMS)
    if unknown:
        parser.error(f"no such room: {', '.join(unknown)}; there are {', '.join(ROOMS)}")
    Swarmlet.program = SwarmletTracker.program = our_binary()
    Small.program = small_program()
    portable = os.environ.get("PORTABLE")
    Portable.program = portable and Path(portable).resolve()
    wanted = Wanted()
    build_loads()
    print(f"## {machine()}\n", flush=True)
    for name in options.rooms or ROOMS:
        with scratch_folder("bench-", os.environ.get("DIR", "/dev/shm")) as scratch:
            warm(scratch)
            scratch.chmod(0o755)
            told = ROOMS[name](Ground(scratch), wanted)
            for table in told if isinstance(told, list) else [told]:
                print(table if isinstance(table, str) else table.table(OURS), flush=True)
    print(wanted.table())
    return 1 if options.check and wanted.missed else 0


def warm(scratch):
    """Has the system hand out as much memory as will be used: a virtual machine's first use of a
    page costs its host's time, and would be counted as ours, or theirs."""
    with open(scratch / "warm", "wb") as file:
        for _ in range(3 * SIZE_MIB):
            file.write(bytes(MIB))
    (scratch / "warm").unlink()


def machine():
    """The kind of machine, and the date."""
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    has_sha = " sha_ni" in Path("/proc/cpuinfo").read_text()
    where = os.environ.get("DIR", "/dev/shm")
    return (f"{time.strftime('%d %B %Y')}: {len(model)} × {model[0] if model else os.uname().machine}"
            f"{', SHA instructions' if has_sha else ''}, Linux {os.uname().release.split('-')[0]}, {where}")


def alone():
    """Goes on in a network of its own, if this user may make one."""
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    again = [*inside, sys.executable, *sys.argv]
    if os.environ.get("BENCH_ALONE") or os.geteuid() or run([*inside, "true"])[0]:
        return
    os.environ["BENCH_ALONE"] = "1"
    os.execvp(again[0], again)


if __name__ == "__main__":
    alone()
    sys.exit(main())
