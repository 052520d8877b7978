"""A worker's link to its pool: its load, the order to drain, and the connections that were accepted for it."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ..dispatch.load_board import LoadBoard, Slot
from . import activation
from .options import HostingOptions


@dataclass
class PoolLink:
    """The link of one worker.

    Attributes
    ----------
    control
        A descriptor whose end is the order to drain.
    first
        The options of the release's first worker, which claims the activator's connections; None: another one does.
    draining
        Whether it accepts no connections any more.
    """

    board: LoadBoard
    slot: Slot
    control: int
    first: HostingOptions | None
    draining: bool = False

    @property
    def closing(self) -> bool:
        """Whether each connection is closed after its response."""
        return self.draining or self.board.rebalancing

    def connections(self) -> list[socket.socket]:
        """The connections that the activator accepted for this release while it was idle."""
        if self.first is None or self.first.activator is None or self.first.uds is None:
            return []
        return activation.claim(self.first.activator, self.first.uds)
