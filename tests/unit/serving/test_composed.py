"""Words about Compose projects."""

from jupyter_deploy.domain.images.compose import Composed, ComposedFile, ComposedService
from jupyter_deploy.faces.render.render import html, text

COMPOSED = Composed(
    endpoint="tumour", revision=7, folder="/home/ada/my tumour", gateway="registry.example/tumour@sha256:1",
    url="http://127.0.0.1:8080/tumour",
    files=(ComposedFile(path="compose.yaml", state="written", text="services: <all>\n"),),
    releases=(ComposedService(release="tumour:a", role="stable", percent=90, service="tumour-a", image="i"),),
)  # fmt: skip


def test_the_page_lists_the_files_the_services_and_the_start_command():
    shown = text(COMPOSED)
    assert shown.startswith("tumour at revision 7 is written: /home/ada/my tumour\n")
    for words in ("compose.yaml", "tumour-a", "90 %", COMPOSED.url):
        assert words in shown
    assert 'podman-compose --file "/home/ada/my tumour/compose.yaml" pull && ' in shown
    assert 'podman-compose --file "/home/ada/my tumour/compose.yaml" up --detach' in shown
    assert "services:" not in shown


def test_a_required_token_is_mentioned_and_never_shown():
    shown = text(COMPOSED.model_copy(update={"token": True}))
    assert "NBDEPLOY_TOKEN=… podman-compose" in shown
    assert "clients must carry" in shown


def test_with_dry_run_what_would_be_written_is_shown_and_no_line_that_starts_it():
    dry = COMPOSED.model_copy(update={"dry_run": True})
    assert "would be written" in text(dry)
    assert "services: <all>" in text(dry)
    assert "podman-compose" not in text(dry)
    assert "services: &lt;all&gt;" in html(dry)


def test_unchanged_files_are_reported_as_such():
    file = COMPOSED.files[0].model_copy(update={"state": "unchanged"})
    assert "was already there" in text(COMPOSED.model_copy(update={"files": (file,)}))
