"""Programs that a row starts, and waiting for them.

A `Child` runs in a process group of its own, reads nothing, writes all it says into one log file,
and is stopped by its process id: the whole group first politely, then, after five seconds, not.
Whatever a client tells us, it tells through that log or through an interface of its own; nobody
reads pipes.

A row never waits without a bound: `wait_until` polls a question until it is true, the row's time
is up, or a program that should still be there has gone.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
POLL_SECONDS = 0.05
STOP_SECONDS = 5.0


class RowFailed(Exception):
    """What went wrong in a row, in one line."""


class Child:
    """A running program, with its log."""

    running = set()
    running_lock = threading.Lock()

    def __init__(self, name, arguments, folder, cwd=None):
        self.name = name
        self.log_path = folder / f"{name}.log"
        environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments],
                cwd=cwd or folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with Child.running_lock:
            Child.running.add(self)

    @property
    def pid(self):
        return self.process.pid

    def exit_status(self):
        """The exit status, negative for a signal; `None` while it runs."""
        return self.process.poll()

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def line(self, word):
        """The first line of the log that begins with `word`, or `None`."""
        for line in self.log().splitlines():
            if line.split(" ", 1)[0] == word:
                return line
        return None

    def stop(self):
        """Asks the group to leave, and makes it leave. Returns the exit status."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()
        with Child.running_lock:
            Child.running.discard(self)
        return self.process.returncode

    def _signal(self, number):
        # The number of a process that has been waited for may belong to somebody else.
        if self.process.poll() is None:
            os.killpg(self.pid, number)


def stop_all():
    """Stops what is still running, for the end of the program."""
    for child in list(Child.running):
        child.stop()


def our_binary():
    """The program under test: $SWARMLET, or target/release/swarmlet."""
    return Path(os.environ.get("SWARMLET", PROJECT / "target/release/swarmlet")).resolve()


@contextmanager
def scratch_folder(prefix, where=None):
    """A folder below `where`, or target/interop; in the end all children are stopped and it is
    gone."""
    where = Path(where or PROJECT / "target/interop")
    where.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    scratch.chmod(0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        yield scratch
    finally:
        stop_all()
        shutil.rmtree(scratch, ignore_errors=True)


def wait_until(question, deadline, what, needed=()):
    """Waits until `question()` is true.

    `deadline`: on the monotonic clock. `needed`: children that must not leave meanwhile.
    """
    while not question():
        for child in needed:
            status = child.exit_status()
            if status is not None and not question():
                raise RowFailed(f"{child.name} left with status {status} before {what}")
        if time.monotonic() > deadline:
            raise RowFailed(f"timed out waiting: {what}")
        time.sleep(POLL_SECONDS)


def run(arguments, folder=None, seconds=30):
    """Runs a short program to its end. Returns its status, stdout and stderr."""
    try:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise RowFailed(f"{arguments[0]} took more than {seconds} s") from late
    out = done.stdout.decode("utf-8", "replace")
    return done.returncode, out, done.stderr.decode("utf-8", "replace")


def free_port(ip):
    """A TCP port that nobody holds on `ip` at this moment. IPv6 addresses stand in brackets."""
    family = socket.AF_INET6 if ip.startswith("[") else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((ip.strip("[]"), 0))
        return probe.getsockname()[1]


def accepts(ip, port):
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((ip, port)) == 0


def cleaned(text):
    """Text from another program, safe to show: no escape sequences, no invisible characters."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", text).replace("\t", " ")
    return "".join(
        character if not unicodedata.category(character).startswith("C") else "."
        for character in text
    )
