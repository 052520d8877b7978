"""The page of an exported release."""

from __future__ import annotations

from jupyter_deploy.domain.export import ModelExport

from .page import Page, Table


def export_page(result: ModelExport) -> Page:
    """Make the page: the folder, the clients, and the command that checks one of them."""
    rows = sum(result.rows.values())
    origins = ", ".join(f"{count} {origin}" for origin, count in result.rows.items())
    facts = [
        ("release", result.release),
        ("proof", result.proof),
        ("conformance", f"{rows} rows with the original's answers ({origins})"),
        ("signature", f"key {result.signed_by[:12]}" if result.signed_by else "none: the manifest has digests only"),
    ]
    clients = [(one.language, one.file, "yes" if one.tested else "no") for one in result.clients]
    return Page(
        f"{result.endpoint} is exported: {result.folder}",
        facts=facts,
        tables=[Table("", ("client", "file", "tested"), clients)],
        code=result.command,
    )
