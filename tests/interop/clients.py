"""The peers of the rows, one small class each: how to start it, and how to ask how far it is.

    share(torrent, folder, peers)    starts it on a complete copy
    get(torrent, folder, peers)      starts it on an empty folder; a torrent or a magnet link
    is_sharing(), has_all()          questions, asked again and again
    stop()

Everything by which they could reach further than the row is off: DHT, peer exchange, local
discovery, port mapping, uTP. What each can and cannot do stands in the class attributes; the rows
are arranged by those.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from process import Child, RowFailed, free_port, run

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
RPC_SECONDS = 5


class Client:
    """A peer process. `folder`: its scratch, `ip`: its own address, from which it also dials."""

    name = ""
    # Whether it may be told of a peer by hand, and dials it whatever its address.
    dials_by_hand = False
    # Whether it dials a peer in 127.0.0.0/8 of which a tracker told.
    dials_loopback = True
    creates_empty_files = True
    # Whether it sends the event `completed` when it has all and is told not to stay.
    tells_completed = True

    def __init__(self, folder, ip):
        self.folder, self.ip = folder, ip
        self.port = free_port(ip)
        self.child = None
        # A node by which to enter the DHT; without one, this client keeps out of it.
        self.dht_node = None
        # Where ours writes down what is said.
        self.trace = None

    @property
    def endpoint(self):
        return f"{self.ip}:{self.port}"

    def share(self, torrent, folder, peers):
        raise NotImplementedError

    def get(self, torrent, folder, peers):
        raise NotImplementedError

    def is_ready(self):
        """Whether a getter can be dialled."""
        return self.child is not None

    def is_sharing(self):
        raise NotImplementedError

    def has_all(self):
        raise NotImplementedError

    def stop(self):
        if self.child:
            self.child.stop()

    def create(self, folder, payload, target, tracker):
        """Makes the torrent of what it will share."""
        payload.write_torrent(folder, target, tracker)

    def fault_at_the_end(self):
        """Something that this client found wrong though the files are right, or `None`."""
        return None


class Swarmlet(Client):
    """Ours. Announces from the address that the system picks, so it listens at that one."""

    name = "swarmlet"
    dials_by_hand = True
    program = None

    def __init__(self, folder, ip):
        super().__init__(folder, ip if ip.startswith("[") else "127.0.0.1")

    def share(self, torrent, folder, peers):
        self._start("share", torrent, folder, peers)

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder, peers)

    def is_sharing(self):
        return self.child.line("ready") is not None

    is_ready = is_sharing

    def has_all(self):
        return self.child.exit_status() == 0 and self.child.line("complete") is not None

    def fault_at_the_end(self):
        """Asked to leave, it must leave in time and say that all went well."""
        status = self.child.stop()
        return None if status == 0 else f"swarmlet left with status {status}"

    def create(self, folder, payload, target, tracker):
        self.create_torrent(folder, payload, target, tracker)

    @classmethod
    def create_padded(cls, folder, payload, target, tracker):
        cls.create_torrent(folder, payload, target, tracker, ["--pad"])

    @classmethod
    def create_torrent(cls, folder, payload, target, tracker, more=()):
        length = ["--piece-length", payload.piece_length]
        at = ["--tracker", tracker] if tracker else []
        arguments = [cls.program, "create", folder / payload.name, *at, *length, *more]
        status, out, err = run([*arguments, "-o", target], folder)
        if status:
            raise RowFailed(f"swarmlet create: status {status}: {(err or out).strip()}")

    @classmethod
    def link_of(cls, torrent):
        status, out, err = run([cls.program, "magnet", torrent])
        if status:
            raise RowFailed(f"swarmlet magnet: status {status}: {err.strip()}")
        return out.strip()

    def _start(self, command, torrent, folder, peers, more=()):
        where = ["--dir", folder, "--listen", self.endpoint]
        arguments = [self.program, command, torrent, *where, *more]
        for peer in peers:
            arguments += ["--peer", peer]
        if self.dht_node:
            arguments += ["--dht-node", self.dht_node]
        if self.trace:
            arguments += ["--trace", self.trace]
        self.child = Child(f"swarmlet-{command}", arguments, self.folder)


class Aria2(Client):
    """aria2: learns of peers from a tracker only; leaves when it has all, as it is told to."""

    name = "aria2"
    program = "aria2c"
    # With --seed-time=0 it has left before it would have said so: the tracker hears `stopped`.
    tells_completed = False
    quiet = [
        "--no-conf",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--enable-peer-exchange=false",
        "--bt-enable-lpd=false",
        "--disable-ipv6=true",
        "--async-dns=false",
        "--file-allocation=none",
        "--bt-max-peers=0",
        "--bt-request-peer-speed-limit=0",
        "--allow-overwrite=true",
        "--summary-interval=0",
        "--console-log-level=notice",
        "--show-console-readout=false",
    ]

    def share(self, torrent, folder, peers):
        self._start("share", torrent, folder, ["--seed-ratio=0.0", "--check-integrity=true"])

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder, ["--seed-time=0"])

    def is_sharing(self):
        # It does not tell; the row asks the tracker anyway.
        return True

    def has_all(self):
        return self.child.exit_status() == 0

    def _start(self, role, torrent, folder, more):
        own = [f"--interface={self.ip}", f"--listen-port={self.port}", f"--dir={folder}"]
        is_link = isinstance(torrent, str)
        if not is_link and b"udp://" in torrent.read_bytes():
            # It asks such trackers from the DHT's socket. Its DHT knows nobody.
            table = f"--dht-file-path={self.folder / 'dht.dat'}"
            own += ["--enable-dht=true", f"--dht-listen-port={self.port}", table]
        log = [f"--log={self.folder / 'aria2-details.log'}", "--log-level=info"]
        arguments = [self.program, *self.quiet, *log, *own, *more, torrent]
        self.child = Child(f"aria2-{role}", arguments, self.folder)


class LibTorrent(Client):
    """libtorrent-rasterbar (the library of qBittorrent and Deluge), through its Python binding."""

    name = "libtorrent"
    dials_by_hand = True
    # Further words for the script.
    more = []

    def share(self, torrent, folder, peers):
        self._start("share", torrent, folder, peers)

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder, peers)

    def is_ready(self):
        return "listen_succeeded_alert" in self.child.log()

    def is_sharing(self):
        return self.child.line("sharing") is not None

    def has_all(self):
        return self.child.line("complete") is not None

    def create(self, folder, payload, target, tracker):
        # It makes no torrents with pieces that are no multiple of 16 KiB.
        if payload.piece_length % (1 << 14):
            payload.write_torrent(folder, target, tracker)
        else:
            self.create_torrent(folder, payload, target, tracker)

    @classmethod
    def create_torrent(cls, folder, payload, target, tracker):
        cls._create(folder, payload, target, tracker, "v1")

    @classmethod
    def create_hybrid(cls, folder, payload, target, tracker):
        """A torrent of versions 1 and 2 together, in which padding lies between the files."""
        cls._create(folder, payload, target, tracker, "hybrid")

    @classmethod
    def _create(cls, folder, payload, target, tracker, version):
        script = [cls.python(), HERE / "libtorrent_peer.py", "create"]
        what = [folder, payload.name, target, tracker, payload.piece_length, version]
        status, _, err = run([*script, *what], folder)
        if status:
            raise RowFailed(f"libtorrent create: {err.strip()[-200:]}")

    @classmethod
    def python(cls):
        """The Python with the binding: Debian's, the one that runs this, or PyPI's."""
        if not hasattr(cls, "found"):
            own = PROJECT / "target/interop/venv/bin/python"
            ask = ["-c", "import libtorrent"]
            for python in ["/usr/bin/python3", sys.executable, str(own)]:
                if os.access(python, os.X_OK) and run([python, *ask])[0] == 0:
                    cls.found = python
                    break
            else:
                raise RowFailed("no Python here can import libtorrent: tests/interop/install.sh")
        return cls.found

    def _start(self, command, torrent, folder, peers):
        script = [self.python(), "-u", HERE / "libtorrent_peer.py", command]
        arguments = [*script, torrent, folder, self.ip, self.port, *peers, *self.more]
        if self.dht_node:
            arguments.append(f"dht={self.dht_node}")
        self.child = Child(f"libtorrent-{command}", arguments, self.folder)


class Transmission(Client):
    """transmission-daemon, over its RPC. Drops loopback peers of which a tracker told."""

    name = "transmission"
    program = "transmission-daemon"
    dials_loopback = False
    creates_empty_files = False

    # "status" in its RPC: the torrent is being seeded.
    SEEDING = 6

    def __init__(self, folder, ip):
        super().__init__(folder, ip)
        self.rpc_port = free_port(ip)
        self.session = ""
        self.torrent = None
        self.trouble = None

    def share(self, torrent, folder, peers):
        self._start("share", torrent, folder)

    def get(self, torrent, folder, peers):
        self._start("get", torrent, folder)

    def is_ready(self):
        return self._status() is not None

    def is_sharing(self):
        status = self._status()
        return status is not None and status["status"] == self.SEEDING

    def has_all(self):
        status = self._status()
        return status is not None and status["percentDone"] == 1 and status["leftUntilDone"] == 0

    def create(self, folder, payload, target, tracker):
        # It leaves out empty files, and counts pieces in KiB.
        if 0 in payload.files.values() or payload.piece_length % 1024:
            payload.write_torrent(folder, target, tracker)
        else:
            self.create_torrent(folder, payload, target, tracker)

    @staticmethod
    def create_torrent(folder, payload, target, tracker):
        length = ["-s", payload.piece_length // 1024]
        maker = ["transmission-create", "-o", target, "-t", tracker, *length]
        status, out, err = run([*maker, folder / payload.name], folder)
        if status or not target.exists():
            raise RowFailed(f"transmission-create: status {status}: {(err or out).strip()[-200:]}")

    def fault_at_the_end(self):
        """A tracker that it could not talk to, even though the transfer did not need it."""
        status = self._status() or {"trackerStats": []}
        for tracker in status["trackerStats"]:
            if not tracker["lastAnnounceSucceeded"]:
                return f"its tracker failed: {tracker['lastAnnounceResult']}"
        return None

    def _start(self, role, torrent, folder):
        home = self.folder / "transmission"
        home.mkdir()
        (home / "settings.json").write_text(json.dumps(self._settings(folder)))
        arguments = [self.program, "-f", "-g", home, "--log-debug"]
        self.child = Child(f"transmission-{role}", arguments, self.folder)
        self.torrent = torrent

    def _settings(self, folder):
        off = ["dht", "pex", "lpd", "utp", "port-forwarding", "rpc-whitelist", "blocklist"]
        off += ["rpc-host-whitelist", "download-queue", "seed-queue", "queue-stalled"]
        off += ["incomplete-dir", "ratio-limit", "speed-limit-up", "speed-limit-down", "watch-dir"]
        return {
            **{f"{key}-enabled": False for key in off},
            "rpc-authentication-required": False,
            "rpc-enabled": True,
            "rpc-bind-address": self.ip,
            "rpc-port": self.rpc_port,
            "bind-address-ipv4": self.ip,
            "bind-address-ipv6": "::1",
            "peer-port": self.port,
            "peer-port-random-on-start": False,
            # 0 prefers plain connections.
            "encryption": 0,
            "download-dir": str(folder),
            "rename-partial-files": False,
        }

    def _status(self):
        """The torrent as the daemon sees it; adds it at the first time that the daemon answers."""
        if self.torrent is not None:
            added = self._ask("torrent-add", {"filename": str(self.torrent)})
            if added is None:
                return None
            self.torrent = None
        fields = ["status", "percentDone", "leftUntilDone", "errorString", "trackerStats"]
        answer = self._ask("torrent-get", {"fields": fields})
        return answer["torrents"][0] if answer and answer["torrents"] else None

    def _ask(self, method, arguments, again=True):
        """One call. `None` as long as nobody answers there."""
        request = urllib.request.Request(
            f"http://{self.ip}:{self.rpc_port}/transmission/rpc",
            json.dumps({"method": method, "arguments": arguments}).encode(),
            {"X-Transmission-Session-Id": self.session},
        )
        try:
            with urllib.request.urlopen(request, timeout=RPC_SECONDS) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            # 409 is how it gives out the session id that it wants to see.
            self.session = error.headers.get("X-Transmission-Session-Id", "")
            return self._ask(method, arguments, again=False) if again else None
        except OSError:
            return None
        if answer["result"] != "success":
            raise RowFailed(f"transmission {method}: {answer['result']}")
        return answer["arguments"]
