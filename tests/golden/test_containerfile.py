"""The Containerfile of an engine's image, word for word: who knows Containerfiles should be able to follow it."""

from dataclasses import replace
from pathlib import Path

from jupyter_deploy.container_images.containerfile import Recipe, containerfile, requirements

GOLDEN = Path(__file__).with_name("Containerfile.golden")

RECIPE = Recipe(
    tag="house-prices:0123456789ab",
    base=f"registry.example/python@sha256:{'a' * 64}",
    origin=f"Python 3.11.2, registry.example/python@sha256:{'a' * 64}",
    python="/usr/bin/python3.11",
    system="R 4.5.0: 92 packages of Debian GNU/Linux 13 (trixie)",
    count=62,
    no_index=False,
    refreshed=["own-features"],
    large=["model.pkl", "files/rates [2026].csv"],
    variables={"PATH": "/opt/nbdeploy/venv/bin:/usr/bin", "BENTOML_HOME": "/opt/nbdeploy/bentoml"},
    command=["/opt/nbdeploy/venv/bin/python", "-P", "/opt/nbdeploy/bentoml/bentos/house-prices/0123456789ab/run.py"],
    user="65532:65532",
    port=8080,
    stop="SIGTERM",
    labels={"io.nbdeploy.snapshot": "house-prices:0123456789ab", "org.opencontainers.image.title": "house-prices"},
)


def test_the_containerfile_is_the_golden_file():
    assert containerfile(RECIPE) == GOLDEN.read_text("utf-8"), (
        "if the change is meant: python -c 'from tests.golden.test_containerfile import *; "
        "GOLDEN.write_text(containerfile(RECIPE))'"
    )


def test_without_an_index_only_what_is_given_along_is_installed():
    assert "--no-index" in containerfile(replace(RECIPE, no_index=True))
    assert "--no-index" not in GOLDEN.read_text("utf-8")


def test_nothing_in_a_name_a_label_or_a_variable_is_an_instruction_or_replaced():
    evil = 'one "two" $HOME \\ three\nRUN rm -rf /'
    written = containerfile(replace(RECIPE, large=[evil], labels={"a": evil}, variables={"A": evil}))
    quoted = r'"one \"two\" \$HOME \\ three RUN rm -rf /"'
    assert f"ENV A={quoted}\n" in written
    assert f'LABEL "a"={quoted}\n' in written
    assert "\nRUN rm" not in written


def test_a_lock_is_installed_anew_when_something_else_would_come_of_it():
    one, other = (requirements({"numpy": "2.4", "torch": "2.9.0+cpu"}, key) for key in ("ab", "cd"))
    assert one == "# ab\nnumpy==2.4\ntorch==2.9.0+cpu\n"
    assert one != other
