"""A row of the table: one sharer, its getters, one payload, one tracker, all of them new.

Each row has addresses of its own in 127.0.0.0/8 and a folder of its own, so rows can run side by
side:

    127.1.ROW.1 tracker     127.1.ROW.2 sharer     127.1.ROW.3 … getters     (ours: 127.0.0.1)

or all at [::1], for a row over IPv6.

    1. The sharer's tool makes the torrent, with the tracker in it (a padded one: libtorrent's).
    2. The tracker starts.
    3. The sharer starts, and the tracker hears of it.
    4. Each getter starts, learns of the sharer from the tracker, and gets everything; in a row by
       link it is given a magnet link only, and gets the torrent itself from the sharer, too.
    5. Every file is compared, the tracker has counted a download, and nobody complains. In a row
       about Fast (BEP 6) ours has written a trace, and each side must have said a word of it.

A getter that does not dial loopback addresses (Transmission) is started before the sharer
instead, and the sharer is told of it by hand. `seconds` counts from the start of the second side
until all getters have said that they have all, so it includes a program's start, its first
announce and its timers: it shows that nothing hangs, not how fast anybody is.
"""

import re
import shutil
import time
from dataclasses import dataclass, field

import bencode
from clients import LibTorrent, Swarmlet
from process import RowFailed, cleaned, wait_until

ROW_SECONDS = 75
COUNTED_SECONDS = 5
LOG_LINES = 15
FAST_WORDS = "have all|have none|suggest|reject|allowed fast"
# What Transmission says about certificates at each announce, and aria2 about itself at its end.
NOISE = re.compile(r"\(web\.c:|Status Legend|^===|\|stat\|")


@dataclass(frozen=True)
class Row:
    """`client` and `direction` are how the table calls it. Sharer, getters and tracker: classes."""

    client: str
    direction: str
    sharer: type
    getters: tuple
    payload: object
    tracker: type
    is_ipv6: bool = False
    by_link: bool = False
    is_about_fast: bool = False

    @property
    def is_possible(self):
        """Somebody has to dial: a getter that will not is dialled by hand."""
        return self.sharer.dials_by_hand or all(each.dials_loopback for each in self.getters)

    def places(self, number):
        """Addresses for tracker, sharer and getters."""
        count = 2 + len(self.getters)
        return ["[::1]" if self.is_ipv6 else f"127.1.{number}.{last + 1}" for last in range(count)]

    def words(self):
        return [self.client, self.direction, self.payload.key, self.tracker.name]


@dataclass
class Outcome:
    row: Row
    seconds: float = 0.0
    fault: str = ""
    logs: list = field(default_factory=list)


def run_row(row, number, scratch):
    """Runs one row in a new folder below `scratch`, which is gone afterwards."""
    folder = scratch / f"row{number}"
    folder.mkdir()
    folder.chmod(0o755)
    outcome = Outcome(row)
    scene = Scene(row, folder, row.places(number))
    try:
        outcome.seconds = scene.play(time.monotonic() + ROW_SECONDS)
    except RowFailed as failed:
        outcome.fault = cleaned(str(failed))
    except Exception as error:  # a row that breaks must not take the table with it
        outcome.fault = cleaned(f"{type(error).__name__}: {error}")
    finally:
        scene.stop()
    if outcome.fault:
        outcome.logs = last_lines(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


class Scene:
    """The programs of a row while it runs."""

    def __init__(self, row, folder, places):
        self.row, self.folder = row, folder
        self.tracker = row.tracker(self._folder("tracker"), places[0])
        self.sharer = row.sharer(self._folder("sharer"), places[1])
        self.getters = [
            getter(self._folder(f"getter{at}"), place)
            for at, (getter, place) in enumerate(zip(row.getters, places[2:]), start=1)
        ]

        for client in (self.sharer, *self.getters):
            client.dht_node = self.tracker.dht_node
            if row.is_about_fast and isinstance(client, Swarmlet):
                client.trace = client.folder / "trace"

    def play(self, deadline):
        """Returns the seconds that the getters took."""
        row, source = self.row, self._folder("source")
        torrent = self.folder / "it.torrent"
        row.payload.write(source)
        makers = {"libtorrent": LibTorrent.create_hybrid, "swarmlet": Swarmlet.create_padded}
        create = makers.get(row.payload.padded_by, self.sharer.create)
        create(source, row.payload, torrent, self.tracker.url)
        info_hash = bencode.info_hash(torrent.read_bytes())
        if row.by_link:
            given = Swarmlet.link_of(torrent)
        else:
            given = torrent
        self.tracker.allow(info_hash)
        self.tracker.start(deadline)

        passive = [getter for getter in self.getters if not getter.dials_loopback]
        for getter in passive:
            getter.get(given, self._target(getter), [])
            what = f"{getter.name} is ready"
            wait_until(getter.is_ready, deadline, what, [getter.child])
        started = time.monotonic()
        self._share(torrent, source, [each.endpoint for each in passive], info_hash, deadline)
        if not passive:
            started = time.monotonic()
        for getter in self.getters:
            if getter.dials_loopback:
                getter.get(given, self._target(getter), [])

        for getter in self.getters:
            needed = [getter.child, self.sharer.child, self.tracker.child]
            wait_until(getter.has_all, deadline, f"{getter.name} has all", needed)
        seconds = time.monotonic() - started
        self._judge(info_hash)
        return seconds

    def stop(self):
        for client in (*self.getters, self.sharer):
            client.stop()
        if self.tracker.child:
            self.tracker.child.stop()

    def _folder(self, name):
        folder = self.folder / name
        folder.mkdir(mode=0o755)
        return folder

    def _target(self, getter):
        folder = getter.folder / "target"
        folder.mkdir(exist_ok=True)
        return folder

    def _share(self, torrent, source, peers, info_hash, deadline):
        self.sharer.share(torrent, source, peers)
        needed = [self.sharer.child, self.tracker.child]
        wait_until(self.sharer.is_sharing, deadline, "the sharer is ready", needed)
        self.tracker.wait_for(info_hash, "complete", deadline, needed)

    def _judge(self, info_hash):
        """Everybody has all, as they say: is it so, and did they take leave well?"""
        for getter in self.getters:
            self._compare(getter)
        if any(getter.tells_completed for getter in self.getters):
            counted_by = time.monotonic() + COUNTED_SECONDS
            self.tracker.wait_for(info_hash, "downloaded", counted_by)
        for client in (*self.getters, self.sharer):
            fault = client.fault_at_the_end()
            if fault:
                raise RowFailed(fault)
            if client.trace:
                self._judge_fast(client.trace.read_text())

    def _judge_fast(self, trace):
        """Both sides have said a word that only Fast has."""
        for side in ("says", "hears"):
            if not re.search(rf" {side} +({FAST_WORDS})", trace):
                raise RowFailed(f"in the trace of ours nobody {side} a word of Fast")

    def _compare(self, getter):
        faults = self.row.payload.faults(self._target(getter), getter.creates_empty_files)
        if faults:
            more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
            raise RowFailed("; ".join(faults[:3]) + more)


def last_lines(folder):
    """The ends of all logs of a row."""
    lines = []
    for log in sorted(folder.rglob("*.log")):
        text = log.read_text(encoding="utf-8", errors="replace").splitlines()
        text = [line for line in text if line.strip() and not NOISE.search(line)]
        lines += [f"{log.stem}: {cleaned(line)[:300]}" for line in text[-LOG_LINES:]]
    return lines
