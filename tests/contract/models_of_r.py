"""Models that people fit in R, in ``models_of_r.R``, and those that are translated, in ``translated_models_of_r.R``."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fit:
    """A model of the table; ``package`` is the one that fits it, ``training`` its table, if its call names none."""

    package: str
    kind: str
    model: str
    example: str
    type: str | None = None
    training: str | None = None
    cells: str = ""


def _read(name):
    for part in Path(__file__).with_name(name).read_text("utf-8").split("#| ")[1:]:
        head, _, cells = part.partition("\n")
        fields = [field.strip() or None for field in head.split("|")]
        yield Fit(*fields, cells=cells.strip())


FITS = tuple(_read("models_of_r.R"))
TRANSLATED = tuple(_read("translated_models_of_r.R"))
