"""The state machine, and what becomes of a task after each attempt."""

import itertools

import pytest

from app.domain.task import LONGEST_DELAY_SECONDS, MAX_FAILURES, TaskState, Verdict, after_attempt, may_follow

SUCCESS, FAILURE, REVOKED = TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED


def test_every_verdict_is_a_legal_transition_of_a_running_task() -> None:
    for ended, *flags in itertools.product((SUCCESS, FAILURE, REVOKED), *[(False, True)] * 3):
        for failures in range(MAX_FAILURES + 2):
            retryable, cancelled, worker_stops = flags
            verdict = after_attempt(
                ended, retryable=retryable, failures=failures, cancelled=cancelled, worker_stops=worker_stops
            )
            assert may_follow(TaskState.STARTED, verdict.state)


@pytest.mark.parametrize("failures", [0, 3])
def test_what_ended_by_itself_stands(failures: int) -> None:
    for ended in (SUCCESS, FAILURE):
        for flags in ({}, {"cancelled": True}, {"worker_stops": True}):
            verdict = after_attempt(ended, retryable=False, failures=failures, **flags)
            assert verdict == Verdict(ended, failures)


def test_a_wish_to_cancel_goes_before_another_attempt() -> None:
    for ended in (REVOKED, FAILURE):
        verdict = after_attempt(ended, retryable=True, failures=0, cancelled=True, worker_stops=True)
        assert verdict.state is REVOKED


def test_a_worker_that_ends_hands_its_work_on_at_once_and_blames_nobody() -> None:
    for ended in (REVOKED, FAILURE):
        verdict = after_attempt(ended, retryable=True, failures=2, worker_stops=True)
        assert verdict == Verdict(TaskState.RETRY, 2, 0.0)


def test_spoilt_attempts_are_repeated_with_growing_pauses_until_it_is_enough() -> None:
    failures, pauses = 0, []
    while True:
        verdict = after_attempt(FAILURE, retryable=True, failures=failures, first_delay_seconds=10)
        failures = verdict.failures
        if verdict.state is FAILURE:
            break
        pauses.append(verdict.delay_seconds)
    assert failures == MAX_FAILURES
    assert pauses == [10, 40, 160, LONGEST_DELAY_SECONDS][: len(pauses)]
    assert len(pauses) == MAX_FAILURES - 1


def test_a_stop_that_nobody_asked_for_counts_as_spoilt() -> None:
    assert after_attempt(REVOKED, retryable=False, failures=0).state is TaskState.RETRY
