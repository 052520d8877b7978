"""The code of a bento is held to the digest that the deploy stored."""

import pytest

from jupyter_deploy.artifacts.bento_format import code_of, require_code
from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.target import LocalTarget
from tests.releases import release


@pytest.fixture
def built(tmp_path):
    """The release of a bento, and the file of its service."""
    service = tmp_path / "bento" / "src" / "service.py"
    service.parent.mkdir(parents=True)
    service.write_text("model = 1")
    path = tmp_path / "bento"
    return release("a1").model_copy(update={"path": str(path), "code": code_of(path)}), service


def test_unchanged_code_and_cached_bytecode_are_accepted(built):
    of, service = built
    (service.parent / "__pycache__").mkdir()
    (service.parent / "__pycache__" / "service.pyc").touch()
    require_code(of)


@pytest.mark.parametrize("change", ["other content", "another file", "a missing file"])
def test_changed_code_is_refused_before_a_release_starts(built, tmp_path, change):
    of, service = built
    if change == "other content":
        service.write_text("model = 2")
    elif change == "another file":
        (service.parent / "sitecustomize.py").touch()
    else:
        service.unlink()
    target = LocalTarget(LocalSettings(home=tmp_path / "home", bentoml_home=tmp_path / "bentoml"))
    with pytest.raises(TargetError, match=r"the code of tumour:a1 in .* has changed since it was built") as caught:
        target.start(of, renew=True)
    assert str(service.parent.parent) in caught.value.remedy


def test_a_release_from_an_image_and_one_whose_code_is_not_known_have_nothing_to_compare(built):
    of, service = built
    service.write_text("model = 2")
    require_code(of.model_copy(update={"code": ""}))
    require_code(of.model_copy(update={"image": "registry.example/a@sha256:0"}))
