"""Faults of the process and of the disk: killed, cut off, full, read-only, in the wrong place."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from kit import (
    BLOCK, SWARMLET, Program, Seeder, Torrent, expect, fetch_block, mount, needs, run, unmount,
    wait_until,
)

EXT4_IOC_SHUTDOWN = 0x8004587D


def kill_9_many_times(folder):
    torrent = Torrent(folder, 24_000_000, piece=65_536)
    seeder = Seeder(torrent, pause=0.0006)
    randomly = random.Random(7)
    kills = 0
    while kills < 100:
        get = torrent.get("copy", "--peer", seeder.addr)
        before = seeder.sent
        target = before + randomly.randrange(torrent.size // 120)
        wait_until(lambda: seeder.sent >= target or get.process.poll() is not None, 30, "stalled")
        if get.process.poll() is not None:
            break
        time.sleep(randomly.random() * 0.02)
        get.kill()
        kills += 1
        get.check_error()
    last = torrent.get("copy", "--peer", seeder.addr)
    expect(last.end() == 0, f"last run: {last.err()}")
    torrent.expect_copy("copy")
    ratio = seeder.asked_blocks() / (torrent.size / BLOCK)
    expect(ratio < 1.35, f"asked {ratio:.2f} times as much as there is, {kills} kills")
    return f"{kills} kills, asked {ratio:.2f} of the size"


def loop_disk(folder, name="disk"):
    needs("mkfs.ext4", "mount")
    image, place = folder / f"{name}.img", folder / name
    if not image.exists():
        subprocess.run(["truncate", "-s", "96M", image], check=True)
        subprocess.run(["mkfs.ext4", "-qF", image], check=True)
    mount(str(image), place, "-o", "loop")
    return place


def cut_power(place):
    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, (2).to_bytes(4, "little"))
    finally:
        os.close(handle)


def power_cuts_in_a_download(folder):
    torrent = Torrent(folder, 24_000_000)
    seeder = Seeder(torrent, pause=0.012)  # ~1.3 MB/s: some 18 s
    place = loop_disk(folder)
    cuts = 0
    kept = []
    try:
        for _ in range(5):
            get = torrent.get("disk", "--peer", seeder.addr)
            kept.append(int(get.value("checked", "have")))
            time.sleep(6.5 if cuts % 2 == 0 else 2.0)
            if get.process.poll() is not None:
                break
            cut_power(place)
            cuts += 1
            time.sleep(0.5)
            expect(get.process.poll() is None or get.process.returncode == 1, "died")
            get.kill()
            get.check_error()
            unmount(place)
            place = loop_disk(folder)
        last = torrent.get("disk", "--peer", seeder.addr)
        kept.append(int(last.value("checked", "have")))
        expect(last.end() == 0, f"last run: {last.err()}")
        torrent.expect_copy("disk")
        ratio = seeder.asked_blocks() / (torrent.size / BLOCK)
        expect(kept == sorted(kept), f"something safe was lost: {kept}")
        expect(kept[-1] > 0, "nothing was ever safe")
    finally:
        unmount(place)
    return f"{cuts} cuts, kept {kept}, asked {ratio:.2f} of the size"


def power_cut_after_a_clean_exit(folder):
    torrent = Torrent(folder, 5_000_000)
    seeder = Seeder(torrent)
    place = loop_disk(folder)
    try:
        get = torrent.get("disk", "--peer", seeder.addr)
        expect(get.end() == 0, get.err())
        cut_power(place)
        unmount(place)
        place = loop_disk(folder)
        torrent.expect_copy("disk")
        asked = seeder.asked_blocks()
        again = torrent.get("disk", "--peer", seeder.addr)
        expect(again.end() == 0, again.err())
        expect(seeder.asked_blocks() == asked, "asked again")
        # And stopped in the middle.
        (place / torrent.name).unlink()
        shutil.rmtree(place / ".swarmlet", ignore_errors=True)
        slow = Seeder(torrent, pause=0.01)
        half = torrent.get("disk", "--peer", slow.addr)
        wait_until(lambda: slow.sent > 2_000_000, 20, "slow")
        expect(half.stop() == 1, "status")
        percent = int(half.err().split("stopped with ", 1)[1].split(" ")[0])
        cut_power(place)
        unmount(place)
        place = loop_disk(folder)
        more = torrent.get("disk", "--peer", slow.addr)
        have = int(more.value("checked", "have"))
        expect(have * 100 // torrent.size >= percent > 0, f"had {percent} %, kept {have}")
        expect(more.end() == 0, more.err())
        torrent.expect_copy("disk")
    finally:
        unmount(place)
    return f"stopped at {percent} %, kept {have} bytes"


def dead_tracker():
    return socket.create_server(("127.0.0.1", 0), backlog=64)


def signals_in_every_phase(folder):
    """In a check, in a download, while seeding, each with dead trackers; and SIGSTOP."""
    mute = dead_tracker()
    urls = [f"http://127.0.0.1:{mute.getsockname()[1]}/announce", "http://127.0.0.1:1/announce"]
    torrent = Torrent(folder, 8_000_000, trackers=urls)
    seeder = Seeder(torrent, pause=0.01)
    report = []
    for number in (signal.SIGTERM, signal.SIGINT):
        get = torrent.get(f"copy{number}", "--peer", seeder.addr)
        target = seeder.sent + 1_000_000
        wait_until(lambda: seeder.sent > target, 20, "slow")
        began = time.monotonic()
        get.signal(number)
        expect(get.end(5.5) == 1, f"download: {get.process.returncode}")
        report.append(time.monotonic() - began)
        expect(get.check_error(), "no reason given")
        share = torrent.share()
        share.wait_for("ready")
        time.sleep(0.3)
        began = time.monotonic()
        share.signal(number)
        expect(share.end(5.5) == 0, f"seeding: {share.process.returncode}")
        report.append(time.monotonic() - began)
        # A second signal leaves at once.
        share = torrent.share()
        share.wait_for("ready")
        time.sleep(0.3)
        share.signal(number)
        share.wait_for("stopping")
        time.sleep(0.6)
        began = time.monotonic()
        share.signal(number)
        expect(share.end(1.5) == 0, f"second signal: {share.process.returncode}")
    # A check that lasts: two sparse gigabytes.
    big = folder / "big.bin"
    with open(big, "wb") as file:
        file.truncate(3_000_000_000)
    status, _, err = run(folder, "create", "-l", "16M", big, "-o", "big.torrent")
    expect(status == 0, err)
    for number in (signal.SIGTERM, signal.SIGINT):
        peer = Program(folder, "peer", "--rpc", "off", "big.torrent", "-d", ".", "-l", "127.0.0.1:0")
        time.sleep(0.4)
        began = time.monotonic()
        peer.signal(number)
        status = peer.end(5.5)
        report.append(time.monotonic() - began)
        expect(status == 0, f"check: {status} {peer.err()}")
        expect("complete" not in peer.out(), "the check was over already")
    mute.close()
    return "left after " + ", ".join(f"{each:.2f}" for each in report) + " s"


def stopped_and_continued(folder):
    torrent = Torrent(folder, 6_000_000)
    seeder = Seeder(torrent, pause=0.004)
    get = torrent.get("copy", "--peer", seeder.addr)
    wait_until(lambda: seeder.sent > 1_000_000, 20, "slow")
    get.signal(signal.SIGSTOP)
    time.sleep(8)
    get.signal(signal.SIGCONT)
    expect(get.end() == 0, get.err())
    torrent.expect_copy("copy")


def closed_stdout(folder):
    torrent = Torrent(folder, 3_000_000)
    seeder = Seeder(torrent)
    for number, reader in enumerate(("true", "head -1", "head -c 3")):
        pipe = subprocess.Popen(["sh", "-c", reader], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        get = torrent.get(f"copy{number}", "--peer", seeder.addr, stdout=pipe.stdin)
        pipe.stdin.close()
        expect(get.end() == 0, f"| {reader}: {get.process.returncode} {get.err()}")
        pipe.wait()
        torrent.expect_copy(f"copy{number}")
        for words in (["info", str(torrent.path)], ["help"], ["magnet", str(torrent.path)], ["verify", str(torrent.path), "-d", f"copy{number}"]):
            done = subprocess.run(
                ["bash", "-c", 'a=$1; shift; "$@" | $a >/dev/null; echo ${PIPESTATUS[0]}', "-", reader,
                 str(Path(SWARMLET).resolve()), *words], cwd=folder, capture_output=True, check=False)
            expect(done.stdout.strip() == b"0", f"{words} | {reader}: {done.stdout} {done.stderr}")
    with open("/dev/full", "wb") as full:
        get = torrent.get("copyfull", "--peer", seeder.addr, stdout=full)
        status = get.end()
        torrent.expect_copy("copyfull")
        line = get.check_error()
        expect(status == 1 and "standard output" in line, f"/dev/full: {status} {line!r}")


def disk_full_then_room(folder):
    torrent = Torrent(folder, 3_000_000)
    seeder = Seeder(torrent)
    place = folder / "full"
    mount("tmpfs", place, "-t", "tmpfs", "-o", "size=1m")
    try:
        get = torrent.get("full", "--peer", seeder.addr)
        get.wait_for("disk-trouble")
        expect("no space" in get.lines("disk-trouble")[0], get.out())
        expect(get.process.poll() is None, "gone")
        get.expect_calm(2)
        asked = seeder.asked_blocks()
        subprocess.run(["mount", "-o", "remount,size=8m", place], check=True)
        get.wait_for("complete", seconds=40)
        expect(get.end() == 0, get.err())
        torrent.expect_copy("full")
        # The other way on: stopped while full, started with room.
        subprocess.run(["rm", "-rf", place / torrent.name, place / ".swarmlet"], check=True)
        subprocess.run(["mount", "-o", "remount,size=1m", place], check=True)
        get = torrent.get("full", "--peer", seeder.addr)
        get.wait_for("disk-trouble")
        expect(get.stop() == 1, "status")
        get.check_error()
        subprocess.run(["mount", "-o", "remount,size=8m", place], check=True)
        get = torrent.get("full", "--peer", seeder.addr)
        expect(get.end() == 0, get.err())
        torrent.expect_copy("full")
    finally:
        unmount(place)
    return f"asked {seeder.asked_blocks()} blocks for 2 x 184, {asked} when first full"


def disk_full_at_the_last_byte(folder):
    """The seeder's own record cannot be written: serving goes on."""
    torrent = Torrent(folder, 900_000)
    place = folder / "seedplace"
    mount("tmpfs", place, "-t", "tmpfs", "-o", "size=880k")
    try:
        expect(len(torrent.data) <= 880 * 1024, "fits")
        (place / torrent.name).write_bytes(torrent.data)
        share = Program(folder, "peer", "--rpc", "off", torrent.path, "-d", place, "-l", "127.0.0.1:0")
        addr = share.addr()
        share.wait_for("complete")
        expect(fetch_block(addr, torrent, 3) == torrent.piece_bytes(3)[:BLOCK], "not served")
        expect(share.stop() == 0, share.err())
    finally:
        unmount(place)


