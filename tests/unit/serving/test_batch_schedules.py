"""Schedules of batches: when they are due, and what is made up for or left out."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.results import Batch, BatchState, BatchStatus, ShadowBatch
from jupyter_deploy.domain.batch.schedule import check_schedule, count_due, latest_due, next_due
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.release.change_words import difference_in_words
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.faces.render.batch_page import batch_page, exit_code_of_batch
from jupyter_deploy.system.batch_log import BatchLogFile
from jupyter_deploy.verbs.scoring import schedule as scheduling
from jupyter_deploy.verbs.scoring.batch import wanted_schedule
from tests import releases, validations

BERLIN = ZoneInfo("Europe/Berlin")
SPEC = BatchSpec(source="/data/*.parquet", sink="/scores", schedule="0 3 * * *")


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("text", "plain"),
    [("0  3 * * *", "0 3 * * *"), ("@daily", "0 0 * * *"), ("*/15 8-18 * JUL mon-fri", "*/15 8-18 * JUL mon-fri")],
)
def test_a_schedule_is_kept_in_its_plain_form(text, plain):
    assert check_schedule(text) == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no schedule"),
        ("at night", "no schedule"),
        ("0 25 * * *", "bad hour"),
        ("0 0 3 * * *", "no schedule"),  # with seconds
        ("0 3 L * *", "no schedule"),  # Kubernetes has no L
        ("*/0 * * * *", "no schedule"),
        ("0 0 30 2 *", "day-of-month"),
    ],
)
def test_what_is_no_schedule_is_refused_with_an_example(text, words):
    with pytest.raises(InvalidInput, match=words) as refused:
        check_schedule(text)
    assert "0 3 * * *" in refused.value.remedy


def test_moments_follow_the_clock_of_the_zone_also_where_it_is_changed():
    assert next_due("0 3 * * *", at("2026-10-24T12:00", BERLIN)) == at("2026-10-25T03:00", BERLIN)
    spring = next_due("30 2 * * *", at("2026-03-28T12:00", BERLIN))
    assert spring.astimezone(UTC) == at("2026-03-29T01:00")  # 2:30 does not exist that night, and 3:00 is at once
    assert latest_due("0 3 * * *", at("2026-05-02T03:00:00")) == at("2026-05-02T03:00")
    assert latest_due("0 3 * * *", at("2026-05-02T03:00:00.5")) == at("2026-05-02T03:00")
    assert latest_due("0 3 * * *", at("2026-05-02T02:59:59")) == at("2026-05-01T03:00")
    assert count_due("0 3 * * *", at("2026-05-01T03:00"), at("2026-05-04T03:00")) == 3
    assert count_due("* * * * *", at("2020-05-01T03:00"), at("2026-05-04T03:00")) == 1000


class World:
    """A scheduler with a clock that the test sets, and batches that take the time which the test says."""

    def __init__(self, tmp_path, monkeypatch):
        self.endpoint = Endpoint.first(releases.release("aaa", name="churn")).serving(batch=SPEC)
        self.time = at("2026-05-01T12:00")
        self.takes = timedelta(minutes=10)
        self.requests = []
        self.outcome = {"state": "complete", "rows": 100, "refused": 0}
        self.file = BatchLogFile(tmp_path, "churn")
        self.lines = []
        ports = SimpleNamespace(store=SimpleNamespace(endpoint=lambda _: self.endpoint))
        self.scheduler = scheduling.Scheduler("churn", ports, self.file, lambda: self.time, self.lines.append)
        monkeypatch.setattr(scheduling, "score", self.score)

    def score(self, request, source, sink, ports, report):
        self.requests.append((self.time, source, sink))
        self.time += self.takes
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return Batch(endpoint="churn", release="churn:aaa", source=source, sink=sink, partitions=1, **self.outcome)

    @property
    def runs(self):
        return self.file.read().runs


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def test_a_run_begins_when_it_is_due_and_not_before(world):
    assert world.scheduler.look() == scheduling.MOST_SECONDS
    assert (world.requests, world.file.read().due) == ([], at("2026-05-02T03:00"))
    world.time = at("2026-05-02T02:59:50")
    assert world.scheduler.look() == 10
    world.time = at("2026-05-02T03:00:00.1")
    world.scheduler.look()
    assert world.requests == [(at("2026-05-02T03:00:00.1"), "/data/*.parquet", "/scores")]
    (run,) = world.runs
    assert (run.due, run.ended, run.rows, run.missed, run.overlapped) == (
        at("2026-05-02T03:00"), at("2026-05-02T03:10:00.1"), 100, 0, 0,
    )  # fmt: skip
    world.scheduler.look()
    assert len(world.requests) == 1
    assert world.file.read().due == at("2026-05-03T03:00")


def test_one_run_makes_up_for_moments_at_which_the_machine_was_off(world):
    world.scheduler.look()
    world.time = at("2026-05-04T09:30")
    world.scheduler.look()
    assert len(world.requests) == 1
    assert (world.runs[0].due, world.runs[0].missed) == (at("2026-05-04T03:00"), 2)
    assert "2 missed before it" in world.runs[0].words


def test_moments_that_come_during_a_run_are_left_out_and_told(world):
    world.scheduler.look()
    world.time, world.takes = at("2026-05-02T03:00"), timedelta(days=2, hours=1)
    world.scheduler.look()
    assert len(world.requests) == 1
    assert world.runs[0].overlapped == 2
    assert "2 left out while it ran" in world.runs[0].words
    world.scheduler.look()
    assert len(world.requests) == 1


def test_an_interrupted_run_is_begun_again_by_the_next_start(world):
    world.scheduler.look()
    world.time, world.outcome = at("2026-05-02T03:00"), {"state": "interrupted", "rows": 10, "refused": 0}
    assert world.scheduler.look() is None
    assert world.runs[0].words == "running"
    world.outcome = {"state": "complete", "rows": 90, "refused": 0}
    world.scheduler.look()
    (run,) = world.runs
    assert (run.due, run.rows) == (at("2026-05-02T03:00"), 90)


def test_a_failed_run_is_noted_and_the_next_moment_is_tried(world):
    world.scheduler.look()
    world.time, world.outcome = at("2026-05-02T03:00"), TargetError("the bucket is away")
    world.scheduler.look()
    assert world.runs[0].words == "FAILED: the bucket is away"
    world.time, world.outcome = at("2026-05-03T03:00"), {"state": "complete", "rows": 100, "refused": 7}
    world.scheduler.look()
    assert [bool(run.problem) for run in world.runs] == [False, True]
    assert world.runs[0].too_many_refused
    assert "MORE than --max-errors" in world.runs[0].words


def test_a_run_is_told_with_its_gates_and_with_the_runs_of_its_shadows(world):
    world.scheduler.look()
    world.time = at("2026-05-02T03:00")
    judged = validations.validation(validations.run(gates=(validations.gate("fail"),)))
    shadows = (
        ShadowBatch(release="churn:bbb", sink="/scores/_shadow/bbb", rows=100),
        ShadowBatch(release="churn:ccc", sink="/scores/_shadow/ccc", problem="it has no pyarrow"),
    )
    world.outcome |= {"shadows": shadows, "validation": judged}
    world.scheduler.look()
    assert [run.words for run in world.runs] == [
        "100 rows by churn:aaa; ✗ 1 of 1 gate does not hold",
        "100 rows by churn:bbb",
        "FAILED: churn:ccc: it has no pyarrow",
    ]
    assert {run.due for run in world.runs} == {at("2026-05-02T03:00")}
    state = BatchState(running=True, runs=tuple(world.runs))
    status = BatchStatus(endpoint="churn", revision=2, running=True, spec=SPEC, state=state)
    assert status.condition.endswith("does not hold; shadow FAILED: churn:ccc: it has no pyarrow")  # JupyterLab's words


def test_a_fault_of_the_program_itself_fails_the_run_and_does_not_repeat_it(world):
    world.scheduler.look()
    world.time, world.outcome = at("2026-05-02T03:00"), ZeroDivisionError("a bug")
    assert world.scheduler.look() == scheduling.MOST_SECONDS
    assert world.runs[0].words == "FAILED: ZeroDivisionError: a bug"
    assert any("Traceback" in line for line in world.lines)
    world.scheduler.look()
    assert len(world.requests) == 1
    world.time, world.outcome = at("2026-05-03T03:00"), {"state": "complete", "rows": 100, "refused": 0}
    world.scheduler.look()
    assert [bool(run.problem) for run in world.runs] == [False, True]


def test_moments_before_a_schedule_began_are_not_missed(world):
    world.scheduler.look()
    hourly = SPEC.model_copy(update={"schedule": "0 * * * *"})
    world.endpoint = world.endpoint.serving(batch=hourly)
    world.time = at("2026-05-03T09:30")
    world.scheduler.look()
    assert (world.requests, world.file.read().due) == ([], at("2026-05-03T10:00"))


def test_a_schedule_stays_through_changes_and_a_rollback_gives_an_earlier_one_back():
    before = Endpoint.first(releases.release("aaa", name="churn"))
    scheduled = before.serving(batch=SPEC)
    assert scheduled.with_release(releases.release("bbb", name="churn")).batch == SPEC
    assert scheduled.rolled_back_to(before).batch is None
    assert scheduled.serving(batch=None).rolled_back_to(scheduled).batch == SPEC
    assert "batch: none, now /data/*.parquet → /scores at '0 3 * * *'" in difference_in_words(before, scheduled)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "a"}, "--sink is missing"),
        ({"schedule": "@daily"}, "--source is missing"),
        ({"source": "a", "sink": "b", "schedule": "@daily", "release": "x"}, "--schedule takes no --release"),
        ({"source": "a", "sink": "b", "schedule": "@daily", "dry_run": True}, "--schedule takes no --dry-run"),
        ({"source": "a", "sink": "b", "stop": True}, "--stop takes no --source"),
    ],
)
def test_options_that_exclude_each_other_are_refused(options, words):
    with pytest.raises(InvalidInput, match=words):
        wanted_schedule(BatchRequest(name="churn", **options))


def test_the_places_of_a_schedule_are_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = wanted_schedule(BatchRequest(name="churn", source="day/*.csv", sink="s3://scores/churn", schedule="@daily"))
    assert (spec.source, spec.sink) == (f"{tmp_path}/day/*.csv", "s3://scores/churn")


def test_the_page_of_a_schedule_has_its_runs(world):
    world.scheduler.look()
    world.time = at("2026-05-04T09:30")
    world.scheduler.look()
    log = world.file.read()
    state = BatchState(running=True, due=log.due, runs=log.runs)
    status = BatchStatus(endpoint="churn", revision=2, running=True, spec=SPEC, state=state)
    page = batch_page(status)
    assert page.headline.startswith("churn at revision 2: next 2026-05-05")
    assert page.tables[0].rows == [
        ("2026-05-04 03:00", "09:30:00", "09:40:00", "100 rows by churn:aaa; 2 missed before it")
    ]
    assert exit_code_of_batch(status) == 0
    assert "NOT RUNNING" in batch_page(status.model_copy(update={"state": BatchState(running=False)})).headline
