"""The page and the YAML text of objects for Kubernetes."""

from __future__ import annotations

from jupyter_deploy.domain.manifests import Manifests

from .page import Page, Table


def manifests_page(result: Manifests) -> Page:
    """Make the page: the kinds and names; '-o yaml' writes the documents."""
    rows = [(one["kind"], one["metadata"]["name"]) for one in result.documents]
    return Page(
        f"{len(rows)} objects; '-o yaml' writes them for 'kubectl apply -f -'",
        tables=[Table("", ("kind", "name"), rows)],
    )


def manifests_yaml(result: Manifests) -> str:
    """Make the text: a YAML document for each object."""
    import yaml

    return yaml.safe_dump_all(result.documents, sort_keys=False, width=1000)