def read_only(folder):
    torrent = Torrent(folder, 1_000_000)
    seeder = Seeder(torrent)
    place = folder / "ro"
    mount("tmpfs", place, "-t", "tmpfs", "-o", "size=8m")
    try:
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        get = torrent.get("ro", "--peer", seeder.addr)
        wait_until(lambda: get.process.poll() is not None or get.lines("disk-trouble"), 15, "silent")
        if get.process.poll() is None:
            said = get.lines("disk-trouble")[0]
            get.expect_calm(2)
            expect(get.stop() == 1, "status")
        else:
            said = get.err()
            expect(get.process.returncode == 1, "status")
        get.check_error()
        expect(not list(place.iterdir()), "written")
        # Seeding from a read-only share works.
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
        (place / torrent.name).write_bytes(torrent.data)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        share = Program(folder, "share", torrent.path, "-d", place, "-l", "127.0.0.1:0")
        expect(fetch_block(share.addr(), torrent, 2) == torrent.piece_bytes(2)[:BLOCK], "not served")
        expect(share.stop() == 0, share.err())
    finally:
        unmount(place)
    return said.strip()


def things_in_the_wrong_place(folder):
    torrent = Torrent(folder, 300_000)
    seeder = Seeder(torrent)
    said = []
    # The file is a folder.
    (folder / "a" / torrent.name).mkdir(parents=True)
    get = torrent.get("a", "--peer", seeder.addr)
    wait_until(lambda: get.process.poll() is not None or get.lines("disk-trouble"), 15, "silent")
    said.append((get.lines("disk-trouble") or [get.err()])[0])
    if get.process.poll() is None:
        get.expect_calm(1)
        expect(get.stop() == 1, "status")
    get.check_error()
    expect((folder / "a" / torrent.name).is_dir(), "foreign folder touched")
    # The directory is a file.
    (folder / "b").write_bytes(b"mine")
    get = torrent.get("b", "--peer", seeder.addr)
    expect(get.end() == 1, "status")
    said.append(get.check_error())
    expect((folder / "b").read_bytes() == b"mine", "foreign file touched")
    # The file is longer: what is beyond is another's business.
    (folder / "c").mkdir()
    (folder / "c" / torrent.name).write_bytes(torrent.data + b"mine")
    get = torrent.get("c", "--peer", seeder.addr)
    wait_until(lambda: get.process.poll() is not None or get.lines("disk-trouble"), 15, "silent")
    said.append(f"longer: {get.process.poll()} {get.out().splitlines()[-3:]} {get.err()}")
    if get.process.poll() is None:
        get.stop()
    else:
        expect((folder / "c" / torrent.name).read_bytes()[:300_000] == torrent.data, "data")
    # Shorter.
    (folder / "d").mkdir()
    (folder / "d" / torrent.name).write_bytes(torrent.data[:150_000])
    get = torrent.get("d", "--peer", seeder.addr)
    expect(get.end() == 0, get.err())
    torrent.expect_copy("d")
    # A link that leads elsewhere.
    (folder / "e").mkdir()
    (folder / "elsewhere").write_bytes(b"mine")
    (folder / "e" / torrent.name).symlink_to(folder / "elsewhere")
    get = torrent.get("e", "--peer", seeder.addr)
    wait_until(lambda: get.process.poll() is not None or get.lines("disk-trouble"), 15, "silent")
    said.append((get.lines("disk-trouble") or [get.err()])[0])
    if get.process.poll() is None:
        expect(get.stop() == 1, "status")
    expect((folder / "elsewhere").read_bytes() == b"mine", "link followed")
    # The data is gone while nobody looks: sharing what is not there.
    (folder / "f").mkdir()
    share = Program(folder, "share", torrent.path, "-d", "f", "-l", "127.0.0.1:0")
    time.sleep(1)
    said.append(f"share of nothing: {share.process.poll()} {share.out().splitlines()[-2:]} {share.err()}")
    if share.process.poll() is None:
        share.expect_calm(1)
        share.stop()
    # A fifo where the file should be.
    (folder / "g").mkdir()
    os.mkfifo(folder / "g" / torrent.name)
    get = torrent.get("g", "--peer", seeder.addr)
    wait_until(lambda: get.process.poll() is not None or get.lines("disk-trouble"), 15, "silent: fifo")
    said.append((get.lines("disk-trouble") or [get.err()])[0])
    if get.process.poll() is None:
        expect(get.stop() == 1, "status")
    return "\n    " + "\n    ".join(said)


