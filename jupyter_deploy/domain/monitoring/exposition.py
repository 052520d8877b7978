"""Prometheus' text format, version 0.0.4: the metrics of several processes as one exposition. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NUMBER = r"[-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|\.\d+|Inf|NaN)"
_SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{(.*)\}})? +({_NUMBER}(?: -?\d+)?)")
_LABEL = re.compile(r"(?:^|,)([a-zA-Z_][a-zA-Z0-9_]*)=\"")
_PARTS = ("", "_bucket", "_sum", "_count")

_OMITTED = re.compile(r"bentoml_|python_|.*_created$")
"""Families that are of the server or the interpreter, not of the model, and the times at which counters began."""

Labels = Mapping[str, str]


@dataclass
class _Family:
    kind: str = "untyped"
    help: str = ""
    samples: list[str] = field(default_factory=list)


class Exposition:
    """Collects samples by family, as the format demands: the samples of a name are together, after its type."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}

    def add(self, name: str, kind: str, help_: str, samples: Sequence[tuple[Labels, float]]) -> None:
        """Add samples of a family."""
        family = self._family(name)
        family.kind, family.help = kind, help_
        family.samples += [f"{name}{_braced(_joined(labels))} {_number(value)}" for labels, value in samples]

    def add_text(self, text: str, labels: Labels) -> None:
        """Add an exposition; ``labels`` are added to each sample that does not have a label of the name.

        Lines that are no samples are left out, so that one process cannot spoil the metrics of all.
        """
        current = ""
        for line in text.splitlines():
            if line.startswith("#"):
                words = line.split(None, 3)
                if len(words) >= 3 and words[1] in ("HELP", "TYPE") and not _OMITTED.match(words[2]):
                    current = words[2]
                    self._describe(words)
                continue
            sample = _SAMPLE.fullmatch(line.strip())
            if sample is None or _OMITTED.match(sample[1]):
                continue
            name, own, value = sample.groups()
            family = current if name in {current + part for part in _PARTS} else name
            known = set(_LABEL.findall(own or ""))
            added = _joined({label: each for label, each in labels.items() if label not in known})
            both = ",".join(part for part in (added, (own or "").rstrip(",")) if part)
            self._family(family).samples.append(f"{name}{_braced(both)} {value}")

    def text(self) -> str:
        """Return the exposition."""
        lines = []
        for name, family in sorted(self._families.items()):
            if family.samples:
                words = [f"# HELP {name} {family.help}"] if family.help else []
                lines += [*words, f"# TYPE {name} {family.kind}", *family.samples]
        return "\n".join(lines) + "\n" if lines else ""

    def _family(self, name: str) -> _Family:
        return self._families.setdefault(name, _Family())

    def _describe(self, words: Sequence[str]) -> None:
        family, rest = self._family(words[2]), words[3] if len(words) > 3 else ""
        if words[1] == "HELP":
            family.help = rest
        else:
            family.kind = rest


def _joined(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _braced(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return repr(float(value)).replace("inf", "Inf").replace("nan", "NaN")
