"""The desired state of an endpoint's batches by schedule. Pure."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from jupyter_deploy.domain.base import FilePath, Value
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.validation.parameters import Texts

from .schedule import check_schedule

# pydantic warns of a field with the name of a deprecated method.
warnings.filterwarnings("ignore", 'Field name "validate" in "BatchSpec" shadows', UserWarning)

_URL = re.compile(r"[a-z][a-z0-9+.-]*://")


def check_allowed_errors(given: Any) -> Any:
    """Check ``10`` (rows) or ``1%`` (of the rows); it stays a text.

    Raises
    ------
    InvalidInput
        The text is neither.
    """
    text = str(given).strip()
    try:
        valid = 0 <= float(text[:-1]) <= 100 if text.endswith("%") else int(text) >= 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInput(
            f"'{given}' is no number of refused rows", "write a number of rows, such as 10, or a share: 1%"
        )
    return text


def allows(most: str, refused: int, rows: int) -> bool:
    """Return whether so many refused rows of so many are within ``10`` (rows) or ``1%``."""
    return refused <= (float(most[:-1]) / 100 * rows if most.endswith("%") else int(most))


SOURCE = (
    "Files to read: a path, a folder, a pattern such as 'data/day=*/*.parquet', or a URL (s3://…, gs://…). Parquet, "
    "CSV, JSON lines and Arrow, by the end of the name."
)
SINK = "Folder of the answers, a path or a URL. What is scored there already stays."
SCHEDULE = (
    "Run at the moments of a cron expression, such as '0 3 * * *': each night at 3, in this machine's time; in a "
    "cluster, in UTC."
)

Keep = Annotated[
    tuple[str, ...],
    Field(description="A column of the source that goes along with the answers, such as an id (repeatable)."),
]
Format = Annotated[Literal["parquet", "csv", "jsonl", "arrow"], Field(description="Format of the answers.")]
Workers = Annotated[int | None, Field(ge=1, le=64, description="Processes (default: one a processor).")]
Pods = Annotated[
    int,
    Field(ge=1, le=100, description="In a cluster: the pods that score at the same time, each a share of the files."),
]
MaxErrors = Annotated[
    str,
    BeforeValidator(check_allowed_errors),
    Field(description="Refused rows up to which the exit code is 0: a number, or a share such as 1%."),
]

Role = Annotated[
    Literal["stable", "shadow"],
    Field(description="shadow: each shadow answers the rows too, into SINK/_shadow/VERSION, and 'compare' sees both."),
]

Notebooks = Annotated[
    Texts,
    FilePath(),
    Field(
        description="A validation notebook that judges the answers of each complete run (repeatable); its parameter "
        "'sink' is their folder."
    ),
]
Gates = Annotated[
    Texts, Field(description="A condition on the notebooks' metrics, such as 'share_of_yes <= 0.3' (repeatable).")
]


class BatchSpec(Value):
    """The batches of an endpoint by schedule: what is read, where the answers go, when; a part of its document too."""

    source: str = Field(description=SOURCE)
    sink: str = Field(description=SINK)
    schedule: str = Field(description=SCHEDULE)
    keep: Keep = ()
    format: Format = "parquet"
    workers: Workers = None
    pods: Pods = 1
    max_errors: MaxErrors = "0"
    role: Role = "stable"
    validate: Notebooks = ()  # type: ignore[assignment]
    gate: Gates = ()

    @property
    def words(self) -> str:
        """The batches in short: ``data → scores at '0 3 * * *', judged by checks.ipynb: accuracy >= 0.9``."""
        gates = f": {', '.join(self.gate)}" if self.gate else ""
        judged = f", judged by {', '.join(Path(one).name for one in self.validate)}{gates}" if self.validate else ""
        return f"{self.source} → {self.sink} at '{self.schedule}'{judged}"

    def checked(self) -> BatchSpec:
        """Return it with a plain schedule.

        Raises
        ------
        InvalidInput
            The schedule is no cron expression, or a place is relative: the run has no working directory.
        """
        for option, place in (("source", self.source), ("sink", self.sink)):
            if not is_absolute(place):
                raise InvalidInput(f"the batch's {option} '{place}' is not absolute", "write the whole path, or a URL")
        return self.model_copy(update={"schedule": check_schedule(self.schedule)})

    def within(self, folder: Path) -> BatchSpec:
        """Return it with relative places, and notebooks, as those of a folder."""

        def whole(place: str) -> str:
            return place if is_absolute(place) else str(folder / place)

        places = {"source": whole(self.source), "sink": whole(self.sink)}
        return self.model_copy(update={**places, "validate": tuple(map(whole, self.validate))})


def is_absolute(place: str) -> bool:
    """Return whether a place is a URL, or a path that needs no working directory."""
    return bool(_URL.match(place)) or Path(place).is_absolute()
