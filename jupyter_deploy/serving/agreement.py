"""Comparison of two lists of answers: plain JSON values, standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def differences(
    expected: list[Any], got: list[Any], *, rtol: float = 0.0, atol: float = 0.0, limit: int = 10
) -> list[str]:
    """List the differences between ``got`` and ``expected``, one line for each; empty if they agree.

    Labels, strings, booleans and integers must be equal; ``1`` and ``1.0`` are the same number. If a value is a float,
    ``|expected - got| <= atol + rtol * |expected|`` must hold. The list has at most ``limit`` differences and a last
    line with the number of the others.
    """
    if len(expected) != len(got):
        return [f"expected {len(expected)} answers, got {len(got)}"]
    lines: list[str] = []
    more = 0
    for row, (one, other) in enumerate(zip(expected, got, strict=True)):
        for difference in _value_differences(one, other, f"row {row}", rtol, atol):
            if len(lines) < limit:
                lines.append(difference)
            else:
                more += 1
    return [*lines, f"… and {more} more differences"] if more else lines


def structure_differences(expected: list[Any], got: list[Any]) -> list[str]:
    """List the differences in length, JSON type and nesting between ``got`` and ``expected``; values are ignored."""
    if len(expected) != len(got):
        return [f"expected {len(expected)} answers, got {len(got)}"]
    lines: list[str] = []
    for row, (one, other) in enumerate(zip(expected, got, strict=True)):
        lines.extend(_type_differences(one, other, f"row {row}"))
    return lines


def _value_differences(expected: Any, got: Any, path: str, rtol: float, atol: float) -> Iterator[str]:
    if _type(expected) != _type(got):
        yield f"{path}: expected {_short(expected)}, got {_short(got)}"
    elif isinstance(expected, dict):
        yield from _keys(expected, got, path)
        for key in expected.keys() & got.keys():
            yield from _value_differences(expected[key], got[key], f"{path}, '{key}'", rtol, atol)
    elif isinstance(expected, list):
        if len(expected) != len(got):
            yield f"{path}: expected {len(expected)} items, got {len(got)}"
            return
        for position, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _value_differences(one, other, f"{path}[{position}]", rtol, atol)
    elif expected != got and not _close(expected, got, rtol, atol):
        yield f"{path}: expected {_short(expected)}, got {_short(got)}"


def _close(expected: Any, got: Any, rtol: float, atol: float) -> bool:
    if not (isinstance(expected, float) or isinstance(got, float)) or _type(expected) != "number":
        return False
    return bool(abs(expected - got) <= atol + rtol * abs(expected))


def _type_differences(expected: Any, got: Any, path: str) -> Iterator[str]:
    if _type(expected) != _type(got):
        yield f"{path}: expected {_a(expected)}, got {_a(got)}"
    elif isinstance(expected, dict):
        yield from _keys(expected, got, path)
        for key in expected.keys() & got.keys():
            yield from _type_differences(expected[key], got[key], f"{path}, '{key}'")
    elif isinstance(expected, list):
        if len(expected) != len(got):
            yield f"{path}: expected {len(expected)} items, got {len(got)}"
            return
        for position, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _type_differences(one, other, f"{path}[{position}]")


def _keys(expected: dict[str, Any], got: dict[str, Any], path: str) -> Iterator[str]:
    if missing := sorted(expected.keys() - got.keys()):
        yield f"{path}: missing {', '.join(map(repr, missing))}"
    if unknown := sorted(got.keys() - expected.keys()):
        yield f"{path}: unexpected {', '.join(map(repr, unknown))}"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):  # before numbers: Python's booleans are integers
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


def _a(value: Any) -> str:
    return {"null": "null", "object": "an object"}.get(_type(value), f"a {_type(value)}")


def _short(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def tolerance_of(manifest: dict[str, Any]) -> tuple[float, float]:
    """Return ``(rtol, atol)`` for the dtype of the answers, from the manifest's ``tolerance``."""
    size = "float32" if manifest["signature"]["answer_dtype"] in ("float16", "bfloat16", "float32") else "float64"
    tolerance = manifest["tolerance"]
    return tolerance[f"{size}_rtol"], tolerance[f"{size}_atol"]


def tolerance_of_expected(manifest: dict[str, Any]) -> tuple[float, float]:
    """Return ``(rtol, atol)`` of answers against the notebook's: a translation may have an accepted difference."""
    rtol, atol = tolerance_of(manifest)
    return rtol, max(atol, (manifest.get("translation") or {}).get("accepted_difference", 0.0))


DIFFERS = "does not answer its example as the notebook did"
"""The predicate of a failed start whose subject is the snapshot's tag."""


def faults(manifest: dict[str, Any], got: list[Any]) -> list[str]:
    """Compare the answers to a snapshot's example with the notebook's; of a stochastic model only the structure."""
    if manifest.get("stochastic"):
        return structure_differences(manifest["predictions"], got)
    rtol, atol = tolerance_of_expected(manifest)
    return differences(manifest["predictions"], got, rtol=rtol, atol=atol)
