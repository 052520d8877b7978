"""The checks of nbdeploy's own parts that need no process."""

import os
import time

import pytest

from jupyter_deploy.domain.health import Diagnosis, HealthCheck, sorted_checks
from jupyter_deploy.faces.render.health_page import exit_code_of_health, health_page
from jupyter_deploy.faces.render.page import as_text
from jupyter_deploy.records.health import RecordsExaminer
from jupyter_deploy.system.host_health import HostExaminer


def by_part(examiner, *, mend=False):
    return {check.part: check for check in examiner(mend=mend)}


def check(part, state):
    return HealthCheck(part=part, state=state, message="m")


def test_errors_come_first_and_decide_the_exit_code():
    diagnosis = Diagnosis(checks=sorted_checks([check("a", "ok"), check("b", "warning"), check("c", "error")]))
    assert [one.part for one in diagnosis.checks] == ["c", "b", "a"]
    assert exit_code_of_health(diagnosis) == 1
    assert as_text(health_page(diagnosis)).splitlines()[0] == "of 3 parts: 1 broken, 1 with a warning"
    assert exit_code_of_health(Diagnosis(checks=(check("b", "warning"),))) == 0


def test_a_part_that_is_better_than_before_is_mended():
    before = Diagnosis(checks=(check("a", "error"), check("b", "warning"), check("c", "error"), check("d", "ok")))
    after = Diagnosis(checks=(check("a", "ok"), check("b", "warning"), check("c", "warning"), check("d", "error")))
    assert [one.mended for one in after.after(before).checks] == [True, False, True, False]


def test_a_home_that_others_can_enter_is_an_error_and_mended(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    examiner = HostExaminer([home, tmp_path / "not" / "yet"])
    found = by_part(examiner)
    assert (found["permissions"].state, "mode 0755" in found["permissions"].message) == ("error", True)
    assert found["clock"].state == "ok"
    assert by_part(examiner, mend=True)["permissions"].state == "ok"
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_not_there_yet_is_healthy(tmp_path):
    assert {one.state for one in HostExaminer([tmp_path / "none"])(mend=False)} == {"ok"}
    assert list(RecordsExaminer(tmp_path / "none")(mend=False)) == []


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "records" / "churn" / "churn-1"
    folder.mkdir(parents=True)
    return folder


def test_a_parquet_file_that_was_cut_short_is_named(tmp_path, release):
    (release / "1.v1.parquet").write_bytes(b"PAR1 and more PAR1")
    assert by_part(RecordsExaminer(tmp_path))["records of churn"].state == "ok"
    (release / "2.v1.parquet").write_bytes(b"PAR1 and mo")
    (release / "3.v1.parquet").write_bytes(b"")
    found = by_part(RecordsExaminer(tmp_path))["records of churn"]
    assert (found.state, "2.v1.parquet is damaged" in found.message) == ("error", True)


def test_closed_segments_that_nobody_compacts_are_a_warning(tmp_path, release):
    segment = release / "1.v1.jsonl"
    segment.write_text("{}\n")
    assert by_part(RecordsExaminer(tmp_path))["records of churn"].state == "ok", "it may be compacted in a moment"
    old = time.time() - 3600
    os.utime(segment, (old, old))
    assert by_part(RecordsExaminer(tmp_path))["records of churn"].state == "warning"


def test_unreadable_lines_are_counted_and_a_newer_version_is_an_error(tmp_path, release):
    (release / "1.v1.parquet").write_bytes(b"PAR1 PAR1")
    (release / "1.v1.rejected").write_text("{\n{\n")
    found = by_part(RecordsExaminer(tmp_path))["records of churn"]
    assert (found.state, found.message) == ("warning", "2 lines could not be read")
    (release / "2.v9.parquet").write_bytes(b"PAR1 PAR1")
    found = by_part(RecordsExaminer(tmp_path))["records of churn"]
    assert (found.state, "upgrade" in found.remedy) == ("error", True)
