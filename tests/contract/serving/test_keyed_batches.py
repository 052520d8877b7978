"""Batches and ``load()`` over tables with keys: PostgreSQL has the features, and its URL is a secret of the release."""

import json
import os
import threading
from contextlib import suppress
from dataclasses import replace

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression

import jupyter_deploy
from jupyter_deploy.batch_scoring.runner import WorkerBatches
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.batch.ports import BatchJob, BatchRecording
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.faces.kernel.predictor import Predictor
from tests.contract.capturing import kept, live
from tests.contract.serving.test_batch import Pod
from tests.databases import postgres
from tests.waiting import until

COUNT = 20_000
CUSTOMERS = [(number, 20 + number % 50, float(number)) for number in range(COUNT)]
EXAMPLE = pd.DataFrame({"customer_id": [1, 2], "age": [21, 22], "income": [1.0, 2.0], "amount": [3.0, 5.0]})
FEATURES = ["age", "income", "amount"]
MODEL = LinearRegression().fit(pd.DataFrame([[1, 2.0, 3.0], [2, 1.0, 7.0], [5, 0.0, 1.0]], columns=FEATURES), [1, 2, 4])
PASSWORD = "hunter22x"


def expected(keys, amounts, *, shift=0):
    ages, incomes = zip(*[CUSTOMERS[key][1:] for key in keys], strict=True)
    frame = pd.DataFrame({"age": [age + shift for age in ages], "income": incomes, "amount": amounts})
    return pytest.approx(list(MODEL.predict(frame)))


@pytest.fixture(scope="module")
def database():
    """PostgreSQL with the customers; those of its table ``replica`` are a year older."""
    with postgres() as server:
        for table, shift in (("customers", 0), ("replica", 1)):
            server.execute(f"CREATE TABLE {table} (customer_id int PRIMARY KEY, age int, income float8)")
            with psycopg.connect(server.url) as connection:
                copy = f"COPY {table} FROM STDIN"
                with connection.cursor() as cursor, cursor.copy(copy) as writer:
                    for number, age, income in CUSTOMERS:
                        writer.write_row((number, age + shift, income))
        yield server


@pytest.fixture(scope="module")
def snapshot(database, tmp_path_factory):
    """A stored snapshot with a lookup and a secret."""
    folder = tmp_path_factory.mktemp("keyed")
    url = database.url.replace("postgres@", f"postgres:{PASSWORD}@")
    (folder / "url").write_text(url)

    @jupyter_deploy.connection
    def db():
        import os

        import psycopg

        return psycopg.connect(os.environ["DB_URL"], connect_timeout=5)

    @db.shadow
    def replica():
        import os

        import psycopg

        # A view of that name hides the table.
        return psycopg.connect(os.environ["DB_URL"], options="-c search_path=shadow,public")

    database.execute("CREATE SCHEMA shadow")
    database.execute("CREATE VIEW shadow.customers AS SELECT * FROM replica")
    sql = "SELECT customer_id, age, income FROM customers WHERE customer_id IN ({keys})"
    lookup = jupyter_deploy.feature_lookup(db, key="customer_id", sql=sql)
    capturer = ModelCapturer(folder / "models", Tolerance(), replay_timeout=120)
    secrets = {"references": {"DB_URL": f"file:{folder / 'url'}"}, "secrets": {"DB_URL": url}}
    # The replay runs in the role of a shadow, whose view has other ages: it compares answers by key.
    database.execute("UPDATE replica SET age = age - 1")
    os.environ["DB_URL"] = url
    try:
        made = kept(capturer, replace(live(MODEL, EXAMPLE), lookups=(lookup,), **secrets), "churn")
    finally:
        del os.environ["DB_URL"]
    database.execute("UPDATE replica SET age = age + 1")
    return made


def run(snapshot, source, sink, *, keep=("id",), rows=1_000_000, **options):
    fields = {"format": "parquet", "workers": 1} | options
    job = BatchJob(source=str(source), sink=str(sink), keep=keep, rows=rows, **fields)
    return WorkerBatches().run(snapshot, job, lambda _: None)


def answers(sink):
    return pa.dataset.dataset(sink).to_table().to_pandas().sort_values("id").reset_index(drop=True)


def refused(sink):
    """The reasons by id."""
    table = pa.dataset.dataset(list(map(str, (sink / "_errors").glob("*.parquet")))).to_table().to_pandas()
    return dict(zip(table["id"].astype(int), table["reason"], strict=True))


