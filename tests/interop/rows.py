"""A row of the table: one sharer, one getter, one payload, one tracker, all of them new.

Each row has addresses of its own in 127.0.0.0/8 and a folder of its own, so rows can run side by side:

    127.1.ROW.1 sharer      127.1.ROW.2 getter      127.1.ROW.3 tracker      (ours: 127.0.0.1)

    1. The sharer's tool makes the torrent, with the tracker in it (a padded one: libtorrent's).
    2. The tracker starts.
    3. The sharer starts, and the tracker hears of it.
    4. The getter starts, learns of the sharer from the tracker, and gets everything.
    5. Every file is compared, the tracker has counted a download, and nobody complains.

A getter that does not dial loopback addresses (Transmission) is started before the sharer instead, and
the sharer is told of it by hand. `seconds` counts from the start of the second side until the getter
has said that it has all, so it includes that program's start, its first announce and its timers: it
shows that nothing hangs, not how fast anybody is.
"""

import re
import shutil
import time
from dataclasses import dataclass, field

import bencode
from clients import LibTorrent
from process import RowFailed, cleaned, wait_until

ROW_SECONDS = 75
COUNTED_SECONDS = 5
LOG_LINES = 15
# What Transmission says about certificates at each announce, and aria2 about itself at its end.
NOISE = re.compile(r"\(web\.c:|Status Legend|^===|\|stat\|")


@dataclass(frozen=True)
class Row:
    """`client` and `direction` are how the table calls it; the others are classes."""

    client: str
    direction: str
    sharer: type
    getter: type
    payload: object
    tracker: type

    @property
    def is_possible(self):
        """Somebody has to dial: a getter that will not is dialled by hand."""
        return self.getter.dials_loopback or self.sharer.dials_by_hand

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
    places = [f"127.1.{number}.{last}" for last in (1, 2, 3)]
    scene = Scene(row, folder, places)
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
        for role in ("sharer", "getter", "tracker", "source", "target"):
            (folder / role).mkdir(mode=0o755)
        self.sharer = row.sharer(folder / "sharer", places[0])
        self.getter = row.getter(folder / "getter", places[1])
        self.tracker = row.tracker(folder / "tracker", places[2])

    def play(self, deadline):
        """Returns the seconds that the getter took."""
        row, source, target = self.row, self.folder / "source", self.folder / "target"
        torrent = self.folder / "it.torrent"
        row.payload.write(source)
        create = LibTorrent.create_hybrid if row.payload.is_padded else self.sharer.create
        create(source, row.payload, torrent, self.tracker.url)
        info_hash = bencode.info_hash(torrent.read_bytes())
        self.tracker.allow(info_hash)
        self.tracker.start(deadline)

        if row.getter.dials_loopback:
            self._share(torrent, source, [], info_hash, deadline)
            started = time.monotonic()
            self.getter.get(torrent, target, [])
        else:
            self.getter.get(torrent, target, [])
            wait_until(self.getter.is_ready, deadline, "the getter is ready", [self.getter.child])
            started = time.monotonic()
            self._share(torrent, source, [self.getter.endpoint], info_hash, deadline)

        needed = [self.getter.child, self.sharer.child, self.tracker.child]
        wait_until(self.getter.has_all, deadline, "the getter has all", needed)
        seconds = time.monotonic() - started
        self._compare(target)
        if row.getter.tells_completed:
            counted_by = time.monotonic() + COUNTED_SECONDS
            self.tracker.wait_for(info_hash, "downloaded", counted_by)
        for client in (self.getter, self.sharer):
            fault = client.fault_at_the_end()
            if fault:
                raise RowFailed(fault)
        return seconds

    def stop(self):
        for client in (self.getter, self.sharer):
            client.stop()
        if self.tracker.child:
            self.tracker.child.stop()

    def _share(self, torrent, source, peers, info_hash, deadline):
        self.sharer.share(torrent, source, peers)
        needed = [self.sharer.child, self.tracker.child]
        wait_until(self.sharer.is_sharing, deadline, "the sharer is ready", needed)
        self.tracker.wait_for(info_hash, "complete", deadline, needed)

    def _compare(self, target):
        faults = self.row.payload.faults(target, self.row.getter.creates_empty_files)
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
