"""A signal ends a service, also while an event loop has signals written to a descriptor of its own."""

import signal
import subprocess
import sys

# A loop replaces the descriptor when it begins to run; the server takes it back when it starts up, which is after the
# import of the protocols. The signal arrives between the two.
PROGRAM = """
import os, signal, socket, time
from jupyter_deploy.serving.hosting.shutdown import Shutdown
from jupyter_deploy.serving.hosting.startup_responder import Readiness
shutdown = Shutdown(Readiness())
_, other = socket.socketpair()
other.setblocking(False)
signal.set_wakeup_fd(other.fileno())
os.kill(os.getpid(), signal.{name})
if {late}:
    shutdown.listen()
    shutdown.on_signal(lambda: os._exit(7))
time.sleep(20)
os._exit(9)
"""


def exit_code(name: str, *, late: bool) -> int:
    program = PROGRAM.format(name=name, late=late)
    return subprocess.run([sys.executable, "-c", program], check=False).returncode


def test_a_signal_that_arrives_while_an_event_loop_has_the_descriptor_is_not_lost() -> None:
    for name in (signal.SIGTERM.name, signal.SIGINT.name):
        assert exit_code(name, late=False) == 0


def test_and_the_server_that_started_meanwhile_is_stopped_or_the_process_has_ended() -> None:
    assert exit_code(signal.SIGTERM.name, late=True) in (0, 7)
