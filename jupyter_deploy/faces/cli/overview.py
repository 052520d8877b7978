"""The text of ``nbdeploy --help``: the usual steps and all verbs, without a parser and without request models."""

from __future__ import annotations

import shutil
import textwrap

from jupyter_deploy.verbs import OPERATIONS

HELP = """Turn the model in a notebook into a running, validated, observable service.

The usual steps:

nbdeploy deploy train.ipynb --name churn --model clf --example "X_test[:5]"
    the first release is stable
nbdeploy deploy better.ipynb --name churn --model clf --example "X_test[:5]"
    the next one starts as a shadow
nbdeploy compare churn
    compares the shadow's answers with stable's, on the same requests
nbdeploy init
    writes a first validation notebook, and the files that CI and git need
nbdeploy validate validate_churn.ipynb --gate "accuracy >= stable - 0.01"
    measures the model; 'deploy --validate … --gate …' does so for every release
nbdeploy traffic churn --canary TAG=20
    the new release answers a fifth of the requests
nbdeploy promote churn
    the new release answers all requests
nbdeploy rollback churn
    restores the previous revision
nbdeploy publish churn --to registry.example/team/churn
    pushes the image, for any container runtime or cloud

Exit codes: 0 done, 1 refused or a requirement not met, 2 wrong usage or input,
3 target or internal error, 4 not enough evidence yet, 138 kernel died.
"""

_OTHERS = {
    "secret": "Store, list or remove values of secrets, for 'deploy --secret VARIABLE=keyring:NAME'.",
    "completion": "Print the shell's completion script: bash, zsh or fish.",
    "--help, -h": "Show this text; after a command, its options.",
    "--version": "Show the version.",
}


def overview() -> str:
    """Make the text for the width of the terminal."""
    rows = {operation.name: operation.summary for operation in sorted(OPERATIONS, key=lambda one: one.name)} | _OTHERS
    indent = max(map(len, rows)) + 4
    width = max(indent + 20, shutil.get_terminal_size().columns)
    lines = [
        textwrap.fill(summary, width, initial_indent=f"  {name:{indent - 2}}", subsequent_indent=" " * indent)
        for name, summary in rows.items()
    ]
    return "\n".join(["Usage: nbdeploy COMMAND", "", HELP, "Commands:", "", *lines])
