"""Write docs/reference.md from the request models, the settings and the errors; ``--check`` fails when it is stale."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from jupyter_deploy.domain import errors
from jupyter_deploy.faces.render.error_codes import error_code
from jupyter_deploy.faces.request_fields import is_positional
from jupyter_deploy.settings import Settings
from jupyter_deploy.targets.registry import target_settings
from jupyter_deploy.verbs import OPERATIONS

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference.md"


def document() -> str:
    """The whole page."""
    lines = [
        "# Reference",
        "",
        "Made by `make docs` from the code; CI fails when it is stale.",
        "",
        "Each verb is `nbdeploy VERB …` in a shell, `%deploy_VERB …` in a notebook (`%deploy` for deploy) and "
        "`jupyter_deploy.VERB(…)` in Python, with the same options. Every verb takes `-o json`.",
        "",
    ]
    for operation in OPERATIONS:
        lines += [f"## {operation.name}", "", inspect.getdoc(operation.request) or "", ""]
        fields = operation.request.model_fields
        if fields:
            lines += ["| option | default | what it is |", "|---|---|---|"]
        for name, field in fields.items():
            shown = name.upper() if is_positional(field) else f"`--{name.replace('_', '-')}`"
            default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
            lines.append(f"| {shown} | {default} | {field.description} |")
        lines.append("")
    lines += [
        "## Settings",
        "",
        inspect.getdoc(Settings) or "",
        "",
        "| setting | default | what it is |",
        "|---|---|---|",
    ]
    lines += [_setting(name, field) for name, field in Settings.model_fields.items()]
    for name, declared in target_settings().items():
        lines += ["", f"Settings of the target `{name}`:", "", "| setting | default | what it is |", "|---|---|---|"]
        lines += [_setting(name, field) for name, field in declared.declared().items()]
    lines += ["", "## Errors", "", "| code | exit code |", "|---|---|"]
    lines += [f"| `{cls.code}` | {error_code(cls).exit_code} |" for cls in _tree(errors.DeployError)]
    return "\n".join(lines) + "\n"


def _setting(name: str, field: FieldInfo) -> str:
    variable = str(field.validation_alias or f"NBDEPLOY_{name.upper()}")
    default = "see there" if field.default_factory else _default(field.default)
    return f"| `{variable}` | {default} | {field.description} |"


def _default(value: object) -> str:
    if value is None or value in ("", {}, ()):
        return "–"
    if hasattr(value, "model_dump"):
        return ", ".join(f"{key} {number:g}" for key, number in value.model_dump(exclude_none=True).items()) or "any"
    return f"`{value}`"


def _tree(root: type[errors.DeployError]) -> list[type[errors.DeployError]]:
    """The core's errors; a target's own errors count as their parents."""
    children = [child for child in root.__subclasses__() if child.__module__ == root.__module__]
    return [root, *(cls for child in children for cls in _tree(child))]


def main() -> None:
    """Write or check."""
    if "--check" in sys.argv:
        if not TARGET.exists() or TARGET.read_text("utf-8") != document():
            sys.exit(f"{TARGET} is stale: run 'make docs'")
    else:
        TARGET.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
