"""Bencode, just enough of it: writing torrents, reading scrapes, and finding the bytes of `info`.

Written apart from the program it tests, so that the two can disagree. It trusts its input.
"""

import hashlib


def write(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(write, value)) + b"e"
    keyed = {key.encode() if isinstance(key, str) else key: item for key, item in value.items()}
    return b"d" + b"".join(write(key) + write(keyed[key]) for key in sorted(keyed)) + b"e"


def read(source, at=0):
    """The value at `at`, and where it ends. Dictionaries keep the order in which they came."""
    kind = source[at : at + 1]
    if kind == b"i":
        end = source.index(b"e", at)
        return int(source[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while source[at : at + 1] != b"e":
            item, at = read(source, at)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        return dict(zip(items[::2], items[1::2])), at + 1
    colon = source.index(b":", at)
    end = colon + 1 + int(source[at:colon])
    return source[colon + 1 : end], end


def span_of_info(torrent):
    """Where the raw bytes of `info` lie in a torrent: start and end."""
    at = 1
    while torrent[at : at + 1] != b"e":
        key, at = read(torrent, at)
        start = at
        _, at = read(torrent, at)
        if key == b"info":
            return start, at
    raise ValueError("no info")


def info_hash(torrent):
    """SHA-1 of the raw bytes of `info`, as BEP 3 says, in hex."""
    start, end = span_of_info(torrent)
    return hashlib.sha1(torrent[start:end]).hexdigest()


def info_hashes_when_encoded_again(torrent):
    """Hashes of those who write `info` again: with all keys sorted, or the empty key lost."""
    start, _ = span_of_info(torrent)
    info = read(torrent, start)[0]
    return {hashlib.sha1(write(each)).hexdigest() for each in (info, without_empty_keys(info))}


def without_empty_keys(value):
    if isinstance(value, dict):
        return {key: without_empty_keys(item) for key, item in value.items() if key}
    return value
