"""What a panel saves, charts and records, and pictures of it in both themes."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect


def saves_chart(page, panel, title):
    """A chart is downloaded as a picture of each kind."""
    for kind, first in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as saved:
            panel.get_by_role("button", name=f'Save "{title}" as {kind}').click()
        assert saved.value.suggested_filename == f"{title.lower()}.{kind.lower()}"
        assert Path(saved.value.path()).read_bytes().startswith(first)


def exports_records(panel, folder):
    """The records go into a file next to the notebook."""
    panel.get_by_label("Format of the export").select_option("Parquet")
    panel.get_by_role("button", name="Export").click()
    expect(panel.get_by_text(re.compile(r"\d+ rows, .*churn-records-.*\.parquet"))).to_be_visible()
    assert list(folder.glob("churn-records-*.parquet"))


def in_both_themes(page, shot):
    """Take a picture in each of JupyterLab's themes."""
    for theme in ("Dark", "Light"):
        command = "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab %s'})"
        page.evaluate(command % theme)
        page.wait_for_timeout(2000)
        shot(page, theme.lower())


def saved_html(file):
    """The one output of HTML in a saved notebook; empty: it has none, or several."""
    text = file.read_text()
    cells = json.loads(text)["cells"] if text else []  # it is just being written
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    htmls = ["".join(o["data"]["text/html"]) for o in outputs if "text/html" in o.get("data", {})]
    return htmls[0] if len(htmls) == 1 else ""
