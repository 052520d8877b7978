"""What clients lose while a model is replaced by another one, as its makers say that one does it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from .clients import Answers, asking
from .figures import Figure
from .peers import BENTOML, FASTAPI, LITSERVE, MLFLOW, MLSERVER
from .peers.ours import GATEWAY, NAME, deployed
from .peers.peer import MODEL, Peer, free_port, post
from .world import World, world

RATE, QUIET = 20, 1.0
PEERS = (FASTAPI[0], BENTOML[0], LITSERVE[0], MLSERVER[0], MLFLOW[0])
SUBJECT = f"replacing a model under {RATE} requests a second"


def replaced() -> Iterator[Figure]:
    """Ours by a deploy; the peers by a restart, or by loading anew where a peer can."""
    with world() as here:
        answers = _ours(here)
        note = f"of {len(answers.rows)}; `deploy` of another one, which takes the place of the first"
        yield Figure(SUBJECT, "failed requests of ours", answers.failed, most=0, note=note)
        for peer in PEERS:
            answers = _theirs(peer, here.folder / peer.name)
            how = "loaded anew" if peer.reload else "ended, and another one started"
            yield Figure(
                SUBJECT, f"failed requests of {peer.name}", answers.failed, note=f"{how}; of {len(answers.rows)}"
            )


def _ours(here: World) -> Answers:
    with deployed(here) as servers:
        server = servers[GATEWAY]
        with asking(server.url, server.request([[0.1] * 30]), "--rate", str(RATE)) as answers:
            time.sleep(QUIET)
            here.run(MODEL.replace("seed(7)", "seed(8)"))
            here.run(f"jupyter_deploy.deploy(model, name={NAME!r}, example=torch.from_numpy(rows), role='stable')")
            time.sleep(QUIET)
    if len({release for *_, release in answers.rows if release}) != 2:
        raise RuntimeError("the clients were not answered by both releases")
    return answers


def _theirs(peer: Peer, folder: Path) -> Answers:
    old, new, port = peer.placed(folder / "old"), peer.placed(folder / "new"), free_port()
    body = folder / "body.json"
    body.write_bytes(peer.body([[0.1] * 30]))
    with contextlib.ExitStack() as first:
        url = first.enter_context(old.served(port))
        with asking(url, body, "--rate", str(RATE)) as answers:
            time.sleep(QUIET)
            if peer.reload:
                post(f"http://127.0.0.1:{port}{peer.reload}", b"")
                time.sleep(QUIET)
            else:
                first.close()
                with new.served(port):
                    time.sleep(QUIET)
    return answers
