"""What is shared in the rows: sets of files, the same bytes in each run.

    single   one file of 8 MiB and a little, pieces of 64 KiB, the last one short
    many     40 files in folders: names in four scripts, an empty file in the middle, sizes from one
             byte to several pieces, files that begin and end inside pieces
    odd      pieces of 40,000 bytes, so that each ends in a short block; three files, one empty
    padded   the files of `many` in a torrent of versions 1 and 2 together, where padding that is on
             nobody's disk makes each file begin a piece (BEP 47, BEP 52)
    own pad  the same files, padded by 'swarmlet create --pad' (BEP 47)

`write_torrent` is the maker that belongs to nobody, for rows whose sharer cannot make one itself.
"""

import hashlib
import random
from dataclasses import dataclass, replace

import bencode

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Payload:
    """`files`: path below the name → length, or for a single file just `{"": length}`."""

    key: str
    name: str
    piece_length: int
    files: dict
    # Who makes a torrent with padding of it: libtorrent (a hybrid) or swarmlet.
    padded_by: str = ""

    @property
    def total_bytes(self):
        return sum(self.files.values())

    def paths(self, folder):
        """Path in the torrent → path on disk below `folder`."""
        root = folder / self.name
        return {path: (root / path if path else root) for path in self.files}

    def write(self, folder):
        """Makes the files."""
        for path, target in self.paths(folder).items():
            target.parent.mkdir(parents=True, exist_ok=True)
            source = random.Random(f"{self.key}/{path}")
            target.write_bytes(source.randbytes(self.files[path]))

    def faults(self, folder, empty_files=True):
        """How the files below `folder` differ from what was written, a line each.

        `empty_files`: whether the client creates files of length 0.
        """
        faults = []
        paths = self.paths(folder)
        for path, target in paths.items():
            if not target.exists():
                if self.files[path] or empty_files:
                    faults.append(f"missing: {path or self.name}")
            elif sha256(target) != self._digest(path):
                faults.append(f"differs: {path or self.name}")
        root = folder / self.name
        there = [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []
        for path in there:
            # Who does not know padding stores it there, as BEP 47 wants it.
            is_padding = self.padded_by and path.parent == root / ".pad"
            if path not in paths.values() and not is_padding:
                faults.append(f"foreign: {path.name}")
        return faults

    def _digest(self, path):
        source = random.Random(f"{self.key}/{path}")
        return hashlib.sha256(source.randbytes(self.files[path])).hexdigest()

    def write_torrent(self, folder, target, tracker):
        """Makes a torrent of the files below `folder`, without any of the programs in the rows."""
        content = b"".join(path.read_bytes() for path in self.paths(folder).values())
        starts = range(0, len(content), self.piece_length)
        digests = [hashlib.sha1(content[at : at + self.piece_length]).digest() for at in starts]
        info = {"name": self.name, "piece length": self.piece_length, "pieces": b"".join(digests)}
        if "" in self.files:
            info["length"] = self.files[""]
        else:
            info["files"] = [
                {"length": length, "path": path.split("/")} for path, length in self.files.items()
            ]
        target.write_bytes(bencode.write({"announce": tracker, "info": info}))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _many():
    """Sorted by path, as makers of torrents do, with the empty file between others."""
    sizes = random.Random("sizes of many")
    folders = ["", "deep/er/still/", "Übergröße/", "фото/", "写真/", "emoji 🦀/"]
    files = {f"{folders[n % 6]}file {n:02}.bin": sizes.randrange(1, 300_000) for n in range(38)}
    files["deep/one byte"] = 1
    files["emoji 🦀/empty"] = 0
    return dict(sorted(files.items()))


SINGLE = Payload("single", "ein Stück Daten.bin", 1 << 16, {"": 8 * (1 << 20) + 12_345})
MANY = Payload("many", "many files ñ", 1 << 15, _many())
ODD = Payload("odd", "odd", 40_000, {"a": 1_234_567, "b empty": 0, "c": 2_345_678})
PADDED = replace(MANY, key="padded", padded_by="libtorrent")
PADDED_BY_OURS = replace(MANY, key="own pad", padded_by="swarmlet")
PLAIN = [SINGLE, MANY, ODD]
