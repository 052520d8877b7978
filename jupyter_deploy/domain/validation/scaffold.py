"""The models of a project and the files that ``init`` writes for them. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.capture.artifacts import NAME

FileState = Literal["written", "would be written", "unchanged", "kept"]


class Trained(Value):
    """A notebook that trains a model, and the options of its deploy.

    ``options``: further words of ``nbdeploy deploy``, such as ``--method predict_proba``.
    """

    notebook: str = Field(description="Its path in the project, with '/'.")
    name: str = Field(description="The endpoint's.")
    model: str = Field(description="The variable.")
    example: str
    options: tuple[str, ...] = ()
    guessed: bool = Field(default=False, description="No cell says so: seen by what is fitted.")

    @property
    def command(self) -> str:
        """The line for a shell that trains and deploys it."""
        words = ["nbdeploy", "deploy", self.notebook, "--name", self.name, "--model", self.model]
        return " ".join(map(quoted, [*words, *self.options, "--example", self.example]))


class StartingFile(Value):
    """A file of the set-up.

    ``text`` is the whole file, even if another file is there already; ``add`` is the part that the other file lacks.
    """

    path: str
    state: FileState
    text: str = Field(repr=False)
    add: str = Field(default="", repr=False)


class SetUp(Value):
    """The result of ``init``."""

    folder: str
    files: tuple[StartingFile, ...]
    trained: tuple[Trained, ...] = ()
    validating: dict[str, tuple[str, ...]] = Field(
        default={}, description="The validation notebooks of each model; of '' those that name none."
    )
    notes: tuple[str, ...] = Field(default=(), description="What was guessed, and what is left to do by hand.")
    monitoring: bool = Field(default=False, description="The files are those of 'init --monitoring'.")
    dry_run: bool = False

    @property
    def following(self) -> tuple[str, ...]:
        """The next commands."""
        if self.monitoring:
            return "promtool check config monitoring/prometheus.yml", "amtool check-config monitoring/alertmanager.yml"
        deploys = [one.command for one in self.trained]
        several = len(self.validating) > 1  # a validation is of one model
        words = [("nbdeploy", "validate", *(notebooks if several else ())) for notebooks in self.validating.values()]
        validations = [" ".join(map(quoted, one)) for one in words]
        return (*deploys, *(validations or ["nbdeploy validate"]), "pre-commit install")


def quoted(word: str) -> str:
    """Quote a word for a shell only if it needs quotes, in double quotes if these suffice."""
    if re.fullmatch(r"[\w@%+=:,./-]+", word):
        return word
    if not re.search(r"[\"$`\\!]", word):
        return f'"{word}"'
    return "'" + word.replace("'", "'\"'\"'") + "'"


def name_for(notebook: str, folder: str) -> str:
    """Return a name for an endpoint: of ``train_churn.ipynb`` it is ``churn``, of ``train.ipynb`` the folder's name."""
    stem = PurePosixPath(notebook).stem.lower()
    stem = re.sub(r"^(train(ing)?|fit|model)([-_ ]|$)|[-_ ](train(ing)?|fit|model)$", "", stem)
    for words in (stem, folder, "model"):
        name = re.sub(r"[^a-z0-9_-]+", "-", words.lower()).strip("-_")[:63]
        if NAME.fullmatch(name):
            return name
    return "model"
