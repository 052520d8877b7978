"""The Jobs that drive ramps in a cluster: their objects, when they come and go, and why one drives nothing."""

import json

import kubernetes_validate
import pytest

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.errors import InvalidInput, Refused
from jupyter_deploy.domain.ramp.plan import RampPlan
from jupyter_deploy.domain.ramp.state import abort, begin
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.validation.validation import ValidationSpec
from jupyter_deploy.targets.kubernetes import ramp_drivers
from jupyter_deploy.targets.kubernetes.rbac import USERS, rights
from jupyter_deploy.targets.kubernetes.settings import ClusterSettings
from tests.namespaces import Namespace
from tests.releases import release

IMAGE = f"registry.example/team/archivist@sha256:{'0' * 64}"
SHADOWED = Endpoint.first(release("aaa")).with_release(release("bbb"))
RAMPING = SHADOWED.ramped(begin(RampPlan(steps=(10.0, 100.0)), "tumour:bbb", now()))
ENDED = RAMPING.ramped(abort(RAMPING.ramp, "", now()))
SETTINGS = ClusterSettings(namespace="models", context="mine", records_secret="bucket", notify_secret="hooks")
OVERLAY = {"spec": {"nodeSelector": {"pool": "models"}}}


def job(image=IMAGE, overlay=OVERLAY):
    return ramp_drivers.driver_job("tumour", SETTINGS, image, {"NBDEPLOY_RAMP_EVERY": "15"}, overlay)


def keep_running(endpoint, api, made, newest=lambda: None):
    ramp_drivers.keep_running(endpoint, api, made, newest)


def account():
    return next(one for one in rights(SETTINGS) if one["metadata"]["name"] == "nbdeploy-ramp")


@pytest.mark.parametrize("version", ["1.34", "1.37"])
@pytest.mark.parametrize("overlay", [{}, OVERLAY])
def test_a_drivers_job_is_valid_restricted_and_has_the_settings_but_nothing_of_this_machine(version, overlay):
    made = job(overlay=overlay)
    kubernetes_validate.validate(made, version, strict=True)
    spec = made["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert [one["secretRef"]["name"] for one in container["envFrom"]] == ["bucket", "hooks"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    cluster = json.loads(variables["NBDEPLOY_KUBERNETES"])
    assert ClusterSettings(**cluster).namespace == "models"
    assert "context" not in cluster
    assert variables["NBDEPLOY_RAMP_EVERY"] == "15"
    assert ("overlay" in cluster) is bool(overlay)
    if overlay:
        assert spec["nodeSelector"] == {"pool": "models"}
        (annotation,) = made["spec"]["template"]["metadata"]["annotations"].values()
        assert json.loads(annotation) == overlay


def test_a_driver_has_the_rights_of_a_user_and_no_other():
    (binding,) = [one for one in rights(SETTINGS) if one["kind"] == "RoleBinding" and "ramp" in one["metadata"]["name"]]
    assert binding["roleRef"]["name"] == USERS
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "nbdeploy-ramp", "namespace": "models"}]


def test_a_job_comes_with_the_ramp_and_goes_with_it_and_is_made_anew_for_other_settings():
    api = Namespace()
    keep_running(SHADOWED, api, job)
    assert api.calls == []
    for _ in range(2):
        keep_running(RAMPING, api, job)
    assert api.calls == ["create"]
    keep_running(RAMPING, api, lambda: job("other"))
    assert api.calls == ["create", "delete", "create"]
    keep_running(ENDED, api, job)
    assert api.objects == {}
    keep_running(RAMPING, api, job)
    keep_running(RAMPING.stopped(), api, job)
    assert api.objects == {}


def test_a_job_that_ended_before_the_ramp_is_made_anew():
    api = Namespace()
    keep_running(RAMPING, api, job)
    (made,) = api.objects.values()
    made["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
    keep_running(RAMPING, api, job)
    assert api.calls == ["create", "delete", "create"]


def test_a_ramp_that_another_user_begins_while_the_former_ones_driver_is_removed_is_driven():
    begun = ENDED.ramped(begin(RampPlan(steps=(10.0, 100.0)), "tumour:bbb", now()))
    api, states = Namespace(), [ENDED]
    keep_running(RAMPING, api, job)

    class Slow(Namespace):
        def delete(self, kind, name):
            states.append(begun)
            keep_running(begun, api, job, lambda: begun)  # the other user finds the Job, and leaves it
            return api.delete(kind, name)

    slow = Slow(*api.objects.values())
    slow.objects = api.objects
    keep_running(ENDED, slow, job, lambda: states[-1])
    assert api.objects


def test_a_driver_leaves_its_own_job_alone_and_another_endpoints_it_does_not(monkeypatch):
    api = Namespace()
    keep_running(RAMPING, api, job)
    monkeypatch.setenv("NBDEPLOY_DRIVES", "tumour")
    keep_running(ENDED, api, job)
    assert api.objects
    monkeypatch.setenv("NBDEPLOY_DRIVES", "churn")
    keep_running(ENDED, api, job)
    assert not api.objects


def test_a_ramp_needs_records_and_an_account():
    api = Namespace(account())
    ramp_drivers.check(SHADOWED.validating((ValidationSpec(notebook="checks.ipynb"),)), api, "s3://records")
    for endpoint, where, to, message in (
        (SHADOWED, api, None, "no evidence"),
        (SHADOWED, Namespace(), "s3://records", "no account nbdeploy-ramp"),
    ):
        with pytest.raises(Refused, match=message) as refused:
            ramp_drivers.check(endpoint, where, to)
        assert refused.value.remedy


def test_the_image_is_the_settings_or_that_of_the_gateways_pods():
    assert ramp_drivers.image_for(SETTINGS, IMAGE) == IMAGE
    other = IMAGE.replace("0", "1")
    assert ramp_drivers.image_for(SETTINGS.model_copy(update={"shipper_image": other}), IMAGE) == other
    with pytest.raises(InvalidInput, match="driver of ramps"):
        ramp_drivers.image_for(SETTINGS, "")


def test_the_status_says_why_nothing_drives_a_ramp():
    made = job()
    labels = {"labels": made["metadata"]["labels"]}
    ready = {"metadata": labels, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off"}
    stuck = {"metadata": labels, "status": {"containerStatuses": [{"state": {"waiting": waiting}}]}}
    others = ready | {"metadata": {"labels": labels["labels"] | {"nbdeploy.io/endpoint": "churn"}}}
    assert ramp_drivers.undriven(SHADOWED, [], []) == ramp_drivers.undriven(ENDED, [], []) == ""
    assert ramp_drivers.undriven(RAMPING, [made], [ready]) == ""
    assert "starting" in ramp_drivers.undriven(RAMPING, [made], [others])
    assert "cannot be pulled" in ramp_drivers.undriven(RAMPING, [made], [stuck])
    assert "nbdeploy reconcile tumour" in ramp_drivers.undriven(RAMPING, [], [])
