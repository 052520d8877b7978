"""The modules that a clean process is likely to import for a model."""

from __future__ import annotations

import pickle
from functools import partial

import threadpoolctl
from packaging.version import Version

from jupyter_deploy.capture.likely_imports import likely_imports


class Holder:
    """An object with an attribute."""


def of_a_library(x):
    return x * len(threadpoolctl.__name__)


def test_the_types_within_containers_attributes_and_functions_count_and_the_standard_library_does_not():
    held = Holder()
    held.inner = [{"version": Version("1.0")}]
    found = likely_imports(held, {"x": 1}, of_a_library)
    assert found == ("packaging.version", "threadpoolctl")


def test_an_object_is_pickled_as_before():
    """functools.partial's ``__dict__`` is pickled once somebody has read it, though it is empty."""
    held = partial(of_a_library, x=1)
    before = pickle.dumps(held)
    assert likely_imports(held) == ("threadpoolctl",)
    assert pickle.dumps(held) == before
    assert vars(held) == {}
    assert pickle.dumps(held) != before