INJECTIONS = [
    ("pwritev ENOSPC", "pwritev,pwrite64", "pwritev,pwrite64:error=ENOSPC:when=5+"),
    ("pwritev EIO", "pwritev,pwrite64", "pwritev,pwrite64:error=EIO:when=5+"),
    ("one pwritev EIO", "pwritev,pwrite64", "pwritev,pwrite64:error=EIO:when=5"),
    ("pwritev EINTR", "pwritev,pwrite64", "pwritev,pwrite64:error=EINTR:when=2+2"),
    ("fsync EIO", "fsync,fdatasync,syncfs", "fsync,fdatasync,syncfs:error=EIO:when=1+"),
    ("one fsync EIO", "fsync,fdatasync,syncfs", "fsync,fdatasync,syncfs:error=EIO:when=1"),
    ("rename EIO", "rename,renameat,renameat2", "rename,renameat,renameat2:error=EIO:when=1+"),
    ("openat EMFILE", "openat", "openat:error=EMFILE:when=12..40"),
    ("openat EINTR", "openat", "openat:error=EINTR:when=12+3"),
    ("recv EINTR", "recvfrom,recvmsg,readv", "recvfrom,recvmsg,readv:error=EINTR:when=2+2"),
    ("recv ECONNRESET", "recvfrom", "recvfrom:error=ECONNRESET:when=40"),
    ("send EINTR", "sendto,sendmsg,writev", "sendto,sendmsg,writev:error=EINTR:when=2+2"),
    ("epoll EINTR", "epoll_wait,epoll_pwait", "epoll_wait,epoll_pwait:error=EINTR:when=2+2"),
    ("mkdirat EACCES", "mkdir,mkdirat", "mkdir,mkdirat:error=EACCES:when=1+"),
    ("clone EAGAIN", "clone,clone3", "clone,clone3:error=EAGAIN:when=1+"),
    ("getrandom ENOSYS", "getrandom", "getrandom:error=ENOSYS:when=1+"),
    ("statx EIO", "statx,newfstatat", "statx,newfstatat:error=EIO:when=6+"),
    ("pread EIO", "pread64", "pread64:error=EIO:when=3+"),
]


