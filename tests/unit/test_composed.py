"""Words about Compose projects."""

from jupyter_deploy.domain.images.compose import Composed, ComposedFile, ComposedService
from jupyter_deploy.faces.render.render import html, text

COMPOSED = Composed(
    endpoint="tumour", revision=7, folder="/home/ada/my tumour", gateway="registry.example/tumour@sha256:1",
    url="http://127.0.0.1:8080/tumour",
    files=(ComposedFile(path="compose.yaml", state="written", text="services: <all>\n"),),
    releases=(ComposedService(release="tumour:a", role="stable", percent=90, service="tumour-a", image="i"),),
)  # fmt: skip


def test_it_is_told_what_was_written_what_runs_and_how_it_is_started():
    shown = text(COMPOSED)
    assert shown.startswith("tumour at revision 7 is written: /home/ada/my tumour\n")
    for words in ("compose.yaml", "tumour-a", "90 %", COMPOSED.url):
        assert words in shown
    assert 'podman-compose --file "/home/ada/my tumour/compose.yaml" pull && ' in shown
    assert 'podman-compose --file "/home/ada/my tumour/compose.yaml" up --detach' in shown
    assert "services:" not in shown


def test_a_token_is_told_of_and_never_told():
    shown = text(COMPOSED.model_copy(update={"token": True}))
    assert "NBDEPLOY_TOKEN=… podman-compose" in shown
    assert "clients must carry" in shown


def test_with_dry_run_what_would_be_written_is_shown_and_no_line_that_starts_it():
    dry = COMPOSED.model_copy(update={"dry_run": True})
    assert "would be written" in text(dry)
    assert "services: <all>" in text(dry)
    assert "podman-compose" not in text(dry)
    assert "services: &lt;all&gt;" in html(dry)


def test_what_was_there_already_is_told_so():
    file = COMPOSED.files[0].model_copy(update={"state": "as it is wanted"})
    assert "was already there" in text(COMPOSED.model_copy(update={"files": (file,)}))
