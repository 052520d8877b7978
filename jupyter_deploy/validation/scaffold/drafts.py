"""The text of each file of a set-up. Pure, except that it reads the templates in this folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any

from jupyter_deploy.domain.validation.scaffold import Trained, quoted
from jupyter_deploy.domain.validation.scaffold_ports import Draft, Starting

from .examples import TRAINED, TRAINING, training_example, validation_example

WORKFLOW, HOOKS, SETTINGS = ".github/workflows/nbdeploy.yml", ".pre-commit-config.yaml", "nbdeploy.yaml"


@dataclass(frozen=True)
class Requirements:
    """The requirements of the project.

    Attributes
    ----------
    file
        Their file; None: there is none, and ``imported`` is written to a new requirements.txt.
    package
        The project itself can be installed.
    """

    file: str | None
    package: bool = False
    imported: tuple[str, ...] = ()


class _Template(Template):
    delimiter = "§"  # a workflow is full of $


def drafts(
    start: Starting,
    branch: str,
    python: tuple[str, str],
    requirements: Requirements,
    origin: Mapping[str, Any] | None = None,
) -> list[Draft]:
    """Draft all files as new ones.

    ``origin``: the ``direct_url.json`` of nbdeploy's own installation; None: from a package index.
    """
    files, cells = list[Draft](), dict(start.cells)
    if TRAINED in start.trained:
        files.append(Draft(TRAINED.notebook, training_example()))
        cells[TRAINED.notebook] = [source for kind, source in TRAINING if kind == "code"]
    # Each endpoint's validation notebooks with their gates; existing notebooks have their own gates.
    validated: dict[str, dict[str, tuple[str, ...]]]
    validated = {name: dict.fromkeys(notebooks, ()) for name, notebooks in start.validated.items()}
    for one in start.trained:
        path, exists = next(iter(start.validated[one.name].items()))
        if exists:
            continue
        example = validation_example(one, cells.get(one.notebook, ()), regression=start.regression.get(one.name))
        validated[one.name][path] = ("accuracy >= 0.9", *example.gates) if one == TRAINED else example.gates
        files.append(Draft(path, example.text, note=f"{path}: {example.lacks}" if example.lacks else ""))
    if requirements.file is None:
        imported = EXAMPLE_NEEDS if TRAINED in start.trained else requirements.imported
        files.append(Draft("requirements.txt", _filled("requirements.txt", lines="\n".join(imported))))
    notebook_list = _notebook_list(
        {path: gates for notebooks in validated.values() for path, gates in notebooks.items()}
    )
    files.append(
        Draft(SETTINGS, _filled("nbdeploy.yaml", notebooks=notebook_list), f"validate:\n{notebook_list}\n", "validate:")
    )
    hooks = _filled("pre-commit.yaml", ids=",".join(_ids(validated)), hooks=_hooks(validated, start.trained))
    files.append(Draft(HOOKS, hooks, hooks.partition("repos:\n")[2], "nbdeploy validate"))
    workflow = _workflow(start.trained, validated, branch, python, requirements, own=_own(origin or {}))
    files.append(Draft(WORKFLOW, workflow, note=_unreachable(origin or {})))
    return files


EXAMPLE_NEEDS = ("pandas>=2.2,<4", "scikit-learn>=1.6,<2")
"""The dependencies of the example training notebook."""


def _notebook_list(validated: Mapping[str, Sequence[str]]) -> str:
    lines = []
    for path, gates in validated.items():
        lines.append(f"  - notebook: {quoted(path)}")
        lines += ["    gates:", *(f"      - {gate}" for gate in gates)] if gates else []
    return "\n".join(lines)


def _ids(validated: Mapping[str, object]) -> list[str]:
    several = len(validated) > 1
    return [f"nbdeploy-validate-{name}" if several and name else "nbdeploy-validate" for name in validated]


def _hooks(validated: Mapping[str, Mapping[str, object]], trained: Sequence[Trained]) -> str:
    """Return one hook per model, since a validation is of one model.

    In addition each training notebook has a hook with the message that a commit does not train.
    """
    several = len(validated) > 1
    hooks = [
        _filled(
            "hook.yaml",
            id=of,
            of=f" of {name}" if several and name else "",
            entry=" ".join(map(quoted, ["nbdeploy", "validate", *(notebooks if several else ())])),
        )
        for of, (name, notebooks) in zip(_ids(validated), validated.items(), strict=True)
    ]
    for notebook in dict.fromkeys(one.notebook for one in trained):
        words = f"{notebook} changed, and its new model is not validated by a commit: deploy it, which does"
        entry, files = f"echo {quoted(words)}", f"^{re.escape(notebook)}$"
        hooks.append(_filled("trained.yaml", entry=_in_yaml(entry), files=_in_yaml(files), name=_in_yaml(notebook)))
    return "\n".join(hook.rstrip("\n") for hook in hooks)


def _in_yaml(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)


def _steps(validated: Mapping[str, Mapping[str, object]]) -> str:
    several = len(validated) > 1
    return "\n\n".join(
        _filled(
            "validate.yml",
            # A failed step does not skip the others.
            condition=" " * 8 + "if: ${{ !cancelled() && steps.train.outcome == 'success' }}\n" if several else "",
            title=f"Validate {name}".rstrip() if several else "Validate",
            what=" ".join(map(quoted, [*(notebooks if several else ()), *(["--snapshot", name] if name else [])])),
            folder=f"report/{name or 'other'}" if several else "report",
        ).rstrip("\n")
        for name, notebooks in validated.items()
    )


def _workflow(
    trained: Sequence[Trained],
    validated: Mapping[str, Mapping[str, object]],
    branch: str,
    python: tuple[str, str],
    requirements: Requirements,
    *,
    own: str,
) -> str:
    lines = []
    match requirements:
        case Requirements(file="uv.lock", package=package):
            lines = [
                "pip install uv",
                'uv export --frozen --no-hashes --no-emit-project --output-file "$RUNNER_TEMP/lock.txt"',
                f'pip install {own} --requirement "$RUNNER_TEMP/lock.txt"',
                *(["pip install --no-deps ."] if package else []),
            ]
        case Requirements(file="pyproject.toml"):
            lines = [f"pip install {own} ."]
        case _:
            lines = [f"pip install {own} --requirement requirements.txt"]
    of_base = [f"if [ -f {quoted(one.notebook)} ]; then {one.command} --validate off; fi" for one in trained]
    return _filled(
        "workflow.yml",
        branch=branch,
        python=f'{python[0]}: "{python[1]}"',
        lock=requirements.file or "requirements.txt",
        install=_indented(lines),
        deploy_base=_indented(of_base),
        deploy=_indented([f"{one.command} --validate off" for one in trained]),
        train=" " * 8 + "id: train\n" if len(validated) > 1 else "",
        validate=_steps(validated),
    )


def _own(origin: Mapping[str, Any]) -> str:
    """Return pip's requirement for nbdeploy itself."""
    url = str(origin.get("url", ""))
    if url and not url.startswith("file:"):
        vcs = origin.get("vcs_info", {})
        return f'"nbdeploy @ {vcs["vcs"]}+{url}@{vcs["commit_id"]}"' if vcs else f'"nbdeploy @ {url}"'
    version = ".".join(metadata.version("nbdeploy").split(".")[:2])
    following = f"{version.partition('.')[0]}.{int(version.partition('.')[2]) + 1}"
    return f'"nbdeploy>={version},<{following}"'


def _unreachable(origin: Mapping[str, Any]) -> str:
    url = str(origin.get("url", ""))
    if not url.startswith("file:"):
        return ""
    return (
        f"nbdeploy was installed here from {url}, which a workflow cannot reach: its step Install takes it from your "
        "package index. Where that has none, name its repository there, or a wheel that you commit"
    )


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"          {line}" for line in lines)


def _filled(template: str, **words: str) -> str:
    text = Path(__file__).with_name(f"{template}.template").read_text("utf-8")
    return _Template(text).substitute(words)
