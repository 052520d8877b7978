"""``doctor`` says which of nbdeploy's own processes ended, and ``--mend`` starts them again."""

import httpx

from jupyter_deploy.system.host_health import HostExaminer
from tests.disks import small_disk
from tests.e2e.conftest import ROW
from tests.e2e.processes import kill_programs


def test_a_full_disk_is_an_error(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        assert {one.state for one in HostExaminer([disk.path])(mend=False)} == {"ok", "warning"}, "a small disk"
        disk.fill()
        found = next(iter(HostExaminer([disk.path])(mend=False)))
    assert (found.state, "its disk is full" in found.message) == ("error", True)


def test_killed_programs_are_named_and_mended(home, plain_snapshots):
    tags, home.environment["BENTOML_HOME"] = plain_snapshots
    idle = home.json("doctor")
    assert [one["message"] for one in idle["checks"] if one["part"] == "supervisor"] == ["nothing should run"]
    url = home.json("deploy", tags[1.0], "--trust")["url"]
    healthy = home.run("doctor")
    parts = [check["part"] for check in home.json("doctor", "--part", "endpoints", "--part", "store")["checks"]]
    assert sorted(parts) == ["endpoint churn", "store"], parts
    assert healthy.stdout.startswith("all parts are healthy"), healthy.stdout

    kill_programs(home)
    broken = home.run("doctor", check=False)
    assert broken.returncode == 1
    assert "supervisor: it does not run" in broken.stdout
    assert home.json("doctor", check=False)["checks"][0]["state"] == "error"
    mended = home.run("doctor", "--mend")
    assert "mended" in mended.stdout.splitlines()[0], mended.stdout
    assert httpx.post(f"{url}/predict", json={"instances": [ROW]}, trust_env=False).status_code == 200
    assert home.run("doctor").stdout.startswith("all parts are healthy")
