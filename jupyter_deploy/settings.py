"""The settings: ``NBDEPLOY_<NAME>`` in the environment and ``nbdeploy.yaml``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from .domain.bucket import parse_bucket
from .domain.capture.artifacts import Tolerance
from .domain.errors import InvalidInput
from .domain.images.cran import parse_mirror
from .domain.images.images import Reference, as_source
from .domain.monitoring.destination import parse_address, parse_destination, parse_mail_server
from .domain.monitoring.quiet_hours import parse_quiet_hours
from .domain.parsing import Duration
from .domain.release.ports import TargetSettings
from .domain.release.resources import Resources
from .domain.secret_references import SecretOptions
from .domain.validation.parameters import Texts
from .domain.validation.validation import ValidationSpec
from .system.folder_agreements import content_digest, is_agreed
from .system.home import default_home
from .system.setting_sources import environment_values, file_values, merged, values_in
from .targets.registry import target_settings

# pydantic warns of a field that has the name of its deprecated method ``validate``.
warnings.filterwarnings("ignore", 'Field name "validate" in "Settings" shadows', UserWarning)

S = TypeVar("S", bound=TargetSettings)

_PREFIX = "NBDEPLOY_"
_FILE = "nbdeploy.yaml"


def _declared_by_targets() -> set[str]:
    return {name for declared in target_settings().values() for name in declared.declared()}


def _parsable(value: str | None, parse: Callable[[str], object]) -> str | None:
    """The setting as written, if it can be parsed."""
    try:
        if value is not None:
            parse(value)
    except InvalidInput as error:
        raise ValueError(f"{error.message}: {error.remedy}") from error
    return value


OF_THE_USER = {
    "notify": parse_destination,
    "notify_email": parse_address,
    "notify_smtp": parse_mail_server,
    "notify_quiet": parse_quiet_hours,
}
"""The settings of notifications, each with its parser: from the environment alone, and never shown to others."""


def _without_notify(values: dict[str, Any]) -> dict[str, Any]:
    """The settings of a folder's file. Raises ValueError if they have one of ``OF_THE_USER``."""
    for name in OF_THE_USER:
        if name in values:
            raise ValueError(
                f"{name} is not read from nbdeploy.yaml, since the author of the file would run commands as you or "
                f"read your notifications: remove it there, and set NBDEPLOY_{name.upper()} in your environment"
            )
    return values


