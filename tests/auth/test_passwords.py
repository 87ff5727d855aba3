"""Passwords: which will do, that no check of one is quicker than another, and that hashing cannot fill a server."""

import threading
import time

import pytest
from argon2 import extract_parameters

from app.auth.passwords import COMMON, MIN_CHARACTERS, Passwords, check_strength
from app.domain.errors import InvalidInput, TooManyRequests

GOOD = "seven lanterns on the quay"


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(time_cost=1, memory_kib=8, parallelism=1, parallel=1, waiting=2)


def test_the_default_cost_is_what_rfc_9106_recommends() -> None:
    cost = extract_parameters(Passwords().dummy)
    assert (cost.type.name, cost.time_cost, cost.memory_cost, cost.parallelism) == ("ID", 3, 65536, 4)


def test_a_hash_is_salted_and_of_the_given_cost(passwords: Passwords) -> None:
    first, second = passwords.hash(GOOD), passwords.hash(GOOD)
    assert first != second
    assert GOOD not in first
    assert passwords.verify(GOOD, first) == (True, None)
    assert passwords.verify(GOOD + " ", first) == (False, None)


def test_a_password_is_the_same_on_every_keyboard(passwords: Passwords) -> None:
    assert passwords.verify("caf\u00e9 au lait", passwords.hash("cafe\u0301 au lait")) == (True, None)


def test_a_hash_of_another_cost_is_renewed_when_its_password_is_given(passwords: Passwords) -> None:
    old = Passwords(time_cost=2, memory_kib=8, parallelism=1).hash(GOOD)
    right, renewed = passwords.verify(GOOD, old)
    assert right
    assert renewed is not None
    assert passwords.verify(GOOD, renewed) == (True, None)
    assert passwords.verify("wrong", old) == (False, None)


def test_where_there_is_no_account_a_hash_of_the_same_cost_is_checked(passwords: Passwords) -> None:
    assert extract_parameters(passwords.dummy) == extract_parameters(passwords.hash(GOOD))
    assert passwords.verify(GOOD, None) == (False, None)


def test_without_an_account_checking_takes_as_long() -> None:
    passwords = Passwords(time_cost=1, memory_kib=8192, parallelism=1)
    real = passwords.hash(GOOD)

    def seconds(password_hash: str | None) -> float:
        start = time.perf_counter()
        passwords.verify("wrong", password_hash)
        return time.perf_counter() - start

    known, unknown = (min(seconds(one) for _ in range(7)) for one in (real, None))
    assert 0.3 < unknown / known < 3


def test_a_damaged_hash_is_never_right(passwords: Passwords) -> None:
    assert passwords.verify(GOOD, "!") == (False, None)
    assert passwords.verify("", "") == (False, None)


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("", "has 0 characters, fewer than 10"),
        ("x" * 9, "has 9 characters, fewer than 10"),
        ("ada.lovelace", "it is the user name"),
        ("ADA.Lovelace", "it is the user name"),
        ("ecalevol.ada", "it is the user name"),
        ("Password1234", "one of the most common"),
        ("qwertyuiop", "one of the most common"),
        ("aaaaaaaaaaaa", "only 1 different characters"),
        ("abababababab", "only 2 different characters"),
        ("long " * 300, "more than 1024"),
        ("halves \ud800 of characters", "no Unicode text"),
    ],
)
def test_a_password_that_would_be_guessed_is_refused_with_the_reason(password: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault) as caught:
        check_strength(password, "ada.lovelace")
    assert caught.value.code == "password.weak"
    assert password == "" or password not in str(caught.value)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(InvalidInput, match=r"fewer than 10.*user name"):
        check_strength("ada", "ada")


@pytest.mark.parametrize("password", [GOOD, "горизонт событий", "春眠不覺曉處處聞啼鳥", "x9$kQ2!mZp", "a b c d e "])
def test_any_other_password_will_do(password: str) -> None:
    check_strength(password, "ada.lovelace")


def test_the_common_passwords_are_those_that_length_alone_would_let_through() -> None:
    assert [one for one in COMMON if len(one) < MIN_CHARACTERS or one != one.casefold()] == []


def test_only_so_many_wait_for_their_turn_to_hash() -> None:
    passwords = Passwords(time_cost=1, memory_kib=8, parallelism=1, parallel=1, waiting=0)
    with passwords.turn(), pytest.raises(TooManyRequests) as caught:
        passwords.turn().__enter__()
    assert caught.value.code == "limit.busy"
    with passwords.turn():
        assert passwords.hash(GOOD)


def test_those_who_wait_get_their_turn_one_after_the_other(passwords: Passwords) -> None:
    inside, most = 0, 0

    def hash_one() -> None:
        nonlocal inside, most
        with passwords.turn():
            inside += 1
            most = max(most, inside)
            passwords.hash(GOOD)
            inside -= 1

    threads = [threading.Thread(target=hash_one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, inside) == (1, 0)