def traced(calls, inject):
    return ["strace", "-f", "-qq", "-o", "/dev/null", f"--trace={calls}", "-e", f"inject={inject}"]


def injected_errors(folder):
    """Into a download. Then a clean start must complete."""
    needs("strace")
    torrent = Torrent(folder, 4_000_000)
    seeder = Seeder(torrent)
    said = []
    for number, (name, calls, inject) in enumerate(INJECTIONS):
        copy = f"copy{number}"
        get = torrent.get(copy, "--peer", seeder.addr, wrap=traced(calls, inject))
        deadline = time.monotonic() + 8
        while get.process.poll() is None and time.monotonic() < deadline:
            if get.lines("disk-trouble"):
                break
            time.sleep(0.05)
        status = get.process.poll()
        trouble = get.lines("disk-trouble")
        if status is None:
            get.expect_calm(1)
            get.signal(signal.SIGTERM)
            status = get.end(8)
            expect(status in (0, 1), f"{name}: status {status} {get.err()}")
        expect(status in (0, 1), f"{name}: status {status} {get.err()}")
        error = get.check_error()
        if "fsync" in name or "clone" in name:
            # All is there, but nobody may say that it is safe.
            expect(status == 1 and "may not be on the disk" in error, f"{name}: {status} {error!r}")
        if status == 0:
            torrent.expect_copy(copy)
        said.append(f"{name}: {status} {[line[:90] for line in trouble[:1]]} {error[:110]}")
        again = torrent.get(copy, "--peer", seeder.addr)
        expect(again.end(20) == 0, f"{name}: clean start: {again.out()} {again.err()}")
        torrent.expect_copy(copy)
    return "\n    " + "\n    ".join(said)


