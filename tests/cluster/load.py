"""Requests at a steady rate while something happens, and how many of them failed."""

import threading
import time
import uuid
from collections import Counter

import httpx


class Load:
    """Clients that send ``rate`` requests a second together until the context ends; each answer is kept.

    Each client has a connection of its own. No request is repeated: a connection that breaks is a failed request.
    ``body``: a document, or a function of the request's number that makes one.
    """

    def __init__(self, url, body, *, rate=50, clients=8, headers=None):
        self.url, self._body, self._headers = f"{url}/predict", body, headers or {}
        self._pause = clients / rate
        self._name = f"load-{uuid.uuid4().hex[:8]}"
        self.answers = []
        self.failures = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self):
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        self.wait_for(20)
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more):
        """Until so many more requests were answered."""
        goal, end = len(self.answers) + more, time.monotonic() + 120
        while len(self.answers) < goal:
            assert time.monotonic() < end, self.failures[-3:]
            time.sleep(0.02)

    def seconds(self, moment=None):
        """Since the load began."""
        return (moment or time.monotonic()) - self._began

    @property
    def ids(self):
        """The ids of the answered requests."""
        return {request_id for *_, request_id in self.answers}

    @property
    def versions(self):
        """How many requests each release answered."""
        return Counter(version for _, version, *_ in self.answers)

    def figure(self, what):
        """One line for the log of the tests: all requests, those that failed, when and how; the latencies."""
        latencies = sorted(latency for _, _, latency, _ in self.answers)
        p50, p99 = (latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99))
        total = len(self.answers) + len(self.failures)
        line = f"{what}: {len(self.failures)} of {total} requests failed, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        if self.failures:
            kinds = Counter(kind for _, kind in self.failures)
            line += f"; {dict(kinds)} from {self.failures[0][0]:.1f} s to {self.failures[-1][0]:.1f} s"
        print(line)
        return line

    def _ask(self, number):
        with httpx.Client(trust_env=False, timeout=30, headers=self._headers) as client:
            due, count = time.monotonic() + number / len(self._threads) * self._pause, 0
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due, count, sent = max(due + self._pause, time.monotonic() - 1), count + 1, time.monotonic()
                request_id = f"{self._name}-{number}-{count}"
                try:
                    body = self._body(number * 1_000_000 + count) if callable(self._body) else self._body
                    answer = client.post(self.url, json=body, headers={"x-request-id": request_id})
                except httpx.HTTPError as error:
                    self.failures.append((self.seconds(sent), repr(error)))
                    continue
                now = time.monotonic()
                if answer.status_code == httpx.codes.OK:
                    self.answers.append((self.seconds(now), answer.headers["x-model-version"], now - sent, request_id))
                else:
                    self.failures.append((self.seconds(sent), f"{answer.status_code} {answer.text[:200]}"))
