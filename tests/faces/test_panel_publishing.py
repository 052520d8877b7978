"""Publication from the panel, without a notebook and a registry."""

import threading

from test_panel import TWO, panel, ports, seldom, told, until

from jupyter_deploy.domain.requests import Step
from tests.published import PUBLISHED, published_as

__all__ = ["panel", "ports", "seldom"]


def publishing(panel):
    return panel._widget.publishing


def publishes(panel, to="", reason="", **more):
    told(panel, do="publish", tag=TWO.tag, to=to, overwrite=False, reason=reason, **more)


def test_a_failed_publication_is_shown_with_its_remedy_and_can_be_dismissed(panel):
    assert panel._widget.endpoint["publish_to"] == "registry.example/tumour"
    publishes(panel, "https://registry.example/tumour")
    until(lambda: publishing(panel)["phase"] == "failed")
    shown = publishing(panel)
    assert "remove the part before '://'" in shown["problem"]["message"]
    told(panel, do="published", number=shown["number"] + 1)
    assert publishing(panel) == shown
    told(panel, do="published", number=shown["number"])
    assert publishing(panel) is None


def test_what_is_published_shows_its_steps_and_then_its_digest_and_the_line_that_starts_it(panel, ports, monkeypatch):
    """The operation itself is tested with a real registry, and in a browser with this panel."""
    go_on, asked = threading.Event(), []

    def publish(request, _ports, report):
        asked.append(request)
        report(Step(number=1, total=5, title="asking registry.example"))
        report(Step(number=2, total=5, title="building the image"))
        assert go_on.wait(60)
        ports.store.keep_publication(published_as(TWO.tag, "registry.example/tumour:two"))
        return PUBLISHED.model_copy(update={"release": request.release})

    monkeypatch.setattr("jupyter_deploy.faces.panel.publishing.publish", publish)
    publishes(panel, " registry.example/tumour ", reason="a customer waits")
    until(lambda: publishing(panel)["step"] == 2)
    assert publishing(panel)["lines"] == ("asking registry.example", "building the image")
    publishes(panel, "registry.example/other")  # one after the other
    assert "wait for its end" in panel._widget.said[1]
    told(panel, do="published", number=publishing(panel)["number"])
    assert publishing(panel)["phase"] == "working"
    go_on.set()
    until(lambda: publishing(panel)["phase"] == "done")
    page = publishing(panel)["page"]
    assert (page["headline"], page["command"]) == (f"{TWO.tag} is published", "podman run")
    assert ["digest", PUBLISHED.publication.image.digest] in page["facts"]
    assert page["layers"][0][:4] == ["dependencies", "62 distributions", "100 MB", "there already"]
    (request,) = asked
    assert (request.release, request.to, request.force) == (TWO.tag, "registry.example/tumour", True)
    until(
        lambda: [card["published"] for card in panel._widget.endpoint["cards"]] == [[], ["registry.example/tumour:two"]]
    )
