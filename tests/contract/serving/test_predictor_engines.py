"""Workers of Ray Data, Spark and Dask answer tables by a predictor that travels to them by its tag."""

import pandas as pd
import pytest

from tests.contract.serving.test_predictor import ANSWERS, FRAME, MODEL

pytestmark = pytest.mark.exhaustive

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


def test_spark_calls_it(predictor):
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = spark.createDataFrame(FRAME_WITH_ID).repartition(4)
        found = frame.mapInArrow(predictor.batches, "id bigint, prediction string").toPandas()
        assert in_order(found) == ANSWERS
    finally:
        spark.stop()


def test_dask_calls_it(predictor):
    import dask.dataframe as dd

    frame = dd.from_pandas(FRAME_WITH_ID, npartitions=4)
    meta = predictor(FRAME_WITH_ID[:0])
    assert in_order(frame.map_partitions(predictor, meta=meta).compute(scheduler="processes")) == ANSWERS