class Settings(BaseModel):
    """Every setting: ``NBDEPLOY_<NAME>`` in the environment, else ``nbdeploy.yaml`` in the working directory."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    home: Path = Field(
        default_factory=default_home,
        description="State, records and logs.",
    )
    bentoml_home: Path = Field(
        default_factory=lambda: Path.home() / "bentoml",
        validation_alias="BENTOML_HOME",
        description="BentoML's home, as BentoML itself finds it.",
    )
    resources: Resources = Field(
        default=Resources(),
        description="Resources of a release if its deploy names none: cpu, memory, gpu, workers, threads, idle_after, "
        "replicas; in the environment `NBDEPLOY_RESOURCES__WORKERS=4`, in nbdeploy.yaml `resources: {workers: 4, "
        "memory: 2GB}`.",
    )
    cost: float | None = Field(
        default=None,
        gt=0,
        description="The price of a core-hour, such as 0.05: the table of `candidates` then has the cost of a million "
        "predictions.",
    )
    keep_revisions: int = Field(
        default=3, ge=0, description="Revisions for which a release without traffic is kept warm."
    )
    standby: bool = Field(
        default=True,
        description="After a deploy from a notebook, spare processes with the libraries imported wait ten minutes for "
        "the next deploy, which then takes a fraction of the time; they use the libraries' memory.",
    )
    replay_timeout: float = Field(default=300.0, gt=0, description="Seconds that the clean-process replay may take.")
    reconcile_at_server_start: bool = Field(
        default=True,
        description="A starting Jupyter server brings back the releases of before a stop of its machine or container.",
    )
    records_max_bytes: int = Field(
        default=2 * 1024**3,
        ge=1024**2,
        description="Size of an endpoint's records, beyond which the oldest are removed.",
    )
    records_max_age: Duration | None = Field(
        default=None, description="Age of records, such as 30d or 12h, beyond which they are removed (default: never)."
    )
    records_to: str | None = Field(
        default=None,
        description="Bucket to which releases' records are uploaded, and from which they are read: s3://BUCKET/PATH, "
        "gs://…, az://…, or file:///PATH for a shared folder.",
    )
    tolerance: Tolerance = Field(default=Tolerance(), description="Tolerance for floating-point answers.")
    validate: tuple[ValidationSpec, ...] = Field(  # type: ignore[assignment]  # an old name of pydantic's own
        default=(),
        description="In nbdeploy.yaml: the validations of 'nbdeploy validate', a list of {notebook, parameters, "
        "matrix, gates, traffic}.",
    )
    redact: Texts = Field(
        default=(), description="In nbdeploy.yaml: columns whose values a release never records, a list."
    )

    secrets: SecretOptions = Field(
        default={},
        description="In nbdeploy.yaml: the secrets of a release, such as {DB_URL: env:PROD_DB}; see 'deploy --secret'.",
    )

    notify: str | None = Field(
        default=None,
        description="A webhook's URL, or a command that reads JSON from its input: gets the notifications of ramps, "
        "drift and quality alarms, and failed jobs. From the environment alone (`NBDEPLOY_NOTIFY`), never from "
        "nbdeploy.yaml; so are the next three.",
    )
    notify_email: str | None = Field(default=None, description="An e-mail address that gets the same notifications.")
    notify_smtp: str | None = Field(
        default=None,
        description="The mail server, smtp://HOST:PORT or smtps://USER:PASSWORD@HOST (default: smtp://localhost).",
    )
    notify_quiet: str | None = Field(
        default=None,
        description="Hours of the day without notifications, such as 22:00-07:00 in local time: they are sent after "
        "them.",
    )
    ramp_every: float = Field(
        default=15.0, gt=0, description="Seconds between two looks of a ramp's driver at the evidence."
    )

    base_image: str | None = Field(
        default=None,
        description="Base image of published images, by digest, such as HOST/PATH@sha256:…: a distribution with the "
        "notebook's minor version of Python (default: that of the last publication, else python:X.Y-slim).",
    )
    cran_mirror: str | None = Field(
        default=None,
        description="Folder or address of sources of R's packages in CRAN's layout (it has src/contrib/PACKAGES): an "
        "image's packages that its distribution lacks are built from there.",
    )
    publish_to: str | None = Field(
        default=None,
        description="Destination of `nbdeploy publish`: HOST/PATH, with `{name}` for the endpoint's name.",
    )
    sign_key: Path | None = Field(
        default=None, description="File of a private key of cosign, with which published images are signed."
    )

    verify_key: Path | None = Field(
        default=None,
        description="File of a public key of cosign: `deploy --image` refuses an image that its owner did not sign, or "
        "that `nbdeploy verify` does not pass.",
    )

    @field_validator("records_to")
    @classmethod
    def _is_bucket(cls, value: str | None) -> str | None:
        return _parsable(value or None, parse_bucket)

    @field_validator(*OF_THE_USER)
    @classmethod
    def _is_of_notifications(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _parsable(value or None, OF_THE_USER[str(info.field_name)])

    @field_validator("base_image")
    @classmethod
    def _is_image(cls, value: str | None) -> str | None:
        return _parsable(value, as_source)

    @field_validator("cran_mirror")
    @classmethod
    def _is_mirror(cls, value: str | None) -> str | None:
        return _parsable(value or None, parse_mirror)

    @field_validator("publish_to")
    @classmethod
    def _is_reference(cls, value: str | None) -> str | None:
        return _parsable(value, lambda text: Reference.parse(text.replace("{name}", "name")))

    def __init__(self, **given: Any) -> None:
        environment = environment_values(type(self).model_fields, _PREFIX)
        super().__init__(**merged(self._own_values(), environment, given))

    @classmethod
    def _own_values(cls) -> dict[str, Any]:
        """The core's settings in the file: without those that an installed target declares."""
        values = _without_notify(cls._file_values())
        unknown = values.keys() - cls.model_fields.keys()
        return {name: value for name, value in values.items() if not (unknown and name in _declared_by_targets())}

    @classmethod
    def _file_values(cls) -> dict[str, Any]:
        """All settings of ``nbdeploy.yaml`` in the working directory."""
        return file_values(Path(_FILE))

    def for_target(self, declared: type[S], **parts: Any) -> S:
        """The settings that a target declares, from the same environment and file; ``parts`` are its other fields.

        Raises
        ------
        InvalidInput
            A setting is wrong; the message names it.
        """
        with _explained():
            values = merged(self._file_values(), environment_values(declared.model_fields, _PREFIX))
            made = {name: value for name, value in values.items() if name in declared.declared()}
            homes = {
                "home": self.home.expanduser().absolute(),
                "bentoml_home": self.bentoml_home.expanduser().absolute(),
            }
            return declared.model_validate(made | homes | parts)

    def require_targets(self) -> None:
        """Raise InvalidInput if a setting of a target is wrong; loads no target if none is made."""
        variables = {name.upper() for name in os.environ}
        names = {name.removeprefix(_PREFIX).lower() for name in variables if name.startswith(_PREFIX)}
        names |= self._file_values().keys()
        if names - type(self).model_fields.keys():
            for declared in target_settings().values():
                self.for_target(declared)


