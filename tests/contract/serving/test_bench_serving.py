"""What ``make bench`` makes of the serving path's measurements, and the scripts that it runs in other environments."""

import io
import json
import math

import numpy as np
import pyarrow as pa
import pytest

from scripts.bench.bursts import IN_A_ROW, recovery
from scripts.bench.charts import throughput
from scripts.bench.clients import Answers
from scripts.bench.figures import Figure, table
from scripts.bench.peers import PEERS
from scripts.bench.peers.bare import BARE
from scripts.bench.peers.by_hand import _LOOP, SCRIPTS
from scripts.bench.peers.mlserver import from_v2, v2
from scripts.bench.servers import Found, best
from scripts.bench.tables import arrow
from scripts.bench.world import TABLE
from scripts.bench.wrk import Load, read


def load(rate):
    return Load(rate=rate, p50_ms=1.0, p99_ms=2.0, answered=int(rate), failed=0)


@pytest.mark.parametrize(
    ("figure", "aim", "verdict"),
    [
        (Figure("s", "n", 2.0, "×", most=2), "≤ 2 ×", "reached"),
        (Figure("s", "n", 2.1, "×", most=2), "≤ 2 ×", "**not reached**"),
        (Figure("s", "n", 9.0, "×", least=9), "≥ 9 ×", "reached"),
        (Figure("s", "n", 8.9, "×", least=9), "≥ 9 ×", "**not reached**"),
        (Figure("s", "n", math.nan, "×", most=2), "≤ 2 ×", "**not reached**"),
        (Figure("s", "n", math.inf, "s", most=1), "≤ 1 s", "**not reached**"),
        (Figure("s", "n", 3.0), "", ""),
    ],
)
def test_an_aim_is_a_bound_above_or_below_and_what_could_not_be_measured_is_not_reached(figure, aim, verdict):
    assert (figure.aim, figure.verdict) == (aim, verdict)
    assert f"| {aim} | {verdict} |" in table([figure], "2026-12-01")


def test_a_part_that_is_measured_alone_leaves_the_other_rows_and_adds_its_new_ones_to_its_own():
    former = table([Figure("s", "n", 1.0), Figure("s", "m", 2.0), Figure("t", "n", 3.0)], "2026-11-26")
    page = f"Measured:\n\n{former}\n\n![a chart](images/serving.svg)"
    found = table([Figure("s", "n", 9.0, "×"), Figure("s", "new", 4.0), Figure("u", "n", 5.0)], "2026-12-01", page)
    rows = [[cell.strip() for cell in line.split("|")[1:6]] for line in found.splitlines()[2:]]
    assert [(label, value, day) for label, value, _, _, day in rows] == [
        ("s: n", "9 ×", "2026-12-01"),
        ("s: m", "2", "2026-11-26"),
        ("s: new", "4", "2026-12-01"),
        ("t: n", "3", "2026-11-26"),
        ("u: n", "5", "2026-12-01"),
    ]


def test_what_wrk_says_is_read_from_its_last_line():
    said = """Running 1s test\nRequests/sec: 500\n
{"requests": 600, "us": 2000000, "p50_us": 1500, "p99_us": 9000, "refused": 100, "broken": 3}
"""
    assert read(said) == Load(rate=250.0, p50_ms=1.5, p99_ms=9.0, answered=500, failed=103)


def test_servers_are_compared_round_by_round():
    slow = Found([load(100), load(10), load(100)], [1, 1, 1])  # the machine was busy in the second round
    fast = Found([load(300), load(30), load(300)], [1, 1, 1])
    assert fast.times(slow) == 3
    assert best({"a": slow, "b": fast}, ["a", "b"]) is fast


def test_a_lone_client_has_recovered_when_it_is_answered_as_before_the_burst():
    before = [(at / 100, 0.001, 200, "r") for at in range(100)]
    slow = [(1 + at / 10, 0.05, 200, "r") for at in range(25)]
    after = [(3.5 + at / 100, 0.001, 200, "r") for at in range(2 * IN_A_ROW)]
    assert recovery(Answers([*before, *slow, *after]), before=1.0, over=3.0) == pytest.approx(0.5, abs=0.25)
    assert recovery(Answers([*before, *slow]), before=1.0, over=3.0) == math.inf


def test_a_table_is_one_batch_of_columns():
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    found = pa.ipc.open_stream(io.BytesIO(arrow(values))).read_all()
    assert found.to_pydict() == {"f0": [0.0, 2.0, 4.0], "f1": [1.0, 3.0, 5.0]}


def test_rows_are_tensors_of_v2_and_tensors_rows():
    asked = json.loads(v2([[1.0, 2.0], [3.0, 4.0]]))["inputs"][0]
    assert asked["shape"] == [2, 2]
    assert from_v2({"outputs": [asked]}) == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("peer", [BARE, *PEERS], ids=lambda peer: peer.name)
def test_a_peers_scripts_are_python(peer):
    for name, text in peer.files.items():
        if name.endswith(".py"):
            compile(text, name, "exec")
        else:
            json.loads(text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_what_is_deployed_by_hand_is_python(script):
    compile(TABLE + _LOOP % script.code, script.name, "exec")


def test_throughput_is_drawn_for_every_server_of_its_subject(tmp_path):
    figures = [Figure("one", "ours", 900.0, "a second"), Figure("one", "theirs", 300.0, "a second")]
    path = tmp_path / "chart.svg"
    assert throughput([*figures, Figure("two", "other", 1.0, "a second")], "one", path, reach="bare")
    drawn = path.read_text()
    assert drawn.startswith("<svg")
    assert all(words in drawn for words in ("ours", "theirs", "900"))
    assert "other" not in drawn
    assert not throughput(figures, "three", tmp_path / "none.svg", reach="bare")
    assert not (tmp_path / "none.svg").exists()
