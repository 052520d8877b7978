"""Notebooks of R: run headless, captured in their kernel, and answered by a clean process of R."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_deploy.domain import errors
from jupyter_deploy.domain.capture.artifacts import Source, Tolerance
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.errors import DeployError, InvalidInput, NotCapturable, ReplayFailed
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.notebooks.papermill import PapermillRunner
from jupyter_deploy.notebooks.reader import kernel_of, read_notebook
from jupyter_deploy.serving.agreement import differences, structure_differences
from jupyter_deploy.serving.environment import EnvironmentChanged
from jupyter_deploy.serving.natives.r import ABOUT, RCrashed, RError, RModel, versions_of
from jupyter_deploy.serving.r.frames import Decoded, decoded
from jupyter_deploy.serving.values.codec import to_json
from jupyter_deploy.system.git import project_of
from jupyter_deploy.system.temp import scratch_folder

from . import SCRIPTS

SESSION = "session.json"
"""What a session of R that deploys its model says of itself."""

_OF_STATE = (
    "the model depends on state of the notebook's kernel: a file, an option, an object that only code in texts names. "
    "Make it an argument or a variable that the function reads, or name a file with --include"
)


class RNotebooks:
    """The port of the same name."""

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance

    def takes(self, notebook: Path) -> bool:
        """Whether the notebook's kernel is R's; of a folder, whether a session of R wrote its model into it."""
        if notebook.is_dir():
            return (notebook / SESSION).is_file()
        return kernel_of(read_notebook(str(notebook)), notebook.name)[1] == "R"

    @contextmanager
    def captured(
        self, notebook: Path, request: DeployRequest, secrets: Mapping[str, str], report: Callable[[str], None]
    ) -> Iterator[Live]:
        """Run the notebook, write model, example and answers in its kernel, and yield the live object.

        A folder has them already, of a session of R that called ``deploy`` of the package. A clean process of R has
        given the kernel's answers; it ends with the context.

        Raises
        ------
        InvalidInput, InvalidExample, NotCapturable, UnknownSource
            The request, or the kernel's refusal.
        NotebookFailed, KernelDied
            See ``NotebookRunner.run``.
        ReplayFailed
            The clean process cannot load the model or gives other answers.
        """
        _require_valid(request, notebook)
        _require_pandas()
        runner = PapermillRunner()
        if notebook.is_dir():
            session = _session(notebook)
            cells = runner.cells(session) if session and session.is_file() else ()
            with self.live(notebook, session, request, cells, secrets) as live:
                yield live
            return
        with scratch_folder("r") as folder:
            runner.run(notebook, capture_cell(folder, request), report, (), secrets)
            with self.live(folder, notebook, request, runner.cells(notebook), secrets) as live:
                yield live

    @contextmanager
    def live(
        self,
        folder: Path,
        notebook: Path | None,
        request: DeployRequest,
        cells: Sequence[str],
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[Live]:
        """Yield the live object of the files that ``capture.R`` wrote in a kernel; raises as ``captured``.

        ``notebook`` None: the session has none.
        """
        _raise_refusal(folder, notebook.name if notebook else "the session")
        example, again, answers = (_frame(folder, name) for name in ("example", "again", "answers"))
        model = _clean_model(folder, example, secrets)
        with closing(model):
            table = _table(example, model.about["columns"])
            self._require_agreement(model, table, answers, again)
            yield Live(
                model,
                table,
                Source(notebook=str(notebook.resolve()) if notebook else None, variable=request.model),
                None if request.method in (None, "predict") else request.method,
                cells,
                project_of(notebook or Path.cwd()),
                training=_training(folder, model.about["columns"]),
                include=tuple(Path(path).absolute() for path in request.include),
                show_example=request.show_example,
                expression=request.example,
                nullable=request.nullable,
                engine=request.engine,
                accepted_difference=request.accepted_difference or 0.0,
                notes=_notes(model),
                language="R",
            )

    def _require_agreement(self, model: RModel, table: Any, answers: Decoded, again: Decoded) -> None:
        """Raise ReplayFailed if a clean process of R does not give the kernel's answers."""
        expected, repeated = to_json(answers.answer), to_json(again.answer)
        try:
            got = to_json(model.predict(table))
        except (RError, RCrashed) as error:
            raise ReplayFailed(f"a clean process of R could not answer the example: {error}", _OF_STATE) from error
        rtol, atol = self._tolerance.float64_rtol, self._tolerance.float64_atol
        if differences(expected, repeated, rtol=rtol, atol=atol):  # the kernel's own answers vary
            lines = structure_differences(expected, got)
        else:
            lines = differences(expected, got, rtol=rtol, atol=atol)
        if lines:
            raise ReplayFailed(
                "the answers of a clean process of R to the example differ from the notebook's",
                _OF_STATE,
                "\n".join(f"  {line}" for line in lines),
            )


