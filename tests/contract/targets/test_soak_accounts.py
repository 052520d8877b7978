"""What the soak and the campaign of kills count: each thing that they look for is found when it is there."""

import json
import time

import pytest

from jupyter_deploy.serving.telemetry.records import Entry, Recorder
from scripts.chaos.accounts import Asked, Outage, opened, unexplained, write
from scripts.soak.watching import MIB, Sample, course, left_open

STABLE, SHADOW = "churn:one", "churn:two"
NOW = time.time()


class World:
    """Requests 0, 1 and 2, answered, recorded and copied; a test changes parts of it."""

    def __init__(self, home):
        self.home = home
        self.asked = [Asked(f"r{n}", NOW + n, NOW + n + 0.5, 200, STABLE) for n in range(3)]
        self.stable, self.shadow, self.copies = [0, 1, 2], [0, 1, 2], dict.fromkeys(range(3), ("200", "-"))

    def books(self):
        for release, role, numbers in ((STABLE, "stable", self.stable), (SHADOW, "shadow", self.shadow)):
            folder = self.home / "records" / "churn" / release.partition(":")[2]
            recorder = Recorder(folder, "churn", release)
            for n in numbers:
                recorder.write_all([Entry(f"r{n}", f"p{n}", 1_795_608_000_000_000_000 + n, role, 200, 1.0)])
            recorder.close()
        (self.home / "ledger").mkdir()
        lines = [
            json.dumps({"ts": "2026-11-25T12:00:00.000000Z", "pair_id": f"p{n}", "request_id": f"r{n}",
                        "endpoint": "churn", "release": SHADOW, "status": status, "flags": flags})
            for n, (status, flags) in self.copies.items()
        ]  # fmt: skip
        (self.home / "ledger" / "shadow.jsonl").write_text("\n".join([*lines, ""]))
        write(self.asked, self.home / "asked.tsv")
        return opened(self.home, "churn", self.home / "asked.tsv")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def found(world, spans=((NOW - 1, NOW + 9),)):
    with world.books() as books:
        return [*books.lost(), *books.doubled(), *books.copies_lost(), *books.not_copied(spans)]


def test_where_nothing_is_wrong_nothing_is_found(world):
    with world.books() as books:
        assert (books.answered(), books.copies(), books.failed()) == ((3, 3), {"recorded": 3}, [])
        assert books.latencies(0.5) == [pytest.approx(500, abs=1)]
        assert books.recorded_one() == "r0"
    world.home = world.home / "other"
    world.home.mkdir()
    assert found(world) == []


def test_a_lost_record_is_found(world):
    world.stable.remove(1)
    assert found(world) == [f"request r1 of {STABLE}"]


def test_doubled_records_are_found(world):
    world.stable.append(1)
    world.shadow.append(2)
    assert found(world) == [f"copy p2 has 2 records of {SHADOW}", "request r1 has 2 records"]


def test_a_copy_that_was_answered_without_a_record_is_found_and_one_with_a_reason_is_counted(world):
    world.shadow = [0]
    world.copies[2] = ("503", "UO")
    with world.books() as books:
        assert books.copies_lost() == ["copy p1 was answered without a record"]
        assert books.copies() == {"recorded": 1, "answered without a record": 1, "overflow": 1}


def test_a_copy_that_is_in_no_ledger_is_found(world):
    del world.copies[1]
    assert found(world) == ["copy p1 is in the records and not in the ledger", "request r1 has no copy"]


def test_a_request_without_a_copy_is_found_while_all_are_copied_alone(world):
    del world.copies[1]
    world.shadow.remove(1)
    assert found(world, [(NOW - 1, NOW + 1.2)]) == []
    world.home = world.home / "other"
    world.home.mkdir()
    assert found(world) == ["request r1 has no copy"]


def test_a_failure_is_attributed_to_a_concurrent_event(world):
    world.asked[1] = Asked("r1", NOW + 1, NOW + 1.5, 503, "", 'reset\treason: "overflow"\n')
    with world.books() as books:
        failed = books.failed()
        assert books.reasons() == [("503 reset reason: 'overflow'", 1)]
    kill = Outage("worker", NOW + 1.4, NOW + 2)
    assert (unexplained(failed, [kill]), kill.explained) == ([], 1)
    for other in (Outage("worker", NOW + 1.6, NOW + 2), Outage("worker", NOW, NOW + 0.5)):
        assert len(unexplained(failed, [other])) == 1
    assert unexplained(failed, [Outage("worker", NOW, NOW + 2, "overflow")]) == []
    assert len(unexplained(failed, [Outage("worker", NOW, NOW + 2, "reset by peer")])) == 1


def lived(memory, pid=1, since=0, until=600):
    return [
        Sample(at, "worker", (pid,), int(memory(at - since)), int(memory(at - since)), 20)
        for at in range(since, until, 2)
    ]


def test_a_leak_is_found_and_what_kills_and_bursts_take_is_none():
    def bursts(age):
        return (100 + 300 * (age > 200)) * MIB + 50 * MIB * (500 < age < 540)

    assert course(lived(bursts), 600, 430).faults == []
    leak = course(lived(lambda age: bursts(age) + age * MIB / 20), 600, 430)
    assert leak.gained == pytest.approx(30 * MIB, rel=0.2)
    assert "memory grows by" in leak.faults[0]
    assert course(lived(bursts), 600, 100).faults, "it would be seen, if it were judged"


def test_files_that_stay_open_at_rest_are_found():
    def open_files(**kinds):
        return [Sample(0, kind, (1,), MIB, MIB, files) for kind, files in kinds.items()]

    before = open_files(gateway=40, worker=20)
    assert left_open(before, open_files(gateway=72, worker=5)) == []
    assert left_open(before, open_files(gateway=73, worker=5)) == ["gateway: 33 more files are open than before"]


def test_of_several_lives_the_longest_is_judged_for_the_whole_run():
    short, long = lived(lambda _: 90 * MIB, until=460), lived(lambda age: age * MIB / 20, pid=2, since=460)
    judged = course(short + long, 600, 430)
    assert (judged.lives, len(judged.faults)) == (2, 1)
    assert judged.gained == pytest.approx(30 * MIB, rel=0.2)
    assert judged.own == (90 * MIB, int(138 * MIB / 20))


def test_processes_without_a_long_enough_life_are_reported():
    lives = [sample for n in range(60) for sample in lived(lambda _: MIB, pid=n, since=10 * n, until=10 * n + 10)]
    assert course(lives, 600, 430).faults == ["worker: no life was long enough to be judged"]
