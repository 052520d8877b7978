"""The form of structured answers in a sample of rows: texts, lists, images, probabilities. Pure."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median
from typing import Any, NamedTuple

from .answer_differences import AnswerShape, CalibrationBin
from .answer_fields import MOST_FIELDS, is_probabilities, members

BINS = 10
_DEEPEST = 4
_LABELS = 20
"""Up to so many distinct short texts are labels, which the shares of answers describe."""
_LONG = 200
_PNG = "iVBORw0KGgo"
_OTHER_IMAGES = ("/9j/", "SUkqA", "TU0AK", "R0lGOD")  # JPEG, TIFF of both byte orders, GIF
_PNG_HEAD = 44
"""Base64 characters of PNG's signature and of the chunk with width and height."""


class _Value(NamedTuple):
    """One field of one row: its path, its kind, and both values."""

    path: str
    kind: str
    stable: Any
    candidate: Any


def shapes(rows: Iterable[tuple[Any, Any]]) -> list[AnswerShape]:
    """Describe the fields of sampled answers (stable's, the candidate's), at most ``MOST_FIELDS``."""
    by_field: dict[tuple[str, str], list[_Value]] = {}
    for stable, candidate in rows:
        for value in _values(stable, candidate, ""):
            by_field.setdefault((value.path, value.kind), []).append(value)
    described = (_shape(path, kind, values) for (path, kind), values in by_field.items())
    return [shape for shape in described if shape is not None][:MOST_FIELDS]


def calibration(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[CalibrationBin]:
    """Bin rows by stable's probability of a class, and return both releases' mean probabilities of it.

    The class is stable's most likely one, of two classes the second: a reliability diagram (DeGroot and Fienberg 1983,
    The comparison and evaluation of forecasters, The Statistician 32, 12-22) with stable in the place of the truth.
    """
    binned: dict[int, list[tuple[float, float]]] = {}
    for stable, candidate in pairs:
        place = 1 if len(stable) == 2 else max(range(len(stable)), key=stable.__getitem__)
        if place < len(candidate):
            binned.setdefault(min(int(stable[place] * BINS), BINS - 1), []).append((stable[place], candidate[place]))
    return [
        CalibrationBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            rows=len(found),
            stable=fmean(one for one, _ in found),
            candidate=fmean(other for _, other in found),
        )
        for number, found in sorted(binned.items())
    ]


def png_size(text: str) -> tuple[int, int] | None:
    """Return width and height in pixels of a PNG in base64; None: it is none."""
    if not text.startswith(_PNG):
        return None
    try:
        head = base64.b64decode(text[:_PNG_HEAD], validate=True)
        width, height = struct.unpack(">II", head[16:24])
    except (binascii.Error, struct.error):
        return None
    return width, height


def _values(stable: Any, candidate: Any, path: str, depth: int = 0) -> Iterator[_Value]:
    kind = _kind(stable, candidate)
    if kind:
        yield _Value(path, kind, stable, candidate)
    elif isinstance(stable, dict) and isinstance(candidate, dict) and depth < _DEEPEST:
        for key in stable:
            if key in candidate:
                inner = f"{path}.{key}" if path else key
                yield from _values(stable[key], candidate[key], inner, depth + 1)


def _kind(stable: Any, candidate: Any) -> str:
    if is_probabilities(stable) and is_probabilities(candidate):
        return "probabilities"
    if isinstance(stable, list) and isinstance(candidate, list):
        # A vector of floats has positions, which are fields; overlap says nothing about floats.
        return "" if any(isinstance(value, float) for value in (*stable, *candidate)) else "list"
    if isinstance(stable, str) and isinstance(candidate, str):
        return "image" if _is_image(stable) and _is_image(candidate) else "text"
    return ""


def _is_image(text: str) -> bool:
    return len(text) > _PNG_HEAD and text.startswith((_PNG, *_OTHER_IMAGES))


def _shape(path: str, kind: str, values: list[_Value]) -> AnswerShape | None:
    stable, candidate = [value.stable for value in values], [value.candidate for value in values]
    if kind == "probabilities":
        pairs = [_vectors(value) for value in values]
        return AnswerShape(field=path, kind="probabilities", rows=len(values), calibration=calibration(pairs))
    if kind == "list":
        return AnswerShape(
            field=path,
            kind="list",
            rows=len(values),
            stable=_lengths(stable),
            candidate=_lengths(candidate),
            overlap=fmean(_overlap(value.stable, value.candidate) for value in values),
        )
    exact = fmean(value.stable == value.candidate for value in values)
    if kind == "image":
        return AnswerShape(
            field=path,
            kind="image",
            rows=len(values),
            stable=_sizes(stable),
            candidate=_sizes(candidate),
            exact=exact,
        )
    texts = {*stable, *candidate}
    if len(texts) <= _LABELS and max(map(len, texts)) <= _LONG:
        return None
    lengths = _lengths(stable), _lengths(candidate)
    return AnswerShape(field=path, kind="text", rows=len(values), stable=lengths[0], candidate=lengths[1], exact=exact)


def _vectors(value: _Value) -> tuple[list[float], list[float]]:
    if isinstance(value.stable, dict):
        return list(value.stable.values()), [value.candidate.get(key, 0.0) for key in value.stable]
    return value.stable, value.candidate


def _lengths(values: Sequence[Any]) -> dict[str, float]:
    lengths = [len(value) for value in values]
    return {"p50": median(lengths), "max": max(lengths)}


def _sizes(texts: Sequence[str]) -> dict[str, float]:
    sizes = [size for text in texts if (size := png_size(text))]
    if not sizes:
        return {}
    return {"width": median(width for width, _ in sizes), "height": median(height for _, height in sizes)}


def _overlap(stable: list[Any], candidate: list[Any]) -> float:
    one, other = members(stable), members(candidate)
    return len(one & other) / len(one | other) if one | other else 1.0
