"""The two trackers of the rows: ours, and opentracker; each over HTTP, and over UDP.

Each row starts its own, at an address of its own, and throws it away at the end. Both answer
scrape, which is how a row learns that the sharer has been heard of before it starts the other
side, and how it checks afterwards that the `completed` of the client under test was counted.
"""

import urllib.request

import bencode
from clients import HERE, LibTorrent
from process import Child, RowFailed, accepts, free_port, run, wait_until

ANSWER_BYTES_MAX = 1 << 16


class Tracker:
    """A tracker process. `folder`: its scratch, `ip`: where it listens."""

    name = ""
    scheme = "http"
    # Where peers enter the DHT, if that is how they are to meet.
    dht_node = None

    def __init__(self, folder, ip):
        self.folder, self.ip = folder, ip
        self.child = None
        self.port = free_port(ip)

    @property
    def url(self):
        return f"{self.scheme}://{self.ip}:{self.port}/announce"

    def allow(self, info_hash):
        """Names a torrent that will come, for trackers that want to know beforehand."""

    def start(self, deadline):
        raise NotImplementedError

    def scrape(self, info_hash):
        """What the tracker counts of a torrent: `complete`, `incomplete`, `downloaded`."""
        quoted = "".join(f"%{byte:02x}" for byte in bytes.fromhex(info_hash))
        url = f"http://{self.ip}:{self.port}/scrape?info_hash={quoted}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                body = answer.read(ANSWER_BYTES_MAX)
        except OSError as error:
            raise RowFailed(f"scrape of {self.name}: {error}") from error
        if not body.startswith(b"d5:files"):
            raise RowFailed(f"scrape of {self.name}: {body[:80]!r}")
        files = bencode.read(body)[0][b"files"]
        counted = files.get(bytes.fromhex(info_hash), {})
        return {key.decode(): value for key, value in counted.items() if isinstance(value, int)}

    def wait_for(self, info_hash, key, deadline, needed=()):
        """Waits until the tracker counts at least one `key` of the torrent."""
        what = f"{self.name} counts one {key}"
        wait_until(lambda: self.scrape(info_hash).get(key, 0) > 0, deadline, what, needed)


class Opentracker(Tracker):
    """Debian's opentracker: answers only for the torrents in a list, and changes its root."""

    name = "opentracker"
    program = "opentracker"

    def __init__(self, folder, ip):
        super().__init__(folder, ip)
        self.root = folder / "opentracker"
        self.root.mkdir()
        self.root.chmod(0o755)
        self.allowed = []

    def allow(self, info_hash):
        self.allowed.append(info_hash)

    def start(self, deadline):
        # The paths in the configuration are read after the change of root, by an unprivileged user.
        (self.root / "allowed").write_text("".join(f"{each}\n" for each in self.allowed))
        configuration = self.folder / "opentracker.conf"
        configuration.write_text(
            f"listen.tcp_udp {self.ip}:{self.port}\n"
            f"tracker.rootdir {self.root}\n"
            "tracker.user nobody\n"
            "access.whitelist allowed\n"
        )
        self.child = Child("opentracker", [self.program, "-f", configuration], self.folder)
        listening = lambda: accepts(self.ip, self.port)
        wait_until(listening, deadline, "opentracker listens", [self.child])


class SwarmletTracker(Tracker):
    """Ours."""

    name = "swarmlet"
    program = None
    # Further words of its command line.
    more = ()

    def start(self, deadline):
        where = f"{self.ip}:{self.port}"
        udp = ["--udp", where] if self.scheme == "udp" else []
        arguments = [self.program, "tracker", "--http", where, *udp, *self.more]
        self.child = Child("swarmlet-tracker", arguments, self.folder)
        ready = lambda: self.child.line("ready")
        wait_until(ready, deadline, "our tracker is ready", [self.child])


class OpentrackerUdp(Opentracker):
    """The same, asked by datagrams: it listens for both."""

    name = "opentracker-udp"
    scheme = "udp"


class SwarmletUdp(SwarmletTracker):
    """Ours, asked by datagrams; the rows' own questions go to the same port over HTTP."""

    name = "swarmlet-udp"
    scheme = "udp"


class LibTorrentDht(Tracker):
    """No tracker at all: a few nodes of libtorrent, through which peers find each other."""

    name = "DHT"
    url = ""
    NODES = 8

    @property
    def dht_node(self):
        return f"{self.ip}:{self.port}"

    def start(self, deadline):
        script = [LibTorrent.python(), "-u", HERE / "libtorrent_peer.py", "nodes", self.NODES]
        self.child = Child("libtorrent-nodes", [*script, self.ip, self.port], self.folder)
        ready = lambda: self.child.line("nodes")
        wait_until(ready, deadline, "the nodes know each other", [self.child])

    def wait_for(self, info_hash, key, deadline, needed=()):
        """Nobody counts; who looks for the sharer too early looks again."""


def version_of_opentracker():
    """Its package version: the program itself does not tell one."""
    status, out, _ = run(["dpkg-query", "-W", "-f=${Version}", "opentracker"])
    return out if status == 0 else "unknown"
