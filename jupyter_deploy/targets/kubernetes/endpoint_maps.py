"""The ConfigMaps of endpoints: the authority of their revisions, and the routes in force.

A ConfigMap has two halves. ``history`` has the revisions, newest first, as every user of the namespace sees and changes
them; ``signatures`` has the signatures of their releases, and ``sketches`` those of their training tables, for users
and programs without the snapshots. ``revision``, ``hash`` and ``documents`` are what the gateway's agents put in force
(``gateway/``). Each write replaces the whole object if nobody
else did meanwhile (``resourceVersion``), so that no half undoes the other one.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from jupyter_deploy.domain.capture.signature import Signature
from jupyter_deploy.domain.errors import Conflict
from jupyter_deploy.domain.ramp.status import Look
from jupyter_deploy.domain.release.endpoint import Endpoint, Revision

from . import names
from .api import Api, Json

if TYPE_CHECKING:
    from jupyter_deploy.domain.drift.sketch import ReferenceSketch

KIND = "ConfigMap"

_MOST_REVISIONS = 50
_MOST_BYTES = 600_000  # of the 1 MiB that an object may have
_MOST_OF_SKETCHES = 200_000
"""Bytes; a training table of hundreds of columns has a sketch of some 30 KB."""

_TRIES = 20

_log = logging.getLogger(__name__)


class _Parsed(NamedTuple):
    """What an object says at one ``resourceVersion``.

    The revisions, newest first; the signatures of releases by tag, and their sketches as JSON values; the hash of the
    routes, empty without any.
    """

    version: str
    revisions: list[Revision]
    signatures: dict[str, Signature]
    sketches: dict[str, Any]
    routes: str


class EndpointMaps:
    """The endpoints' ConfigMaps of one namespace: ``domain.release.ports.SharedEndpoints``, and their routes."""

    def __init__(self, api: Callable[[], Api], target: str) -> None:
        self._api = api
        self._target = target
        self._parsed: dict[str, _Parsed] = {}

    def histories(self) -> dict[str, list[Revision]]:
        """Every endpoint's revisions, newest first; an object that cannot be read is skipped with a warning."""
        known: dict[str, _Parsed] = {}
        for document in self._api().list_(KIND, names.selector("endpoint")):
            name = (document.get("data") or {}).get("endpoint", "")
            version = document["metadata"]["resourceVersion"]
            before = self._parsed.get(name)
            if before and before.version == version:
                known[name] = before
            elif (parsed := self._readable(document)) and parsed.revisions[0].endpoint == name:
                known[name] = parsed
        self._parsed = known
        return {name: list(parsed.revisions) for name, parsed in known.items()}

    def endpoint(self, name: str) -> Endpoint | None:
        """The newest state of an endpoint, read now; None: there is none, or it cannot be read."""
        document = self._api().get(KIND, names.endpoint_name(name))
        parsed = self._readable(document) if document else None
        return parsed.revisions[0].state if parsed else None

    def write(
        self,
        revision: Revision,
        *,
        based_on: int,
        signatures: Mapping[str, Signature] = {},
        sketches: Mapping[str, ReferenceSketch] = {},
    ) -> None:
        """Write a new revision. Raises Conflict unless the endpoint is at ``based_on`` (0: there is none).

        The object keeps the signatures and sketches of the revision's releases, those that it has and those that are
        given; sketches as far as there is room, those of releases with traffic first.
        """
        tags = {release.tag for release in revision.state.releases}
        given = {tag: one.model_dump(mode="json") for tag, one in sketches.items()}
        first = dict.fromkeys([*revision.state.traffic.tags(), *tags])

        def change(present: Json | None) -> Json:
            revisions = _revisions(present) if present else []
            current = revisions[0].revision if revisions else 0
            if current != based_on:
                raise Conflict(
                    f"{revision.endpoint} is at revision {current} by now; this change was based on {based_on}",
                    f"check 'nbdeploy describe {revision.endpoint}' and repeat the change if it still applies",
                )
            known = _signatures(present) | dict(signatures)
            kept = {tag: one.model_dump(mode="json") for tag, one in known.items() if tag in tags}
            binary = {"history": _packed([revision, *revisions]), "signatures": _zipped(kept)}
            every = (_unzipped(present or {}, "sketches") or {}) | given
            binary |= _with_room({tag: every[tag] for tag in first if tag in every and tag in tags})
            return self._document(revision.endpoint, present, {"state-revision": str(revision.revision)}, binary)

        self._change(revision.endpoint, change)

    def remove(self, name: str) -> None:
        """Remove an endpoint with its revisions and routes; none is no error."""
        self._api().delete(KIND, names.endpoint_name(name))

    def signature(self, tag: str) -> Signature | None:
        """The signature of a release, by the latest ``histories``; None: nobody wrote it."""
        return next((one.signatures[tag] for one in self._parsed.values() if tag in one.signatures), None)

    def sketch(self, tag: str) -> ReferenceSketch | None:
        """The sketch of a release's training table, by the latest ``histories``; None: nobody wrote it."""
        from jupyter_deploy.domain.drift.sketch import ReferenceSketch  # few calls need the models of drift

        found = next((one.sketches[tag] for one in self._parsed.values() if tag in one.sketches), None)
        try:
            return ReferenceSketch.model_validate(found) if found else None
        except ValidationError:  # of another version of nbdeploy
            return None

    def look(self, name: str) -> Look | None:
        """The latest look of the driver of an endpoint's ramp; None: there was none."""
        job = self._api().get("Job", names.ramp_name(name)) or {}
        text = ((job.get("metadata") or {}).get("annotations") or {}).get(names.LOOK)
        try:
            return Look.model_validate_json(text) if text else None
        except ValidationError:  # of another version of nbdeploy
            return None

    def keep_look(self, name: str, look: Look) -> None:
        """Replace the latest look."""
        self._api().annotate("Job", names.ramp_name(name), {names.LOOK: look.model_dump_json()})

    def routes(self) -> dict[str, str]:
        """The hash of each endpoint's routes, by the latest ``histories``."""
        return {name: parsed.routes for name, parsed in self._parsed.items() if parsed.routes}

    def routed(self, name: str) -> tuple[int, str]:
        """The revision and the hash of the routes in force; 0: there are none."""
        data = (self._api().get(KIND, names.endpoint_name(name)) or {}).get("data") or {}
        return int(data.get("revision") or 0), data.get("hash", "")

    def route(self, endpoint: Endpoint, half: Json) -> Json | None:
        """Write the routes of an endpoint; return the half that was there before.

        Returns None, and writes nothing, if the routes are those of a later revision, or these.
        """
        former: list[Json | None] = [None]

        def change(present: Json | None) -> Json | None:
            before = _half(present)
            former[0] = before
            if int(before["data"].get("revision") or 0) > endpoint.revision or before["data"] == half["data"]:
                former[0] = None
                return None
            return self._document(endpoint.name, present, half["data"], half.get("binaryData") or {})

        self._change(endpoint.name, change)
        return former[0]

    def put_back(self, endpoint: Endpoint, former: Json) -> None:
        """Restore routes, unless somebody else has changed them since this endpoint's were written."""

        def change(present: Json | None) -> Json | None:
            if present is None or _half(present)["data"].get("revision") != str(endpoint.revision):
                return None
            return self._document(endpoint.name, present, former["data"], former["binaryData"], without=_HALF)

        self._change(endpoint.name, change)

    def _change(self, name: str, change: Callable[[Json | None], Json | None]) -> None:
        """Replace an object by what ``change`` makes of it (None: leave it), again if somebody else was faster."""
        api = self._api()
        for number in range(_TRIES):
            present = api.get(KIND, names.endpoint_name(name))
            wanted = change(present)
            if wanted is None:
                return
            try:
                if present is None:
                    api.create(wanted)
                else:
                    api.replace(wanted)
            except Conflict:
                if number == _TRIES - 1:
                    raise
            else:
                return

    def _document(
        self,
        name: str,
        present: Json | None,
        data: Mapping[str, str],
        binary: Mapping[str, str],
        without: Sequence[str] = (),
    ) -> Json:
        kept = present or {}
        own = {"data": dict(kept.get("data") or {}), "binaryData": dict(kept.get("binaryData") or {})}
        for half in own.values():
            for key in without:
                half.pop(key, None)
        metadata: Json = {
            "name": names.endpoint_name(name),
            "namespace": self._api().namespace,
            "labels": names.labels("endpoint", name),
        }
        if present:
            metadata["resourceVersion"] = present["metadata"]["resourceVersion"]
        return {
            "apiVersion": "v1",
            "kind": KIND,
            "metadata": metadata,
            "data": own["data"] | {"endpoint": name} | dict(data),
            "binaryData": own["binaryData"] | dict(binary),
        }

    def _readable(self, document: Json) -> _Parsed | None:
        """The endpoint in an object; None: it has none of this target, or cannot be read."""
        name = document["metadata"]["name"]
        try:
            revisions, signatures = _revisions(document), _signatures(document)
            sketches = dict(_unzipped(document, "sketches") or {})
        except (ValueError, TypeError, OSError, EOFError, RecursionError, zlib.error, ValidationError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            _log.warning("the ConfigMap %s is no endpoint of nbdeploy: %s", name, reason)
            return None
        own = [one for one in revisions if one.state.target == self._target]
        routes = (document.get("data") or {}).get("hash", "")
        return _Parsed(document["metadata"]["resourceVersion"], own, signatures, sketches, routes) if own else None


_HALF = ("revision", "hash", "documents")
"""The keys of the routes' half."""


def _half(present: Json | None) -> Json:
    known = present or {}
    return {
        part: {key: value for key, value in (known.get(part) or {}).items() if key in _HALF}
        for part in ("data", "binaryData")
    }


def _revisions(document: Json) -> list[Revision]:
    return [Revision.model_validate(one) for one in _unzipped(document, "history") or ()]


def _signatures(document: Json | None) -> dict[str, Signature]:
    found = _unzipped(document or {}, "signatures") or {}
    return {tag: Signature.model_validate(one) for tag, one in found.items()}


def _unzipped(document: Json, key: str) -> Any:
    """The JSON value under a key of the object; None: it has none."""
    packed = (document.get("binaryData") or {}).get(key, "")
    return json.loads(gzip.decompress(base64.b64decode(packed))) if packed else None


def _zipped(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


def _with_room(sketches: dict[str, Any]) -> dict[str, str]:
    """The sketches as the object holds them: the first ones, as many as it has room for."""
    while sketches:
        packed = _zipped(sketches)
        if len(packed) <= _MOST_OF_SKETCHES:
            return {"sketches": packed}
        sketches.popitem()
    return {"sketches": _zipped({})}


def _packed(revisions: Sequence[Revision]) -> str:
    """The revisions as the object holds them: as many as it has room for."""
    count = _MOST_REVISIONS
    while True:
        listed = [one.model_dump(mode="json") for one in revisions[:count]]
        packed = _zipped(listed)
        if len(packed) <= _MOST_BYTES or count <= 1:
            return packed
        count = min(count, len(revisions)) // 2 or 1
