"""Faults of the network and of those who are on it: trackers, peers, clocks, links."""

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from kit import (
    BLOCK, Failed, Program, Seeder, Skipped, Torrent, expect, fetch_block, handshake, message, needs,
    read_exactly, read_message, wait_until,
)


def few_descriptors(folder):
    torrent = Torrent(folder, 3_000_000)
    share = torrent.share(wrap=["bash", "-c", 'ulimit -n 32; exec "$@"', "-"])
    addr = share.addr()
    host, port = addr.rsplit(":", 1)
    crowd = [socket.create_connection((host, int(port))) for _ in range(100)]
    time.sleep(1)
    used = share.expect_calm(4)
    for sock in crowd[:50]:
        sock.sendall(handshake(torrent.info_hash))
    more = share.expect_calm(3)
    for sock in crowd:
        sock.close()
    began = time.monotonic()
    block = None
    while block is None and time.monotonic() < began + 20:
        try:
            block = fetch_block(addr, torrent, 3, seconds=5)
        except OSError:
            time.sleep(0.2)
    expect(block == torrent.piece_bytes(3)[:BLOCK], "does not recover")
    recovered = time.monotonic() - began
    expect(share.stop() == 0, share.err())
    share.check_error()
    # Twenty silent peers take the few places in turn, ten seconds each, before the good one.
    seeder = Seeder(torrent)
    silent = [socket.create_server((f"127.0.3.{n}", 0), backlog=4) for n in range(1, 21)]
    peers = [word for each in silent for word in ("--peer", "%s:%d" % each.getsockname())]
    get = torrent.get("copy", *peers, "--peer", seeder.addr, wrap=["bash", "-c", 'ulimit -n 32; exec "$@"', "-"])
    began = time.monotonic()
    expect(get.end(90) == 0, get.err())
    torrent.expect_copy("copy")
    for each in silent:
        each.close()
    return f"{used:.2f} s and {more:.2f} s of processor, recovered in {recovered:.1f} s, download {time.monotonic() - began:.1f} s"


CROWD = """
import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
greeting = bytes.fromhex(sys.argv[2])
held = []
for _ in range(int(sys.argv[3])):
    try:
        sock = socket.create_connection((host, int(port)), timeout=5)
        if greeting: sock.sendall(greeting)
        held.append(sock)
    except OSError: pass
print(len(held), flush=True)
time.sleep(float(sys.argv[4]))
"""


def silent_crowd(folder):
    torrent = Torrent(folder, 3_000_000)
    said = []
    for name, greeting in [("silent", b""), ("greeted", handshake(torrent.info_hash)), ("half", handshake(torrent.info_hash)[:30])]:
        share = torrent.share()
        addr = share.addr()
        crowd = subprocess.Popen([sys.executable, "-c", CROWD, addr, greeting.hex(), "2000", "12"], stdout=subprocess.PIPE)
        held = int(crowd.stdout.readline())
        used = share.expect_calm(3)
        rss = share.rss_bytes()
        expect(rss < 60_000_000, f"{rss} bytes of memory")
        during = "served"
        try:
            began = time.monotonic()
            if fetch_block(addr, torrent, 1, seconds=8) is None:
                during = "closed"
            during += f" in {time.monotonic() - began:.1f} s"
        except OSError as why:
            during = str(why)
        crowd.kill()
        crowd.wait()
        time.sleep(0.5)
        expect(fetch_block(addr, torrent, 3) == torrent.piece_bytes(3)[:BLOCK], "not served afterwards")
        expect(share.stop() == 0, share.err())
        said.append(f"{name}: {held} held, {used:.2f} s in 3 s, {rss // 1024} KiB, another is {during}")
    return "\n    " + "\n    ".join(said)


class BadTracker:
    """Answers each connection as `answer(sock, count)` does; counts them."""

    def __init__(self, answer, port=0):
        self.answer, self.count = answer, 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/announce"

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock):
        try:
            sock.settimeout(60)
            with sock:
                self.answer(self, sock)
        except OSError:
            pass


def request_of(sock):
    got = b""
    while b"\r\n\r\n" not in got:
        part = sock.recv(65536)
        if not part:
            break
        got += part
    return got


def fixed(reply):
    def answer(_, sock):
        request_of(sock)
        sock.sendall(reply)
    return answer