def test_the_keys_of_a_table_are_looked_up_and_rows_without_features_are_refused_with_the_reason(snapshot, tmp_path):
    keys = [*range(COUNT), COUNT, None, 7]
    amounts = [float(number % 10) for number in range(len(keys))]
    table = pa.table({"id": range(len(keys)), "customer_id": pa.array(keys, pa.int32()), "amount": amounts})
    pq.write_table(table, tmp_path / "rows.parquet")
    result = run(snapshot, tmp_path / "rows.parquet", tmp_path / "sink", keep=("id", "customer_id"))
    assert (result["rows"], result["refused"]) == (len(keys), 2)
    found = answers(tmp_path / "sink")
    assert list(found.columns) == ["id", "customer_id", "prediction"]
    good = [key for key in keys if key is not None and key < COUNT]
    assert list(found["customer_id"]) == good
    assert list(found["prediction"]) == expected(good, [*amounts[:COUNT], amounts[-1]])
    reasons = refused(tmp_path / "sink")
    assert reasons[COUNT] == f"customer_id: there are no features of customer_id {COUNT}"
    assert "must be a whole number (int64), not null" in reasons[COUNT + 1]
    again = run(snapshot, tmp_path / "rows.parquet", tmp_path / "sink", keep=("id", "customer_id"))
    assert (again["already"], again["scored"]) == (1, 0)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "arrow"])
def test_each_format_may_have_keys(snapshot, tmp_path, kind):
    file = tmp_path / f"rows.{kind}"
    if kind == "csv":
        file.write_text("id,customer_id,amount\n0,007,1.0\n1,8,2.0\n2,,1.0\n3,x,1.0\n")
    elif kind == "jsonl":
        lines = [{"id": 0, "customer_id": 7, "amount": 1.0}, {"id": 1, "customer_id": 8, "amount": 2.0}]
        file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"id": 2, "amount": 1.0}]))
    else:
        pd.DataFrame({"id": [0, 1, 2], "customer_id": [7.0, 8.0, None], "amount": [1.0, 2.0, 1.0]}).to_feather(file)
    run(snapshot, file, tmp_path / "sink", keep=("id", "customer_id"))
    found = answers(tmp_path / "sink")
    assert list(found["prediction"]) == expected([7, 8], [1.0, 2.0])
    assert set(refused(tmp_path / "sink")) == ({2, 3} if kind == "csv" else {2})
    if kind == "csv":
        assert list(found["customer_id"]) == ["007", "8"], "a kept column stays as it is"


