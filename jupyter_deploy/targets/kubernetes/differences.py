"""What starts of releases would change in a cluster: the server's dry run against the objects that are there."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from jupyter_deploy.domain.manifests import ObjectChange
from jupyter_deploy.domain.release.endpoint import Release

from . import autoscaling, names
from .api import Api, Json
from .batches import COMPONENT, CRON
from .releases import stamp_of
from .settings import ClusterSettings
from .starting import PARTS, without_replicas

_PARALLEL = 8
_CONTEXT = 2
_OF_SERVER = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
_OF_CONTROLLERS = "deployment.kubernetes.io/"


class _Wanted(NamedTuple):
    release: Release
    document: Json


def differences(
    api: Api,
    cluster: ClusterSettings,
    wanted: Mapping[str, tuple[Release, list[Json]]],
    crons: Mapping[str, list[Json]],
) -> dict[str, list[ObjectChange]]:
    """The changes by endpoint.

    ``wanted``: release and its objects, by their name; ``crons``: the CronJobs of batches by endpoint.
    An object with the wanted stamp stays as it is, as at a start.
    """
    present = {
        (kind, one["metadata"]["name"]): one
        for kind in PARTS
        if api.serves(kind)
        for one in api.list_(kind, names.selector("release"))
    }
    every = [_Wanted(release, document) for release, documents in wanted.values() for document in documents]
    todo = [one for one in every if stamp_of(present.get(_key(one.document))) != stamp_of(one.document)]
    with ThreadPoolExecutor(_PARALLEL) as threads:
        results = threads.map(lambda one: api.apply(without_replicas(one.document), dry_run=True), todo)
        made = list(zip(todo, results, strict=True))
    found: dict[str, list[ObjectChange]] = defaultdict(list)
    for one, after in made:
        before = present.get(_key(one.document))
        if before is None:
            found[one.release.endpoint].append(ObjectChange(object=_words(after), action="create"))
        elif lines := _lines(before, _with_replicas(after, one.release, cluster)):
            found[one.release.endpoint].append(ObjectChange(object=_words(after), action="change", difference=lines))
    for name, (release, documents) in wanted.items():
        kinds = {one["kind"] for one in documents}
        for kind in autoscaling.KINDS:
            if kind not in kinds and (kind, name) in present:
                found[release.endpoint].append(ObjectChange(object=f"{kind} {name}", action="delete"))
    for endpoint, documents in crons.items():
        found[endpoint] += _of_crons(api, endpoint, documents)
    return {endpoint: changes for endpoint, changes in found.items() if changes}


def _of_crons(api: Api, endpoint: str, wanted: list[Json]) -> Iterator[ObjectChange]:
    """The changes of the CronJobs of an endpoint's batches."""
    former = {one["metadata"]["name"]: one for one in api.list_(CRON, names.selector(COMPONENT, endpoint))}
    for one in wanted:
        present = former.pop(one["metadata"]["name"], None)
        if stamp_of(present) == stamp_of(one):
            continue
        after = api.apply(one, dry_run=True)
        if present is None:
            yield ObjectChange(object=_words(after), action="create")
        elif lines := _lines(present, after):
            yield ObjectChange(object=_words(after), action="change", difference=lines)
    for name in former:
        yield ObjectChange(object=f"{CRON} {name}", action="delete")


def _key(document: Json) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def _words(document: Json) -> str:
    return " ".join(_key(document))


def _with_replicas(document: Json, release: Release, cluster: ClusterSettings) -> Json:
    """A Deployment with the number of pods that a start sets."""
    if document["kind"] != "Deployment":
        return document
    replicas = autoscaling.scaled_to(release, cluster, document["spec"].get("replicas", 1))
    return document | {"spec": document["spec"] | {"replicas": replicas}}


def _lines(before: Json, after: Json) -> tuple[str, ...]:
    former, wanted = _text(before).splitlines(), _text(after).splitlines()
    return tuple(list(difflib.unified_diff(former, wanted, n=_CONTEXT, lineterm=""))[2:])


def _text(document: Json) -> str:
    """An object as YAML, without what servers and controllers write."""
    import yaml

    metadata = {key: value for key, value in document["metadata"].items() if key not in _OF_SERVER}
    annotations = metadata.get("annotations", {})
    metadata["annotations"] = {
        key: value for key, value in annotations.items() if key != names.SPEC and not key.startswith(_OF_CONTROLLERS)
    }
    content = {key: value for key, value in document.items() if key != "status"} | {"metadata": metadata}
    return str(yaml.safe_dump(content, sort_keys=True, width=1000))


def planned(releases: Iterable[Release], placeholder: str) -> list[Release]:
    """The releases, each with an image; one that is not published has the placeholder."""
    return [one if one.image else one.model_copy(update={"image": placeholder}) for one in releases]
