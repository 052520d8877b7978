"""What the tests of features by key share."""

import pytest

from jupyter_deploy.serving.features.lookup import FeatureLookup


@pytest.fixture
def asked(monkeypatch):
    """The keys of each query."""
    found, fetch = [], FeatureLookup.fetch

    def noted(self, keys, as_of=None):
        found.append(list(keys))
        return fetch(self, keys, as_of)

    monkeypatch.setattr(FeatureLookup, "fetch", noted)
    return found
