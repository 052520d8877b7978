"""The settings: ``NBDEPLOY_<NAME>`` in the environment and ``nbdeploy.yaml``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from .domain.capture.artifacts import Tolerance
from .domain.errors import InvalidInput
from .domain.images.images import Reference, as_source
from .domain.parsing import Duration
from .domain.release.resources import Resources
from .domain.validation.parameters import Texts
from .domain.validation.validation import ValidationSpec
from .system.home import default_home

# pydantic warns of a field that has the name of a method which nobody is to call any more.
warnings.filterwarnings("ignore", 'Field name "validate" in "Settings" shadows', UserWarning)

_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


def _host_names(given: Any) -> Any:
    """``a,b`` as two names, each checked."""
    names = [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given
    if not isinstance(names, list | tuple):
        return names  # pydantic says what is wrong
    for name in names:
        if not _HOST.fullmatch(str(name)):
            raise ValueError(f"'{name}' is not a host: write names without scheme and port, such as box.example.org")
    return tuple(str(name).lower() for name in names)


def _said(given: str | None, parse: Callable[[str], object]) -> str | None:
    """A setting as it was made, if it can be parsed."""
    try:
        if given is not None:
            parse(given)
    except InvalidInput as error:
        raise ValueError(f"{error.message}: {error.remedy}") from error
    return given


class Settings(BaseSettings):
    """Every setting: ``NBDEPLOY_<NAME>`` in the environment, else ``nbdeploy.yaml`` in the working directory."""

    model_config = SettingsConfigDict(
        env_prefix="NBDEPLOY_", env_nested_delimiter="__", yaml_file="nbdeploy.yaml", extra="forbid", frozen=True
    )

    home: Path = Field(
        default_factory=default_home,
        description="State, records and logs.",
    )
    bentoml_home: Path = Field(
        default_factory=lambda: Path.home() / "bentoml",
        validation_alias="BENTOML_HOME",
        description="BentoML's home, as BentoML itself finds it.",
    )
    runtime: Path | None = Field(
        default=None, description="Folder of sockets and of the configuration in force (default: a short private one)."
    )
    port: int = Field(default=8780, ge=1, le=65535, description="The gateway's port; when taken, a free one is chosen.")
    envoy: str | None = Field(default=None, description="Path of another Envoy binary.")
    resources: Resources = Field(
        default=Resources(),
        description="What a release may use where a deploy does not say it: cpu, memory, gpu, workers, threads; in "
        "the environment `NBDEPLOY_RESOURCES__WORKERS=4`, in nbdeploy.yaml `resources: {workers: 4, memory: 2GB}`.",
    )
    keep_revisions: int = Field(
        default=3, ge=0, description="For so many revisions a release that lost its traffic is kept warm."
    )
    standby: bool = Field(
        default=True,
        description="After a deploy from a notebook, have processes wait ten minutes for the next one, with its "
        "libraries imported: it takes a fraction of the time, and they take the libraries' memory.",
    )
    start_timeout: float = Field(default=120.0, gt=0, description="Seconds until a release must be ready and right.")
    replay_timeout: float = Field(default=300.0, gt=0, description="Seconds that the clean-process replay may take.")
    predict_timeout: float = Field(default=60.0, gt=0, description="Seconds that a prediction may take.")
    shadow_timeout: float = Field(default=30.0, gt=0, description="Seconds that a shadow's answer is waited for.")
    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_host_names)] = Field(
        default=(),
        description="Host names, with commas between, by which clients call the gateway beside `localhost` and that "
        "of the public URL; `*.` may stand before one. Others are refused.",
    )
    public_url: str | None = Field(
        default=None,
        description="Where others reach the gateway, `{port}` in it being its port: goes into what is printed.",
    )
    require_token: bool = Field(
        default=False,
        description="Have a token made in `NBDEPLOY_HOME/token.header`; while it is there, every request needs it.",
    )
    reconcile_at_server_start: bool = Field(
        default=True,
        description="A starting Jupyter server brings back what ran when the machine or the container was stopped.",
    )
    when_record_fails: Literal["answer", "refuse"] = Field(
        default="answer", description="What cannot be recorded (a full disk) is answered, or refused with 503."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="What releases say in their logs: lines of text, or a JSON object each."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        description="Where traces go: an OpenTelemetry collector's URL, such as http://127.0.0.1:4318 (default: "
        "nowhere). Releases need `pip install 'nbdeploy[otlp]'`; the gateway takes it up when it starts next.",
    )
    segment_bytes: int = Field(
        default=32 * 1024**2, ge=1024, description="A file of records is closed, and then compacted, at this size."
    )
    records_max_bytes: int = Field(
        default=2 * 1024**3, ge=1024**2, description="Beyond this size of an endpoint's records the oldest go."
    )
    records_max_age: Duration | None = Field(
        default=None, description="Records older than 30d, 12h, … go (default: never)."
    )
    tolerance: Tolerance = Field(default=Tolerance(), description="How closely floating-point answers must agree.")
    validate: tuple[ValidationSpec, ...] = Field(  # type: ignore[assignment]  # an old name of pydantic's own
        default=(),
        description="In nbdeploy.yaml: what 'nbdeploy validate' runs, a list of {notebook, parameters, matrix, gates, "
        "traffic}.",
    )
    redact: Texts = Field(
        default=(), description="In nbdeploy.yaml: columns whose values a deployed release never writes down, a list."
    )

    base_image: str | None = Field(
        default=None,
        description="What published images are built on, by its digest, such as HOST/PATH@sha256:…: a distribution "
        "with the notebook's minor version of Python.",
    )
    publish_to: str | None = Field(
        default=None,
        description="Where `nbdeploy publish` sends images: HOST/PATH, `{name}` in it being the endpoint's name.",
    )
    sign_key: Path | None = Field(
        default=None, description="Private key of cosign's, a file, that published images are signed by."
    )

    @field_validator("base_image")
    @classmethod
    def _is_image(cls, given: str | None) -> str | None:
        return _said(given, as_source)

    @field_validator("publish_to")
    @classmethod
    def _is_reference(cls, given: str | None) -> str | None:
        return _said(given, lambda text: Reference.parse(text.replace("{name}", "name")))

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_collector(cls, given: str | None) -> str | None:
        parts = urlsplit(given or "http://unset")
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.password
        ):
            raise ValueError("write the collector's URL, such as http://127.0.0.1:4318")
        return given

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, given: str | None) -> str | None:
        if given is None:
            return None
        parts = urlsplit(given.replace("{port}", "1"))
        plain = re.fullmatch(r"[!-~]+", given) and not re.search(r"[\"'`$\\{}]", given.replace("{port}", ""))
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host_of(given)) or not plain:
            raise ValueError("write a URL such as https://hub.example.org/user/ada/proxy/{port}")
        if parts.port == 0 or parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("it must hold no user, password, query, fragment or port 0: paths are appended")
        return given.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No ``.env`` files and no secrets folder: two places are enough to look at."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


_REQUIRED = ("validate", "tolerance", "redact", "resources")
"""Settings that say what must hold of a model and its records, and what it may use. The others say where things lie and
which programs run."""


def _beside(folder: Path) -> type[Settings]:
    """Settings of the environment; of the ``nbdeploy.yaml`` in a notebook's folder only what a model must hold to.

    Whoever asks a server for a job did not go into that folder as on a command line, and the file may come from
    anywhere: it must not name another home, or programs to run.
    """

    class Beside(Settings):
        model_config = SettingsConfigDict(yaml_file=None)

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            *others, _ = super().settings_customise_sources(settings_cls, *sources, **named)
            given = YamlConfigSettingsSource(settings_cls, yaml_file=folder / "nbdeploy.yaml")()
            required = {name: value for name, value in given.items() if name in _REQUIRED}
            return *others, InitSettingsSource(settings_cls, required)

    return Beside


def host_of(url: str) -> str:
    """The host in a URL as a ``Host`` header has it, without the port."""
    host = urlsplit(url.replace("{port}", "1")).hostname or ""
    return f"[{host}]" if ":" in host else host


def load_settings(beside: Path | None = None) -> Settings:
    """The settings as the environment and ``nbdeploy.yaml`` have them.

    ``beside``: a notebook's folder, of whose file only what must hold of a model counts; else the file is that of the
    working directory.

    Raises
    ------
    InvalidInput
        A setting that is unknown or cannot be; the message names it.
    """
    try:
        return _beside(beside)() if beside else Settings()
    except Exception as error:
        import yaml  # noqa: PLC0415 - only needed to know its errors

        if not isinstance(error, ValidationError | SettingsError | yaml.YAMLError):
            raise
        found = error.errors() if isinstance(error, ValidationError) else []
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found] or [f"  {error}"]
        raise InvalidInput(
            "a setting is wrong", "mend it in the environment (NBDEPLOY_…) or in nbdeploy.yaml", "\n".join(lines)
        ) from error
