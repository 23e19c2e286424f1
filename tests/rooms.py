#!/usr/bin/env python3
"""What each room costs: lines of source, and KiB of the program.

    rooms.py PROGRAM

PROGRAM must have its symbols, in the newer manner of naming them (`make rooms` builds one). A function
belongs to the first room that its name names, so code that was made from a pattern of a library (a
list, a map, JSON) for a type of a room is that room's. What is left is the libraries' own, and data.
What many functions have in common is kept once ("outlined") and belongs to none of them.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
# Address, size, kind (code), name.
SYMBOL = re.compile(r"([0-9a-f]+) ([0-9a-f]+) [tTwW] (.*)")


def main():
    program = sys.argv[1]
    rooms = sorted(path.name for path in SOURCE.iterdir() if path.is_dir())
    lines = {room: count_lines(SOURCE / room) for room in rooms}
    room_of = re.compile(r"swarmlet(?:\[[0-9a-f]+\])?::(" + "|".join(rooms) + r")\b")
    sizes, seen = Counter(), set()
    named = subprocess.run(["nm", "-S", "-C", "--defined-only", program], capture_output=True,
                           text=True, check=True).stdout
    for line in named.splitlines():
        found = SYMBOL.match(line)
        # The linker keeps equal functions once, under all their names: the first one pays.
        if not found or found[1] in seen:
            continue
        seen.add(found[1])
        size, name = int(found[2], 16), found[3]
        room = room_of.search(name)
        shared = "outlined" if name.startswith("OUTLINED_") else "libraries"
        sizes[room[1] if room else shared] += size
    print("| room | lines | KiB |\n|---|---|---|")
    for room in rooms:
        print(f"| `{room}` | {lines[room]} | {sizes[room] / 1024:.0f} |")
    print(f"| outlined | | {sizes['outlined'] / 1024:.0f} |")
    print(f"| libraries | | {sizes['libraries'] / 1024:.0f} |")
    total = stripped_bytes(program)
    print(f"| texts, tables | | {(total - sizes.total()) / 1024:.0f} |")
    print(f"| together | {sum(lines.values())} | {total / 1024:.0f} |")


def count_lines(folder):
    return sum(path.read_text().count("\n") for path in folder.rglob("*.rs"))


def stripped_bytes(program):
    stripped = Path(program + ".stripped")
    subprocess.run(["strip", "-o", stripped, program], check=True)
    size = stripped.stat().st_size
    stripped.unlink()
    return size


if __name__ == "__main__":
    main()
