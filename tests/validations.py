"""Validations as they would be after a run, and notebooks as they would have run, written by hand: for reports."""

import base64
import json
import struct
import zlib
from datetime import UTC, datetime, timedelta

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from jupyter_deploy.domain.evidence.inference import Interval
from jupyter_deploy.domain.evidence.statistic import METRIC_MIME
from jupyter_deploy.domain.validation.validation import CellError, Check, GateResult, Metric, Run, Validation, worst

AT = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


def metric(name, value, width=0.02, *, n=400, cell=5, **group):
    interval = Interval(low=value - width, high=value + width * 0.8) if width else None
    return Metric(name=name, value=value, n=n, group=group, cell=cell, interval=interval)


def gate(verdict="pass", expression="accuracy >= stable - 0.01", **given):
    sign = {"pass": "pass", "fail": "fail", "inconclusive": "inconclusive, 1,200 rows would decide"}[verdict]
    value, stable = given.pop("value", 0.947), given.pop("stable", 0.953)
    threshold = given.pop("threshold", 0.943)
    return GateResult(
        expression=expression,
        origin="notebook",
        verdict=verdict,
        sentence=f"accuracy {value} [{value - 0.026:.3f}, {value + 0.019:.3f}] ≥ stable {stable} − 0.010: {sign}",
        method="paired bootstrap of 400 rows",
        value=value,
        interval=Interval(low=value - 0.026, high=value + 0.019),
        stable=stable,
        threshold=threshold,
        n=400,
        **given,
    )


def run(notebook="/repo/checks/quality.ipynb", **given):
    values = {
        "kernel": "python3",
        "status": "done",
        "seconds": 4.2,
        "metrics": (metric("accuracy", 0.947), metric("log_loss", 0.164, 0.01), metric("latency_p95_ms", 8.31, 0)),
        "stable_metrics": (metric("accuracy", 0.953), metric("log_loss", 0.158, 0.01)),
        "checks": (Check(name="no negative prices", passed=True, cell=7),),
        "gates": (gate(),),
    }
    return Run(notebook=str(notebook), **(values | given))


def validation(*runs, name="20261125T123000-0a1b2c3d", **given):
    values = {
        "id": name,
        "at": AT,
        "by": "ada",
        "snapshot": "churn:7f3ac21b9d20",
        "endpoint": "churn",
        "stable": "churn:1e2d3c4b5a69",
        "seconds": 9.4,
        "verdict": worst(one.verdict for one in runs),
    }
    return Validation(runs=runs, **(values | given))


def history(count, **given):
    """Validations of the same notebook on the days before."""
    found = []
    for number in range(1, count + 1):
        value = 0.95 + ((number * 7) % 11 - 5) / 400
        one = run(metrics=(metric("accuracy", value), metric("log_loss", 1.1 - value, 0.01)), **given)
        found.append(validation(one, name=f"old-{number}").model_copy(update={"at": AT - timedelta(days=number)}))
    return found


def picture(width=420, height=240):
    """A PNG with a white ground, as a plot has."""
    rows = b"".join(
        b"\0" + b"".join(b"\x3b\x6e\xa5" if (x // 3 + y // 2) % 40 == 0 else b"\xff\xff\xff" for x in range(width))
        for y in range(height)
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


TABLE = (
    "<div><style scoped>.dataframe tbody tr th {vertical-align: top;}</style><table border='1' class='dataframe'>"
    f"<thead><tr><th></th><th>age</th><th>weight</th>{'<th>probability</th>' * 12}</tr></thead><tbody>"
    + "".join(f"<tr><th>{n}</th><td>{20 + n}</td><td>{60.5 + n}</td>{'<td>0.5</td>' * 12}</tr>" for n in range(5))
    + "</tbody></table></div>"
)


def executed(path, *more, failing=False):
    """A notebook as it ran, with the kinds of output that people's notebooks have."""
    cells = [
        new_markdown_cell("# Quality of the churn model\nHeld-out rows of *2026*, see [the data](data.csv)."),
        new_code_cell("rows = 400", metadata={"tags": ["parameters"]}, execution_count=1),
        new_code_cell(
            "import pandas as pd\nfrom jupyter_deploy import model, metric  # the snapshot under test\n\n"
            "clf = model()\nX.head()",
            execution_count=2,
            outputs=[
                new_output("stream", name="stderr", text="UserWarning: weights are not scaled\n"),
                new_output("execute_result", {"text/html": TABLE, "text/plain": "age weight"}, execution_count=2),
            ],
        ),
        new_code_cell(
            'ax = scores.plot.hist(bins=20, title="scores")',
            execution_count=3,
            outputs=[new_output("display_data", {"image/png": picture(), "text/plain": "<Figure>"})],
        ),
        new_code_cell(
            'metric("accuracy", rows=y == clf.predict(X))',
            execution_count=4,
            outputs=[
                new_output(
                    "display_data",
                    {METRIC_MIME: {"name": "accuracy", "value": 0.947, "n": 400}, "text/plain": "accuracy = 0.947"},
                )
            ],
        ),
        *more,
    ]
    if failing:
        trace = [
            "\x1b[31mValueError\x1b[39m                 Traceback (most recent call last)",
            "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[5]\x1b[39m\x1b[32m, line 1\x1b[39m\n"
            "\x1b[32m----> 1\x1b[39m clf.predict(X_wrong)",
            "\x1b[31mValueError\x1b[39m: row 3: 'age' is missing",
        ]
        cells.append(
            new_code_cell(
                "clf.predict(X_wrong)",
                execution_count=5,
                outputs=[new_output("error", ename="ValueError", evalue="row 3: 'age' is missing", traceback=trace)],
            )
        )
    nbformat.write(new_notebook(cells=cells), path)
    return str(path)


RAISED = CellError(
    cell=5,
    ename="ValueError",
    evalue="row 3: 'age' is missing",
    traceback="ValueError    Traceback (most recent call last)\nCell In[5], line 1\n----> 1 clf.predict(X_wrong)\n\n"
    "ValueError: row 3: 'age' is missing",
)


def hostile(address):
    """Cells that try to run a script, call an address, leave the frame, or break out of the page."""
    tries = [
        f"<script>fetch('{address}/script'); parent.document.title = 'taken'</script>",
        f"<img src='{address}/image'><img src=x onerror=\"fetch('{address}/onerror')\">",
        f"<link rel=stylesheet href='{address}/style'><style>@import url({address}/import); "
        f"body {{ background: url({address}/background) }}</style>",
        f"<meta http-equiv=refresh content='0;url={address}/refresh'><iframe src='{address}/frame'></iframe>",
        f"<form action='{address}/form'><input autofocus onfocus='this.form.submit()'></form>",
        f"<object data='{address}/object'></object><embed src='{address}/embed'>",
        f"<video src='{address}/video' autoplay></video>",
        f"</iframe></body></html>\"'><script>fetch('{address}/out')</script><img src='{address}/broke-out'>",
        f"<svg><script>fetch('{address}/svg')</script><image href='{address}/svg-image'/></svg>",
    ]
    cells = [
        new_code_cell("show()", outputs=[new_output("display_data", {"text/html": text, "text/plain": "?"})])
        for text in tries
    ]
    script = {"application/javascript": f"fetch('{address}/javascript')", "text/plain": "a script"}
    return [
        *cells,
        new_code_cell("show()", outputs=[new_output("display_data", script)]),
        new_markdown_cell(f"![remote]({address}/markdown) <script>fetch('{address}/in-markdown')</script>"),
    ]


def document(path):
    return json.loads(path.read_text("utf-8"))
