"""What a process costs, and tables of it.

Processor seconds come from the scheduler's own count (nanoseconds, `/proc/PID/task/*/schedstat`),
or, for a program that has ended, from wait4(2). The other half of the machine may belong to others:
who waits for it loses rate, but hardly processor seconds; so ratios of those are what counts.
"""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from process import Child, RowFailed, cleaned

# The one that is measured has a processor to itself, as far as this bench goes; whoever it talks
# to, and the bench, share the other.
MEASURED_CPU, PARTNER_CPU = min(1, os.cpu_count() - 1), 0
TURN_SECONDS = 0.005
RUNS = int(os.environ.get("RUNS", 5))
GIB = 1 << 30
MIB = 1 << 20


def pinned(arguments, cpu=MEASURED_CPU):
    """The same command, kept on one processor (or on "0-3"); its process id is its own."""
    return ["taskset", "-c", cpu, *arguments]


def cpu_seconds(pid):
    """Processor seconds of all threads that live; 0 of a process that is no more."""
    nanos = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                nanos += int(file.read().split()[0])
    except (OSError, IndexError):
        pass
    return nanos / 1e9


def memory_kib(pid, key="VmHWM"):
    """`VmHWM`: the most that was ever resident; `VmRSS`: what is. 0 of who is no more."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


@dataclass
class Cost:
    """What one run took."""

    seconds: float
    cpu: float
    amount: float = 0
    peak_kib: int = 0
    turn_ms: float = 0
    wire: float = 0

    @property
    def rate(self):
        return self.amount / max(self.seconds, 1e-9)

    @property
    def each(self):
        """Processor seconds for each unit of the amount."""
        return self.cpu / max(self.amount, 1e-9)


def command(name, arguments, folder, amount, seconds=600, cpu=MEASURED_CPU, good=(0,)):
    """Runs a program to its end. `amount`: what it works off."""
    began = time.monotonic()
    child = Child(name, pinned(arguments, cpu), folder)
    watch = Watch(child, began + seconds)
    while not watch.look():
        time.sleep(TURN_SECONDS)
    if child.process.returncode not in good:
        raise RowFailed(f"{name}: status {child.process.returncode}: {child.log()[-300:]}")
    return Cost(watch.ended - began, watch.cpu, amount, watch.peak_kib)


class Watch:
    """A child that is looked at again and again: what it has cost so far, and its peak."""

    def __init__(self, child, deadline):
        self.child, self.deadline = child, deadline
        self.cpu, self.peak_kib, self.ended = 0.0, 0, None

    def look(self):
        """Whether it has ended; what it cost is up to date afterwards."""
        if self.ended is not None:
            return True
        self.cpu = max(self.cpu, cpu_seconds(self.child.pid))
        self.peak_kib = max(self.peak_kib, memory_kib(self.child.pid))
        pid, status, usage = os.wait4(self.child.pid, os.WNOHANG)
        if pid:
            self.ended = time.monotonic()
            self.child.process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu = usage.ru_utime + usage.ru_stime
            # What the system counts here, it counted for the shell before it, too.
            Child.running.discard(self.child)
        elif time.monotonic() > self.deadline:
            raise RowFailed(f"{self.child.name}: not done in time: {self.child.log()[-300:]}")
        return self.ended is not None


class Room:
    """The results of one room: who → costs of each run, and what was wanted of them."""

    def __init__(self, title, unit="MiB", amount="GiB", per=1024):
        """`amount`: what costs count; `unit`: what rates count, `per` of them in an amount."""
        self.title, self.unit, self.amount, self.per = title, unit, amount, per
        self.costs = {}
        self.faults = {}

    def add(self, who, cost):
        self.costs.setdefault(who, []).append(cost)

    def fault(self, who, why):
        self.faults[who] = why

    def median(self, who, what):
        costs = self.costs.get(who)
        return statistics.median(getattr(cost, what) for cost in costs) if costs else None

    def ratio(self, what, one, other):
        """The median of what the ratio was in each run: machines are faster at one time than at
        another, and who is measured side by side has it alike. `None` unless both are known."""
        runs = zip(self.costs.get(one, []), self.costs.get(other, []))
        ratios = [getattr(cost, what) / max(getattr(than, what), 1e-9) for cost, than in runs]
        return statistics.median(ratios) if ratios else None

    def least(self, what, among):
        """Whose median is least, of those that were measured; `None` if none was."""
        return min((who for who in among if who in self.costs), key=lambda who: self.median(who, what), default=None)

    def most(self, what, among):
        return max((who for who in among if who in self.costs), key=lambda who: self.median(who, what), default=None)

    def table(self, ours):
        rates = self.unit + "/s"
        head = ["", rates, f"CPU s/{self.amount}", "peak MiB", "CPU: ours to this", "rate: ours to this"]
        lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for who in self.costs:
            cost, rate = self.median(who, "each"), self.median(who, "rate")
            peak = self.median(who, "peak_kib") / 1024
            turn = self.median(who, "turn_ms")
            row = [who + (f" (longest turn {turn:.0f} ms)" if turn else "")]
            row += [figure(rate * self.per), figure(cost), f"{peak:.1f}" if peak else ""]
            known = ours in self.costs and who != ours
            row += [f"{self.ratio(what, ours, who):.2f}" if known else "" for what in ("each", "rate")]
            lines.append("| " + " | ".join(row) + " |")
        lines += [f"| {who} | {why} |" + " |" * (len(head) - 2) for who, why in self.faults.items()]
        runs = max((len(costs) for costs in self.costs.values()), default=0)
        return f"### {self.title}\n\nMedians of {runs}.\n\n" + "\n".join(lines) + "\n"


def figure(number):
    """Three digits that say something."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.2f}" if number >= 0.1 else f"{number:.4f}"


class Wanted:
    """The ratios that were promised, and which of them hold."""

    def __init__(self):
        self.lines, self.missed = [], 0

    def at_most(self, what, value, bound):
        self._note(what, value, bound, "≤")

    def at_least(self, what, value, bound):
        self._note(what, value, bound, "≥")

    def _note(self, what, value, bound, sign):
        if value is None:
            self.lines.append(f"| {what} | not measured | {sign} {bound} | |")
            return
        holds = value <= bound if sign == "≤" else value >= bound
        self.missed += not holds
        self.lines.append(f"| {what} | {value:.2f} | {sign} {bound} | {'' if holds else 'MISSED'} |")

    def table(self):
        return "### Wanted\n\n| what | is | wanted | |\n|---|---|---|---|\n" + "\n".join(self.lines)


def in_turn(room, kinds, measure):
    """Measures each kind once, then each again; who fails once is left out from then on."""
    for _ in range(RUNS):
        for kind in kinds:
            name = kind if isinstance(kind, str) else kind.name
            if name in room.faults:
                continue
            try:
                room.add(name, measure(kind))
            except RowFailed as failed:
                room.fault(name, cleaned(str(failed))[:120])
