"""The proof that a translation answers as the original: both answer the same rows."""

from __future__ import annotations

import contextlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.capture.translation import Translation
from jupyter_deploy.domain.errors import NotTranslated
from jupyter_deploy.domain.evidence.flips import share_of_flips
from jupyter_deploy.serving.natives.translated import TranslatedModel

from .rows import taken
from .unequal_rows import UnequalRow, table_of

REMEDY = "deploy it without --engine; --engine auto does that by itself, and says why"

_CHUNK = 5_000
"""Rows of one call, so that the proof of a large forest needs little memory."""

_KEPT = 10

_DRAWS = 60
"""How often the original is asked again where it draws labels: of two it misses one with a chance below 1e-18."""


@dataclass(frozen=True)
class Compared:
    """The answers of n rows by the original and its translation, compared.

    Attributes
    ----------
    wrong
        n booleans: the row has another answer, beyond the tolerance and the accepted difference, or by a flip.
    accepted
        Whether a row's difference is within the accepted one alone.
    flips
        n booleans: the row has another label, or another most likely class.
    differences
        The absolute difference of each number, in the answers' shape; None: the answers are labels.
    largest, largest_relative
        The largest difference, in the answers' unit and as a share of the larger number; 0 for labels.
    """

    wrong: Any
    accepted: bool
    flips: Any
    differences: Any
    largest: float
    largest_relative: float


def compared(expected: Any, found: Any, tolerance: Tolerance, accepted: float = 0.0) -> Compared:
    """Compare the original's answers of n rows with the translation's; ``accepted``: see ``prove``."""
    if expected.dtype.kind != "f":
        wrong = _per_row(expected != found)
        return Compared(wrong, False, wrong, None, 0.0, 0.0)
    with np.errstate(invalid="ignore"):  # of two infinities
        difference = np.where(expected == found, 0.0, np.abs(expected - found))
    scale = np.maximum(np.abs(expected), np.abs(found))
    single = expected.dtype.itemsize < np.dtype("float64").itemsize
    rtol = tolerance.float32_rtol if single else tolerance.float64_rtol
    # No finite number is near an infinite one.
    near = difference <= (tolerance.float32_atol if single else tolerance.float64_atol) + rtol * np.where(
        np.isfinite(scale), scale, 0.0
    )
    near |= np.isnan(expected) & np.isnan(found)
    within = near | (difference <= accepted)
    flips = _flipped(expected, found)
    wrong = _per_row(~within) | flips
    shares = np.divide(difference, scale, out=np.zeros_like(difference), where=(scale > 0) & np.isfinite(scale))
    return Compared(
        wrong,
        bool((within & ~near).any()),
        flips,
        difference,
        float(np.nanmax(difference, initial=0.0)),
        float(np.nanmax(shares, initial=0.0)),
    )


def prove(
    original: Callable[[Any], Any],
    translated: TranslatedModel,
    tables: Mapping[str, Any],
    tolerance: Tolerance,
    converter: str,
    *,
    redact: Sequence[str] = (),
    draws: bool = False,
    accepted: float = 0.0,
) -> Translation:
    """Compare both on all rows.

    A model may raise on rows that nobody has seen, such as random ones: these prove nothing, and are not counted.

    Parameters
    ----------
    tables
        Rows by their origin, such as ``training``.
    redact
        Columns whose values no error names: a job stores it.
    draws
        The original draws one of several labels with equally many votes at random: any label counts that it draws in
        ``_DRAWS`` answers.
    accepted
        An absolute difference of two numbers, in the answers' unit, that counts as agreement too; no flip does.

    Raises
    ------
    NotTranslated
        The translation gives other answers: the details have the worst rows. Or a model raises on rows that it must
        answer. The message quotes no row, since the snapshot of a model that is served natively instead notes it.
    """
    answer = getattr(translated, translated.form["method"])
    counts, unequal = Counter[str](), Counter[str]()
    worst: list[UnequalRow] = []
    absolute = relative = 0.0
    flips, labelled, needed = 0, False, False
    for origin, table in tables.items():
        for rows, expected in _answered(original, table, origin, redact):
            with _quoting(redact, f"the translated model cannot answer {origin} rows"):
                found = np.asarray(answer(rows))
            counted = _drawn(original, rows, expected, found) if draws else expected
            result = compared(counted, found, tolerance, accepted)
            needed = needed or result.accepted
            absolute = max(absolute, result.largest if origin != "beyond" else 0.0)
            relative = max(relative, result.largest_relative)
            labelled = labelled or result.differences is None or (expected.ndim == 2 and expected.shape[1] > 1)
            flips += int(result.flips.sum())
            counts[origin] += len(rows)
            unequal[origin] += int(result.wrong.sum())
            worst = heapq.nlargest(
                _KEPT, [*worst, *_worst(rows, expected, found, result, origin)], key=lambda row: row.rank
            )
    total = counts.total()
    share = share_of_flips(flips, total)
    if worst:
        words = (
            f"labels flip in {flips:,} ({_percent(share.low)} to {_percent(share.high)} of rows like these, at 95 %)"
        )
        raise _unequal(+unequal, total, words if labelled else "", _remedy(worst[0]), table_of(worst, redact))
    return Translation(
        converter=converter,
        rows=dict(counts),
        largest_difference=absolute,
        largest_relative_difference=relative,
        flips_at_most=share.high,
        accepted_difference=accepted if needed else 0.0,
    )


