"""Whether the info-hash is the one that others compute, and torrents of each are read by the other.

    fixtures     every file of fixtures/torrents/good
    ours         made by `swarmlet create`: all others must agree
    others       made by transmission-create and libtorrent: ours must agree and list the same

Ours must always be the SHA-1 of the raw bytes of `info`, found here by a reader of its own. What
each other says is shown, for others have faults of their own:

    same         the same hash
    refuses      does not take the file
    dies         is killed by it
    encodes      hashes what it encoded again instead of the bytes that came, so its hash is another
                 when the keys were not sorted or a number had leading zeros, or (aria2) a key was
                 empty, as one is in every torrent of versions 1 and 2 together
    differs      any other hash: the row fails
"""

import json

import bencode
import payloads
from clients import HERE, PROJECT, LibTorrent, Swarmlet, Transmission
from process import RowFailed, cleaned, run

TRACKER = "http://127.0.0.1:8000/announce"
READERS = ["libtorrent", "transmission", "aria2"]
WIDTHS = [34, 11, 13, 9]


def check_all(binary, scratch):
    """Prints a row for each torrent. Returns how many passed and failed."""
    source = scratch / "agreement"
    source.mkdir()
    for payload in payloads.PLAIN:
        payload.write(source)
    print(columns("torrent", *READERS, "result"))
    results = list(fixtures(binary)) + list(made(binary, source))
    print(flush=True)
    return results.count(True), results.count(False)


def fixtures(binary):
    torrents = sorted((PROJECT / "fixtures/torrents/good").glob("*.torrent"))
    if not torrents:
        yield show("fixtures/torrents/good", {}, "no torrents there")
    for torrent in torrents:
        said = others(torrent)
        yield show(torrent.name, said, fault(binary, torrent, said))


def made(binary, source):
    """Torrents of our payloads, by each maker."""
    for payload in payloads.PLAIN:
        label = f"swarmlet create, {payload.key}"
        yield attempt(binary, source, label, payload, Swarmlet.create_torrent)
    transmission = Transmission.create_torrent
    yield attempt(binary, source, "transmission-create, single", payloads.SINGLE, transmission)
    for payload in (payloads.SINGLE, payloads.MANY):
        label = f"libtorrent version 1, {payload.key}"
        yield attempt(binary, source, label, payload, LibTorrent.create_torrent)
        # Versions 1 and 2 together: Transmission 3 refuses them, aria2 miscounts the hash.
        label = f"libtorrent versions 1+2, {payload.key}"
        yield attempt(binary, source, label, payload, LibTorrent.create_hybrid, ["libtorrent"])


def attempt(binary, source, label, payload, create, readers=tuple(READERS)):
    """Makes a torrent, and asks everybody about it."""
    torrent = source / f"{label}.torrent"
    try:
        create(source, payload, torrent, TRACKER)
    except RowFailed as failed:
        return show(label, {}, str(failed))
    said = others(torrent)
    return show(label, said, fault(binary, torrent, said, readers, payload))


def fault(binary, torrent, said, readers=(), payload=None):
    """What is wrong with a row, or nothing.

    `readers`: the others who have to take the torrent. `payload`: what it was made of, if we know.
    """
    content = torrent.read_bytes()
    status, out, err = run([binary, "info", torrent, "--json"])
    if status:
        return f"ours refuses: {err.strip()}"
    ours = json.loads(out)
    if ours["info_hash"] != bencode.info_hash(content):
        return f"ours has {ours['info_hash']}, the raw bytes {bencode.info_hash(content)}"
    for name, verdict in said.items():
        if verdict == "differs" or (name in readers and verdict != "same"):
            return f"{name} {verdict}"
    if payload:
        listed = sum(file["bytes"] for file in ours["files"])
        if listed != payload.total_bytes or len(ours["files"]) != len(payload.files):
            return f"ours lists {len(ours['files'])} files of {listed} bytes"
    return ""


def others(torrent):
    """What each other implementation says of a torrent: name → verdict."""
    content = torrent.read_bytes()
    right = bencode.info_hash(content)
    again = bencode.info_hashes_when_encoded_again(content)
    asked = {
        "libtorrent": [LibTorrent.python(), HERE / "libtorrent_peer.py", "hash", torrent],
        "transmission": ["transmission-show", torrent],
        "aria2": ["aria2c", "--no-conf", "-S", torrent],
    }
    return {name: verdict(command, right, again) for name, command in asked.items()}


def verdict(command, right, again):
    """What the output of a program that shows a torrent means."""
    status, out, err = run(command)
    words = (out + err).lower().split()
    if right in words:
        return "same"
    if status < 0:
        return "dies"
    if again.intersection(words):
        return "encodes"
    return "differs" if any(is_hash(word) for word in words) else "refuses"


def is_hash(word):
    return len(word) == 40 and all(letter in "0123456789abcdef" for letter in word)


def show(label, said, what):
    """Prints a row. Returns whether it is ok."""
    said = [said.get(name, "-") for name in READERS]
    print(columns(label, *said, f"FAILED  {cleaned(what)}" if what else "ok"), flush=True)
    return not what


def columns(*words):
    *firsts, last = words
    return "  ".join([word.ljust(width) for word, width in zip(firsts, WIDTHS)] + [last])
