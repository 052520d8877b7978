"""The page on protocols: each command prints the output that the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from protocol_clients import behind_a_gateway

PAGE = Path(__file__).parents[3] / "docs" / "protocols.md"

BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def port():
    with behind_a_gateway() as (_, urls, _):
        yield str(urlsplit(urls["churn"]).port)


def commands():
    for block in BLOCKS:
        yield [part.partition("\n")[::2] for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


@pytest.mark.parametrize("block", commands(), ids=lambda block: block[0][0][:60])
def test_each_command_prints_what_the_page_says(port, tmp_path, block):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command, expected in block:
        done = subprocess.run(
            ["bash", "-c", command.replace("8780", port)],
            cwd=tmp_path, env={"PATH": path, "NO_PROXY": "*"}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.rstrip("\n") == expected.rstrip("\n")


def test_the_page_has_an_example_of_each_protocol():
    told = "".join(BLOCKS)
    for word in (
        "/predict",
        ":predict",
        "/infer",
        "/invocations",
        "text/csv",
        "parquet",
        "gzip",
        "event-stream",
        "http2",
    ):
        assert word in told
