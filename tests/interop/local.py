#!/usr/bin/env python3
"""Local discovery between two hosts with no tracker and no DHT: ours, aria2, Transmission.

    host A, 10.7.0.1 ─── veth ─── host B, 10.7.0.2        two network namespaces of the test's own

    local.py            all rows, ours against each other and against the others, both ways

Who shares starts first and calls out into the network; who gets calls out when it starts. Whoever
hears the other first connects. A getter that was told of nobody and has everything heard, or was
heard. Nothing leaves the namespaces: `local.py` runs itself again inside of `unshare`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

from process import Child, RowFailed, cleaned, our_binary, scratch_folder, wait_until

SECONDS = 60
PAYLOAD_BYTES = 700_000
A, B = "10.7.0.1", "10.7.0.2"


class Host:
    """One end of the cable. `enter`: the words that run a program there."""

    def __init__(self, ip, enter):
        self.ip, self.enter = ip, enter

    def start(self, name, words, folder):
        return Child(name, [*self.enter, *words], folder)


def cable():
    """Two hosts and the cable between them; this process is on the first."""
    other = subprocess.Popen(["unshare", "-n", "sleep", "600"], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 5
    own = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{other.pid}/ns/net") == own:
        if time.monotonic() > deadline:
            raise RowFailed("no second namespace")
        time.sleep(0.02)
    enter = ["nsenter", "-t", str(other.pid), "-n"]
    run = lambda *words: subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", str(other.pid))
    for ip, where in [(A, []), (B, enter)]:
        run(*where, "ip", "link", "set", "lo", "up")
        run(*where, "ip", "addr", "add", f"{ip}/24", "dev", "lan")
        run(*where, "ip", "link", "set", "lan", "up")
        run(*where, "ip", "route", "add", "default", "dev", "lan")
    return other, Host(A, []), Host(B, enter)


def ours_shares(host, folder, torrent, data):
    # At one address: notices go out at its interface, whatever the routing table prefers.
    words = ["share", "--lsd", "--dir", data, "--listen", f"{host.ip}:6881", torrent]
    return host.start("ours-shares", [our_binary(), *words], folder)


def ours_gets(host, folder, torrent, target):
    words = ["get", "--lsd", "--dir", target, "--listen", "0.0.0.0:6881", torrent]
    return host.start("ours-gets", [our_binary(), *words], folder)


def bound_gets(host, folder, torrent, target):
    """Ours, kept to the cable."""
    words = ["get", "--lsd", "--interface", "lan", "--dir", target, torrent]
    return host.start("bound-gets", [our_binary(), *words], folder)


def aria2(host, folder, torrent, directory, name, more):
    words = ["aria2c", "--bt-enable-lpd=true", "--enable-dht=false", "--enable-dht6=false"]
    words += ["--enable-peer-exchange=false", "--bt-lpd-interface=lan", "--listen-port=6881"]
    words += [f"--dir={directory}", *more, torrent]
    return host.start(name, words, folder)


def aria2_shares(host, folder, torrent, data):
    more = ["--check-integrity=true", "--seed-ratio=0.0", "--allow-overwrite=true"]
    return aria2(host, folder, torrent, data, "aria2-shares", more)


def aria2_gets(host, folder, torrent, target):
    return aria2(host, folder, torrent, target, "aria2-gets", ["--seed-time=0"])


def transmission(host, folder, torrent, directory, name):
    config, watched = folder / f"{name}-config", folder / f"{name}-watched"
    config.mkdir()
    watched.mkdir()
    shutil.copy(torrent, watched / "it.torrent")
    words = ["transmission-daemon", "-f", "-g", config, "--lpd", "--no-dht", "--no-portmap"]
    words += ["--no-utp", "-w", directory, "-c", watched, "--peerport", "6881", "--no-auth"]
    return host.start(name, words, folder)


def transmission_shares(host, folder, torrent, data):
    return transmission(host, folder, torrent, data, "transmission-shares")


def transmission_gets(host, folder, torrent, target):
    return transmission(host, folder, torrent, target, "transmission-gets")


ROWS = [
    (ours_shares, ours_gets),
    (ours_shares, bound_gets),
    (ours_shares, aria2_gets),
    (aria2_shares, ours_gets),
    (ours_shares, transmission_gets),
    (transmission_shares, ours_gets),
]


def play(folder, hosts, sharer, getter):
    """One row. Returns how long it took from the getter's start."""
    data, target, torrent = folder / "data", folder / "target", folder / "it.torrent"
    data.mkdir()
    target.mkdir()
    payload = os.urandom(PAYLOAD_BYTES)
    (data / "file").write_bytes(payload)
    made = [our_binary(), "create", data / "file", "-o", torrent]
    subprocess.run(made, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    share = sharer(hosts[0], folder, torrent, data)
    # Its first notice is not heard by anybody: the other host is not there yet.
    time.sleep(3)
    began = time.monotonic()
    get = getter(hosts[1], folder, torrent, target)
    expected = hashlib.sha1(payload).digest()
    is_there = lambda: (target / "file").is_file() and (
        hashlib.sha1((target / "file").read_bytes()).digest() == expected
    )
    try:
        wait_until(is_there, began + SECONDS, "the getter has all", [share])
        return time.monotonic() - began
    finally:
        get.stop()
        share.stop()


def tell(scratch):
    """Plays all rows in namespaces of their own. Returns how many passed, and how many failed."""
    words = ["unshare", "-rnm", sys.executable, __file__, "inside", str(scratch)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print("local discovery: two hosts that nobody tells of each other", flush=True)
    if "unshare" in done.stderr and not done.stdout:
        print(f"  left out, no namespaces here: {cleaned(done.stderr.strip())}")
        return 0, 0
    print(done.stdout, end="", flush=True)
    if done.returncode not in (0, 1):
        print(f"  FAILED  {cleaned(done.stderr[-600:])}")
        return 0, 1
    return done.stdout.count("  ok "), done.stdout.count("  FAILED ")


def inside(scratch):
    """All rows, on this side of `unshare`."""
    other, *hosts = cable()
    failed = 0
    try:
        for number, (sharer, getter) in enumerate(ROWS):
            names = [one.__name__.split("_")[0] for one in (sharer, getter)]
            if any(shutil.which(tool) is None for tool in tools(names)):
                print(f"  left out: {names}")
                continue
            folder = scratch / f"local{number}"
            folder.mkdir()
            try:
                took = play(folder, hosts, sharer, getter)
                print(f"  ok    {took:4.1f} s  {names[1]} gets from {names[0]}", flush=True)
            except RowFailed as fault:
                failed += 1
                print(f"  FAILED  {names[1]} gets from {names[0]}: {cleaned(str(fault))}", flush=True)
                for log in sorted(folder.glob("*.log")):
                    for text in log.read_text(errors="replace").splitlines()[-10:]:
                        print(f"    {log.stem}: {cleaned(text)[:200]}")
    finally:
        other.kill()
        other.wait()
    return 1 if failed else 0


def tools(names):
    programs = {"aria2": "aria2c", "transmission": "transmission-daemon"}
    return [programs[name] for name in names if name in programs]


def main():
    if sys.argv[1:2] == ["inside"]:
        return inside(Path(sys.argv[2]))
    with scratch_folder("local-") as scratch:
        passed, failed = tell(scratch)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
