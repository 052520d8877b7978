"""The page of ``init``: each file, additions to existing files, and the next commands."""

from __future__ import annotations

from jupyter_deploy.domain.validation.scaffold import SetUp, StartingFile

from .page import Block, Page, Table


def setup_page(result: SetUp) -> Page:
    """Make the page: the files, notes, and the next steps."""
    made = [file for file in result.files if file.state in ("written", "would be written")]
    did = f"{len(made)} file{'s' * (len(made) != 1)} {'would be' if result.dry_run else 'are'} written"
    purpose = "monitors its endpoints" if result.monitoring else "has its models validated"
    headline = f"{did if made else 'nothing is to be written'}: {result.folder} {purpose}"
    shown = [file for file in result.files if file.add or (result.dry_run and file.state == "would be written")]
    return Page(
        headline,
        facts=[("note", note) for note in result.notes],
        tables=[Table("", ("file", ""), [(file.path, _state(file)) for file in result.files])],
        blocks=[_block(file) for file in shown if file.add or not file.path.endswith(".ipynb")],
        code="\n".join(["next:", *(f"  {line}" for line in result.following)]),
    )


def _state(file: StartingFile) -> str:
    return f"{file.state}: add what stands below" if file.add else file.state


def _block(file: StartingFile) -> Block:
    title = f"add to {file.path}:" if file.add else f"{file.path}:"
    return Block(title, (file.add or file.text).rstrip("\n").split("\n"))
