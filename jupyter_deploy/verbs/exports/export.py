"""The verb ``export``: a translated release as files for other languages."""

from __future__ import annotations

from pathlib import Path

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.export import MANIFEST, SIGNATURE, ExportRequest, ModelExport
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.verbs.capture import load_snapshot
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.steps import Steps


def export(request: ExportRequest, ports: Ports, report: Report) -> ModelExport:
    """Write graph, manifest, conformance data set and clients, and sign the manifest.

    Faulty requests are refused before anything is written.
    """
    endpoint = find(ports, request.name)
    release = endpoint.release(request.release or endpoint.traffic.stable)
    snapshot = load_snapshot(release.tag, trust=False, ports=ports)
    if snapshot.manifest.translation is None:
        raise InvalidInput(
            f"{release.tag} serves the captured object, a {snapshot.manifest.kind}, and no translation",
            "deploy it again from its notebook with --engine onnx",
        )
    folder = Path(request.to.replace("{name}", endpoint.name)).expanduser().absolute()
    ports.exporter.require(folder, overwrite=request.overwrite)
    key = Path(request.sign).expanduser() if request.sign else ports.images.key
    signer = ports.images.registry.public_key(key) if key else None
    progress = Steps(report, total=1 + (key is not None))
    progress(f"writing {folder}")
    about = {"endpoint": endpoint.name, "release": release.tag, "signed_by": signer}
    exported = ports.exporter.write(snapshot, folder, about)
    if key is None:
        return exported
    progress("signing the manifest")
    ports.images.registry.sign_file(folder / MANIFEST, key, folder / SIGNATURE)
    return exported.model_copy(update={"files": (*exported.files, SIGNATURE), "signed_by": signer})
