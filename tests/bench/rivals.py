"""The peers that ours is held against: as the rows of `tests/interop` start them, but quiet.

    share(torrent, folder, peers)    on a complete copy; `is_sharing` when it has checked that
    get(torrent, folder, peers)      into an empty folder; `has_all` when it has it

All find each other through one tracker; whoever can be told of a peer by hand is. `cpu`: where it
runs.
"""

import json
import time
import urllib.error
import urllib.request

import clients
from clients import Aria2, LibTorrent, Swarmlet, Transmission
from measure import MEASURED_CPU, pinned
from process import PROJECT, Child, RowFailed, free_port, run, wait_until


class Pinned:
    """Starts on one processor, without the logs that a row of interop wants to show."""

    cpu = MEASURED_CPU
    # Told of the end by its own exit.
    exits_when_done = False


class Ours(Pinned, Swarmlet):
    """`get` goes on sharing, so that it can be asked what it cost."""

    def _start(self, command, torrent, folder, peers, more=()):
        seed = ["--seed"] if command == "get" else []
        where = ["--dir", folder, "--listen", self.endpoint, *seed, *more]
        named = [word for peer in peers for word in ("--peer", peer)]
        arguments = [self.program, command, torrent, *where, *named]
        self.child = Child(f"swarmlet-{command}", pinned(arguments, self.cpu), self.folder)

    def is_sharing(self):
        return self.child.line("complete") is not None

    def has_all(self):
        return self.child.line("complete") is not None

    def longest_turn_ms(self):
        """Of a process that has been asked to leave."""
        for word in (self.child.line("stopping") or "").split():
            if word.startswith("longest_turn_ms="):
                return float(word.split("=")[1])
        return 0


class Small(Ours):
    """What small hosts get: `make static`."""

    name = "swarmlet, static"


class Portable(Ours):
    """Without the processor's SHA instructions: `--no-default-features`."""

    name = "swarmlet, portable hash"


class QuietAria2(Pinned, Aria2):
    exits_when_done = True

    def _start(self, role, torrent, folder, more):
        own = [f"--interface={self.ip}", f"--listen-port={self.port}", f"--dir={folder}"]
        arguments = [self.program, *self.quiet, *own, *more, torrent]
        self.child = Child(f"aria2-{role}", pinned(arguments, self.cpu), self.folder)


class QuietLibTorrent(Pinned, LibTorrent):
    def _start(self, command, torrent, folder, peers):
        script = [self.python(), "-u", clients.HERE / "libtorrent_peer.py", command]
        arguments = [*script, torrent, folder, self.ip, self.port, *peers]
        self.child = Child(f"libtorrent-{command}", pinned(arguments, self.cpu), self.folder)


class Rtorrent(Pinned, clients.Client):
    """rtorrent as a daemon. Tells by touching files when it has checked and when it has all."""

    name = "rtorrent"
    program = "rtorrent"
    settings = """
        dht.mode.set = disable
        protocol.pex.set = no
        protocol.encryption.set = none
        trackers.use_udp.set = no
        network.port_random.set = no
        system.daemon.set = true
        pieces.hash.on_completion.set = no
        network.http.dns_cache_timeout.set = 0
        throttle.max_uploads.set = 100
        throttle.max_uploads.global.set = 400
    """

    def share(self, torrent, folder, peers):
        self._start("share", torrent, folder)

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder)

    def is_sharing(self):
        return (self.folder / "checked").exists()

    def has_all(self):
        return (self.folder / "finished").exists()

    def _start(self, role, torrent, folder):
        session = self.folder / "session"
        session.mkdir(exist_ok=True)
        own = f"""
            directory.default.set = {folder}
            session.path.set = {session}
            network.bind_address.set = {self.ip}
            network.port_range.set = {self.port}-{self.port}
            method.set_key = event.download.hash_done, told, "execute2={{touch,{self.folder}/checked}}"
            method.set_key = event.download.finished, told, "execute2={{touch,{self.folder}/finished}}"
            load.start = {torrent}
        """
        (self.folder / "rtorrent.rc").write_text(unindented(self.settings + own))
        arguments = [self.program, "-n", "-o", f"import={self.folder / 'rtorrent.rc'}"]
        self.child = Child(f"rtorrent-{role}", pinned(arguments, self.cpu), self.folder)


