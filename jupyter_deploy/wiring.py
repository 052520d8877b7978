"""Settings and the choice of who plays each port's part: the only file that imports adapters and targets."""

from __future__ import annotations

import getpass
import json
import re
import sys
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from .domain.artifacts import Tolerance
from .domain.errors import InvalidInput
from .domain.ports import (
    Boot,
    Builder,
    Capturer,
    Client,
    Environments,
    InferenceLog,
    NotebookRunner,
    Ports,
    Store,
    Target,
)
from .domain.requests import Duration
from .home import default_home

GROUP = "nbdeploy.targets"

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
    workers: int = Field(default=1, ge=1, le=64, description="Processes a release.")
    keep_revisions: int = Field(
        default=3, ge=0, description="For so many revisions a release that lost its traffic is kept warm."
    )
    start_timeout: float = Field(default=120.0, gt=0, description="Seconds until a release must be ready and right.")
    replay_timeout: float = Field(default=300.0, gt=0, description="Seconds that the clean-process replay may take.")
    predict_timeout: float = Field(default=60.0, gt=0, description="Seconds that a prediction may take.")
    shadow_timeout: float = Field(default=30.0, gt=0, description="Seconds that a shadow's answer is waited for.")
    memory_limit: int | None = Field(
        default=None, ge=64, description="MiB of private memory a worker may have (Linux; default: any)."
    )
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

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, given: str | None) -> str | None:
        if given is None:
            return None
        parts = urlsplit(given.replace("{port}", "1"))
        plain = re.fullmatch(r"[!-~]+", given) and not re.search(r"[\"'`$\\{}]", given.replace("{port}", ""))
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(_host_of(given)) or not plain:
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


class Wiring:
    """Settings -> ports.

    Each part is made when it is first needed, and only then is what it works with imported: looking needs neither
    BentoML nor DuckDB.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    @cached_property
    def ports(self) -> Ports:
        """All parts, for the operations."""
        return _Parts(self.settings)


class _Parts:
    """``domain.ports.Ports``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = settings.home.expanduser().absolute()
        self._bentoml_home = settings.bentoml_home.expanduser().absolute()
        self.keep_revisions = settings.keep_revisions

    @cached_property
    def capturer(self) -> Capturer:
        from .adapters.capturer import ModelCapturer  # noqa: PLC0415 - as all of these: see Wiring

        return ModelCapturer(self._bentoml_home, self._settings.tolerance, self._settings.replay_timeout)

    @cached_property
    def environments(self) -> Environments:
        from .adapters.isolated import VirtualEnvironments  # noqa: PLC0415

        return VirtualEnvironments(self._home / "environments")

    @cached_property
    def builder(self) -> Builder:
        from .adapters.bento import BentoBuilder  # noqa: PLC0415

        return BentoBuilder(self._bentoml_home)

    @cached_property
    def notebooks(self) -> NotebookRunner:
        from .adapters.notebook import PapermillRunner  # noqa: PLC0415

        return PapermillRunner()

    @cached_property
    def store(self) -> Store:
        from .adapters.store import SqliteStore  # noqa: PLC0415

        return SqliteStore(self._home, getpass.getuser())

    @cached_property
    def log(self) -> InferenceLog:
        from .adapters.comparison import RecordLog  # noqa: PLC0415

        return RecordLog(self._home)

    @cached_property
    def client(self) -> Client:
        from .adapters.client import HttpClient  # noqa: PLC0415
        from .targets.token import token, token_file  # noqa: PLC0415

        return HttpClient(token_file(self._home), partial(token, self._home), self._settings.public_url)

    @cached_property
    def boot(self) -> Boot:
        from .adapters.boot import SystemdUnit  # noqa: PLC0415

        return SystemdUnit(self._home, self._variables())

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Every installed target, by its entry point's name."""
        from .targets.local import LocalSettings  # noqa: PLC0415

        settings = self._settings
        local = LocalSettings(
            home=self._home,
            runtime=settings.runtime.expanduser().absolute() if settings.runtime else None,
            port=settings.port,
            envoy=settings.envoy,
            bentoml_home=self._bentoml_home,
            workers=settings.workers,
            start_timeout=settings.start_timeout,
            predict_timeout=settings.predict_timeout,
            shadow_timeout=settings.shadow_timeout,
            memory_limit=settings.memory_limit,
            hosts=(*settings.hosts, *([_host_of(settings.public_url)] if settings.public_url else [])),
            require_token=settings.require_token,
            when_record_fails=settings.when_record_fails,
            segment_bytes=settings.segment_bytes,
            archivist=self._archivist(),
        )
        return {point.name: point.load()(local) for point in metadata.entry_points(group=GROUP)}

    def _archivist(self) -> tuple[str, ...]:
        """The program that tends the records while releases run."""
        age = self._settings.records_max_age
        command = [sys.executable, "-P", "-m", "jupyter_deploy.adapters.archivist", str(self._home)]
        command += ["--max-bytes", str(self._settings.records_max_bytes)]
        return (*command, *(["--max-seconds", str(age.total_seconds())] if age else []))

    def _variables(self) -> dict[str, str]:
        """The settings that were made, as variables: where no shell and no folder says anything, they still hold."""
        settings = self._settings
        made = settings.model_dump(mode="json", include=settings.model_fields_set, by_alias=False)
        if settings.hosts:
            made["hosts"] = ",".join(settings.hosts)
        if settings.records_max_age:
            made["records_max_age"] = f"{settings.records_max_age.total_seconds():.3f}s"
        given = {
            f"NBDEPLOY_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in made.items()
            if name not in ("home", "bentoml_home") and value not in (None, [])
        }
        return given | {"NBDEPLOY_HOME": str(self._home), "BENTOML_HOME": str(self._bentoml_home)}


def _host_of(url: str) -> str:
    """The host in a URL as a ``Host`` header has it, without the port."""
    host = urlsplit(url.replace("{port}", "1")).hostname or ""
    return f"[{host}]" if ":" in host else host


def load_settings() -> Settings:
    """The settings as the environment and ``nbdeploy.yaml`` have them.

    Raises
    ------
    InvalidInput
        A setting that is unknown or cannot be; the message names it.
    """
    try:
        return Settings()
    except Exception as error:
        import yaml  # noqa: PLC0415 - only needed to know its errors

        if not isinstance(error, ValidationError | SettingsError | yaml.YAMLError):
            raise
        found = error.errors() if isinstance(error, ValidationError) else []
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found] or [f"  {error}"]
        raise InvalidInput(
            "a setting is wrong", "mend it in the environment (NBDEPLOY_…) or in nbdeploy.yaml", "\n".join(lines)
        ) from error
