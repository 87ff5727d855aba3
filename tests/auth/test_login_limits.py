"""How often a sign-in may fail, counted in this process or in Redis; nobody is kept out for long by others."""

import time

import pytest

from app.domain.errors import TooManyRequests
from app.services import login_limits
from app.services.login_limits import ACCOUNT_AT_ADDRESS, ACCOUNT_IN_NETWORK, ADDRESS, LoginLimits
from app.settings import Settings

HOME, NEIGHBOUR, ELSEWHERE = "192.0.2.10", "192.0.2.77", "198.51.100.5"


@pytest.fixture(params=["memory", "redis"])
def limits(request: pytest.FixtureRequest) -> LoginLimits:
    """Once counted in this process, once in Redis."""
    return LoginLimits(Settings(redis_url=request.getfixturevalue("redis_url") if request.param == "redis" else ""))


def fail(limits: LoginLimits, times: int, ip: str, username: str | None = "ada") -> None:
    for _ in range(times):
        limits.failed(ip, username)


def is_refused(limits: LoginLimits, ip: str | None, username: str | None = "ada") -> bool:
    try:
        limits.check(ip, username)
    except TooManyRequests:
        return True
    return False


def test_an_account_is_tried_ten_times_from_one_address(limits: LoginLimits) -> None:
    fail(limits, ACCOUNT_AT_ADDRESS.amount - 1, HOME)
    assert not is_refused(limits, HOME)
    fail(limits, 1, HOME)
    with pytest.raises(TooManyRequests) as caught:
        limits.check(HOME, "ada")
    assert caught.value.code == "limit.sign_in"
    assert 0 < caught.value.retry_after_seconds <= 15 * 60


def test_who_locks_an_account_locks_it_for_no_address_but_the_own(limits: LoginLimits) -> None:
    fail(limits, ACCOUNT_AT_ADDRESS.amount, HOME)
    assert is_refused(limits, HOME)
    assert not is_refused(limits, NEIGHBOUR)
    assert not is_refused(limits, ELSEWHERE)
    assert not is_refused(limits, HOME, "grace")


def test_changing_the_address_within_a_network_helps_an_attacker_only_so_far(limits: LoginLimits) -> None:
    for last in range(ACCOUNT_IN_NETWORK.amount // ACCOUNT_AT_ADDRESS.amount):
        fail(limits, ACCOUNT_AT_ADDRESS.amount, f"192.0.2.{last}")
    assert is_refused(limits, NEIGHBOUR)
    assert not is_refused(limits, ELSEWHERE)


def test_an_attack_from_everywhere_slows_an_account_down_and_never_locks_it(limits: LoginLimits) -> None:
    assert limits.delay_seconds("ada") == 0
    for network in range(50):
        fail(limits, 5, f"203.0.{network}.1")
    assert limits.delay_seconds("ada") == login_limits.MAX_DELAY_SECONDS
    assert limits.delay_seconds("grace") == 0
    assert not is_refused(limits, ELSEWHERE)


def test_the_delay_grows_with_the_failures(limits: LoginLimits) -> None:
    fail(limits, login_limits.FREE_FAILURES, ELSEWHERE)
    assert limits.delay_seconds("ada") == 0
    fail(limits, 4, ELSEWHERE)
    assert limits.delay_seconds("ada") == pytest.approx(4 * login_limits.DELAY_SECONDS)


def test_an_address_that_tries_many_names_is_refused_for_all(limits: LoginLimits) -> None:
    for number in range(ADDRESS.amount):
        limits.failed(HOME, f"name-{number}")
    assert is_refused(limits, HOME, "somebody-else")
    assert is_refused(limits, HOME, None)
    assert not is_refused(limits, NEIGHBOUR, "somebody-else")


def test_a_right_password_clears_the_account_there_and_not_the_address(limits: LoginLimits) -> None:
    for _ in range(ADDRESS.amount // 5):
        fail(limits, 5, HOME)
        limits.succeeded(HOME, "ada")
    assert is_refused(limits, HOME, None), "an own account must not buy more tries at others"


def test_the_addresses_of_one_ipv6_household_are_one(limits: LoginLimits) -> None:
    for last in range(ACCOUNT_AT_ADDRESS.amount):
        fail(limits, 1, f"2001:db8:1:2::{last:x}")
    assert is_refused(limits, "2001:db8:1:2:ffff::1")
    assert not is_refused(limits, "2001:db8:1:3::1")


def test_an_ipv4_address_is_the_same_in_ipv6_clothes(limits: LoginLimits) -> None:
    fail(limits, ACCOUNT_AT_ADDRESS.amount, f"::ffff:{HOME}")
    assert is_refused(limits, HOME)


@pytest.mark.parametrize("ip", [None, "testclient", "", "fe80::1%eth0"])
def test_whatever_stands_where_an_address_should_is_counted(limits: LoginLimits, ip: str | None) -> None:
    fail(limits, ACCOUNT_AT_ADDRESS.amount, ip)
    assert is_refused(limits, ip)


@pytest.mark.parametrize("username", ["", "x" * 256, "a/b:c*\0\n", "🙂", "\ud800"], ids=ascii)
def test_whatever_stands_where_a_name_should_is_counted(limits: LoginLimits, username: str) -> None:
    fail(limits, ACCOUNT_AT_ADDRESS.amount, HOME, username)
    assert is_refused(limits, HOME, username)
    assert not is_refused(limits, HOME, "ada")


def test_a_window_that_has_moved_on_lets_in_again(limits: LoginLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(limits, ACCOUNT_AT_ADDRESS.amount, HOME)
    assert is_refused(limits, HOME)
    later = time.time() + 15 * 60 + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert not is_refused(limits, HOME)


def test_several_processes_share_what_is_counted_in_redis(redis_url: str) -> None:
    one, other = (LoginLimits(Settings(redis_url=redis_url)) for _ in range(2))
    fail(one, ACCOUNT_AT_ADDRESS.amount, HOME)
    assert is_refused(other, HOME)
    assert not is_refused(LoginLimits(Settings()), HOME)


def test_without_its_redis_a_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    limits = LoginLimits(Settings(redis_url="redis://127.0.0.1:1/0"))
    start = time.monotonic()
    fail(limits, ACCOUNT_AT_ADDRESS.amount, HOME)
    assert is_refused(limits, HOME)
    assert time.monotonic() - start < 5, "a Redis that is down must be left alone for a while"
    assert caplog.text.count("Redis does not answer") == 1


def test_celerys_name_for_a_unix_socket_is_understood(tmp_path_factory: pytest.TempPathFactory) -> None:
    pool = login_limits._redis_storage("redis+socket:///run/redis.sock?virtual_host=3").storage.connection_pool
    assert pool.connection_kwargs["path"] == "/run/redis.sock"
    assert pool.connection_kwargs["db"] == 3


def test_invented_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = LoginLimits(Settings())
    for number in range(login_limits.PRUNE_EVERY - 1):
        limits.failed(f"10.{number // 256}.{number % 256}.1", f"name-{number}")
    held = limits._memory_storage.events
    assert len(held) > 1000
    for events in held.values():
        events.clear()
    limits.failed(HOME, "ada")
    assert len(held) < 10
