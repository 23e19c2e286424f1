#!/usr/bin/env python3
"""transmission-remote against our daemon: every verb, by what it prints and what came of it.

    remote.py            all verbs, with and without a password; exit 0 only if every one is ok

A story in steps: a sharer and a daemon, one torrent of several files and one of a single file. Each
step runs transmission-remote once or a few times and looks at its output, at the daemon's files
and, where there is one, at the other side. `run.py` runs it, too. The binary is $SWARMLET, or
target/release/swarmlet.
"""

import os
import re
import signal
import sys
import time

# The folders of the tests hold sources only.
sys.dont_write_bytecode = True

from clients import Swarmlet
from process import (
    Child, RowFailed, cleaned, free_port, our_binary, run, scratch_folder, stop_all, wait_until
)

REMOTE = "transmission-remote"
STEP_SECONDS = 30
LOGIN = "me:a word"


class Daemon:
    """Ours, with remote control."""

    def __init__(self, folder, login=None):
        self.folder, self.login = folder, login
        self.dir = folder / "data"
        self.dir.mkdir(exist_ok=True)
        self.peer_port, self.port = free_port("127.0.0.1"), free_port("127.0.0.1")
        self.child = None

    def start(self):
        arguments = [Swarmlet.program, "peer", "--dir", self.dir, "--rpc", f"127.0.0.1:{self.port}"]
        arguments += ["--listen", f"127.0.0.1:{self.peer_port}"]
        if self.login:
            user, word = self.login.split(":")
            (self.folder / "word").write_text(word + "\n")
            arguments += ["--rpc-user", user, "--rpc-password-file", self.folder / "word"]
        (self.folder / "daemon.log").unlink(missing_ok=True)
        self.child = Child("daemon", arguments, self.folder)
        self.wait(lambda: self.child.line("ready"), "the daemon is ready")

    def kill(self):
        """As a power cut would, but for the disk."""
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.process.wait()

    def wait(self, question, what):
        wait_until(question, time.monotonic() + STEP_SECONDS, what, [self.child])

    def remote(self, *words, fails=False, login=None):
        """Runs transmission-remote; returns what it printed."""
        login = login or self.login
        auth = ["--auth", login] if login else []
        status, out, err = run([REMOTE, f"127.0.0.1:{self.port}", *auth, *words], self.folder)
        text = cleaned_lines(out + err)
        if bool(status) != fails:
            raise RowFailed(f"{' '.join(map(str, words))}: status {status}: {text}")
        return text

    def done(self, *words):
        """Runs a verb that must be answered with success."""
        text = self.remote(*words)
        if 'responded: "success"' not in text:
            raise RowFailed(f"{' '.join(map(str, words))}: {text}")

    def row(self, torrent):
        """The columns of one torrent in the list; `None` if it is not there."""
        for line in self.remote("--list").splitlines():
            words = re.split(r"\s{2,}", line.strip())
            if words and words[0].rstrip("*") == str(torrent):
                return words
        return None

    def state(self, torrent):
        row = self.row(torrent)
        return row and row[-2]

    def percent(self, torrent):
        row = self.row(torrent)
        return row and row[1]


def cleaned_lines(text):
    return "\n".join(cleaned(line) for line in text.splitlines())


def expect(truth, what, text=""):
    if not truth:
        raise RowFailed(f"not so: {what}\n{text}")


def shows(text, *parts):
    for part in parts:
        expect(part in text, f"it prints {part!r}", text)


