"""What ``compose`` needs of the outside world, as Protocols; see ``ports``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from jupyter_deploy.domain.capture.artifacts import Environment

from .compose import ComposePlan
from .images import Image


class GatewayImages(Protocol):
    """Images of the gateway: Envoy on a base image, for where endpoints run without nbdeploy."""

    def check(self, base: str, environment: Environment) -> None:
        """Raise, before slow work, for what cannot be built.

        ``environment``: that of a model whose image has this base. Raises EnvoyMissing, ToolMissing, BaseUnfit,
        InvalidInput.
        """

    def build(self, base: str, environment: Environment, progress: Callable[[str], None]) -> Image:
        """The image, its parts in this user's image store; the same base and Envoy give the same digest.

        It is in no list of images, being of no model: clearing up takes it away again. Raises BaseUnfit.
        """


class Composer(Protocol):
    """An endpoint as the files of a Compose project."""

    @property
    def token(self) -> bool:
        """Whether clients must carry a token."""

    def texts(self, plan: ComposePlan) -> Mapping[str, str]:
        """Of ``composed.FILES``, by path; the same plan and settings give the same ones. They hold no secret."""


class ComposeFolders(Protocol):
    """Where the files of Compose projects are, which people may change."""

    def require(self, folder: Path, *, overwrite: bool) -> None:
        """Raise Refused, before slow work, for a folder in which something of somebody else's would be lost.

        That is a file that is not as it was written last, or any file in a folder that nbdeploy did not make. Raises
        InvalidInput if there is something else than a folder.
        """

    def there(self, folder: Path) -> Mapping[str, str]:
        """Those of ``composed.FILES`` that are there."""

    def write(self, folder: Path, texts: Mapping[str, str]) -> None:
        """Write them, each whole; cut off, it can be said again. Raises InvalidInput (not allowed), StoreError."""


class Composing(Protocol):
    @property
    def gateways(self) -> GatewayImages: ...

    @property
    def composer(self) -> Composer: ...

    @property
    def folders(self) -> ComposeFolders: ...
