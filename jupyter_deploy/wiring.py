"""Settings and the choice of who plays each port's part: the only file that imports adapters and targets."""

from __future__ import annotations

import getpass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from .domain.artifacts import Tolerance
from .domain.errors import InvalidInput
from .domain.ports import Builder, Capturer, Client, InferenceLog, NotebookRunner, Ports, Store, Target

GROUP = "nbdeploy.targets"


class Settings(BaseSettings):
    """Every setting: ``NBDEPLOY_<NAME>`` in the environment, else ``nbdeploy.yaml`` in the working directory."""

    model_config = SettingsConfigDict(
        env_prefix="NBDEPLOY_", env_nested_delimiter="__", yaml_file="nbdeploy.yaml", extra="forbid", frozen=True
    )

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("nbdeploy", appauthor=False)),
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
    tolerance: Tolerance = Field(default=Tolerance(), description="How closely floating-point answers must agree.")

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

        return HttpClient()

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
        )
        return {point.name: point.load()(local) for point in metadata.entry_points(group=GROUP)}


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