class BareSeed(Pinned):
    """No peer, but the limit of one who shares: reads and sends what it is asked for, whoever asks.
    Leaves when they hang up."""

    name = "bare loop"
    # As the program says it.
    peer_id = "-LIMITS-bare-loop---"
    program = PROJECT / "target/release/examples/limits"
    exits_when_done = True

    def __init__(self, folder, ip):
        self.folder, self.endpoint = folder, f"{ip}:{free_port(ip)}"

    def share(self, file, piece_bytes):
        arguments = [self.program, "seed", self.endpoint, file, piece_bytes]
        self.child = Child("bare-seed", pinned(arguments, self.cpu), self.folder)
        wait_until(lambda: self.child.line("ready"), time.monotonic() + 20, "a bare loop", [self.child])

    def stop(self):
        self.child.stop()


class BareLeech(Pinned):
    """No peer, but the limit of one who gets: asks for the blocks of a single file one after the
    other, hashes and writes what comes. Leaves when it has all."""

    name = BareSeed.name
    program = BareSeed.program
    dials_by_hand = exits_when_done = True

    def __init__(self, folder, ip):
        self.folder, self.ip = folder, ip

    def get(self, torrent, folder, peers):
        told = json.loads(run([Ours.program, "info", "--json", torrent])[1])
        numbers = [told["bytes"], told["piece_bytes"]]
        arguments = [peers[0], told["info_hash"], *numbers, folder / "file", "hw"]
        self.child = Child("bare-leech", pinned([self.program, "leech", *arguments], self.cpu), self.folder)

    def has_all(self):
        return self.child.exit_status() == 0

    def stop(self):
        self.child.stop()


def from_crates(program):
    """Where `WITH_CRATES=1` puts it."""
    path = PROJECT / "target/rivals/bin" / program
    if not path.exists():
        raise RowFailed("not installed: make bench WITH_CRATES=1 installs it")
    return path


class Rqbit(Pinned, clients.Client):
    """rqbit: checks what is there, gets the rest and shares. Tells over HTTP how far it is."""

    name = "rqbit"
    dials_by_hand = True
    # A question costs it something, too.
    ASKED_SECONDS = 0.05
    quiet = ["--disable-dht", "--disable-dht-persistence", "--disable-lsd", "--disable-upnp-port-forward"]

    def __init__(self, folder, ip):
        # It announces from the address that the system picks.
        super().__init__(folder, "127.0.0.1")
        self.program = from_crates("rqbit")
        self.told_at, self.asked, self.finished = f"127.0.0.1:{free_port('127.0.0.1')}", 0, False

    def share(self, torrent, folder, peers):
        self._start("share", torrent, folder, peers)

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder, peers)

    def has_all(self):
        if not self.finished and time.monotonic() - self.asked > self.ASKED_SECONDS:
            self.finished, self.asked = self._is_finished(), time.monotonic()
        return self.finished

    is_sharing = has_all

    def _start(self, role, torrent, folder, peers):
        own = ["--ipv4-only", "--listen-ip", self.ip, "--listen-port", self.port, "--announce-port", self.port]
        named = ["--initial-peers", ",".join(peers)] if peers else []
        command = ["download", "--overwrite", "-o", folder, *named, torrent]
        told_at = ["--http-api-listen-addr", self.told_at]
        arguments = [self.program, *self.quiet, *own, *told_at, *command]
        self.child = Child(f"rqbit-{role}", pinned(arguments, self.cpu), self.folder)

    def _is_finished(self):
        url = f"http://{self.told_at}/torrents/0/stats/v1"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                stats = json.load(answer)
        except (urllib.error.URLError, OSError):
            return False
        return stats["finished"] and stats["state"] == "live"


def unindented(text):
    return "".join(line.strip() + "\n" for line in text.splitlines())


class QuietTransmission(Pinned, Transmission):
    """transmission-daemon. Calls nobody at loopback of whom a tracker told: as a getter it has to
    be called, by `caller`, once it listens."""

    # A question costs it something, too.
    ASKED_SECONDS = 0.2
    caller = None

    def get(self, torrent, folder, peers):
        super().get(torrent, folder, peers)
        wait_until(self.is_ready, time.monotonic() + 20, "it listens", [self.child])
        self.caller()

    def _start(self, role, torrent, folder):
        home = self.folder / "transmission"
        home.mkdir()
        (home / "settings.json").write_text(json.dumps(self._settings(folder)))
        arguments = [self.program, "-f", "-g", home, "--log-error"]
        self.child = Child(f"transmission-{role}", pinned(arguments, self.cpu), self.folder)
        self.torrent, self.asked, self.known = torrent, 0, None

    def _status(self):
        if self.known is None or time.monotonic() - self.asked > self.ASKED_SECONDS:
            self.known, self.asked = super()._status(), time.monotonic()
        return self.known


RIVALS = [Rtorrent, QuietAria2, QuietLibTorrent, Rqbit]
# Shown beside them in the rooms `get` and `share`. Ratios are not taken of it: it is slow, and gets
# from another seed than all others.
SLOW = QuietTransmission
