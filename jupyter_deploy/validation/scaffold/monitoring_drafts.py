"""The files of ``init --monitoring``. Pure, except that it reads the templates in the folder ``monitoring``."""

from __future__ import annotations

from pathlib import Path
from string import Template

from jupyter_deploy.domain.validation.scaffold_ports import Draft

FOLDER = "monitoring"
DASHBOARD = Path(__file__).with_name(FOLDER) / "grafana.json"
"""Made by ``python -m scripts.dashboard``."""

_FILES = {
    "prometheus.yml": "prometheus.yml.template",
    "nbdeploy.rules.yml": "nbdeploy.rules.yml.template",
    "alertmanager.yml": "alertmanager.yml.template",
    "grafana/nbdeploy.json": DASHBOARD.name,
    "grafana/dashboards.yml": "grafana-dashboards.yml.template",
}


class _Template(Template):
    delimiter = "§"  # the queries are full of $


def monitoring_drafts(address: str) -> list[Draft]:
    """Draft the files as new ones.

    Parameters
    ----------
    address
        HOST:PORT of the gateway.
    """
    folder = Path(__file__).with_name(FOLDER)
    texts = {path: (folder / name).read_text("utf-8") for path, name in _FILES.items()}
    return [Draft(f"{FOLDER}/{path}", _Template(text).safe_substitute(address=address)) for path, text in texts.items()]