_REQUIRED = ("validate", "tolerance", "redact", "resources")
"""Settings of requirements of a model, its records and its resources. The others name folders, hosts and programs."""

_OF_THE_SERVER = ("home", "bentoml_home", "BENTOML_HOME")
"""Settings that a job never reads from a file: it works in the home of its server."""


@dataclass(frozen=True)
class FolderSettings:
    """The settings of a notebook's folder, for a job, which a click started and not a command in that folder.

    The file may come with a notebook from anywhere. So `_REQUIRED` applies at once, since a model would be held to less
    without it; the others apply after the user's agreement to this content, since they name hosts and programs.

    Attributes
    ----------
    digest
        The SHA-256 of the file's content.
    values
        All settings in the file.
    agreed
        The user agreed to this content.
    """

    path: Path
    digest: str
    values: dict[str, Any]
    agreed: bool

    @property
    def with_agreement(self) -> dict[str, Any]:
        """The settings that apply only after the user's agreement."""
        never = (*_REQUIRED, *_OF_THE_SERVER)
        return {name: value for name, value in self.values.items() if name not in never}

    @property
    def applied(self) -> dict[str, Any]:
        """The settings that apply now."""
        required = {name: value for name, value in self.values.items() if name in _REQUIRED}
        return required | self.with_agreement if self.agreed else required


def read_folder_settings(folder: Path, home: Path | None = None) -> FolderSettings | None:
    """Read the ``nbdeploy.yaml`` of a notebook's folder, with the user's agreement in this home; None: there is none.

    Raises
    ------
    InvalidInput
        It cannot be read, or it names ``notify``.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    with _explained():
        content = path.read_bytes()  # once: the agreement is to what applies
        digest = content_digest(content)
        agreed = home is not None and is_agreed(home, folder, digest)
        return FolderSettings(path, digest, _without_notify(values_in(content, path)), agreed)


def _for_notebook(found: FolderSettings | None) -> type[Settings]:
    """Settings of the environment and of a notebook's folder."""

    class NotebookSettings(Settings):
        @classmethod
        def _file_values(cls) -> dict[str, Any]:
            return found.applied if found else {}

    return NotebookSettings


def load_settings(notebook_folder: Path | None = None, *, home: Path | None = None) -> Settings:
    """The settings of the environment and ``nbdeploy.yaml``.

    Parameters
    ----------
    notebook_folder : Path, optional
        A notebook's folder, whose file counts as `FolderSettings` says (default: all of the working directory's file).
    home : Path, optional
        The home with the user's agreements (default: none is agreed).

    Raises
    ------
    InvalidInput
        A setting is unknown or wrong; the message names it.
    """
    found = read_folder_settings(notebook_folder, home) if notebook_folder else None
    with _explained():
        settings = _for_notebook(found)() if notebook_folder else Settings()
    settings.require_targets()
    _require_encoding(settings.home, settings.bentoml_home, Path.cwd())
    return settings


def _require_encoding(*paths: Path) -> None:
    """Raise InvalidInput if the file system's encoding of this process, such as a kernel, does not suit its paths."""
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8" and not all(str(path).isascii() for path in paths):
        raise InvalidInput(
            f"this Python reads file names as {encoding}, and the path of a home or of the working folder is not",
            "start Jupyter or Python without PYTHONUTF8=0, or set LC_ALL=C.UTF-8",
        )


@contextmanager
def _explained() -> Iterator[None]:
    """Turn pydantic's errors about settings into InvalidInput, which names them."""
    try:
        yield
    except Exception as error:
        import yaml  # noqa: PLC0415 - only needed for its errors

        if isinstance(error, RuntimeError) and "home" in str(error):  # of platformdirs and pathlib
            raise InvalidInput(
                "this user has no home folder", "set HOME to a folder that the user can write"
            ) from error
        if not isinstance(error, ValueError | yaml.YAMLError):  # pydantic's error is a ValueError
            raise
        errors = error.errors() if isinstance(error, ValidationError) else []
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors] or [f"  {error}"]
        raise InvalidInput(
            "a setting is wrong", "correct it in the environment (NBDEPLOY_…) or in nbdeploy.yaml", "\n".join(lines)
        ) from error
