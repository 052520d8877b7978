"""Endpoints that several users share, without a cluster."""

import copy

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.errors import Conflict, TargetError
from jupyter_deploy.domain.release.endpoint import Endpoint, Release, Revision


class FakeApi:
    """The objects of one namespace, with versions as the server gives them."""

    namespace = "models"

    def __init__(self):
        self.objects, self.version, self.away, self.before_write = {}, 0, False, []

    def get(self, kind, name):
        self._require()
        return copy.deepcopy(self.objects.get(name))

    def list_(self, kind, selector=""):
        self._require()
        return copy.deepcopy(list(self.objects.values()))

    def create(self, document):
        self._meanwhile()
        if document["metadata"]["name"] in self.objects:
            raise Conflict("it is there")
        self._put(document)

    def replace(self, document):
        self._meanwhile()
        present = self.objects[document["metadata"]["name"]]
        if present["metadata"]["resourceVersion"] != document["metadata"]["resourceVersion"]:
            raise Conflict("it was changed")
        self._put(document)

    def annotate(self, kind, name, annotations):
        self._require()
        self.objects[name]["metadata"].setdefault("annotations", {}).update(annotations)

    def delete(self, kind, name):
        self._require()
        return self.objects.pop(name, None) is not None

    def _put(self, document):
        self.version += 1
        stored = copy.deepcopy(document)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.objects[document["metadata"]["name"]] = stored

    def _meanwhile(self):
        self._require()
        if self.before_write:
            self.before_write.pop()()

    def _require(self):
        if self.away:
            raise TargetError("the API does not answer")


def endpoint_at(revision, name="churn", target="kubernetes"):
    release = Release(
        endpoint=name, tag=f"{name}:aaa", digest="d", path="", snapshot_path="", interpreter="", source=Source(),
        created_at=now(),
    )  # fmt: skip
    return Endpoint.first(release, target).model_copy(update={"revision": revision})


def revision_of(endpoint):
    return Revision(
        endpoint=endpoint.name, revision=endpoint.revision, at=now(), by="ada", reason="", change="", state=endpoint
    )
