"""The options of comparisons: kept with the endpoint (``traffic``), or for one look (``compare``)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .parsing import KeptAbsoluteTolerance, KeptTolerance, Segments, Tolerance

Kept = Annotated[
    KeptTolerance | None,
    Field(description="Comparisons take numbers as equal within this share of stable's, such as 1%; default: 1e-6."),
]
KeptAbsolute = Annotated[
    KeptAbsoluteTolerance | None,
    Field(description="Comparisons take numbers as equal within this difference, in the answers' unit; default: 1e-9."),
]
KeptSegments = Annotated[
    Segments,
    Field(
        description="Comparisons have figures by the values of this column, 'region', or by bins of it, "
        "'age: <30, 30-60, >=60' (repeatable; replaces the present ones; none: remove all)."
    ),
]
ForOneLook = Annotated[
    Tolerance | None,
    Field(
        description="Numbers agree within this share of stable's, such as 1% or 0.01 (default: the endpoint's, else "
        "1e-6)."
    ),
]
AbsoluteForOneLook = Annotated[
    float | None,
    Field(
        ge=0,
        allow_inf_nan=False,
        description="Numbers agree within this difference too, in the answers' unit (default: the endpoint's, else "
        "1e-9).",
    ),
]
SegmentsForOneLook = Annotated[
    Segments,
    Field(
        description="Figures by the values of this column, or by bins of it, for this look only (repeatable; default: "
        "the endpoint's segments, which 'traffic --segment' declares)."
    ),
]
