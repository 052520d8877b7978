"""Dependent requests: sessions, probes, outages, latencies that depend on each other, users of a ramp."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

from jupyter_deploy.domain.evidence.sequential import median_ranks, proportion
from jupyter_deploy.domain.evidence.verdict import AGREEMENT, LEAST_CLUSTERS, OF_FOUR, SLOW_MARGIN

from .streams import SEED, Flags, evidence, log_wealth, looks, percent, refuting_counts
from .table import Row

_STREAMS = 1000
_LIMIT = log(20)
_BEFORE = "not the product: requests as the unit"


def rows() -> Iterator[Row]:
    """Measure false rates with requests as the unit, and with the product's unit."""
    yield from _sessions()
    yield from _probe()
    yield from _outages()
    yield from _latencies()
    yield from _slow()
    yield from _sticky_users()


def _sessions() -> Iterator[Row]:
    """Sessions of 50 requests; a session's chance is Beta with an intraclass correlation of 0.1 (or 0.3)."""
    for correlation, mean in ((0.1, 0.5), (0.3, 0.95)):
        chance = np.random.default_rng(SEED)
        spread = 1 / correlation - 1
        own = chance.beta(mean * spread, (1 - mean) * spread, (_STREAMS, 200))
        agree = chance.random((_STREAMS, 200, 50)) < own[..., None]
        scenario = f"200 sessions of 50 requests, intraclass correlation {correlation}, share {mean}"
        lows, highs = refuting_counts(mean, length=10_000)
        counts = agree.reshape(_STREAMS, -1).cumsum(axis=1, dtype=np.int32)
        requests = ((counts <= lows) | (counts >= highs)).any(axis=1).mean()
        yield Row(scenario, "true share ever excluded", "≤ 5 %", percent(float(requests)), _BEFORE)
        yield Row(
            scenario, "true share ever excluded, cluster as the unit", "≤ 5 %", percent(_of_clusters(agree, mean))
        )


def _of_clusters(agree: Flags, mean: float) -> float:
    """Look after each tenth of each session, while its mean still changes."""
    values = np.arange(51) / 50
    excluded = np.zeros(len(agree), dtype=bool)
    for session in range(4, agree.shape[1], 5):
        for requests in (5, 50):
            means = agree[:, :session].mean(axis=2)
            last = agree[:, session, :requests].mean(axis=1)
            places = np.rint(np.column_stack([means, last]) * 50).astype(int)
            counts = np.stack([(places == place).sum(axis=1) for place in range(51)], axis=-1).astype(float)
            _, above, below = evidence(counts, values, 0.0, mean)
            excluded |= (above >= _LIMIT) | (below >= _LIMIT)
    return float(excluded.mean())


def _probe() -> Iterator[Row]:
    """A monitoring probe: one payload, on which the candidate agrees with a chance of 95 %."""
    shown = next(n for n in range(1, 1000) if proportion(n, n).above(AGREEMENT))
    right = np.random.default_rng(SEED).random(_STREAMS) < 0.95
    scenario = f"one payload {shown} times; the candidate agrees on 95 % of all inputs"
    yield Row(scenario, "`promote`", "≤ 5 %", percent(float(right.mean())), _BEFORE)
    promoted = proportion(1, 1).above(AGREEMENT) or LEAST_CLUSTERS <= 1
    yield Row(
        scenario,
        "`promote`, cluster as the unit",
        "≤ 5 %",
        percent(float(right.mean()) * promoted),
        "a note names the one cluster",
    )


def _outages() -> Iterator[Row]:
    """Each release has outages of 5 to 20 requests with equal chances, on the same 20,000 requests."""
    chance = np.random.default_rng(SEED)
    number = 20
    false_requests, false_events = np.zeros(_STREAMS, dtype=bool), np.zeros(_STREAMS, dtype=bool)
    sizes = chance.integers(5, 21, (_STREAMS, number))
    signs = chance.random((_STREAMS, number)) < 0.5
    for seen in range(1, number + 1):
        sums = np.stack([((sizes * (signs == side))[:, :seen]).sum(axis=1) for side in (0, 1)], axis=-1).astype(float)
        events = np.stack([(signs == side)[:, :seen].sum(axis=1) for side in (0, 1)], axis=-1).astype(float)
        false_requests |= _errs_more(sums)
        false_events |= _errs_more(events)
    scenario = f"{number} outages of 5 to 20 requests, of either release with the same chance"
    yield Row(scenario, "false `stop`", "≤ 1.25 %", percent(float(false_requests.mean())), _BEFORE)
    yield Row(scenario, "false `stop`, event as the unit", "≤ 1.25 %", percent(float(false_events.mean())))


def _errs_more(counts: np.ndarray) -> Flags:
    """Return whether the second of two counts is shown to have the larger chance."""
    shown = log_wealth(counts, np.array([0.0, 1.0]), 0.5) >= -log(1 - OF_FOUR)
    return np.asarray(shown & (counts[:, 1] > counts[:, 0]))


