"""The verb ``compose``: a Compose project of an endpoint, which runs without nbdeploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.images.compose import FILES, Composed, ComposedFile, ComposedService, ComposePlan, service_of
from jupyter_deploy.domain.images.images import Image, Reference, as_source
from jupyter_deploy.domain.images.requests import ComposeRequest
from jupyter_deploy.domain.ports import Ports, Report
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.validation.scaffold import FileState, quoted
from jupyter_deploy.verbs.capture import load_snapshot
from jupyter_deploy.verbs.change import find
from jupyter_deploy.verbs.steps import Steps, noted_if_interrupted

from .gateway_image import base_of, send_gateway

_INTERRUPTED = "some files of the project may be written; run it again to complete them"


def compose(request: ComposeRequest, ports: Ports, report: Report) -> Composed:
    """Make the gateway's image, send it, and write the project's files.

    Faulty requests are refused before anything is made or written. After an interrupt the same command completes it.
    """
    with noted_if_interrupted(lambda: _INTERRUPTED):
        return _composed(request, ports, report)


def _composed(request: ComposeRequest, ports: Ports, report: Report) -> Composed:
    inputs = _possible(request, ports)
    composing, registry = ports.images.composing, ports.images.registry
    progress = Steps(report, total=2 if request.dry_run else 4)
    progress(f"asking {inputs.to.registry}")
    registry.check(inputs.to)
    if ports.images.key:
        registry.public_key(ports.images.key)  # a faulty key is refused before slow work
    _require_there(inputs, ports)
    composing.gateways.check(inputs.base, inputs.environment)

    progress("making the gateway's image")
    image = composing.gateways.build(
        inputs.base, inputs.environment, lambda words: progress(f"making the gateway's image: {words}", False)
    )
    gateway = inputs.to.at(digest=image.digest)
    plan = ComposePlan(inputs.endpoint, inputs.images, gateway, request.port, composing.composer.token)
    texts = composing.composer.texts(plan)
    there = composing.folders.existing(inputs.folder)
    if not request.dry_run:
        send_gateway(image, inputs.to, ports, progress)
        progress(f"writing {inputs.folder}")
        # Another process may have written it meanwhile.
        composing.folders.require(inputs.folder, overwrite=request.overwrite)
        composing.folders.write(inputs.folder, texts)
    return Composed(
        endpoint=inputs.endpoint.name,
        revision=inputs.endpoint.revision,
        folder=str(inputs.folder),
        files=tuple(
            ComposedFile(path=name, state=_state(there.get(name), texts[name], request), text=texts[name])
            for name in FILES
        ),
        releases=tuple(_service(plan, tag) for tag in inputs.endpoint.traffic.tags()),
        gateway=str(gateway),
        url=f"http://127.0.0.1:{request.port}/{inputs.endpoint.name}",
        token=plan.token,
        dry_run=request.dry_run,
    )


@dataclass(frozen=True)
class _ComposeInputs:
    """The checked inputs of a Compose project: endpoint, images, folder, and the gateway's base and repository."""

    endpoint: Endpoint
    images: Mapping[str, Reference]
    folder: Path
    base: str
    environment: Environment
    to: Reference


def _possible(request: ComposeRequest, ports: Ports) -> _ComposeInputs:
    """Check everything that needs no registry."""
    endpoint = find(ports, request.name)
    published = _published(endpoint, ports)
    stable, made = published[endpoint.traffic.stable]
    folder = Path(request.output_dir.replace("{name}", endpoint.name)).expanduser().absolute()
    ports.images.composing.folders.require(folder, overwrite=request.overwrite)
    return _ComposeInputs(
        endpoint=endpoint,
        images={tag: one.at(digest=one.digest) for tag, (one, _) in published.items()},
        folder=folder,
        base=as_source(request.base) if request.base else base_of(made, stable),
        environment=load_snapshot(endpoint.traffic.stable, trust=False, ports=ports).manifest.environment,
        to=_repository(request.push_to) if request.push_to else stable.at(),
    )


def _published(endpoint: Endpoint, ports: Ports) -> dict[str, tuple[Reference, Image | None]]:
    """Return the image of each release with traffic, by its tag, with this store's metadata if there are any.

    The image is the one that the release runs from, else the latest publication. Raises Refused with the releases
    that have none.
    """
    images: dict[str, tuple[Reference, Image | None]] = {}
    publications = ports.store.publications()
    for tag in endpoint.traffic.tags():
        release = endpoint.release(tag)
        latest = next((one for one in publications if one.image.snapshot_digest == release.digest), None)
        if release.image:
            runs = Reference.parse(release.image)
            images[tag] = runs, ports.images.store.image(runs.digest or "")
        elif latest:
            images[tag] = Reference.parse(latest.reference), latest.image
    unpublished = [endpoint.release(tag) for tag in endpoint.traffic.tags() if tag not in images]
    if unpublished:
        raise _unpublished(endpoint, unpublished, "not published yet")
    return images


def _require_there(inputs: _ComposeInputs, ports: Ports) -> None:
    """Raise Refused if a published image has gone from its registry."""
    registry = ports.images.registry
    gone = [tag for tag, reference in inputs.images.items() if registry.digest(reference) is None]
    if gone:
        releases = [inputs.endpoint.release(tag) for tag in gone]
        raise _unpublished(inputs.endpoint, releases, "no longer where it was published")


def _unpublished(endpoint: Endpoint, releases: list[Release], state: str) -> Refused:
    named = ", ".join(f"{one.tag} ({endpoint.traffic.role_of(one.tag)})" for one in releases)
    commands = [f"'nbdeploy publish {quoted(endpoint.name)} --release {quoted(one.tag)}'" for one in releases]
    return Refused(
        f"a Compose file starts releases from their published images, and {state}: {named}",
        f"publish {'it' if len(releases) == 1 else 'them'} first: {', '.join(commands)}",
    )


def _repository(text: str) -> Reference:
    reference = Reference.parse(text)
    if reference.tag or reference.digest:
        raise InvalidInput(
            f"'{text}' names one image", f"write {reference.name}: the gateway's tag is made of its digest"
        )
    return reference


def _state(there: str | None, text: str, request: ComposeRequest) -> FileState:
    if there == text:
        return "unchanged"
    return "would be written" if request.dry_run else "written"


def _service(plan: ComposePlan, tag: str) -> ComposedService:
    traffic = plan.endpoint.traffic
    return ComposedService(
        release=tag,
        role=traffic.role_of(tag),
        percent=traffic.percent_of(tag),
        service=service_of(tag),
        image=str(plan.images[tag]),
    )
