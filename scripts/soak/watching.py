"""Memory and open files of all that runs, over time, and whether they stay as they are.

*Own* memory is that of no file, each page counted once however many processes of a pool share it (the sum of
``Pss_Anon``): PSS itself changes whenever any other process that has mapped the same libraries starts or ends. What a
kind consists of is judged from the end of its warm-up on, until one of its processes is another one: the least of
the last third of this life against the least of the first third, so that a burst, which is over, counts for nothing
and a leak, which stays, does. Of each kind the longest life is judged, and what it gained is taken for the whole
run, however short it was.
"""

from __future__ import annotations

import os
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
"""So many samples after the warm-up a life needs to be judged."""

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

    ``gained``: what the life that is judged gained, for the whole run; None: none lived long enough.
    """

    kind: str
    lives: int
    pss: tuple[int, int]
    own: tuple[int, int]
    files: tuple[int, int]
    gained: float | None
    gained_files: float | None

    @property
    def faults(self) -> list[str]:
        """What is not flat."""
        if self.gained is None or self.gained_files is None:
            return [f"{self.kind}: no life was long enough to be judged"]
        found = []
        if self.gained > max(MOST_BYTES, MOST_SHARE * self.own[0]):
            found.append(f"{self.kind}: its own memory grows by {self.gained / MIB:.1f} MiB a run")
        if self.gained_files > MOST_FILES:
            found.append(f"{self.kind}: its open files grow by {self.gained_files:.0f} a run")
        return found


def course(samples: Iterable[Sample], seconds: float, warm: float) -> Course:
    """What became of one kind in a run of so long; ``warm``: seconds of a life that do not count."""
    lives: dict[tuple[int, ...], list[Sample]] = {}
    for sample in sorted(samples, key=lambda one: one.at):
        lives.setdefault(sample.pids, []).append(sample)
    settled = [[one for one in life if one.at >= life[0].at + warm] for life in lives.values()]
    longest = max(settled, key=len)
    shown = longest or max(lives.values(), key=len)
    enough = len(longest) >= _NEEDED
    return Course(
        kind=shown[0].kind,
        lives=len(lives),
        pss=(shown[0].pss, shown[-1].pss),
        own=(shown[0].own, shown[-1].own),
        files=(shown[0].files, shown[-1].files),
        gained=_gained([(one.at, one.own) for one in longest], seconds) if enough else None,
        gained_files=_gained([(one.at, one.files) for one in longest], seconds) if enough else None,
    )


def _gained(points: Sequence[tuple[float, int]], seconds: float) -> float:
    third = len(points) // 3
    first = min(points[:third], key=lambda point: point[1])
    last = min(points[-third:], key=lambda point: point[1])
    between = points[-1][0] - points[0][0]
    return (last[1] - first[1]) * seconds / max(between * 2 / 3, 1e-9)


def look(kind: str, pids: Sequence[int]) -> Sample | None:
    """What is of one kind now; None: one of them has just gone."""
    pss = own = files = 0
    for pid in pids:
        try:
            found = dict(_MEMORY.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()))
            files += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only how many
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

    def courses(self, seconds: float, warm: float) -> list[Course]:
        """Of each kind, how it went."""
        kinds = sorted({sample.kind for sample in self.samples})
        return [course([one for one in self.samples if one.kind == kind], seconds, warm) for kind in kinds]

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self.samples += self._look_round()
