"""The ports of ``compose``, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jupyter_deploy.domain.capture.artifacts import Environment

    from .compose import ComposePlan
    from .images import Image


class GatewayImages(Protocol):
    """Images of the gateway: Envoy on a base image, for endpoints without nbdeploy."""

    def check(self, base: str, environment: Environment) -> None:
        """Raise, before slow work, if the image cannot be built.

        ``environment``: that of a model whose image has this base. Raises EnvoyMissing, ToolMissing, BaseUnfit,
        InvalidInput.
        """

    def build(self, base: str, environment: Environment, progress: Callable[[str], None]) -> Image:
        """Build the image in this user's image store; the same base and Envoy give the same digest.

        The store's index does not name it, so that ``gc`` removes it. Raises BaseUnfit.
        """


class Composer(Protocol):
    """An endpoint as the files of a Compose project."""

    @property
    def token(self) -> bool:
        """Whether clients must carry a token."""

    def texts(self, plan: ComposePlan) -> Mapping[str, str]:
        """The contents of ``compose.FILES``, by path: a function of plan and settings, without secrets."""


class ComposeFolders(Protocol):
    """The folders of Compose projects, whose files users may change."""

    def require(self, folder: Path, *, overwrite: bool) -> None:
        """Raise Refused, before slow work, if a write would lose a file that a user changed or made.

        Such a file differs from the last write, or lies in a folder that nbdeploy did not make. Raises InvalidInput if
        the path is no folder.
        """

    def existing(self, folder: Path) -> Mapping[str, str]:
        """Those of ``compose.FILES`` that exist."""

    def write(self, folder: Path, texts: Mapping[str, str]) -> None:
        """Write the files, each atomically; an interrupted write can be repeated. Raises InvalidInput, StoreError."""


class Composing(Protocol):
    @property
    def gateways(self) -> GatewayImages: ...

    @property
    def composer(self) -> Composer: ...

    @property
    def folders(self) -> ComposeFolders: ...
