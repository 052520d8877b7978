"""Models of an interactive kernel: servers after one that does not start."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import StartFailed
from jupyter_deploy.faces.kernel import interactive_model


@pytest.fixture
def world(monkeypatch):
    """Ports with servers that start or fail by their tags, and the list of running ones."""
    running = []

    @contextmanager
    def serving(snapshot):
        running.append(snapshot.tag)

        def check(**_):
            if snapshot.tag.startswith("broken"):
                raise StartFailed(f"{snapshot.tag} could not be served")

        try:
            yield SimpleNamespace(check=check, url_for=lambda job: f"http://127.0.0.1:1/s/{job}")
        finally:
            running.remove(snapshot.tag)

    monkeypatch.setattr(interactive_model, "_served", {})
    monkeypatch.setattr(interactive_model.atexit, "register", lambda *_: None)
    store = SimpleNamespace(endpoints=list)
    ports = SimpleNamespace(servers=SimpleNamespace(serving=serving), store=store)
    yield ports, running
    interactive_model._until_the_end.close()
    assert running == []


def test_a_server_that_does_not_start_is_ended_and_a_started_one_stays(world):
    ports, running = world
    assert interactive_model._serve("model()", SimpleNamespace(tag="good:1"), None, ports).tag == "good:1"
    for _ in range(2):
        with pytest.raises(StartFailed):
            interactive_model._serve("model()", SimpleNamespace(tag="broken:1"), None, ports)
    assert running == ["good:1"]
