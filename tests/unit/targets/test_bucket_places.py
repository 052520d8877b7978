"""The places of a home's files in a bucket, and which URLs name one."""

import pytest

from jupyter_deploy.domain.bucket import parse_bucket, place_in_bucket, place_in_home
from jupyter_deploy.domain.errors import InvalidInput

STEM = "20261201T101500-7-0badcafe.v1"
PLACES = {
    f"records/churn/1a2b/{STEM}.parquet": f"records/endpoint=churn/release=1a2b/date=2026-12-01/{STEM}.parquet",
    f"feedback/churn/{STEM}.rejected": f"feedback/endpoint=churn/date=2026-12-01/{STEM}.rejected",
    f"ledger/edge-{STEM}.parquet": f"ledger/date=2026-12-01/edge-{STEM}.parquet",
}
UNKNOWN = (
    f"records/churn/1a2b/{STEM}.jsonl",
    "records/churn/1a2b/.writers",
    f"records/churn/..%2f/{STEM}.parquet",
    "ledger/edge.jsonl",
)
STRANGE = (
    f"records/endpoint=../release=x/date=2026-12-01/{STEM}.parquet",
    f"records/endpoint=churn/release=../date=2026-12-01/{STEM}.parquet",
    f"records/endpoint=churn/release=1a2b/date=2026-12-02/{STEM}.parquet",
    f"ledger/date=2026-12-01/../../{STEM}.parquet",
    "purge.lock",
)


@pytest.mark.parametrize(("local", "remote"), PLACES.items())
def test_a_closed_file_has_one_place_in_the_bucket_and_comes_back_from_there(local, remote):
    assert place_in_bucket(local) == remote
    assert place_in_home(remote) == local


@pytest.mark.parametrize("local", UNKNOWN)
def test_other_files_are_not_uploaded(local):
    assert place_in_bucket(local) is None


@pytest.mark.parametrize("remote", STRANGE)
def test_a_file_that_somebody_else_put_there_has_no_place_in_a_home(remote):
    assert place_in_home(remote) is None


@pytest.mark.parametrize("url", ["s3://records/nbdeploy", "gs://records", "az://c/p", "file:///srv/records"])
def test_buckets(url):
    assert parse_bucket(url + "/") == url


@pytest.mark.parametrize(
    "url", ["records", "http://x/y", "s3://", "file://records/x", "file:///", "s3://me:word@records/x", "s3://a?key=b"]
)
def test_what_names_no_bucket_is_refused(url):
    with pytest.raises(InvalidInput, match=r"scheme of a bucket|holds credentials|names no bucket"):
        parse_bucket(url)