def _require_valid(request: DeployRequest, notebook: Path) -> None:
    """Raise InvalidInput for what no notebook of R can have, before it runs."""
    line = f"nbdeploy deploy {notebook} --name NAME --model fit --example 'head(X, 5)'"
    if not request.example:
        raise InvalidInput("a model of R needs an example", f"name rows of a data frame: {line}")
    if request.signature:
        raise InvalidInput(
            "--signature is for models of Python", "R's example defines the signature; --nullable is for R too"
        )
    if request.lookup:
        raise InvalidInput("--lookup is for models of Python", "look the features up in the R code, or send them")


def _require_pandas() -> None:
    try:
        import pandas as pd  # noqa: F401
    except ImportError as error:
        raise InvalidInput(
            "requests to a model of R become data frames of pandas, which is not installed", "pip install pandas"
        ) from error


def capture_cell(folder: Path, request: DeployRequest) -> str:
    """Return the cell that captures, in R."""
    arguments = {
        "folder": str(folder),
        "model": request.model,
        "example": request.example,
        "type": None if request.method == "predict" else request.method,
        "training": request.training if isinstance(request.training, str) else None,
    }
    given = ", ".join(f"{name} = {_quoted(value)}" for name, value in arguments.items() if value is not None)
    sources = "; ".join(f"sys.source({_quoted(str(script))}, environment())" for script in SCRIPTS)
    return f"invisible(local({{{sources}; nbdeploy_run({given})}}, envir = new.env(parent = globalenv())))"


def _quoted(text: str) -> str:
    """Return a text as R writes it."""
    return json.dumps(text, ensure_ascii=False)


def _session(folder: Path) -> Path | None:
    """Return the notebook of the session that wrote a folder; None: it had none."""
    notebook = json.loads((folder / SESSION).read_text("utf-8"))["notebook"]
    return Path(notebook) if notebook else None


def _raise_refusal(folder: Path, notebook: str) -> None:
    path = folder / "error.json"
    if path.is_file():
        document = json.loads(path.read_text("utf-8"))
        classes = {cls.code: cls for cls in (errors.InvalidExample, errors.UnknownSource, InvalidInput)}
        cls: type[DeployError] = classes.get(document["code"], NotCapturable)
        raise cls(document["message"], document["remedy"])
    if not (folder / "about.json").is_file():
        raise NotCapturable(f"the kernel of {notebook} wrote no model", "check whether its cells end R or remove files")


def _frame(folder: Path, name: str) -> Decoded:
    return decoded((folder / f"{name}.bin").read_bytes())


def _clean_model(folder: Path, example: Decoded, secrets: Mapping[str, str]) -> RModel:
    """Return the model in a clean process of R, with the versions of the packages that it loaded."""
    about: dict[str, Any] = json.loads((folder / "about.json").read_text("utf-8"))
    about["columns"] = example.schema(about.pop("levels"))
    about["r"]["packages"] = {}
    _write(folder, about)
    try:
        model = RModel(folder, secrets)
    except EnvironmentChanged as error:
        raise ReplayFailed(
            f"a clean process of R could not load the model: {'; '.join(error.changes)}",
            "make the Rscript of the notebook's R the first one on the search path (PATH)",
        ) from error
    except (RError, RCrashed) as error:
        raise ReplayFailed(f"a clean process of R could not load the model: {error}", _OF_STATE) from error
    about["r"]["packages"] = {
        name: {"version": version, "source": source, "packaged": packaged}
        for name, (version, source, packaged) in versions_of(model.versions).items()
        if name != "R" and source != "base"
    }
    _write(folder, about)
    model.about = about
    return model


def _write(folder: Path, about: dict[str, Any]) -> None:
    (folder / ABOUT).write_text(json.dumps(about, indent=1, sort_keys=True), "utf-8")


def _table(frame: Decoded, columns: list[Any]) -> Any:
    """Return a pandas frame; a text whose levels the model knows is categorical, so that requests are checked."""
    import pandas as pd

    table = frame.frame
    for column in columns:
        if column["kind"] == "text" and column["levels"] is not None and column["name"] in table:
            table[column["name"]] = pd.Categorical(table[column["name"]], column["levels"])
    return table


def _training(folder: Path, columns: list[Any]) -> Any:
    return _table(_frame(folder, "training"), columns) if (folder / "training.bin").is_file() else None


def _notes(model: RModel) -> tuple[str, ...]:
    about = model.about
    packages = [f"{name} {one['version']}" for name, one in about["r"]["packages"].items()]
    globals_ = about["globals"]
    notes = [f"captured from R {about['r']['version']}{' with ' if packages else ''}{', '.join(packages)}"]
    if globals_:
        notes.append(f"captured with it, of the notebook's kernel: {', '.join(globals_)}")
    return tuple(notes)
