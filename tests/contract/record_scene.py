"""A home with one endpoint and its records, for the tests of the views of records."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from record_world import World

from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.faces.views.table import VIEWS
from jupyter_deploy.settings import Settings
from jupyter_deploy.wiring import Wiring


@dataclass
class Scene:
    """A home with one endpoint, its records, and the views of them."""

    ports: object
    world: World
    name: str = "tumour"

    def view(self, view, **given):
        entry = VIEWS[view]
        document = entry.function(entry.request(name=self.name, **given), self.ports)
        assert isinstance(document, entry.document)
        assert entry.document.model_validate_json(document.model_dump_json()) == document
        return document

    def keys(self, **given):
        return [row.key for row in self.view("records", **given).records]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("NBDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    return Settings()


def scene_of(settings, stable, candidate, **more):
    ports = Wiring(settings).ports
    endpoint = Endpoint.first(stable).with_release(candidate)
    ports.store.save(endpoint.model_copy(update=more), based_on=0, reason="", change="made")
    return Scene(ports, World(settings.home))
