"""What every row of the fault runner stands on: programs, torrents, and peers that misbehave.

Nothing here leaves 127.0.0.0/8 and nothing waits without a bound. A `Program` is the real binary with
its log; a `Seeder` is a peer written apart from it, that counts what it is asked and can be told to be
slow, silent, or a liar.
"""

import hashlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

SWARMLET = os.environ.get("SWARMLET", "target/release/swarmlet")
BLOCK = 16_384
PATIENCE = 60.0


class Failed(Exception):
    """What went wrong, in one line."""


class Skipped(Exception):
    """Why this host cannot show it."""


def expect(truth, what):
    if not truth:
        raise Failed(what)


class Program:
    """The binary at work; its stdout and stderr go to a log each."""

    def __init__(self, folder, *words, wrap=(), name=None, stdout=None, env=None):
        self.folder = Path(folder)
        self.name = name or words[0]
        count = len(list(self.folder.glob(f"{self.name}*.log")))
        self.out_path = self.folder / f"{self.name}{count}.log"
        self.err_path = self.folder / f"{self.name}{count}.err"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                [*map(str, wrap), str(Path(SWARMLET).resolve()), *map(str, words)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=err,
                env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, start_new_session=True,
            )

    @property
    def pid(self):
        """The process that is swarmlet: under strace and the like, the innermost child."""
        pid = self.process.pid
        while True:
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                return pid
            if not children:
                return pid
            pid = int(children[0])

    def out(self):
        return self.out_path.read_text(errors="replace")

    def err(self):
        return self.err_path.read_text(errors="replace")

    def lines(self, word):
        return [line for line in self.out().splitlines() if line.split(" ", 1)[0] == word]

    def wait_for(self, word, seconds=PATIENCE, count=1):
        wait_until(
            lambda: len(self.lines(word)) >= count, seconds,
            lambda: f"no '{word}' from {self.name}: {self.out()[-300:]!r} {self.err()[-300:]!r}",
            [self],
        )
        return self.lines(word)[count - 1]

    def value(self, word, key, **how):
        line = self.wait_for(word, **how)
        return line.split(f" {key}=", 1)[1].split(" ", 1)[0].strip('"')

    def addr(self):
        return self.value("ready", "listen")

    def signal(self, number):
        if self.process.poll() is None:
            os.kill(self.pid, number)

    def end(self, seconds=PATIENCE):
        """Waits for its end; returns the exit status, negative for a signal."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise Failed(f"{self.name} still runs after {seconds} s: {self.out()[-200:]!r}") from late

    def stop(self, seconds=6.0):
        self.signal(signal.SIGTERM)
        return self.end(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096

    def expect_calm(self, seconds=3.0, share=0.5):
        """Asserts that it does not spin."""
        before = self.cpu_seconds()
        time.sleep(seconds)
        used = self.cpu_seconds() - before
        expect(used < share * seconds, f"{self.name} used {used:.2f} s of processor in {seconds} s")
        return used

    def check_error(self):
        """What it told when it gave up must be one line; never a panic."""
        lines = [line for line in self.err().splitlines() if not line.startswith("swarmlet: warning:")]
        expect("panicked" not in self.err(), f"panic: {self.err()[:300]}")
        expect(len(lines) <= 1, f"several lines: {lines}")
        return lines[0] if lines else ""


def wait_until(question, seconds, what, alive=()):
    until = time.monotonic() + seconds
    while not question():
        for program in alive:
            if program.process.poll() is not None and not question():
                raise Failed(f"{program.name} left with {program.process.returncode}; {what()}")
        if time.monotonic() > until:
            raise Failed(what() if callable(what) else what)
        time.sleep(0.02)


def run(folder, *words, wrap=(), seconds=60):
    """Runs a command to its end. Returns status, stdout, stderr."""
    done = subprocess.run(
        [*map(str, wrap), str(Path(SWARMLET).resolve()), *map(str, words)], cwd=folder,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


class Torrent:
    """One file of random bytes in `folder/seed`, and its .torrent in `folder`."""

    def __init__(self, folder, size, name="file.bin", piece=65_536, trackers=(), seed=1):
        self.folder, self.name, self.size, self.piece = Path(folder), name, size, piece
        (self.folder / "seed").mkdir(parents=True, exist_ok=True)
        self.data = random.Random(seed).randbytes(size)
        self.source = self.folder / "seed" / name
        self.source.write_bytes(self.data)
        self.path = self.folder / f"{name}.torrent"
        words = ["create", self.source, "-o", self.path, "--piece-length", f"{piece // 1024}K"]
        for url in trackers:
            words += ["--tracker", url]
        status, out, err = run(self.folder, *words)
        expect(status == 0, f"create: {out} {err}")
        self.info_hash = bytes.fromhex(info_hash(self.path.read_bytes()))
        self.pieces = -(-size // piece)

    def piece_bytes(self, index):
        return self.data[index * self.piece : (index + 1) * self.piece]

    def share(self, *more, **how):
        return Program(self.folder, "share", self.path, "--dir", "seed", "-l", "127.0.0.1:0", *more, **how)

    def get(self, directory, *more, **how):
        words = ["get", self.path, "-d", directory, "-l", "127.0.0.1:0", *more]
        return Program(self.folder, *words, **how)

    def expect_copy(self, directory):
        path = self.folder / directory / self.name
        expect(path.read_bytes() == self.data, f"{path} differs")


def info_hash(torrent):
    at = torrent.index(b"4:infod") + 6
    return hashlib.sha1(torrent[at : end_of(torrent, at)]).hexdigest()


def end_of(source, at):
    kind = source[at : at + 1]
    if kind == b"i":
        return source.index(b"e", at) + 1
    if kind in (b"d", b"l"):
        at += 1
        while source[at : at + 1] != b"e":
            at = end_of(source, at)
        return at + 1
    colon = source.index(b":", at)
    return colon + 1 + int(source[at:colon])


def message(number, payload=b""):
    return struct.pack(">IB", 1 + len(payload), number) + payload


def handshake(hash_, name=b"-XX0000-"):
    return b"\x13BitTorrent protocol" + bytes(8) + hash_ + name + os.urandom(12)


def read_exactly(sock, count):
    parts = []
    while count:
        part = sock.recv(min(count, 1 << 20))
        if not part:
            raise ConnectionError("closed")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_message(sock):
    """The next message: number and payload; keep-alives are stepped over."""
    while True:
        (length,) = struct.unpack(">I", read_exactly(sock, 4))
        if length:
            body = read_exactly(sock, length)
            return body[0], body[1:]


class Seeder:
    """A peer that has everything, and a temper.

    `temper`: good, corrupt (one byte of each block wrong), silent (never sends a block), choking
    (chokes after ten blocks, again and again), vanishing (closes after twenty blocks), bytewise (sends
    byte by byte), liar (claims all, sends other pieces' blocks), flood (unasked blocks).
    """

    def __init__(self, torrent, temper="good", pause=0.0, ip="127.0.0.1"):
        self.torrent, self.temper, self.pause = torrent, temper, pause
        self.asked = {}
        self.sent = 0
        self.connections = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server((ip, 0), backlog=128)
        self.closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def addr(self):
        return "%s:%d" % self.listener.getsockname()[:2]

    def close(self):
        self.closed = True
        self.listener.close()

    def _serve(self):
        while not self.closed:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock:
                self._converse(sock)
        except (OSError, ConnectionError, struct.error):
            pass

    def _converse(self, sock):
        torrent = self.torrent
        read_exactly(sock, 68)
        bits = bytearray(b"\xff" * (-(-torrent.pieces // 8)))
        if torrent.pieces % 8:
            bits[-1] = (0xFF << (8 - torrent.pieces % 8)) & 0xFF
        hello = handshake(torrent.info_hash) + message(5, bytes(bits))
        if self.temper == "bytewise":
            for byte in hello:
                sock.sendall(bytes([byte]))
        else:
            sock.sendall(hello)
        served = 0
        while True:
            number, payload = read_message(sock)
            if number == 2:
                sock.sendall(message(1))
            if number != 6:
                continue
            index, begin, length = struct.unpack(">III", payload)
            with self.lock:
                self.asked[index, begin] = self.asked.get((index, begin), 0) + 1
            if self.pause:
                time.sleep(self.pause)
            block = bytearray(torrent.piece_bytes(index)[begin : begin + length])
            if self.temper == "silent":
                continue
            if self.temper == "corrupt":
                block[0] ^= 0xFF
            if self.temper == "liar":
                index = (index + 1) % torrent.pieces
            reply = message(7, struct.pack(">II", index, begin) + bytes(block))
            if self.temper == "bytewise" and served < 3:
                for byte in reply[:2000]:
                    sock.sendall(bytes([byte]))
                sock.sendall(reply[2000:])
            else:
                sock.sendall(reply)
            served += 1
            with self.lock:
                self.sent += len(block)
            if self.temper == "choking" and served % 10 == 0:
                sock.sendall(message(0))
                time.sleep(0.2)
                sock.sendall(message(1))
            if self.temper == "vanishing" and served == 20:
                return
            if self.temper == "flood":
                sock.sendall(reply * 3)

    def asked_blocks(self):
        with self.lock:
            return sum(self.asked.values())


def fetch_block(addr, torrent, index, begin=0, length=BLOCK, seconds=15):
    """Asks a swarmlet for one block as a stranger would. Returns the bytes, or None if it closes."""
    host, port = addr.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=seconds) as sock:
        try:
            sock.sendall(handshake(torrent.info_hash) + message(2))
            read_exactly(sock, 68)
            while True:
                number, payload = read_message(sock)
                if number == 1:
                    sock.sendall(message(6, struct.pack(">III", index, begin, length)))
                if number == 7:
                    return payload[8:]
        except (ConnectionError, socket.timeout):
            return None


def mount(kind, place, *options):
    """Mounts, or says that this host does not let us."""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, kind, str(place)], capture_output=True, check=False)
    if done.returncode != 0:
        raise Skipped("cannot mount here")


def unmount(place):
    subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def needs(*names):
    for name in names:
        if shutil.which(name) is None:
            raise Skipped(f"no {name}")
