"""The containers of nbdeploy's images, from the installed container engines."""

from __future__ import annotations

import os
from collections.abc import Sequence

from jupyter_deploy.domain.errors import ToolMissing
from jupyter_deploy.domain.images.images import SNAPSHOT_DIGEST_LABEL, Contained
from jupyter_deploy.domain.release.processes import for_engine

from .programs import run

_ENGINES = ("podman", "docker")
_FORMAT = f'{{{{.Names}}}}\t{{{{.Label "{SNAPSHOT_DIGEST_LABEL}"}}}}'
_PATIENCE = 20.0  # seconds


class EngineContainers:
    """The Containers port."""

    def of_images(self) -> tuple[Sequence[Contained], Sequence[str]]:
        """All containers, also stopped ones, since they can be started again."""
        containers: list[Contained] = []
        unasked: list[str] = []
        for engine in _ENGINES:
            try:
                ended = run(
                    engine,
                    ["ps", "--all", "--filter", f"label={SNAPSHOT_DIGEST_LABEL}", "--format", _FORMAT],
                    for_engine(os.environ),
                    patience=_PATIENCE,
                )
            except ToolMissing:
                continue
            except TimeoutError as error:
                unasked.append(str(error))
                continue
            if ended.code:
                lines = ended.complaints.strip().splitlines() or [f"it ended with {ended.code}"]
                unasked.append(f"{engine}: {lines[-1]}")
                continue
            for line in ended.output.decode(errors="replace").splitlines():
                name, _, digest = line.partition("\t")
                containers.append(Contained(name=f"{engine} {name}", snapshot_digest=digest))
        return containers, unasked
