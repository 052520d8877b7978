"""Static analysis of a notebook's executed cells: their statements, and each one's reads, bindings and changes."""

from .effects import Call, Effects, effects_of
from .names import called_by, loads, names_of, now, root, stored
from .provenance import cells_behind
from .statements import Statement, statements_in, statements_of, statements_run

__all__ = [
    "Call",
    "Effects",
    "Statement",
    "called_by",
    "cells_behind",
    "effects_of",
    "loads",
    "names_of",
    "now",
    "root",
    "statements_in",
    "statements_of",
    "statements_run",
    "stored",
]
