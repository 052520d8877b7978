"""A release that is stopped has as long for its requests as a prediction may last, wherever it runs."""

import pytest
import yaml

from jupyter_deploy.domain.images.compose import COMPOSE_FILE, ComposePlan
from jupyter_deploy.domain.images.images import Reference
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.serving.hosting.options import parse_options
from jupyter_deploy.targets.local.compose.composer import LocalComposer
from jupyter_deploy.targets.local.releases.environment import environment_of
from jupyter_deploy.targets.local.settings import LocalSettings
from tests import releases

RELEASE = releases.release("a")
IMAGE = Reference.parse("registry.example/tumour").at(digest=f"sha256:{1:064x}")


@pytest.mark.parametrize(("predict_timeout", "grace"), [(60, 60), (7.2, 8), (90_000, 3600)])
def test_locally_and_in_compose_requests_in_progress_have_as_long_as_a_prediction(tmp_path, predict_timeout, grace):
    settings = LocalSettings(home=tmp_path, bentoml_home=tmp_path, predict_timeout=predict_timeout)
    local = environment_of(RELEASE, settings)
    plan = ComposePlan(Endpoint.first(RELEASE), {RELEASE.tag: IMAGE}, IMAGE, port=8080, token=False)
    service = yaml.safe_load(LocalComposer(settings).texts(plan)[COMPOSE_FILE])["services"]["tumour-a"]
    for variables in (local, service["environment"]):
        given = {"NBDEPLOY_GRACE_SECONDS": variables["NBDEPLOY_GRACE_SECONDS"]}
        assert parse_options(["--uds", "/s"], given, lambda _: True).grace_seconds == grace
    assert service["stop_grace_period"] == f"{grace + 5}s"
