"""The responder that answers while a model is loaded: the moment when it hands the socket over."""

import socket
import threading

from jupyter_deploy.serving.hosting.startup_responder import Readiness, StartupResponder


def test_a_connection_that_arrives_at_the_moment_of_the_hand_over_is_answered():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        responder = StartupResponder(listener, Readiness())
        busy, go_on = threading.Event(), threading.Event()
        responder._loop.call_soon_threadsafe(lambda: busy.set() or go_on.wait())
        busy.wait()
        responder.stop()  # the loop learns of the end and of the connection at once
        with socket.create_connection(listener.getsockname(), 30) as client:
            client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
            go_on.set()
            answer = b""
            while piece := client.recv(1024):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