class Story:
    """The steps, in their order: each is a method that begins with a number."""

    def __init__(self, folder, login=None):
        self.folder = folder
        self.daemon = Daemon(folder, login)
        self.source = folder / "source"
        self.source.mkdir()
        album = self.source / "album"
        (album / "deep").mkdir(parents=True)
        (album / "a.bin").write_bytes(os.urandom(700_000))
        (album / "deep" / "b.bin").write_bytes(os.urandom(300_001))
        (album / "empty").write_bytes(b"")
        (self.source / "one.bin").write_bytes(os.urandom(2_500_000))
        self.sharer = None
        self.sharer_port = free_port("127.0.0.1")
        self.tracker_port = free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{self.tracker_port}/announce"
        self.torrents = {}

    def run(self):
        for name in sorted(name for name in dir(self) if name[0] == "s" and name[1].isdigit()):
            began = time.monotonic()
            getattr(self, name)()
            print(f"  ok  {time.monotonic() - began:5.1f} s  {name[4:].replace('_', ' ')}", flush=True)

    def s01_the_session_is_told(self):
        tracker = [Swarmlet.program, "tracker", "--http", f"127.0.0.1:{self.tracker_port}"]
        self.tracker = Child("tracker", tracker, self.folder)
        for name in ["album", "one.bin"]:
            target = self.folder / f"{name}.torrent"
            words = ["create", self.source / name, "-t", self.url, "-o", target]
            status, _, err = run([Swarmlet.program, *words], self.folder)
            expect(status == 0, "the torrent is made", err)
            self.torrents[name] = target
        self.daemon.start()
        text = self.daemon.remote("--session-info")
        shows(text, "Daemon version: 4.0.6 (swarmlet", "RPC version: 17", "Peer limit:", "Autostart")
        shows(text, f"Download directory: {self.daemon.dir}", f"Listenport: {self.daemon.peer_port}")
        shows(self.daemon.remote("--session-stats"), "Started 1 times")
        shows(self.daemon.remote("--port-test"), "Port is open:")

    def s02_a_password_is_asked_for(self):
        if not self.daemon.login:
            return
        shows(self.daemon.remote("--list", fails=True, login="me:wrong"), "401")
        shows(self.daemon.remote("--list", fails=True, login="you:a word"), "401")

    def s03_torrents_are_added_by_file_and_start_at_once(self):
        self.daemon.done("--add", self.torrents["album"])
        self.daemon.wait(lambda: self.state(1) in ("Idle", "Downloading"), "it is in the list")
        shows(self.daemon.remote("--list"), "album")
        # The same once more is no error, and no second torrent.
        self.daemon.remote("--add", self.torrents["album"])
        expect(self.daemon.row(2) is None, "there is one torrent")
        self.daemon.done("--start-paused")
        self.daemon.done("--add", self.torrents["one.bin"])
        self.daemon.wait(lambda: self.state(2) == "Stopped", "the second one rests")
        self.daemon.done("--no-start-paused")

    def s04_what_is_no_torrent_is_refused(self):
        for word, part in [("magnet:?xt=urn:btih:0123", "info-hash"), ("/etc/hostname", "torrent"),
                           ("http://127.0.0.1:1/x.torrent", "not fetched")]:
            shows(self.daemon.remote("--add", word, fails=True), "Error", part)
        expect(self.daemon.row(3) is None, "nothing was added")

    def s05_a_torrent_downloads_and_is_shown_in_every_way(self):
        words = ["share", self.torrents["album"], self.torrents["one.bin"], "--dir", self.source]
        words += ["--listen", f"127.0.0.1:{self.sharer_port}"]
        self.sharer = Child("sharer", [Swarmlet.program, *words], self.folder)
        self.daemon.wait(lambda: self.sharer.line("tracker-ok"), "the tracker knows the sharer")
        self.daemon.done("--torrent", "1", "--reannounce")
        self.daemon.wait(lambda: self.daemon.percent(1) == "100%", "the download is complete")
        self.same("album")
        text = self.daemon.remote("--torrent", "1", "--info")
        shows(text, "Name: album", "Percent Done: 100", "State:", "Piece Count:", "Hash: ")
        shows(text, "Public torrent: Yes", f"Location: {self.daemon.dir}", "Creator: swarmlet")
        text = self.daemon.remote("--torrent", "1", "--info-files")
        shows(text, "album (3 files):", "album/a.bin", "album/deep/b.bin", "album/empty", "100%")
        text = self.daemon.remote("--torrent", "1", "--info-pieces")
        expect("0" not in text and "1" in text, "every piece is a 1", text)
        shows(self.daemon.remote("--torrent", "1", "--info-trackers"), self.url.split("/")[2])

    def s06_a_stopped_torrent_is_started_and_its_peers_are_shown(self):
        limit = ["--torrent", "2", "--start"]
        self.daemon.done(*limit)
        seen = []

        def is_done():
            seen.append(self.daemon.remote("--torrent", "2", "--info-peers"))
            return self.daemon.percent(2) == "100%"

        self.daemon.wait(is_done, "the second one is complete")
        self.same("one.bin")
        expect(all("Address" in text for text in seen), "a table of peers", seen[0])

    def s07_all_are_stopped_and_started(self):
        self.daemon.done("--torrent", "all", "--stop")
        self.daemon.wait(lambda: self.state(1) == self.state(2) == "Stopped", "both rest")
        self.daemon.done("--torrent", "1,2", "--start")
        running = ("Idle", "Seeding", "Up & Down")
        self.daemon.wait(lambda: self.state(1) in running and self.state(2) in running, "both run")

    def s08_verify_finds_what_was_spoilt_and_fetches_it(self):
        spoilt = self.daemon.dir / "one.bin"
        with open(spoilt, "r+b") as file:
            file.seek(1_000_000)
            file.write(b"not what it was")
        expect(self.differs("one.bin"), "it is spoilt")
        self.daemon.done("--torrent", "2", "--verify")
        self.daemon.wait(lambda: not self.differs("one.bin"), "it is mended")
        self.daemon.wait(lambda: self.daemon.percent(2) == "100%", "it is complete again")

    def s09_limits_and_wishes_are_shown_as_they_were_set(self):
        one = ["--torrent", "1"]
        self.daemon.done(*one, "--downlimit", "77")
        self.daemon.done(*one, "--uplimit", "55")
        self.daemon.done(*one, "--peers", "9")
        self.daemon.done(*one, "--bandwidth-high")
        self.daemon.done(*one, "--seedratio", "1.5")
        self.daemon.done(*one, "--labels", "films,new")
        text = self.daemon.remote(*one, "--info")
        shows(text, "Download Limit: 77 kB/s", "Upload Limit: 55 kB/s", "Peer limit: 9")
        shows(text, "Bandwidth Priority: High", "Ratio Limit: 1.5", "films, new")
        self.daemon.done(*one, "--no-get", "1")
        self.daemon.done(*one, "--priority-high", "0")
        text = self.daemon.remote(*one, "--info-files")
        expect(re.search(r"0: 100% High\s+Yes", text), "file 0 is high", text)
        expect(re.search(r"1: 100% Normal\s+No", text), "file 1 is not wanted", text)
        self.daemon.done(*one, "--get", "all")
        self.daemon.done("--downlimit", "500")
        self.daemon.done("--uplimit", "100")
        text = self.daemon.remote("--session-info")
        shows(text, "Download speed limit: 500 kB/s (Enabled", "Upload speed limit: 100 kB/s (Enabled")
        self.daemon.done("--no-downlimit")
        self.daemon.done("--no-uplimit")

    def s10_trackers_are_added_and_removed(self):
        other = "http://127.0.0.1:1/announce"
        self.daemon.done("--torrent", "1", "--tracker-add", other)
        shows(self.daemon.remote("--torrent", "1", "--info-trackers"), "127.0.0.1:1")
        self.daemon.done("--torrent", "1", "--tracker-remove", "1")
        text = self.daemon.remote("--torrent", "1", "--info-trackers")
        expect(not re.search(r"127\.0\.0\.1:1\b", text), "it is gone", text)

    def s11_all_of_it_survives_kill_9(self):
        self.daemon.done("--torrent", "2", "--stop")
        self.daemon.kill()
        self.daemon.start()
        expect(self.daemon.row(1) and self.daemon.row(2), "both are back")
        expect(self.state(2) == "Stopped", "who rested rests")
        self.daemon.wait(lambda: self.daemon.percent(1) == "100%", "who ran runs")
        text = self.daemon.remote("--torrent", "1", "--info")
        shows(text, "Download Limit: 77 kB/s", "Peer limit: 9", "films, new")
        self.daemon.done("--torrent", "2", "--start")
        shows(self.daemon.remote("--session-stats"), "Started 2 times")

    def s12_removing_leaves_the_data_or_takes_it_along(self):
        mine = self.daemon.dir / "album" / "mine.txt"
        mine.write_text("not of the torrent")
        self.daemon.done("--torrent", "2", "--remove")
        self.daemon.wait(lambda: self.daemon.row(2) is None, "it is gone from the list")
        expect(not self.differs("one.bin"), "its data is left")
        self.daemon.done("--torrent", "1", "--remove-and-delete")
        album = self.daemon.dir / "album"
        self.daemon.wait(lambda: list(album.rglob("*")) == [mine], "only what is not its own is left")
        expect(self.daemon.row(1) is None, "the list is empty")
        # They do not come back.
        self.daemon.kill()
        self.daemon.start()
        expect("album" not in self.daemon.remote("--list"), "it stays away")

    def s13_a_magnet_link_is_added_and_becomes_a_torrent(self):
        status, link, err = run([Swarmlet.program, "magnet", self.torrents["one.bin"]])
        expect(status == 0, "there is a link", err)
        (self.daemon.dir / "one.bin").unlink()
        self.daemon.done("--add", link.strip())
        shows(self.daemon.remote("--list"), "one.bin")
        self.daemon.wait(lambda: not self.differs("one.bin"), "it arrives byte for byte")

    def s14_the_daemon_leaves_when_it_is_told(self):
        self.daemon.remote("--exit")
        deadline = time.monotonic() + STEP_SECONDS
        wait_until(lambda: self.daemon.child.exit_status() is not None, deadline, "it leaves")
        expect(self.daemon.child.exit_status() == 0, "with status 0")
        self.sharer.stop()
        self.tracker.stop()

    def state(self, torrent):
        return self.daemon.state(torrent)

    def same(self, name):
        expect(not self.differs(name), f"{name} arrived byte for byte")

    def differs(self, name):
        source, copy = self.source / name, self.daemon.dir / name
        if source.is_file():
            return not copy.is_file() or source.read_bytes() != copy.read_bytes()
        return any(
            self.differs(path.relative_to(self.source))
            for path in source.rglob("*")
            if path.is_file()
        )


def tell(folder):
    """Both stories. Returns how many passed, and how many failed."""
    passed, failed = 0, 0
    for login in [None, LOGIN]:
        name = "with a password" if login else "without a password"
        print(f"transmission-remote, {name}", flush=True)
        here = folder / ("remote-login" if login else "remote")
        here.mkdir()
        try:
            Story(here, login).run()
            passed += 1
        except RowFailed as fault:
            failed += 1
            print(f"  FAILED: {fault}")
            for log in sorted(here.glob("*.log")):
                for text in log.read_text(errors="replace").splitlines()[-15:]:
                    print(f"    {log.stem}: {cleaned(text)[:300]}")
        finally:
            stop_all()
    return passed, failed


def main():
    Swarmlet.program = our_binary()
    with scratch_folder("remote-") as scratch:
        passed, failed = tell(scratch)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
