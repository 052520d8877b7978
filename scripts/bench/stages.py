"""``python -m scripts.bench.stages [--rows 100]``: where a release's time goes while sixteen clients ask.

A release and the bare function of the same model are sampled by py-spy, a thousand times a second, while they answer.
A sample belongs to the innermost line of Python whose file is named below, so what C does for it is its own.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .peers.bare import BARE
from .peers.ours import DIRECT, deployed
from .servers import Server
from .serving import CLIENTS
from .world import world
from .wrk import asked

SECONDS = 8
LINES = 6

STAGES = {
    "the model": ("/model.py", "/torch/", "/numpy/", "/natives/", "/deferred_answers.py"),
    "records": ("/telemetry/records.py", "/telemetry/recording.py", "/dispatch/outcome_sink.py"),
    "writing the answer": ("/values/codec.py", "/dispatch/json_answers.py", "/values/batches.py", "/outcomes.py"),
    "reading and checking what is asked": (
        "/serving/values/", "/serving/asgi/body.py", "/serving/protocols/", "/dispatch/parsed_request.py",
    ),
    "line, ids, metrics, traces": ("/serving/",),
    "the server: HTTP, sockets, event loop": ("/uvicorn/", "/asyncio/", "/httptools/", "/uvloop/"),
}  # fmt: skip
"""What a sample belongs to, by a part of the path of its innermost line that is named here."""
REST = "the rest"


def main() -> None:
    """Sample both while they are asked, and print each one's stages."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.stages", description=__doc__)
    parser.add_argument("--rows", type=int, default=1, help="in each request (default: %(default)d)")
    rows = [[number / 100] * 30 for number in range(parser.parse_args().rows)]
    with contextlib.ExitStack() as running:
        here = running.enter_context(world())
        folder = here.folder / "bare"
        servers = {BARE.name: Server(running.enter_context(BARE.served(folder)), folder)}
        servers[DIRECT] = running.enter_context(deployed(here))[DIRECT]
        for name, server in servers.items():
            request = server.request(rows)
            asked(server.url, request, clients=CLIENTS, seconds=2)  # warm
            with ThreadPoolExecutor(1) as pool:
                load = pool.submit(asked, server.url, request, clients=CLIENTS, seconds=SECONDS + 4)
                stacks = _sampled(_worker(server), here.folder / "stacks")
            used = sum(stacks.values())
            print(f"{name}: {load.result().rate:.0f} requests a second, {used} samples")
            for stage, count in _by_stage(stacks).most_common():
                print(f"  {count / used:5.1%}  {stage}")
            print("  of these the lines with the most:")
            for line, count in _by_line(stacks).most_common(LINES):
                print(f"  {count / used:5.1%}  {line}")


def _worker(server: Server) -> int:
    """The process that answers: of the server's, that with the most work behind it."""
    return max(server.processes(), key=lambda process: sum(process.cpu_times()[:2])).pid


def _sampled(pid: int, path: Path) -> Counter[tuple[str, ...]]:
    """How often each stack of files was met, of the thread that has Python's lock."""
    program = Path(sys.executable).parent / "py-spy"
    command = [program, "record", "--pid", str(pid), "--duration", str(SECONDS), "--rate", "1000", "--gil",
               "--format", "raw", "--full-filenames", "--nonblocking", "--output", path]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"py-spy: {ended.stderr[-2000:]}")
    found: Counter[tuple[str, ...]] = Counter()
    for line in path.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        found[tuple(stack.split(";"))] += int(count)
    return found


def _by_stage(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        found[next(_stages(stack), REST)] += count
    return found


def _by_line(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        found[stack[-1].rpartition("/site-packages/")[2]] += count
    return found


def _stages(stack: tuple[str, ...]) -> Iterator[str]:
    """From the innermost line outwards."""
    for frame in reversed(stack):
        for stage, parts in STAGES.items():
            if any(part in frame for part in parts):
                yield stage
                break


if __name__ == "__main__":
    main()