def test_files_of_one_source_may_bring_keys_features_or_both(snapshot, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    pq.write_table(pa.table({"id": [0], "customer_id": [7], "amount": [1.0]}), folder / "0.parquet")
    whole = {"age": [27], "income": [7.0], "amount": [1.0]}
    pq.write_table(pa.table({"id": [1], **whole}), folder / "1.parquet")
    pq.write_table(pa.table({"id": [2], "customer_id": ["none"], **whole}), folder / "2.parquet")
    pq.write_table(pa.table({"id": [3], "customer_id": [8], "age": [27], "amount": [2.0]}), folder / "3.parquet")
    assert run(snapshot, folder, tmp_path / "sink")["refused"] == 0
    found = answers(tmp_path / "sink")["prediction"]
    assert list(found[:3]) == expected([7, 7, 7], [1.0] * 3)
    assert found[3] == pytest.approx(MODEL.predict(pd.DataFrame([[27, 8.0, 2.0]], columns=FEATURES))[0])
    pq.write_table(pa.table({"id": [4], "age": [1], "amount": [1.0]}), folder / "4.parquet")
    with pytest.raises(InvalidInput, match=r"4.parquet has no column 'income', and no key 'customer_id' by which"):
        run(snapshot, folder, tmp_path / "sink")
    with pytest.raises(InvalidInput, match="no key 'customer_id'"):
        run(snapshot, folder / "4.parquet", tmp_path / "never")
    assert not (tmp_path / "never").exists(), "it is refused before anything is written"


def test_a_database_that_goes_away_fails_the_batch_which_goes_on_where_it_was(snapshot, database, tmp_path):
    folder, sink = tmp_path / "source", tmp_path / "sink"
    folder.mkdir()
    for day in range(60):
        pq.write_table(pa.table({"id": [day], "customer_id": [day], "amount": [1.0]}), folder / f"{day:02}.parquet")
    staged = sink / "_nbdeploy" / "staged"
    ended = threading.Event()

    def stop_after_two():
        while not ended.is_set():
            if len(list(staged.glob("*.json"))) >= 2:
                database.stop()
                return

    stopping = threading.Thread(target=stop_after_two)
    stopping.start()
    try:
        with pytest.raises(TargetError, match="db cannot be connected: OperationalError") as failed:
            run(snapshot, folder, sink)
    finally:
        ended.set()
        stopping.join()
        database.start()
    assert "start the database" in failed.value.remedy
    assert "the same command goes on" in failed.value.remedy
    assert ".parquet" in failed.value.message, "the part that failed is named"
    assert PASSWORD not in f"{failed.value} {failed.value.details}"
    kept_before = {path: path.stat().st_mtime_ns for path in staged.glob("*.json")}
    assert 2 <= len(kept_before) < 60
    assert not list((sink / "_errors").iterdir()), "no row is bad"
    result = run(snapshot, folder, sink)
    assert (result["rows"], result["refused"]) == (60, 0)
    assert list(answers(sink)["prediction"]) == expected(range(60), [1.0] * 60)


def test_a_shadow_looks_up_itself_and_records_have_the_looked_up_values(snapshot, tmp_path):
    table = pa.table({"id": [0, 1], "customer_id": [7, COUNT], "amount": [1.0, 1.0]})
    pq.write_table(table, tmp_path / "rows.parquet")
    found = {}
    for role in ("stable", "shadow"):
        folder = tmp_path / role / "records"
        mode = {"endpoint": "churn", "release": snapshot.tag, "role": role, "kept": "full", "sample": 1.0, "redact": ()}
        records = BatchRecording(folder=str(folder), **mode)
        sink = tmp_path / role / "sink"
        run(snapshot, tmp_path / "rows.parquet", sink, records=records, shadow=role == "shadow")
        (line,) = [json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]
        found[role] = line["inputs"]
        assert list(answers(sink)["prediction"]) == expected([7], [1.0], shift=role == "shadow")
    assert found == {
        "stable": [{"age": 27, "income": 7.0, "amount": 1.0}],
        "shadow": [{"age": 28, "income": 7.0, "amount": 1.0}],
    }


def test_a_job_of_an_image_looks_up_with_the_variables_of_its_pod(snapshot, database, tmp_path):
    (tmp_path / "image").mkdir()
    pod = Pod(snapshot, tmp_path / "image")
    table = pa.table({"id": [0, 1], "customer_id": [7, COUNT], "amount": [1.0, 1.0]})
    pq.write_table(table, tmp_path / "rows.parquet")
    places = ("--source", tmp_path / "rows.parquet", "--sink", tmp_path / "sink", "--role", "shadow")
    code, result = pod.run(*places)
    assert (code, result["final"]) == (1, False), "another try may find the database"
    assert "db cannot be connected: KeyError: 'DB_URL'" in result["problem"]
    pod.environment |= {"DB_URL": database.url, "NBDEPLOY_SECRETS": "DB_URL"}
    code, result = pod.run(*places, "--max-errors", "1")
    assert (code, result["rows"], result["refused"]) == (0, 2, 1)
    assert list(answers(tmp_path / "sink")["prediction"]) == expected([7], [1.0], shift=1)


def test_load_looks_up_with_the_variables_of_its_process(snapshot, database, monkeypatch):
    predictor = Predictor(snapshot.tag, snapshot.digest, snapshot.path, ("customer_id",))
    frame = pd.DataFrame({"customer_id": [8, 7], "amount": [2.0, 1.0]}, index=["a", "b"])
    with pytest.raises(TargetError, match="db cannot be connected: KeyError: 'DB_URL'") as failed:
        predictor(frame)
    assert failed.value.remedy == "set DB_URL in this process's environment, and try again"
    monkeypatch.setenv("DB_URL", database.url)

    def answered():  # after a failure attempts pause
        with suppress(TargetError):
            return predictor(frame)

    answer = until(lambda: [one for one in [answered()] if one is not None])[0]
    assert list(answer.index) == ["a", "b"]
    assert list(answer.columns) == ["customer_id", "prediction"]
    assert list(answer["prediction"]) == expected([8, 7], [2.0, 1.0])
    assert list(predictor(frame.assign(age=[28, 27], income=[8.0, 7.0]))["prediction"]) == list(answer["prediction"])
    with pytest.raises(InvalidInput, match=rf"row 1, customer_id: there are no features of customer_id {COUNT}"):
        predictor(frame.assign(customer_id=[8, COUNT]))
    with pytest.raises(InvalidInput, match="missing feature 'age'; or send its key 'customer_id'"):
        replace(predictor, keep=())(frame[["amount"]])
