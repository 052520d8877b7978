"""A model that runs out of memory: the client may retry, and the next request is answered.

No GPU is used: the model raises torch's own exception, as CUDA's allocator does.
"""

import json

import httpx
import pytest
import torch
from starlette.applications import Starlette

from jupyter_deploy.serving import Front
from jupyter_deploy.serving.snapshot import load
from tests.contract.serving.test_serving_snapshot import write_snapshot


def greedy(rows):
    if rows[0] == 99:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    if rows[0] == 98:
        raise MemoryError
    return rows


@pytest.mark.anyio
@pytest.mark.parametrize(("asked", "whose"), [(99.0, "the GPU"), (98.0, "the service")])
async def test_out_of_memory_is_503_with_retry_after_and_the_model_goes_on(tmp_path, monkeypatch, capsys, asked, whose):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    folder = tmp_path / "greedy" / "1a2b"
    write_snapshot(folder, greedy, [1.5, 2.0], [1.5, 2.0], "list")
    monkeypatch.setenv("NBDEPLOY_RECORDS", str(tmp_path / "records"))
    front = Front(Starlette(), model=load(folder))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://model") as client:
        refused = await client.post("/predict", json={"instances": [asked]})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert refused.json()["detail"].startswith(f"{whose} has no memory left for this request")
        assert (await client.post("/predict", json={"instances": [1.0]})).json() == {"predictions": [1.0]}
    front._close()
    assert emptied == [True] * (asked == 99)
    assert "greedy" in capsys.readouterr().err  # where it failed
    (segment,) = (tmp_path / "records").glob("*.jsonl")
    records = [json.loads(line) for line in segment.read_text().splitlines()]
    assert [one["status"] for one in records] == [503, 200]
    assert records[0]["error"]["type"] in ("OutOfMemoryError", "MemoryError")
