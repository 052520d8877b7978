"""Memory and open files of all that runs, over time, and whether they stay as they are.

*Own* memory is that of no file, each page counted once however many processes of a pool share it (the sum of
``Pss_Anon``): PSS itself changes whenever any other process that has mapped the same libraries starts or ends. It
is judged in the calm part of a run, after the last kill: what waits for a killed worker leaves the gateway with a
heap as large as was needed then, once. The least of the last third of that part against the least of the first: so
a burst, which is over, counts for nothing and a leak, which stays, does. Memory is taken for the whole run, however
short the part is. If one of the processes of a kind becomes another one meanwhile, the longer life is judged.

Open files are judged at rest, before the load and when its connections are closed again: meanwhile they are as many
as requests wait, which an open load decides.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MIB = 1024 * 1024
MOST_BYTES = 8 * MIB
MOST_SHARE = 0.05
MOST_FILES = 32
_NEEDED = 9
"""So many samples a life needs to be judged."""

_MEMORY = re.compile(r"^(Pss|Pss_Anon|SwapPss): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """The processes of one kind at one moment, together."""

    at: float
    kind: str
    pids: tuple[int, ...]
    pss: int
    own: int
    files: int


@dataclass(frozen=True)
class Course:
    """How the processes of one kind went.

    ``gained``: bytes a run; None: nothing lived long enough.
    """

    kind: str
    lives: int
    pss: tuple[int, int]
    own: tuple[int, int]
    files: tuple[int, int]
    gained: float | None

    @property
    def faults(self) -> list[str]:
        """What is not flat."""
        if self.gained is None:
            return [f"{self.kind}: no life was long enough to be judged"]
        if self.gained > max(MOST_BYTES, MOST_SHARE * self.own[0]):
            return [f"{self.kind}: its own memory grows by {self.gained / MIB:.1f} MiB a run"]
        return []


def course(samples: Iterable[Sample], seconds: float, calm: float) -> Course:
    """What became of one kind in a run of so long; judged is what was seen from the moment ``calm`` on."""
    lives: dict[tuple[int, ...], list[Sample]] = {}
    for sample in sorted(samples, key=lambda one: one.at):
        lives.setdefault(sample.pids, []).append(sample)
    first, last = next(iter(lives.values()))[0], list(lives.values())[-1][-1]
    longest = max(([one for one in life if one.at >= calm] for life in lives.values()), key=len)
    enough = len(longest) >= _NEEDED
    part = (longest[-1].at - longest[0].at) * 2 / 3 if enough else 1.0
    return Course(
        kind=first.kind,
        lives=len(lives),
        pss=(first.pss, last.pss),
        own=(first.own, last.own),
        files=(first.files, last.files),
        gained=_gained([one.own for one in longest]) * seconds / part if enough else None,
    )


def _gained(values: Sequence[int]) -> int:
    third = len(values) // 3
    return min(values[-third:]) - min(values[:third])


def left_open(before: Sequence[Sample], after: Sequence[Sample]) -> list[str]:
    """Which kinds of processes have more files open at rest than they had."""
    had = {sample.kind: sample.files for sample in before}
    return [
        f"{sample.kind}: {sample.files - had[sample.kind]} more files are open than before"
        for sample in after
        if sample.files > had.get(sample.kind, sample.files) + MOST_FILES
    ]


def look(kind: str, pids: Sequence[int]) -> Sample | None:
    """What is of one kind now; None: one of them has just gone."""
    pss = own = files = 0
    for pid in pids:
        try:
            found = dict(_MEMORY.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()))
            files += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            return None
        if not found:  # a zombie
            return None
        swapped = int(found["SwapPss"])
        pss += 1024 * (int(found["Pss"]) + swapped)
        own += 1024 * (int(found["Pss_Anon"]) + swapped)
    return Sample(time.time(), kind, tuple(pids), pss, own, files) if pids else None


class Watch:
    """Looks at everything, now and then, until the block ends."""

    def __init__(self, look_round: Callable[[], list[Sample]], every: float) -> None:
        self.samples: list[Sample] = []
        self._look_round, self._every = look_round, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join(60)

    def courses(self, seconds: float, calm: float) -> list[Course]:
        """Of each kind, how it went."""
        kinds = sorted({sample.kind for sample in self.samples})
        return [course([one for one in self.samples if one.kind == kind], seconds, calm) for kind in kinds]

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self.samples += self._look_round()
