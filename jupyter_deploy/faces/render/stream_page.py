"""The page of a stream: where it reads and writes, its lag and its counts."""

from __future__ import annotations

from jupyter_deploy.domain.stream.status import StreamStatus

from .page import Page


def stream_page(result: StreamStatus) -> Page:
    """Make the page of a stream."""
    if result.spec is None:
        return Page(f"{result.endpoint} answers no stream")
    spec, state = result.spec, result.state
    facts = [("source", spec.source), ("sink", spec.sink), ("dead letters", spec.dead_letters)]
    if spec.credentials:
        facts.append(("credentials", spec.credentials))
    if state is not None and state.running:
        facts += [
            ("lag", "unknown" if state.lag is None else f"{state.lag:,} messages"),
            ("open", f"{state.open:,} messages"),
            ("answered", f"{state.answered:,} messages"),
            ("dead letters", f"{state.dead_lettered:,} messages"),
            ("tried again", f"{state.retried:,} times"),
            ("came again", f"{state.repeated:,} messages"),
        ]
        if state.since:
            facts.append(("counted since (UTC)", f"{state.since:%Y-%m-%d %H:%M:%S}"))
    return Page(f"{result.endpoint} at revision {result.revision}: {_state(result)}", facts=facts)


def _state(result: StreamStatus) -> str:
    return result.words.partition(": ")[2]
