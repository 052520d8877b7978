"""The REST worker, ``python -m jupyter_deploy.faces.server.rest.worker FOLDER``: a process beside a Jupyter server.

Everything that needs pydantic, a database or numbers is here, so that the server stays as light and as quick as it is
without nbdeploy. It ends with the server, also when that is killed: the pipe that it reads is closed then. It unpickles
nothing.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from jupyter_deploy.domain.ports import Ports

from .change_feed import Watch
from .exchange import Answer, Question
from .frames import packed, read
from .router import Answers, wrong

THREADS = 12
"""Questions that are answered at once: a comparison of many records keeps one busy for seconds."""

_log = logging.getLogger(__name__)


class Asked:
    """Reads questions and writes answers, each as soon as it is known."""

    def __init__(self, folder: str, questions: BinaryIO, answers: BinaryIO) -> None:
        self._folder, self._questions, self._answers = folder, questions, answers
        self._writing, self._making = threading.Lock(), threading.Lock()
        self._listening: set[int] = set()  # changed by the thread that reads alone
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="nbdeploy-asked")

    def serve(self) -> None:
        """Until the server has gone."""
        while (message := read(self._questions)) is not None:
            head, body = message
            if head.get("cancel"):
                self._listening.discard(head["id"])
                self._pool.submit(self._unwatch, head["id"])
            elif "after" in head:
                self._listening.add(head["id"])
                self._pool.submit(self._watch, head["id"], head["after"])
            else:
                self._pool.submit(self._answer, head, body)

    def close(self) -> None:
        """The server has gone; jobs go on."""
        with self._making:
            if "_parts" in vars(self):
                self._parts.desk.close()

    def _answer(self, head: dict[str, Any], body: bytes) -> None:
        known = ("method", "path", "query", "base", "if_match")
        question = Question(body=body, **{name: head[name] for name in known if name in head})
        try:
            with self._making:
                parts = self._parts
        except Exception as error:  # noqa: BLE001 - a wrong setting: said to each who asks, until it is mended
            found = wrong(error, question)
        else:
            found = parts.answers.answer(question)
        self._say(head["id"], found)

    def _watch(self, identity: int, after: int | None) -> None:
        try:
            with self._making:
                parts = self._parts
        except Exception as error:  # noqa: BLE001 - as above
            self._say(identity, wrong(error, Question("GET", "events")))
        else:
            parts.watch.begin(identity, after)
            if identity not in self._listening:  # it left before it was begun, and another thread was faster
                parts.watch.end(identity)

    def _unwatch(self, identity: int) -> None:
        with self._making:
            if "_parts" in vars(self):
                self._parts.watch.end(identity)

    def _say(self, identity: int, answer: Answer) -> None:
        self._write(packed({"id": identity, "status": answer.status, "headers": dict(answer.headers)}, answer.body))

    def _tell(self, identity: int, text: str) -> None:
        self._write(packed({"id": identity, "more": True}, text.encode()))

    def _write(self, message: bytes) -> None:
        try:
            with self._writing:
                self._answers.write(message)
                self._answers.flush()
        except OSError:  # the server has gone, and with it who wanted to know
            os._exit(0)

    @cached_property
    def _parts(self) -> _Parts:
        """Made by the first question, since settings may be wrong."""
        return _Parts(self._folder, self._tell)


class _Parts:
    """What is made once the settings are known."""

    def __init__(self, folder: str, tell: Any) -> None:
        from jupyter_deploy.faces.render.collision import check_distributions
        from jupyter_deploy.faces.server.jobs.job_runner import Desk
        from jupyter_deploy.wiring import Wiring

        check_distributions()
        # As at a server's start (faces/server/extension.py): the settings of whoever's folder this is do not count.
        os.chdir("/")
        wiring = Wiring()
        self.ports: Ports = wiring.ports
        os.chdir(folder)  # what a request names is relative to the server's own folder
        home = wiring.settings.home.expanduser().absolute()
        self.desk = Desk(home)
        self.desk.open()
        self.answers = Answers(self.ports, self.desk, Path(folder))
        self.watch = Watch(self.ports, home, tell)


def main() -> None:
    """Answer until the server has gone."""
    logging.basicConfig(format="%(asctime)s nbdeploy %(levelname)s %(message)s", level=logging.WARNING)
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What some library prints, or reads, is none of the conversation.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    asked = Asked(sys.argv[1], questions, answers)
    asked.serve()
    asked.close()
    os._exit(0)  # nobody is left to tell anything to


if __name__ == "__main__":
    main()