def ok(body, head=b""):
    return fixed(b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def slow_bytes(_, sock):
    request_of(sock)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" * 40:
        sock.sendall(bytes([byte]))
        time.sleep(0.05)


def endless(head):
    def answer(_, sock):
        request_of(sock)
        sock.sendall(head)
        while True:
            sock.sendall(b"d8:completei0e" * 5000)
    return answer


def redirect(place):
    def answer(tracker, sock):
        request_of(sock)
        target = place if place else tracker.url
        sock.sendall(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
    return answer


def reset(_, sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


PEERS = b"".join(socket.inet_aton(f"127.9.{n >> 8 & 255}.{n & 255}") + b"\x00\x01" for n in range(100_000))
ANSWERS = {
    "closes": lambda _, sock: None,
    "resets": reset,
    "silent": lambda _, sock: time.sleep(60),
    "slow bytes": slow_bytes,
    "garbage": fixed(os.urandom(3000)),
    "newlines": fixed(b"\r\n" * 20000),
    "redirect to itself": redirect(None),
    "redirect to a file": redirect("file:///etc/passwd"),
    "redirect to https": redirect("https://127.0.0.1/"),
    "redirect to nothing": fixed(b"HTTP/1.1 301 Gone\r\n\r\n"),
    "endless body": endless(b"HTTP/1.1 200 OK\r\n\r\n"),
    "endless head": endless(b"HTTP/1.1 200 OK\r\nX: "),
    "length 2^63": fixed(b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nd8:intervali1e5:peers0:e"),
    "length 2^64+": fixed(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551700\r\n\r\nd8:intervali1e5:peers0:e"),
    "length too long": fixed(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nd8:intervali1e5:peers0:e"),
    "bad chunks": fixed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
    "chunk 2^64-1": fixed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n"),
    "interval 0": ok(b"d8:intervali0e5:peers0:e"),
    "interval -1": ok(b"d8:intervali-1e5:peers0:e"),
    "interval 2^63-1": ok(b"d8:intervali9223372036854775807e12:min intervali9223372036854775807e5:peers0:e"),
    "interval 2^70": ok(b"d8:intervali1180591620717411303424e5:peers0:e"),
    "min interval 0": ok(b"d8:intervali1e12:min intervali0e5:peers0:e"),
    "retry in 0": ok(b"d14:failure reason4:busy8:retry ini0ee"),
    "port 0 and odd places": ok(b"d8:intervali1e5:peers24:" + b"\x7f\0\0\x01\0\0" + b"\xe0\0\0\x01\x1a\xe1" + b"\0\0\0\0\x1a\xe1" + b"\xff\xff\xff\xff\x1a\xe1" + b"e"),
    "100 000 peers": ok(b"d8:intervali1e5:peers600000:" + PEERS + b"e"),
    "deep": ok(b"l" * 100_000 + b"e" * 100_000),
    "deep inside": ok(b"d8:intervali1e5:peers0:1:z" + b"l" * 100_000 + b"e" * 100_000 + b"e"),
    "escape sequences": ok(b"d14:failure reason30:\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\r\n\x9b31mtext...e"),
    "no dictionary": ok(b"i5e"),
    "empty": ok(b""),
    "HTTP 500": fixed(b"HTTP/1.1 500 \x1b[31mNo\r\nContent-Length: 0\r\n\r\n"),
    "HTTP 204": fixed(b"HTTP/1.1 204 No\r\n\r\n"),
    "100 for ever": endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
}


def one_bad_tracker(folder, name, answer):
    folder.mkdir()
    tracker = BadTracker(answer)
    torrent = Torrent(folder, 300_000, trackers=[tracker.url])
    get = torrent.get("copy")
    addr = get.addr()
    time.sleep(5)
    count = tracker.count
    expect(get.process.poll() is None, f"{name}: left: {get.err()}")
    expect(count <= 12, f"{name}: {count} announces in 5 s")
    used = get.expect_calm(1.5)
    rss = get.rss_bytes()
    expect(rss < 40_000_000, f"{name}: {rss} bytes")
    text = get.out() + get.err()
    expect(not any(ord(letter) < 32 and letter != "\n" or letter in "\u202e\x9b" for letter in text), f"{name}: raw: {text!r}")
    # Somebody dials in, and has it all.
    host, port = addr.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.settimeout(10)
        bits = bytearray(b"\xff" * (-(-torrent.pieces // 8)))
        bits[-1] = (0xFF << (-torrent.pieces % 8)) & 0xFF
        sock.sendall(handshake(torrent.info_hash) + message(5, bytes(bits)) + message(1))
        read_exactly(sock, 68)
        try:
            while True:
                number, payload = read_message(sock)
                if number == 6:
                    index, begin, length = struct.unpack(">III", payload)
                    sock.sendall(message(7, payload[:8] + torrent.piece_bytes(index)[begin : begin + length]))
        except ConnectionError:
            pass
        except socket.timeout as late:
            raise Failed(f"{name}: who dials in is not used") from late
    expect(get.end(6) == 0, f"{name}: {get.process.returncode} {get.err()}")
    torrent.expect_copy("copy")
    get.check_error()
    tracker.listener.close()
    told = [line.split("url=")[1].split(" ", 1)[1] for line in get.lines("tracker-failed")[:1]] or ["accepted"]
    return f"{name}: {count} announces, {used:.2f} s, {rss // 1024} KiB, {told[0][:110]}"


def bad_trackers(folder):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(11) as pool:
        jobs = [pool.submit(one_bad_tracker, folder / str(n), name, answer) for n, (name, answer) in enumerate(ANSWERS.items())]
        said, bad = [], []
        for job in jobs:
            try:
                said.append(job.result())
            except Failed as why:
                bad.append(str(why))
    expect(not bad, "\n    ".join(["", *bad, "--", *said]))
    return "\n    " + "\n    ".join(said)


def tracker_comes_late(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/announce"
    torrent = Torrent(folder, 1_000_000, trackers=[url])
    share = torrent.share()
    get = torrent.get("copy")
    began = time.monotonic()
    time.sleep(6)
    tracker = Program(folder, "tracker", "--http", f"127.0.0.1:{port}")
    expect(get.end(90) == 0, get.err())
    took = time.monotonic() - began
    torrent.expect_copy("copy")
    expect(share.stop() == 0 and tracker.stop() == 0, "stop")
    return f"found after {took:.0f} s"


def wall_clock_jumps(folder):
    found = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        raise Skipped("no libfaketime")
    torrent = Torrent(folder, 6_000_000)
    seeder = Seeder(torrent, pause=0.01)
    stamp = folder / "stamp"
    for number, jumps in enumerate((["+0", "+1d", "-2d"], ["+0", "-20000d", "+9000d"])):
        stamp.write_text(jumps[0])
        env = {"LD_PRELOAD": str(found[0]), "FAKETIME_TIMESTAMP_FILE": str(stamp), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        get = torrent.get(f"copy{number}", "--peer", seeder.addr, env=env)
        for part, jump in enumerate(jumps[1:]):
            target = seeder.sent + 1_500_000
            wait_until(lambda: seeder.sent > target, 20, "slow")
            stamp.write_text(jump)
        expect(get.end(40) == 0, get.err())
        torrent.expect_copy(f"copy{number}")


def in_a_namespace(folder, script):
    """Runs `script` of this file's `NAMESPACED` in a network of its own."""
    needs("unshare", "ip")
    done = subprocess.run(
        ["unshare", "-n", sys.executable, __file__, script, str(folder)],
        capture_output=True, timeout=180, check=False)
    text = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    if "unshare failed" in text:
        raise Skipped("no namespaces here")
    expect(done.returncode == 0, text[-600:])
    return text.strip()


def link_down_12_seconds(folder):
    return in_a_namespace(folder, "link_down")


def ten_per_cent_loss(folder):
    needs("nft")
    return in_a_namespace(folder, "loss")


def black_hole(folder):
    needs("nft")
    return in_a_namespace(folder, "hole")


def narrow_link(folder):
    needs("tc")
    return in_a_namespace(folder, "narrow")


def sh(line):
    subprocess.run(["sh", "-c", line], check=True)


def ns_link_down(folder):
    torrent = Torrent(folder, 16_000_000)
    share = torrent.share()
    seeder = Seeder(torrent, pause=0.008)
    get = torrent.get("copy", "--peer", seeder.addr)
    wait_until(lambda: seeder.sent > 2_000_000, 20, "slow")
    sh("ip link set lo down")
    time.sleep(12)
    calm = get.expect_calm(0.5)
    sh("ip link set lo up")
    began = time.monotonic()
    expect(get.end(120) == 0, get.err())
    torrent.expect_copy("copy")
    return f"done {time.monotonic() - began:.1f} s after the link was back, {calm:.2f} s of processor"


def ns_loss(folder):
    sh("ip link set lo mtu 1500")
    sh("nft add table inet t; nft add chain inet t i '{ type filter hook input priority 0; }'; nft add rule inet t i numgen random mod 100 '<' 10 drop")
    tracker = Program(folder, "tracker", "--http", "127.0.0.1:7000")
    torrent = Torrent(folder, 3_000_000, trackers=["http://127.0.0.1:7000/announce"], name="f2")
    share = torrent.share()
    share.wait_for("tracker-ok")
    began = time.monotonic()
    get = torrent.get("copy")
    expect(get.end(150) == 0, get.err())
    torrent.expect_copy("copy")
    took = time.monotonic() - began
    share.stop(), tracker.stop()
    return f"3 MB in {took:.1f} s"


def ns_hole(folder):
    torrent = Torrent(folder, 8_000_000)
    good = [Seeder(torrent, pause=0.01, ip=f"127.0.1.{n}") for n in (1, 2)]
    holed = Seeder(torrent, pause=0.01, ip="127.0.1.3")
    dead = Seeder(torrent, ip="127.0.1.4")
    sh("nft add table inet t; nft add chain inet t i '{ type filter hook input priority 0; }'; nft add rule inet t i ip daddr 127.0.1.4 drop")
    peers = [word for each in [*good, holed, dead] for word in ("--peer", each.addr)]
    began = time.monotonic()
    get = torrent.get("copy", *peers)
    wait_until(lambda: holed.sent > 300_000, 20, "slow")
    sh("nft add rule inet t i ip saddr 127.0.1.3 drop; nft add rule inet t i ip daddr 127.0.1.3 drop")
    expect(get.end(120) == 0, get.err())
    torrent.expect_copy("copy")
    return f"{time.monotonic() - began:.1f} s for 8 MB at some 3 to 4 MB/s; asked twice: {sum(s.asked_blocks() for s in [*good, holed]) - 489}"


def ns_narrow(folder):
    sh("ip link set lo mtu 1500")
    sh("tc qdisc add dev lo root tbf rate 4mbit burst 32k latency 200ms")
    torrent = Torrent(folder, 4_000_000)
    share = torrent.share()
    get = torrent.get("copy", "--peer", share.addr())
    began = time.monotonic()
    expect(get.end(120) == 0, get.err())
    took = time.monotonic() - began
    torrent.expect_copy("copy")
    share.stop()
    use = 4_000_000 * 8 / took / 4e6
    expect(use > 0.7, f"uses {use:.2f} of the link")
    return f"uses {use:.2f} of 4 Mbit/s"


def bad_peers(folder):
    """One good, slow peer among all kinds of bad ones."""
    torrent = Torrent(folder, 4_000_000)
    said = []
    tempers = ["corrupt", "silent", "choking", "vanishing", "bytewise", "liar", "flood"]
    for number, temper in enumerate(tempers):
        good = Seeder(torrent, pause=0.003)
        bad = Seeder(torrent, temper, ip=f"127.0.2.{number + 1}")
        began = time.monotonic()
        get = torrent.get(f"copy{number}", "--peer", bad.addr, "--peer", good.addr)
        try:
            expect(get.end(100) == 0, get.err())
        except Failed as why:
            raise Failed(f"{temper}: {why} {get.out()[-500:]}") from why
        torrent.expect_copy(f"copy{number}")
        said.append(f"{temper}: {time.monotonic() - began:.1f} s, good sent {good.sent}, bad {bad.sent} in {bad.connections} connections, banned {len(get.lines('banned'))}, failed pieces {len(get.lines('piece-failed'))}")
        if temper == "corrupt":
            expect(get.lines("banned"), "not banned")
        get.check_error()
    # All together, with only one good.
    good = Seeder(torrent, pause=0.003)
    bad = [Seeder(torrent, temper, ip=f"127.0.2.{n + 11}") for n, temper in enumerate(tempers)]
    peers = [word for each in [*bad, good] for word in ("--peer", each.addr)]
    began = time.monotonic()
    get = torrent.get("copyall", *peers)
    expect(get.end(100) == 0, get.err())
    torrent.expect_copy("copyall")
    said.append(f"all: {time.monotonic() - began:.1f} s, good sent {good.sent}, banned {len(get.lines('banned'))}, failed pieces {len(get.lines('piece-failed'))}")
    # Only corrupt ones: it does not end, does not spin, and goes on when a good one comes.
    bad = [Seeder(torrent, "corrupt", ip=f"127.0.2.{n}") for n in range(40, 44)]
    get = torrent.get("copybad", *[word for each in bad for word in ("--peer", each.addr)])
    time.sleep(3)
    get.expect_calm(2)
    expect(get.stop() == 1, "status")
    said.append(f"four corrupt ones: sent {sum(each.sent for each in bad)}, banned {len(get.lines('banned'))}")
    return "\n    " + "\n    ".join(said)


def bad_leechers(folder):
    """Slow readers, byte-by-byte senders, endless askers: another is served."""
    torrent = Torrent(folder, 6_000_000)
    said = []

    def connect(addr):
        host, port = addr.rsplit(":", 1)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((host, int(port)))
        sock.settimeout(10)
        return sock

    def slow_reader(addr, stop):
        sock = connect(addr)
        sock.sendall(handshake(torrent.info_hash) + message(2))
        asked = b"".join(message(6, struct.pack(">III", i % torrent.pieces, 0, BLOCK)) for i in range(200))
        time.sleep(0.5)
        sock.sendall(asked)
        while not stop.is_set():
            sock.recv(100)
            time.sleep(0.1)

    def never_reads(addr, stop):
        sock = connect(addr)
        sock.sendall(handshake(torrent.info_hash) + message(2))
        time.sleep(0.5)
        asked = b"".join(message(6, struct.pack(">III", i % torrent.pieces, 0, BLOCK)) for i in range(100))
        while not stop.is_set():
            try:
                sock.settimeout(0.5)
                sock.sendall(asked)
            except socket.timeout:
                pass

    def bytewise(addr, stop):
        sock = connect(addr)
        for byte in handshake(torrent.info_hash) + message(2) + message(6, struct.pack(">III", 1, 0, BLOCK)) * 50:
            sock.sendall(bytes([byte]))
            time.sleep(0.01)
            if stop.is_set():
                return

    def keepalive_flood(addr, stop):
        sock = connect(addr)
        sock.sendall(handshake(torrent.info_hash))
        while not stop.is_set():
            sock.sendall(bytes(40_000))

    def interest_flood(addr, stop):
        sock = connect(addr)
        sock.sendall(handshake(torrent.info_hash))
        while not stop.is_set():
            sock.sendall((message(2) + message(3)) * 1000)
            time.sleep(0.005)

    def have_flood(addr, stop):
        sock = connect(addr)
        sock.sendall(handshake(torrent.info_hash))
        while not stop.is_set():
            sock.sendall(message(4, struct.pack(">I", 1)) * 1000)
            time.sleep(0.005)

    def resets(addr, stop):
        while not stop.is_set():
            sock = connect(addr)
            sock.sendall(handshake(torrent.info_hash) + message(2))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            time.sleep(0.01)

    def out_of_range(addr, stop):
        sock = connect(addr)
        sock.sendall(handshake(torrent.info_hash) + message(2))
        while not stop.is_set():
            sock.sendall(message(6, struct.pack(">III", 1, 0xFFFFFFFF, BLOCK)))
            sock.sendall(message(6, struct.pack(">III", 0xFFFFFFFF, 0, BLOCK)))
            sock.sendall(message(6, struct.pack(">III", 1, 65_000, 0xFFFFFFFF)))
            time.sleep(0.05)

    def long_message(addr, stop):
        for length in (0xFFFFFFFF, 1 << 31, 16 << 20):
            sock = connect(addr)
            sock.sendall(handshake(torrent.info_hash) + struct.pack(">IB", length, 20))
            time.sleep(0.2)

    for behave in (slow_reader, never_reads, bytewise, keepalive_flood, interest_flood, have_flood, resets, out_of_range, long_message):
        share = torrent.share()
        addr = share.addr()
        stop = threading.Event()

        def guarded():
            try:
                behave(addr, stop)
            except OSError:
                pass

        threads = [threading.Thread(target=guarded, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        before = share.cpu_seconds()
        began = time.monotonic()
        get = torrent.get(f"copy-{behave.__name__}", "--peer", addr)
        expect(get.end(75) == 0, f"{behave.__name__}: {get.out()[-300:]}")
        took = time.monotonic() - began
        torrent.expect_copy(f"copy-{behave.__name__}")
        time.sleep(1)
        used = share.cpu_seconds() - before
        stop.set()
        said.append(f"{behave.__name__}: another served in {took:.1f} s, {used:.2f} s of processor, {share.rss_bytes() // 1024} KiB")
        expect(share.stop() == 0, share.err())
        share.check_error()
    return "\n    " + "\n    ".join(said)


ROWS = [
    bad_trackers, few_descriptors, silent_crowd, tracker_comes_late, wall_clock_jumps, link_down_12_seconds,
    ten_per_cent_loss, black_hole, narrow_link, bad_peers, bad_leechers,
]

if __name__ == "__main__":
    sh("ip link set lo up")
    try:
        print(globals()[f"ns_{sys.argv[1]}"](Path(sys.argv[2])))
    except Failed as failure:
        sys.exit(f"FAILED {failure}")
