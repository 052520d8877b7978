"""The page of an endpoint's Compose project."""

from __future__ import annotations

from jupyter_deploy.domain.images.compose import COMPOSE_FILE, README, Composed

from .page import Block, Page, Table


def composed_page(result: Composed) -> Page:
    """Make the page: the files, the services, and the command that starts them; with ``dry_run`` the texts too."""
    did = "would be written" if result.dry_run else "is written"
    same = all(file.state == "unchanged" for file in result.files)
    facts = [
        ("gateway", result.gateway),
        ("url", result.url),
        *([("token", "clients must carry the one that NBDEPLOY_TOKEN names when it is started")] * result.token),
    ]
    services = [(one.service, one.release, one.role, f"{one.percent:g} %") for one in result.releases]
    shown = [file for file in result.files if result.dry_run and file.path in (COMPOSE_FILE, README)]
    return Page(
        f"{result.endpoint} at revision {result.revision} {'was already there' if same else did}: {result.folder}",
        facts=facts,
        tables=[
            Table("", ("file", ""), [(file.path, file.state) for file in result.files]),
            Table("", ("service", "release", "role", "share"), services),
        ],
        blocks=[Block(f"{file.path}:", file.text.rstrip("\n").split("\n")) for file in shown],
        code="" if result.dry_run else result.command,
    )
