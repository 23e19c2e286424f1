"""The real program against what hosts and networks do: killed, cut off, full, lied to, unplugged.

`python3 tests/faults/run.py [WORD…]` runs the rows whose names contain one of the words, or all; it takes
two minutes. `SWARMLET` names the program. Traffic stays on 127.0.0.0/8 or in network namespaces of its own.
Some rows need root, strace, nftables or libfaketime, and are skipped with a word where that is missing.
"""

import concurrent.futures
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import rows_disk
import rows_net
from kit import Failed, Skipped

ROWS = [*rows_disk.ROWS, *rows_net.ROWS]


def run_row(row, root):
    folder = root / row.__name__
    folder.mkdir()
    began = time.monotonic()
    try:
        word, note = "ok", row(folder)
    except Skipped as why:
        word, note = "skipped", why
    except Failed as why:
        word, note = "FAILED", why
    except Exception:  # A row that breaks is a failure of that row, not of the run.
        word, note = "BROKEN", traceback.format_exc()
    print(f"{word:8} {row.__name__:36} {time.monotonic() - began:5.1f} s  {note or ''}", flush=True)
    return word in ("ok", "skipped")


def main():
    words = sys.argv[1:]
    rows = [row for row in ROWS if not words or any(word in row.__name__ for word in words)]
    root = Path(tempfile.mkdtemp(prefix="swarmlet-faults-"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda row: run_row(row, root), rows))
    if all(results):
        shutil.rmtree(root, ignore_errors=True)
    else:
        print(f"logs: {root}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
