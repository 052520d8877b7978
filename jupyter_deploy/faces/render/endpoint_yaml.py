"""The YAML document of an endpoint as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from jupyter_deploy.domain.release.document import document_of
from jupyter_deploy.domain.release.status import EndpointStatus

_HEAD = """\
# 'nbdeploy plan FILE' shows the changes that this document makes, 'nbdeploy apply FILE' makes them.
# Leave 'traffic' out if people and ramps set the shares.
"""


def endpoint_yaml(status: EndpointStatus) -> str:
    """Write the document; notebooks below the working directory get relative paths."""
    document = document_of(status).model_dump(mode="json")
    document["releases"] = [_without_defaults(release) for release in document["releases"]]
    traffic = document["traffic"]
    document["traffic"] = {role: value for role, value in traffic.items() if value != {}}
    document["validations"] = [_validation(one) for one in document["validations"]]
    return _HEAD + str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)).rstrip("\n")


def _without_defaults(release: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in release.items() if value is not None}


def _validation(spec: dict[str, Any]) -> dict[str, Any]:
    path = spec["notebook"]
    if path and "://" not in path and Path(path).is_relative_to(Path.cwd()):
        spec = spec | {"notebook": str(Path(path).relative_to(Path.cwd()))}
    return {name: value for name, value in spec.items() if value not in (None, {}, [])}