def injected_errors_while_serving(folder):
    needs("strace")
    torrent = Torrent(folder, 4_000_000)
    said = []
    for name, calls, inject in [
        ("accept ECONNABORTED", "accept,accept4", "accept,accept4:error=ECONNABORTED:when=1+2"),
        ("accept EMFILE", "accept,accept4", "accept,accept4:error=EMFILE:when=1..4"),
        ("accept EPROTO", "accept,accept4", "accept,accept4:error=EPROTO:when=1..2"),
        ("accept ENOBUFS", "accept,accept4", "accept,accept4:error=ENOBUFS:when=1..2"),
        ("send ECONNRESET 1 in 10", "sendto,sendmsg,writev", "sendto,sendmsg,writev:error=ECONNRESET:when=10+10"),
        ("send EPIPE", "sendto,sendmsg,writev", "sendto,sendmsg,writev:error=EPIPE:when=7"),
        ("send ENOBUFS", "sendto,sendmsg,writev", "sendto,sendmsg,writev:error=ENOBUFS:when=7"),
        ("send EINTR", "sendto,sendmsg,writev", "sendto,sendmsg,writev:error=EINTR:when=2+2"),
        ("epoll EINTR", "epoll_wait,epoll_pwait", "epoll_wait,epoll_pwait:error=EINTR:when=2+2"),
        ("pread EINTR", "pread64", "pread64:error=EINTR:when=4+2"),
        ("setsockopt ENOPROTOOPT", "setsockopt", "setsockopt:error=ENOPROTOOPT:when=3+"),
        ("epoll_ctl ENOMEM", "epoll_ctl", "epoll_ctl:error=ENOMEM:when=6"),
        ("epoll_ctl ENOSPC", "epoll_ctl", "epoll_ctl:error=ENOSPC:when=8"),
    ]:
        share = torrent.share(wrap=traced(calls, inject))
        addr = share.addr()
        good, bad = 0, 0
        until = time.monotonic() + 25
        while good < 8 and time.monotonic() < until:
            index = (good * 7 + bad) % torrent.pieces
            try:
                block = fetch_block(addr, torrent, index, seconds=6)
            except OSError:
                block = None
            if block is None:
                bad += 1
                time.sleep(0.1)
                continue
            expect(block == torrent.piece_bytes(index)[:BLOCK], f"{name}: wrong bytes")
            good += 1
        said.append(f"{name}: {good} served, {bad} not")
        expect(good >= 8, said[-1])
        share.expect_calm(1)
        share.signal(signal.SIGTERM)
        expect(share.end(8) == 0, f"{name}: {share.err()}")
        share.check_error()
    return "\n    " + "\n    ".join(said)


