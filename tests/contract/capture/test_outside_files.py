"""Findings about files that are packed only on request, few or many."""

from types import SimpleNamespace

from jupyter_deploy.capture.data_files import DataFiles
from jupyter_deploy.capture.proof import outside_files


def told(tmp_path, reads):
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    live = SimpleNamespace(project=project, include=())
    return list(outside_files(DataFiles(live, tmp_path), reads))


def read(path, kind="file"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return {"path": str(path), "kind": kind, "where": "f(), line 3,"}


def test_the_files_of_one_folder_are_one_finding(tmp_path):
    shared = tmp_path / "shared"
    reads = [read(shared / f"{i:02}.txt") for i in range(12)]
    one, *others = told(tmp_path, [*reads, *reads, read(tmp_path / "other" / "a.txt")])
    names = "00.txt, 01.txt, 02.txt, 03.txt, 04.txt and 7 more"
    assert (one.severity, one.message) == (
        "error",
        f"f(), line 3, opens 12 files in {shared} ({names}), each of which is outside the project "
        f"{tmp_path / 'project'} and is not packed by default",
    )
    assert one.remedy.startswith(f"pack the folder with --include {shared}, or single files with --include FILE")
    assert [f.message.partition(", which")[0] for f in others] == [f"f(), line 3, opens {tmp_path / 'other' / 'a.txt'}"]


def test_there_are_at_most_ten_findings(tmp_path):
    reads = [read(tmp_path / f"shared{i:02}" / name) for i in range(15) for name in ("a", "b")]
    found = told(tmp_path, reads)
    assert len(found) == 10
    assert (found[-1].check, found[-1].severity) == ("outside-files", "error")
    assert found[-1].message == "… and 12 more such files, in 6 folders"
    assert "… and" not in told(tmp_path, reads[:20])[9].message, "ten are all said"
