"""One Ctrl-C is enough: further ones do not destroy the results that it left to be stored."""

import signal
import threading

import pytest

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
