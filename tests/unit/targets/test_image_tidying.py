"""The files of an installed environment that go into an image."""

import pytest

from jupyter_deploy.container_images.container_engines import in_words
from jupyter_deploy.container_images.normalization import left_out, settle

SITE = "opt/nbdeploy/venv/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("name", "out"),
    [
        (f"{SITE}/numpy-2.4.dist-info/INSTALLER", True),
        (f"{SITE}/numpy-2.4.dist-info/METADATA", False),
        (f"{SITE}/numpy/INSTALLER", False),
        (f"{SITE}/numpy/__pycache__/a.cpython-311.pyc", True),
        (f"{SITE}/numpy/tests/test_a.py", True),
        (f"{SITE}/numpy/tests/helpers.py", False),
        (f"{SITE}/numpy/test_a.py", False),
    ],
)
def test_installers_notes_bytecode_and_tests_stay_away(name, out):
    assert left_out(name) is out


def test_modes_and_times_are_those_of_every_machine(tmp_path):
    folder = tmp_path / "tree"
    (folder / "inside").mkdir(parents=True, mode=0o700)
    for name, mode in (("plain", 0o600), ("program", 0o700)):
        (folder / "inside" / name).write_text("")
        (folder / "inside" / name).chmod(mode)
    (folder / "link").symlink_to("/nowhere")
    settle(folder)
    found = {path.name: path.lstat() for path in (folder, *folder.rglob("*"))}
    assert {name: oct(about.st_mode & 0o777) for name, about in found.items() if name != "link"} == {
        "tree": "0o755",
        "inside": "0o755",
        "plain": "0o644",
        "program": "0o755",
    }
    assert {about.st_mtime for about in found.values()} == {0}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[2/4] STEP 3/5: COPY tidy.py /build/", "stage 2 of 4, step 3 of 5: COPY tidy.py /build/"),
        ("STEP 1/9: FROM base AS code", "step 1 of 9: FROM base AS code"),
        (
            "[2/4] STEP 4/5: RUN --mount=type=secret,id=a --mount=type=bind,source=b uv",
            "stage 2 of 4, step 4 of 5: RUN uv",
        ),
        ("#9 [dependencies 2/4] COPY tidy.py /build/", "[dependencies 2/4] COPY tidy.py /build/"),
        ("--> 0f3c2ab1c4d5", None),
        ("Resolved 62 packages in 3 s", None),
    ],
)
def test_the_steps_of_an_engines_output_are_reported(line, words):
    assert in_words(line) == words


def test_a_long_instruction_is_shortened():
    told = in_words(f"STEP 1/2: RUN {'x' * 200}")
    assert told.endswith("x…")
    assert len(told) < 100
