"""Peer exchange with libtorrent, both ways, and aria2: who knows one peer finds the seed by it.

    seed (ours) ◀── by hand ── hub, slow on purpose ◀── by hand ── getter
      ▲                                                              │
      └───────────────── what the hub told of: peer exchange ────────┘

aria2 cannot be told of a peer by hand, so the hub calls it. (Transmission does not call loopback
addresses.) There is no tracker. The hub takes its data at a few kilobytes a second, so whoever had to get it
from there would need minutes; the getter has it in seconds, or it never heard of the seed.
"""

import time

import bencode
import payloads
from clients import Aria2, LibTorrent, Swarmlet
from process import RowFailed, cleaned, wait_until

SECONDS = 75
SLOW_BYTES_PER_SECOND = 20_000


class SlowSwarmlet(Swarmlet):
    """Ours as a hub."""

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder, peers, ["--down", "20K", "--up", "20K"])


class SlowLibTorrent(LibTorrent):
    """libtorrent as a hub."""

    more = [f"--limit={SLOW_BYTES_PER_SECOND}"]


class ExchangingAria2(Aria2):
    """aria2 as a getter."""

    quiet = [word for word in Aria2.quiet if "peer-exchange" not in word]


PAIRS = [
    (SlowSwarmlet, LibTorrent),
    (SlowLibTorrent, Swarmlet),
    (SlowSwarmlet, ExchangingAria2),
]


def tell_all(scratch):
    """Plays each; returns how many went well and how many did not."""
    passed, failed = 0, 0
    for number, (hub, getter) in enumerate(PAIRS):
        folder = scratch / f"exchange{number}"
        folder.mkdir()
        started = time.monotonic()
        what = f"{getter.name} finds our seed by a hub of {hub.name}'s"
        try:
            play(folder, number, hub, getter)
            passed += 1
            print(f"  ok    {time.monotonic() - started:.1f} s  {what}", flush=True)
        except RowFailed as fault:
            failed += 1
            print(f"  FAILED  {what}: {cleaned(str(fault))}", flush=True)
    return passed, failed


def play(folder, number, hub, getter):
    deadline = time.monotonic() + SECONDS
    payload, source = payloads.SINGLE, folder / "source"
    source.mkdir()
    payload.write(source)
    torrent = folder / "it.torrent"
    # A tracker that nobody runs: what is known of each other is known otherwise.
    Swarmlet.create_torrent(source, payload, torrent, "http://127.0.0.1:9/announce")
    assert bencode.info_hash(torrent.read_bytes())
    all_of = []

    def start(kind, role, place):
        own = folder / role
        own.mkdir()
        (own / "target").mkdir()
        client = kind(own, f"127.2.{number}.{place}")
        all_of.append(client)
        return client, own / "target"

    try:
        seed, _ = start(Swarmlet, "seed", 1)
        middle, for_middle = start(hub, "hub", 2)
        last, target = start(getter, "getter", 3)
        if not getter.dials_by_hand:
            last.get(torrent, target, [])
        seed.share(torrent, source, [])
        wait_until(seed.is_sharing, deadline, "the seed is ready", [seed.child])
        known = [seed.endpoint] if getter.dials_by_hand else [seed.endpoint, last.endpoint]
        middle.get(torrent, for_middle, known)
        wait_until(middle.is_ready, deadline, "the hub is ready", [middle.child])
        if getter.dials_by_hand:
            last.get(torrent, target, [middle.endpoint])
        wait_until(last.has_all, deadline, "the getter has all", [last.child, middle.child])
        faults = payload.faults(target, last.creates_empty_files)
        if faults:
            raise RowFailed("; ".join(faults[:3]))
    finally:
        for client in reversed(all_of):
            client.stop()
