"""The bill of materials: valid by the official schema, reproducible, and its components."""

import hashlib
import json
import os
import subprocess
import sys
from importlib import metadata

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from jupyter_deploy.container_images.base_packages import Package
from jupyter_deploy.container_images.sbom import bill_of_materials
from jupyter_deploy.domain.images.images import Image, Layer
from jupyter_deploy.environments.environment import closure
from tests.manifests import snapshot


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


FILES = {"model.pkl": sha256("model"), "code/prepare.py": sha256("code"), "example.json": sha256("example")}


def captured(**more):
    distributions = {**closure(["scikit-learn", "bentoml", "pydantic"]), "torch": "2.9.0+cpu", "no-such": "1.0"}
    made = snapshot("tumour:1a2b3c", distributions=distributions, files=FILES, **more)
    return made.model_copy(update={"digest": f"sha256:{sha256('snapshot')}"})


BASE = f"docker://registry.example/python:3.11@sha256:{sha256('base')}"


def built(base=BASE):
    layer = Layer(kind="code", title="code", digest=f"sha256:{sha256('layer')}", size=1)
    return Image(
        digest=f"sha256:{sha256('image')}",
        snapshot="tumour:1a2b3c",
        snapshot_digest=f"sha256:{sha256('snapshot')}",
        builder="daemonless",
        base=base,
        platform="linux/amd64",
        python="3.11.2",
        layers=(layer,),
    )


PACKAGES = (
    Package("libc6", "2.36-9", "amd64", "GNU Libc Maintainers", "debian-12"),
    Package("python3.11", "3.11.2-6", "amd64", "Matthias Klose", "debian-12"),
)


def document(packages=(), **more):
    return json.loads(bill_of_materials(captured(**more), built(), packages))


def component(found, name):
    (one,) = [one for one in found["components"] if one["name"] == name]
    return one


def test_it_is_valid_by_the_official_schema():
    text = bill_of_materials(captured(), built()).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"library"', '"librarian"')) is not None


def test_each_locked_distribution_is_there_with_version_and_purl():
    found = document()
    purls = {one["name"]: one["purl"] for one in found["components"] if one["type"] == "library"}
    assert purls.keys() == captured().manifest.environment.distributions.keys()
    assert purls["scikit-learn"] == f"pkg:pypi/scikit-learn@{metadata.version('scikit-learn')}"
    assert purls["torch"] == "pkg:pypi/torch@2.9.0%2Bcpu"
    assert purls["no-such"] == "pkg:pypi/no-such@1.0"


def test_licences_are_those_of_the_installed_version_and_of_no_other():
    found = document()
    assert component(found, "scikit-learn")["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert component(found, "pydantic")["licenses"] == [{"license": {"id": "MIT"}}]
    assert "licenses" not in component(found, "torch")
    assert "licenses" not in component(found, "no-such")


def test_an_installed_archive_is_identified_by_its_hash(tmp_path, monkeypatch):
    wheel = sha256("wheel")
    about = tmp_path / "no_such-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: no-such\nVersion: 1.0\nLicense: MIT OR Apache-2.0\n")
    archive = {"url": "file:///home/ada/no_such.whl", "archive_info": {"hashes": {"sha256": wheel}}}
    (about / "direct_url.json").write_text(json.dumps(archive))
    monkeypatch.syspath_prepend(tmp_path)
    found = component(document(), "no-such")
    assert found["hashes"] == [{"alg": "SHA-256", "content": wheel}]
    assert found["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert "/home/ada" not in json.dumps(found)


def test_the_image_its_base_its_python_and_its_model_are_there():
    found = document()
    image = found["metadata"]["component"]
    assert (image["type"], image["name"], image["version"]) == ("container", "tumour", "1a2b3c")
    assert image["hashes"] == [{"alg": "SHA-256", "content": sha256("image")}]
    base = component(found, "registry.example/python")
    assert base["hashes"] == [{"alg": "SHA-256", "content": sha256("base")}]
    assert component(found, "python")["version"] == "3.11.2"
    model = component(found, "tumour")
    assert model["type"] == "machine-learning-model"
    files = {one["name"]: one["hashes"][0]["content"] for one in model["components"]}
    assert files == {"model.pkl": FILES["model.pkl"]}
    taken = component(found, "tumour:1a2b3c")
    assert taken["hashes"] == [{"alg": "SHA-256", "content": sha256("snapshot")}]
    assert {one["name"] for one in taken["components"]} == {"code/prepare.py", "example.json"}
    (needs,) = [one for one in found["dependencies"] if one["ref"] == "image"]
    assert sorted(needs["dependsOn"]) == sorted(one["bom-ref"] for one in found["components"])


def test_each_component_has_the_minimum_elements_of_ntia():
    """Supplier, name, version, another identifier, relationship; the document has an author and a time."""
    found = document(PACKAGES)
    components = [found["metadata"]["component"], *found["components"]]
    nested = [one for each in found["components"] for one in each.get("components", ())]
    for one in (*components, *nested):
        assert one["supplier"]["name"], one
        assert one["name"], one
        assert one["version"], one
    assert all(one["purl"] for one in components)
    assert all(one["hashes"] for one in nested)
    related = {ref for one in found["dependencies"] for ref in one.get("dependsOn", ())}
    assert related == {one["bom-ref"] for one in (*found["components"], *nested)}
    assert found["metadata"]["authors"] == [{"name": "ada"}]
    assert found["metadata"]["timestamp"].startswith("2026-01-01")
    assert [one["name"] for one in found["metadata"]["tools"]] == ["nbdeploy"]


def test_the_suppliers_are_authors_and_the_bases_packages_are_there():
    found = document(PACKAGES)
    assert component(found, "libc6")["purl"] == "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12"
    assert component(found, "python")["supplier"]["name"] == "Matthias Klose"
    assert component(found, "no-such")["supplier"]["name"] == "Python Package Index"
    assert component(found, "registry.example/python")["supplier"]["name"] == "debian-12"
    assert component(document(), "python")["supplier"]["name"] == "Python Software Foundation"
    assert component(found, "tumour")["supplier"]["name"] == "ada"
    (base,) = [one for one in found["dependencies"] if one["ref"] == "base"]
    assert len(base["dependsOn"]) == len(PACKAGES)
    text = bill_of_materials(captured(), built(), PACKAGES).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_path_of_a_base_is_not_in_the_bill_of_materials():
    text = bill_of_materials(captured(), built(base=f"oci:/home/ada/base:one@sha256:{sha256('base')}")).decode()
    assert "/home/ada" not in text
    assert component(json.loads(text), "base image")["hashes"][0]["content"] == sha256("base")


AGAIN = """
import sys
from tests.contract.images.test_sbom import bill_of_materials, built, captured
sys.stdout.buffer.write(bill_of_materials(captured(), built()))
"""


def test_it_is_the_same_in_another_process_at_another_time():
    first = bill_of_materials(captured(), built())
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        other = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        assert subprocess.run([sys.executable, "-c", AGAIN], env=other, capture_output=True, check=True).stdout == first
