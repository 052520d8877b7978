"""Workers of Ray Data, Spark and Dask answer tables by a predictor that travels to them by its tag."""

import pandas as pd
import pytest

from jupyter_deploy.faces.kernel.spark_udf import udf_of
from tests.contract.serving.test_predictor import ANSWERS, FRAME, MODEL

pytestmark = pytest.mark.exhaustive


def judged(age: int, income: float) -> dict[str, object]:
    """A function of one row that answers an object."""
    return {"total": age + income, "rich": income > 40}


FRAME_WITH_ID = FRAME.assign(id=range(len(FRAME)))


@pytest.fixture
def predictor(predictor_of):
    return predictor_of(MODEL, FRAME[:5], keep=("id",))


def in_order(frame: pd.DataFrame) -> list[str]:
    return list(frame.sort_values("id")["prediction"])


def test_ray_data_calls_it(predictor, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # or it writes a token into the user's folder
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")
    import ray

    ray.init(_node_ip_address="127.0.0.1", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        dataset = ray.data.from_pandas(FRAME_WITH_ID).repartition(4)
        assert in_order(dataset.map_batches(predictor, batch_format="pyarrow").to_pandas()) == ANSWERS
        assert in_order(dataset.map_batches(predictor).to_pandas()) == ANSWERS
    finally:
        ray.shutdown()


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def table(spark):
    return spark.createDataFrame(FRAME_WITH_ID).repartition(4)


def test_spark_calls_it(predictor, table):
    found = table.mapInArrow(predictor.batches, "id bigint, prediction string").toPandas()
    assert in_order(found) == ANSWERS


def test_spark_has_it_as_a_function_of_columns(predictor, table):
    score = udf_of(predictor)
    assert in_order(table.withColumn("prediction", score()).toPandas()) == ANSWERS
    assert in_order(table.select("id", score("income", table["age"]).alias("prediction")).toPandas()) == ANSWERS


def test_spark_has_the_row_and_the_feature_of_a_refusal(predictor, table):
    refused = table.withColumn("age", table["age"].cast("string"))
    with pytest.raises(Exception, match=r"row 0, age: "):
        refused.withColumn("prediction", udf_of(predictor)()).toPandas()


def test_a_model_that_answers_objects_is_a_struct_in_spark(predictor_of, table):
    score = udf_of(predictor_of(judged, {"age": 30, "income": 10.0}))
    found = table.withColumn("answer", score()).select("id", "answer.*").toPandas().sort_values("id")
    assert list(found["total"]) == list(FRAME["age"] + FRAME["income"])
    assert list(found["rich"]) == list(FRAME["income"] > 40)


def test_dask_calls_it(predictor):
    import dask.dataframe as dd

    frame = dd.from_pandas(FRAME_WITH_ID, npartitions=4)
    meta = predictor(FRAME_WITH_ID[:0])
    assert in_order(frame.map_partitions(predictor, meta=meta).compute(scheduler="processes")) == ANSWERS
