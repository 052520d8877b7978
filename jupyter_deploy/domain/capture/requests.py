"""The requests of the verbs that look at snapshots."""

from __future__ import annotations

from pydantic import Field

from jupyter_deploy.domain.requests import Request


class DiffRequest(Request):
    """Show the changes between two models: cells, code, hyperparameters, features, data, versions, answers.

    A and B are snapshots' tags (NAME:VERSION; the beginning of the version is enough) or an endpoint's name, which
    means its stable release. An endpoint's name alone compares its candidate with stable; a tag alone compares it with
    its predecessor, the stable release at its deploy.
    """

    a: str = Field(
        description="A tag, or an endpoint's name: the model before; without B, the model to inspect.",
        json_schema_extra={"positional": True, "completes": "model"},
    )
    b: str | None = Field(
        default=None,
        description="A tag, a version of A's name, or an endpoint's name: the model after.",
        json_schema_extra={"positional": True, "completes": "model"},
    )


class ReproduceRequest(Request):
    """Run a snapshot's notebook again in a clean environment, and compare the new model with the snapshot.

    The cells run from the top, up to the one that deployed, in the notebook's folder: they may write files there, and
    their deploys are skipped. If the notebook's file is missing, the cells that were executed run instead.
    The exit code is 0 if the answers are the same, else 1.
    """

    tag: str = Field(
        description="A tag (the beginning of a release's version is enough), or an endpoint's name, which means its "
        "stable release.",
        json_schema_extra={"positional": True, "completes": "model"},
    )
    trust: bool = Field(
        default=False,
        description="Run the cells of a snapshot from another store, after you have checked its origin.",
    )