def _latencies() -> Iterator[Row]:
    """Differences of latencies as AR(1), a request a second; the true median is 0."""
    for memory in (0.5, 0.9, 0.97):
        differences = _autoregressive(memory, 7200)
        at = [int(n) for n in looks(7200, 40) if n >= 60]
        missed, by_minute = np.zeros(_STREAMS, dtype=bool), np.zeros(_STREAMS, dtype=bool)
        minutes = np.median(differences.reshape(_STREAMS, -1, 60), axis=2)
        for n in at:
            missed |= _misses(differences[:, :n])
            by_minute |= _misses(minutes[:, : n // 60])
        scenario = f"latencies as AR(1) of {memory}, a request a second for 2 hours"
        yield Row(
            scenario, "true median ever excluded", "≤ 5 %", percent(float(missed.mean())), "`by_minute` is shown too"
        )
        remark = "a note warns of consecutive minutes that depend on each other" if memory > 0.95 else ""
        yield Row(scenario, "true median ever excluded, `by_minute`", "≤ 5 %", percent(float(by_minute.mean())), remark)


def _autoregressive(memory: float, length: int) -> np.ndarray:
    noise = np.random.default_rng(SEED).normal(size=(_STREAMS, length))
    values = np.empty_like(noise)
    values[:, 0] = noise[:, 0] / np.sqrt(1 - memory**2)
    for place in range(1, length):
        values[:, place] = memory * values[:, place - 1] + noise[:, place]
    return values


def _misses(values: np.ndarray) -> Flags:
    """Return whether the interval of the median excludes 0, from the ranks."""
    ranks = median_ranks(values.shape[1])
    if ranks is None:
        return np.zeros(len(values), dtype=bool)
    below = (values < 0).sum(axis=1)
    return np.asarray((below < ranks[0]) | (below >= ranks[1]))


def _slow() -> Iterator[Row]:
    """Answers that are slower than stable's 95th percentile, a request a second; the unit is the minute."""
    for memory, extra, figure, nominal in (
        (0.9, 0.0, "equally fast: called slow", "≤ 1.25 %"),
        (0.0, 0.1, "10 % of the answers 100 times slower: called slow within 2 hours", "high"),
    ):
        chance = np.random.default_rng(SEED + 1)
        latency = _autoregressive(memory, 7200) * np.sqrt(1 - memory**2)
        slow = (latency > 1.6449) | (chance.random(latency.shape) < extra)
        minutes = np.rint(slow.reshape(_STREAMS, -1, 60).mean(axis=2) * 60).astype(int)
        shown = np.zeros(_STREAMS, dtype=bool)
        for n in range(2, minutes.shape[1] + 1):
            counts = np.stack([(minutes[:, :n] == k).sum(axis=1) for k in range(61)], axis=-1).astype(float)
            _, above, _ = evidence(counts, np.arange(61) / 60, 0.0, SLOW_MARGIN)
            shown |= above >= -log(1 - OF_FOUR)
        yield Row(f"latencies as AR(1) of {memory}, a request a second", figure, nominal, percent(float(shown.mean())))


_USERS, _SHARES, _REQUESTS = 300, (0.05, 0.2, 0.5), 9000


def _sticky_users() -> Iterator[Row]:
    """300 users with sticky keys and own error rates (mean 5 %), while the canary grows from 5 to 20 to 50 %."""
    chance = np.random.default_rng(SEED)
    own = chance.beta(0.5, 9.5, (_STREAMS, _USERS))
    place = chance.random((_STREAMS, _USERS))
    asked = chance.integers(0, _USERS, (_STREAMS, _REQUESTS))
    failed = chance.random((_STREAMS, _REQUESTS)) < np.take_along_axis(own, asked, axis=1)
    by_user, by_request = np.zeros(_STREAMS, dtype=bool), np.zeros(_STREAMS, dtype=bool)
    for end in range(500, _REQUESTS + 1, 500):
        of_users, of_requests = _excluded(place, asked[:, :end], failed[:, :end])
        by_user |= of_users
        by_request |= of_requests
    scenario = "300 users with sticky keys and own error rates, share 5-20-50 %, equal releases"
    yield Row(scenario, "true difference ever excluded", "≤ 5 %", percent(float(by_request.mean())), _BEFORE)
    yield Row(scenario, "true difference ever excluded, user as the unit", "≤ 5 %", percent(float(by_user.mean())))


def _excluded(place: np.ndarray, asked: np.ndarray, failed: Flags) -> tuple[Flags, Flags]:
    """Return whether equality is excluded, with the user at the last share as the unit, and with the request."""
    part = np.arange(asked.shape[1]) * len(_SHARES) // _REQUESTS
    parts = range(part[-1] + 1)
    last = np.full(place.shape, -1)
    for number in parts:
        np.put_along_axis(last, asked[:, part == number], number, axis=1)
    of_users, of_requests = np.zeros(len(place)), np.zeros(len(place))
    for number in parts:
        share = _SHARES[number]
        low, canary = -share / (1 - share), place < share
        who, bad = asked[:, part == number], failed[:, part == number]
        flat = (np.arange(len(who))[:, None] * _USERS + who).ravel()
        n = np.bincount(flat, minlength=place.size).reshape(place.shape)
        errors = np.bincount(flat, weights=bad.ravel(), minlength=place.size).reshape(place.shape)
        weighed = np.where(canary, errors, errors * low) / np.maximum(n, 1)
        places = np.rint((weighed - low) / (1 - low) * 200).astype(int)
        used = (n > 0) & (last == number)
        counts = np.stack([((places == k) & used).sum(axis=1) for k in range(201)], axis=-1).astype(float)
        of_users += _two_sided(counts, np.linspace(low, 1, 201), low)
        kinds = np.where(bad, np.where(np.take_along_axis(canary, who, axis=1), 1, 2), 0)
        single = np.stack([(kinds == kind).sum(axis=1) for kind in range(3)], axis=-1).astype(float)
        of_requests += _two_sided(single, np.array([0.0, 1.0, low]), low)
    return of_users >= _LIMIT, of_requests >= _LIMIT


def _two_sided(counts: np.ndarray, values: np.ndarray, low: float) -> np.ndarray:
    _, above, below = evidence(counts, values, low, 0.0)
    return above + below
