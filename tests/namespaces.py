"""A namespace of a cluster in memory, in place of ``targets.kubernetes.api.Api`` where its objects are the subject."""

from jupyter_deploy.domain.errors import Conflict


class Namespace:
    """Objects by kind and name; ``calls`` are its changes. ``version``: of CronJobs, empty if the server has none."""

    namespace = "models"

    def __init__(self, *objects, version="batch/v1"):
        self.objects = {(one["kind"], one["metadata"]["name"]): one for one in objects}
        self.calls = []
        self.version = version

    def serves(self, kind):
        return bool(self.version_of(kind))

    def version_of(self, kind):
        return self.version if kind == "CronJob" else "v1"

    def get(self, kind, name):
        return self.objects.get((kind, name))

    def list_(self, kind, selector=""):
        return [one for (of, _), one in self.objects.items() if of == kind]

    def delete(self, kind, name):
        self.calls.append("delete")
        return self.objects.pop((kind, name), None) is not None

    def create(self, document, dry_run=False):
        if dry_run:
            return document
        key = document["kind"], document["metadata"]["name"]
        self.calls.append("create")
        if key in self.objects:
            raise Conflict("it is there")
        self.objects[key] = document
        return document

    def apply(self, document):
        self.calls.append("apply")
        self.objects[document["kind"], document["metadata"]["name"]] = document
