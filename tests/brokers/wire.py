"""A way to a broker that a test cuts: what either side sends gets lost, and neither learns it."""

import selectors
import socket
import threading
from contextlib import suppress


class Wire:
    """Passes connections on to a port of this machine until it is cut."""

    def __init__(self, to):
        self._to = to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._pairs = {}
        self._lock = threading.Lock()
        self._is_cut = self._ended = False
        self._thread = threading.Thread(target=self._pass_on, daemon=True)

    def __enter__(self):
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self._thread.join()
        self._close_all()
        self._listening.close()
        self._selector.close()

    def cut(self):
        """Lose what is sent from now on; connections stay, and new ones get no answer."""
        with self._lock:
            self._is_cut = True

    def mend(self):
        """Pass new connections on; those from before the cut are reset."""
        with self._lock:
            self._close_all()
            self._is_cut = False

    def _pass_on(self):
        while not self._ended:
            for key, _ in self._selector.select(0.1):
                with self._lock, suppress(OSError):
                    if key.fileobj is self._listening:
                        self._accept()
                    elif key.fileobj in self._pairs:
                        self._forward(key.fileobj)

    def _accept(self):
        client, _ = self._listening.accept()
        server = None if self._is_cut else socket.create_connection(("127.0.0.1", self._to), 5)
        for one, other in ((client, server), (server, client)):
            if one is not None:
                self._pairs[one] = other
                self._selector.register(one, selectors.EVENT_READ)

    def _forward(self, one):
        other = self._pairs[one]
        data = b""
        with suppress(OSError):
            data = one.recv(65536)
            if data and other is not None and not self._is_cut:
                other.sendall(data)
        if not data:
            self._close(one)
            if other is not None and not self._is_cut:
                self._close(other)

    def _close(self, one):
        if self._pairs.pop(one, self) is not self:
            self._selector.unregister(one)
        one.close()

    def _close_all(self):
        for one in list(self._pairs):
            self._close(one)