def seeded_file_changes(folder):
    """Truncated, deleted, replaced by a folder, overwritten: no wrong byte, and others live on."""
    said = []
    for number, (name, spoil) in enumerate([
        ("truncated", lambda path: os.truncate(path, 100)),
        ("deleted", lambda path: path.unlink()),
        ("a folder", lambda path: (path.unlink(), path.mkdir())),
        ("a link", lambda path: (path.unlink(), path.symlink_to("/etc/passwd"))),
        ("renamed over", lambda path: (path.with_name("n").write_bytes(bytes(2_000_000)), path.with_name("n").rename(path))),
        ("overwritten", lambda path: path.open("r+b").write(bytes(2_000_000))),
    ]):
        here = folder / str(number)
        here.mkdir()
        torrent = Torrent(here, 2_000_000)
        other = Torrent(here, 500_000, name="other.bin", seed=2)
        peer = Program(here, "peer", "--rpc", "off", torrent.path, other.path, "-d", "seed", "-l", "127.0.0.1:0")
        addr = peer.addr()
        peer.wait_for("complete", count=2)
        first = fetch_block(addr, torrent, 1)
        expect(first == torrent.piece_bytes(1)[:BLOCK], f"{name}: not served at first")
        spoil(torrent.source)
        wrong = 0
        for index in (20, 1, 30):
            try:
                block = fetch_block(addr, torrent, index, seconds=4)
            except OSError:
                block = None
            if block is not None and block != torrent.piece_bytes(index)[:BLOCK]:
                wrong += 1
        expect(fetch_block(addr, other, 2) == other.piece_bytes(2)[:BLOCK], f"{name}: the other is dead")
        expect(peer.process.poll() is None, f"{name}: died")
        trouble = [line for line in peer.lines("disk-trouble")]
        said.append(f"{name}: wrong blocks {wrong}, {trouble[:1]}")
        peer.expect_calm(1)
        expect(peer.stop() == 0, peer.err())
        peer.check_error()
    return "\n    " + "\n    ".join(said)


def file_size_limit(folder):
    torrent = Torrent(folder, 3_000_000)
    seeder = Seeder(torrent)
    get = torrent.get("copy", "--peer", seeder.addr, wrap=["bash", "-c", 'ulimit -f 1000; exec "$@"', "-"])
    wait_until(lambda: get.process.poll() is not None or get.lines("disk-trouble"), 15, "silent")
    said = (get.lines("disk-trouble") or [get.err()])[0]
    if get.process.poll() is None:
        get.expect_calm(1)
        expect(get.stop() == 1, "status")
    get.check_error()
    again = torrent.get("copy", "--peer", seeder.addr)
    expect(again.end() == 0, again.err())
    torrent.expect_copy("copy")
    return said


ROWS = [
    kill_9_many_times, power_cuts_in_a_download, power_cut_after_a_clean_exit, signals_in_every_phase,
    stopped_and_continued, closed_stdout, disk_full_then_room, disk_full_at_the_last_byte, read_only,
    things_in_the_wrong_place, injected_errors, injected_errors_while_serving, seeded_file_changes,
    file_size_limit,
]
