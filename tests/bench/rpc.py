#!/usr/bin/env python3
"""How soon remote control answers while the daemon verifies 4 GiB and downloads another torrent.

    rpc.py [--gib N] [--seconds N]

One daemon has a torrent of N GiB, which is verified again and again, and downloads a second one
from a sharer, again and again. Meanwhile the list is asked for as a remote control asks, one
request after the other, and each answer timed. Prints the answers' times and the longest turn of
the daemon's loop; exit 1 if one answer in a hundred took 100 ms or more. The binary is $SWARMLET,
or target/release/swarmlet.
"""

import argparse
import base64
import http.client
import json
import os
import sys
import time
from pathlib import Path

# The folders of the tests hold sources only.
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))

from process import Child, free_port, our_binary, run, scratch_folder, wait_until

P99_MILLIS_MAX = 100.0
OTHER_BYTES = 512 << 20
FIELDS = """id name status error errorString eta isFinished leftUntilDone peersGettingFromUs
    peersSendingToUs rateDownload rateUpload sizeWhenDone uploadRatio percentDone haveValid
    desiredAvailable recheckProgress peersConnected trackerStats files fileStats""".split()


class Rpc:
    """Remote control over one connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.word = ""

    def call(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments})
        for _ in range(2):
            headers = {"X-Transmission-Session-Id": self.word}
            self.connection.request("POST", "/transmission/rpc", body, headers)
            answer = self.connection.getresponse()
            said = answer.read()
            if answer.status != 409:
                break
            self.word = answer.headers["X-Transmission-Session-Id"]
        said = json.loads(said)
        assert said["result"] == "success", said
        return said["arguments"]


def main():
    parser = argparse.ArgumentParser(description="remote control's answers under load")
    parser.add_argument("--gib", type=float, default=4)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with scratch_folder("bench-") as scratch:
        return bench(our_binary(), scratch, options)


def bench(binary, scratch, options):
    source, data = scratch / "source", scratch / "data"
    source.mkdir()
    data.mkdir()
    # Zeros on disk are hashed like anything else, and need no room.
    with open(data / "large", "wb") as file:
        file.truncate(int(options.gib * (1 << 30)))
    with open(source / "other", "wb") as file:
        for _ in range(OTHER_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    for path in [data / "large", source / "other"]:
        status, _, err = run([binary, "create", path, "-o", scratch / f"{path.name}.torrent"], seconds=300)
        assert status == 0, err
    port, peer = free_port("127.0.0.1"), free_port("127.0.0.1")
    share = [binary, "share", scratch / "other.torrent", "--dir", source, "--listen", f"127.0.0.1:{peer}"]
    sharer = Child("sharer", [*share, "--peer", f"127.0.0.1:{peer + 1}"], scratch)
    words = ["--dir", data, "--rpc", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{peer + 1}"]
    daemon = Child("daemon", [binary, "peer", *words], scratch)
    wait_until(lambda: daemon.line("ready"), time.monotonic() + 20, "the daemon is ready", [daemon])
    rpc = Rpc(port)
    add(rpc, scratch / "large.torrent")
    other = add(rpc, scratch / "other.torrent")
    millis, verified, downloaded, rounds = [], 0, 0, 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        torrents = rpc.call("torrent-get", fields=FIELDS)["torrents"]
        millis.append((time.perf_counter() - began) * 1000)
        rounds += 1
        for torrent in torrents:
            if torrent["name"] == "large":
                verified += torrent["status"] == 2
                if torrent["status"] == 6:
                    rpc.call("torrent-verify", ids=[torrent["id"]])
            else:
                downloaded += torrent["rateDownload"] > 0
                if torrent["leftUntilDone"] == 0:
                    rpc.call("torrent-remove", **{"ids": [other], "delete-local-data": True})
                    other = again(rpc, scratch / "other.torrent")
        time.sleep(0.005)
    longest = rpc.call("session-stats")["longestTurn"]
    daemon.stop()
    sharer.stop()
    millis.sort()
    at = lambda share: millis[min(len(millis) - 1, int(len(millis) * share))]
    print(f"{rounds} answers in {options.seconds:.0f} s; verifying in {100 * verified // rounds} %, "
          f"downloading in {100 * downloaded // rounds} % of them")
    print(f"median {at(0.5):.1f} ms, p90 {at(0.9):.1f} ms, p99 {at(0.99):.1f} ms, "
          f"longest {millis[-1]:.1f} ms; longest turn {longest} ms")
    return 0 if at(0.99) < P99_MILLIS_MAX else 1


def add(rpc, path):
    metainfo = base64.b64encode(path.read_bytes()).decode()
    return next(iter(rpc.call("torrent-add", metainfo=metainfo).values()))["id"]


def again(rpc, path):
    """Adds what was removed a moment ago, and is perhaps not gone yet."""
    for _ in range(200):
        try:
            return add(rpc, path)
        except AssertionError:
            time.sleep(0.02)
    raise SystemExit("the removed torrent does not go")


if __name__ == "__main__":
    sys.exit(main())
