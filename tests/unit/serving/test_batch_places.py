"""Which files a source of a batch has."""

from pathlib import Path

import pytest

from jupyter_deploy.serving.batch.places import PlaceError, listed


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "table"
    for part in ("day=1/0.parquet", "day=2/0.parquet", "day=2/_hidden.parquet"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).touch()
    return folder


@pytest.mark.parametrize("place", ["", "/day=*/*.parquet", "/**/*.parquet"])
def test_a_folder_or_a_pattern_has_the_files_that_are_not_hidden(table: Path, place: str) -> None:
    _, files = listed(f"{table}{place}")
    assert [Path(file.path).relative_to(table).as_posix() for file in files] == ["day=1/0.parquet", "day=2/0.parquet"]


@pytest.mark.parametrize(
    ("kind", "log"), [("Delta", "_delta_log/00000000000000000000.json"), ("Iceberg", "metadata/v1.metadata.json")]
)
@pytest.mark.parametrize("place", ["", "/day=*/*.parquet"])
def test_a_table_that_keeps_files_of_former_rows_is_refused(table: Path, kind: str, log: str, place: str) -> None:
    (table / log).parent.mkdir()
    (table / log).touch()
    with pytest.raises(PlaceError, match=f"is a table of {kind}, .*: export its rows"):
        listed(f"{table}{place}")
