"""One Ctrl-C is enough: further ones do not destroy the results that it left to be stored."""

import contextlib
import signal
import sys
import threading
import time

import pytest

from jupyter_deploy.domain.base import Value
from jupyter_deploy.verbs import interrupts
from jupyter_deploy.verbs.interrupts import heard_once


@pytest.fixture(autouse=True)
def terminated():
    """SIGTERM raises, as under the command line."""

    def terminate(*_):
        raise SystemExit

    former = signal.signal(signal.SIGTERM, terminate)
    yield terminate
    assert signal.getsignal(signal.SIGTERM) is terminate
    signal.signal(signal.SIGTERM, former)


def impatient():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        signal.raise_signal(number)


@pytest.mark.parametrize(("first", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_the_first_is_raised_and_what_follows_is_not_heard_until_the_end(first, raised):
    stored = []
    with heard_once():
        with pytest.raises(raised), heard_once():
            signal.raise_signal(first)
        impatient()
        stored.append("all")
    assert stored == ["all"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_what_hangs_can_be_interrupted_again(monkeypatch):
    monkeypatch.setattr(interrupts, "_PATIENCE", 0.0)
    with heard_once():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)


def test_in_another_thread_nothing_is_changed():
    kept = signal.getsignal(signal.SIGINT)
    seen = []

    def within():
        with heard_once():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=within)
    thread.start()
    thread.join()
    assert seen == [kept]


def build_validators():
    """Build the validators of values at their first use, as of a job's settings."""

    class Inner(Value):
        number: int = 0

    class Outer(Value):
        inner: Inner = Inner()
        others: tuple[Inner, ...] = ()

    return Outer(others=(Inner(number=1),))


def interrupted_at(call):
    """Interrupt ``build_validators`` at this call of a function of pydantic; return whether there are so many."""
    calls = 0

    def profile(frame, event, _):
        nonlocal calls
        if event == "call" and frame.f_globals.get("__name__", "").startswith("pydantic._internal._model"):
            calls += 1
            if calls == call:
                signal.raise_signal(signal.SIGINT)

    sys.setprofile(profile)
    try:
        build_validators()
    finally:
        sys.setprofile(None)
    return calls >= call


def test_an_interrupt_while_pydantic_builds_a_validator_is_not_lost():
    call = 0
    while True:
        call += 1
        with contextlib.suppress(KeyboardInterrupt), heard_once():
            if not interrupted_at(call):
                break
            time.sleep(10)
            pytest.fail(f"the interrupt at call {call} was lost")
    assert call > 50