def _answered(
    original: Callable[[Any], Any], table: Any, origin: str, redact: Sequence[str]
) -> Iterator[tuple[Any, Any]]:
    """Yield chunks of the rows that the original answers, with the answers."""
    for begin in range(0, len(table), _CHUNK):
        rows = table[begin : begin + _CHUNK]
        if origin in ("example", "training"):
            with _quoting(redact, f"the model itself raises on {origin} rows, so no translation can be compared"):
                expected = np.asarray(original(rows))
            yield rows, expected
            continue
        try:
            expected = np.asarray(original(rows))
        except Exception:  # noqa: BLE001 - the original may raise anything
            if origin not in ("category", "missing", "words"):
                continue
            rows, expected = _one_by_one(original, rows)
        if len(rows):
            yield rows, expected


def _drawn(original: Callable[[Any], Any], table: Any, expected: Any, found: Any) -> Any:
    """Return the original's labels, and the translation's where the original has drawn that one, too."""
    expected = np.array(expected, object)
    for _ in range(_DRAWS):
        open_ = np.flatnonzero(expected != found)
        if not len(open_):
            break
        again = np.array(original(table.iloc[open_]), object)
        same = again == found[open_]
        expected[open_[same]] = again[same]
    return expected


def _one_by_one(original: Callable[[Any], Any], table: Any) -> tuple[Any, Any]:
    """Return the rows that the original answers one by one, and the answers."""
    rows, answers = [], []
    for row in range(len(table)):
        with contextlib.suppress(Exception):
            answers.append(np.asarray(original(table[row : row + 1])))
            rows.append(row)
    return taken(table, rows), np.concatenate(answers) if answers else np.empty(0)


@contextlib.contextmanager
def _quoting(redact: Sequence[str], message: str) -> Iterator[None]:
    """Turn an error of a model into NotTranslated; its words may quote values, so that redacted columns hide them."""
    try:
        yield
    except Exception as error:
        if redact:
            raise NotTranslated(f"{message}: {type(error).__name__}", REMEDY) from None
        words = " ".join(str(error).split())[:200]
        raise NotTranslated(f"{message}: {type(error).__name__}", REMEDY, f"  {words}") from error


def _worst(rows: Any, expected: Any, found: Any, result: Compared, origin: str) -> list[UnequalRow]:
    """Return the worst unequal rows of a chunk: flips, then by their difference."""
    if result.differences is None:
        distances = (expected != found).astype(float)
    else:
        missing = np.isnan(expected) != np.isnan(found)
        distances = np.nan_to_num(np.where(missing, np.inf, result.differences), nan=0.0, posinf=np.inf)
    distances, answers, theirs = (values.reshape(len(rows), -1) for values in (distances, expected, found))
    positions, farthest = distances.argmax(axis=1), distances.max(axis=1)
    places = np.flatnonzero(result.wrong)
    order = np.lexsort((farthest[places], result.flips[places]))[::-1]
    return [
        UnequalRow(
            origin=origin,
            inputs=_inputs(rows, row),
            original=answers[row, positions[row]],
            translated=theirs[row, positions[row]],
            position=None if answers.shape[1] == 1 else int(positions[row]),
            difference=None if result.differences is None else float(farthest[row]),
            flip=bool(result.flips[row]),
        )
        for row in places[order[:_KEPT]].tolist()
    ]


def _inputs(rows: Any, row: int) -> dict[Any, Any]:
    """Return the values of a row by column; each with its own type, as a table's row as a whole has one for all."""
    if hasattr(rows, "columns"):
        return {str(name): rows.iat[row, place] for place, name in enumerate(rows.columns)}
    return dict(enumerate(np.ravel(rows[row]).tolist()))


def _per_row(values: Any) -> Any:
    return values.reshape(len(values), -1).any(axis=1)


def _flipped(expected: Any, found: Any) -> Any:
    """Whether the most likely class of a row differs by more than a tie."""
    if expected.ndim != 2 or expected.shape[1] < 2:
        return np.zeros(len(expected), bool)
    best = expected.argmax(axis=1)
    rows = np.arange(len(expected))
    tie = 1e-12 if expected.dtype == np.float64 else 1e-6
    return found[rows, best] < found.max(axis=1) - tie


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %"


def _remedy(worst: UnequalRow) -> str:
    """Return what a user may do; a difference of numbers alone can be accepted."""
    if worst.flip or worst.difference is None or not np.isfinite(worst.difference):
        return REMEDY
    least = np.format_float_positional(_rounded_up(worst.difference), trim="-")
    largest = f"{worst.difference:.2g}"
    return f"{REMEDY}; or accept the differences, the largest is {largest}: --accepted-difference {least}"


def _rounded_up(number: float) -> float:
    """Return a number with two digits that is not smaller."""
    unit = 10.0 ** (np.floor(np.log10(number)) - 1)
    return float(f"{np.ceil(number / unit) * unit:.2g}")


def _unequal(unequal: Mapping[str, int], total: int, flips: str, remedy: str, table: str) -> NotTranslated:
    origins = ", ".join(f"{count:,} {origin}" for origin, count in unequal.items())
    count = sum(unequal.values())
    return NotTranslated(
        f"the translated model answers {count:,} of {total:,} rows otherwise than the original ({origins})"
        f"{f'; {flips}' if flips else ''}",
        remedy,
        f"  the worst {_KEPT} of them:\n{table}" if count > _KEPT else table,
    )
