#!/usr/bin/env python3
"""Web seeds: nginx alone completes a torrent, for us and for others with a torrent of ours.

    webseed.py           all rows; exit 0 only if every one is ok

Nobody else has the files: no tracker names anybody, no peer is dialled. `run.py` runs it, too. The
binary is $SWARMLET, or target/release/swarmlet.
"""

import shutil
import sys
import time

# The folders of the tests hold sources only.
sys.dont_write_bytecode = True

import bencode
import payloads
from clients import Aria2, LibTorrent, Swarmlet
from process import (
    Child, RowFailed, accepts, cleaned, free_port, our_binary, run, scratch_folder, wait_until
)

IP = "127.0.0.1"
ROW_SECONDS = 60


class Nginx:
    """A plain web server for one folder."""

    def __init__(self, folder, root):
        self.folder, self.root = folder, root
        self.port = free_port(IP)
        self.child = None

    @property
    def url(self):
        return f"http://{IP}:{self.port}/"

    def start(self, deadline):
        places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        temporary = "".join(f"{place}_temp_path {self.folder}/{place};" for place in places)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"daemon off; master_process off; pid {self.folder}/nginx.pid;\n"
            f"error_log {self.folder}/nginx-errors.log;\n"
            "events { worker_connections 64; }\n"
            f"http {{ access_log {self.folder}/nginx-requests.log; {temporary}\n"
            f"  server {{ listen {IP}:{self.port}; root {self.root}; }} }}\n"
        )
        # Debian keeps it where only root looks.
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.child = Child("nginx", [program, "-c", configuration], self.folder)
        listening = lambda: accepts(IP, self.port)
        wait_until(listening, deadline, "nginx listens", [self.child])

    def requests(self):
        """How many parts of files were asked for."""
        log = self.folder / "nginx-requests.log"
        return log.read_text().count('" 206 ') if log.exists() else 0


def create(folder, payload, target, url):
    """A torrent with a web seed and no tracker: ours, or libtorrent's with the seed put in."""
    if payload.padded_by:
        LibTorrent(target.parent, IP).create_hybrid(folder, payload, target, "")
        outer = bencode.read(target.read_bytes())[0]
        outer = {key.decode(): value for key, value in outer.items() if key != b"announce"}
        target.write_bytes(bencode.write({**outer, "url-list": url}))
        return
    length = ["--piece-length", payload.piece_length]
    words = [Swarmlet.program, "create", folder / payload.name, *length, "--web-seed", url]
    status, out, err = run([*words, "-o", target], folder)
    if status:
        raise RowFailed(f"swarmlet create: status {status}: {(err or out).strip()}")


def play(folder, getter_class, payload):
    """Returns the number of requests that nginx saw."""
    deadline = time.monotonic() + ROW_SECONDS
    root, torrent = folder / "www", folder / "it.torrent"
    root.mkdir()
    payload.write(root)
    nginx = Nginx(folder, root)
    create(root, payload, torrent, nginx.url)
    nginx.start(deadline)
    getter = getter_class(folder, IP)
    target = folder / "target"
    target.mkdir()
    getter.get(torrent, target, [])
    try:
        needed = [getter.child, nginx.child]
        wait_until(getter.has_all, deadline, f"{getter.name} has all", needed)
        faults = payload.faults(target, getter.creates_empty_files)
        if faults:
            raise RowFailed("; ".join(faults[:3]))
        if not nginx.requests():
            raise RowFailed("nginx was not asked for a part of a file")
        return nginx.requests()
    finally:
        getter.stop()
        nginx.child.stop()


ROWS = [
    (Swarmlet, payloads.SINGLE),
    (Swarmlet, payloads.MANY),
    (Swarmlet, payloads.ODD),
    (Swarmlet, payloads.PADDED),
    (Aria2, payloads.SINGLE),
    (LibTorrent, payloads.MANY),
]


def tell(folder):
    """All rows. Returns how many passed, and how many failed."""
    passed, failed = 0, 0
    print("web seeds: nginx alone has the files", flush=True)
    for number, (getter, payload) in enumerate(ROWS):
        here = folder / f"web{number}"
        here.mkdir()
        here.chmod(0o755)
        words = f"  {getter.name} gets {payload.key}"
        try:
            requests = play(here, getter, payload)
            passed += 1
            print(f"{words}: ok, {requests} requests", flush=True)
        except RowFailed as fault:
            failed += 1
            print(f"{words}: FAILED: {cleaned(str(fault))}", flush=True)
            for log in sorted(here.glob("*.log")):
                for text in log.read_text(errors="replace").splitlines()[-15:]:
                    print(f"    {log.stem}: {cleaned(text)[:300]}")
        finally:
            shutil.rmtree(here, ignore_errors=True)
    return passed, failed


def main():
    Swarmlet.program = our_binary()
    with scratch_folder("web-") as scratch:
        passed, failed = tell(scratch)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
