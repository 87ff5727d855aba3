"""Passwords: which ones will do, and their Argon2id hashes. Pure: no database, no files."""

import base64
import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from app.domain.errors import InvalidInput, TooManyRequests
from app.domain.principal import MAX_PASSWORD_CHARACTERS
from app.domain.wording import Said, one_after_another, say

MIN_CHARACTERS = 10
MIN_DISTINCT_CHARACTERS = 5

_COMMON = """
1234567890 0123456789 0987654321 9876543210 12345678910 123456789a 1234567891 1234567899 123456789q a123456789
q123456789 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc qwertyuiop qwerty12345 qwerty123456 qwerty1234 qwertyuiop123
1234qwerasdf asdfghjkl1 asdfghjkl123 zxcvbnm123 zaq12wsxcde3 password12 password123 password1234 password12345
password2024 password2025 password2026 mypassword mypassword1 passw0rd123 p@ssw0rd123 p@ssword123 passwordpassword
changeme123 changemenow letmein123 letmein1234 letmeinnow welcome123 welcome1234 administrator administrator1
admin12345 admin123456 adminadmin adminpassword rootpassword superuser1 iloveyou123 iloveyou12 iloveyou1234
sunshine123 princess123 football123 baseball123 superman123 starwars123 michael123 computer123 liverpool1
liverpool123 manchester trustno1trustno1 whatever123 abcdefghij abcdefghijk abcdefghijklmnop abcd123456 abc1234567
abcdef1234 abc123abc123 test123456 testtest123 testpassword defaultpassword default123 secretpassword
correcthorsebatterystaple finetune123 finetunefinetune
"""
COMMON = frozenset(_COMMON.split())
"""The most common passwords that are long enough to pass otherwise, in lower case."""


def check_strength(password: str, username: str) -> None:
    """InvalidInput `password.weak`, with all that is wrong, unless a password will do.

    Long rather than complicated, and not one that is tried first (NIST SP 800-63B, 5.1.1.2).
    """
    plain = normalized(password)
    folded = plain.casefold()
    wrong: list[Said] = []
    if len(plain) < MIN_CHARACTERS:
        wrong.append(say("it has {count} characters, fewer than {limit}", count=len(plain), limit=MIN_CHARACTERS))
    if len(plain) > MAX_PASSWORD_CHARACTERS:
        wrong.append(
            say("it has {count} characters, more than {limit}", count=len(plain), limit=MAX_PASSWORD_CHARACTERS)
        )
    if folded in (username.casefold(), username.casefold()[::-1]):
        wrong.append(say("it is the user name"))
    if folded in COMMON:
        wrong.append(say("it is one of the most common passwords"))
    if len(plain) >= MIN_CHARACTERS and len(set(folded)) < MIN_DISTINCT_CHARACTERS:
        wrong.append(say("it has only {count} different characters", count=len(set(folded))))
    if wrong:
        raise InvalidInput(
            say("this password will not do: {wrong}", wrong=one_after_another(wrong)),
            hint="take a sentence of a few words that nobody would guess",
            code="password.weak",
        )


def normalized(password: str) -> str:
    """The password in NFKC: what looks the same on two keyboards is the same.

    Raises InvalidInput for what is no text (halves of characters).
    """
    try:
        password.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("this password is no Unicode text", hint="type it again", code="password.weak") from error
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes with one cost, at most `parallel` at a time: each takes `memory_kib` of memory.

    More than `waiting` callers are turned away with TooManyRequests, so that sign-ins cannot fill a server's threads.
    The defaults are RFC 9106's second recommendation (4 lanes, 64 MiB, 3 passes).
    """

    def __init__(
        self,
        *,
        time_cost: int = 3,
        memory_kib: int = 65536,
        parallelism: int = 4,
        parallel: int = 2,
        waiting: int = 20,
    ) -> None:
        hasher = Argon2Hasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        self._hash = PasswordHash([hasher])
        self._working, self._places = threading.Semaphore(parallel), threading.BoundedSemaphore(parallel + waiting)
        salt, digest = (base64.b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
        self.dummy = f"$argon2id$v=19$m={memory_kib},t={time_cost},p={parallelism}${salt}${digest}"
        """The hash of no password: to check against it takes as long as against that of an account."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn to hash; TooManyRequests when too many wait already."""
        if not self._places.acquire(blocking=False):
            raise TooManyRequests(
                "too many people are signing in at this moment",
                retry_after_seconds=2,
                hint="try again in a few seconds",
                code="limit.busy",
            )
        try:
            with self._working:
                yield
        finally:
            self._places.release()

    def hash(self, password: str) -> str:
        """The hash to store, which carries its salt and its cost; call it in a `turn`."""
        return self._hash.hash(normalized(password))

    def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """Whether the password is the one; beside it a new hash where the stored one is of another cost.

        None, where there is no account, takes as long and is never right. Call it in a `turn`.
        """
        try:
            right, renewed = self._hash.verify_and_update(normalized(password), password_hash or self.dummy)
        except UnknownHashError:
            return False, None
        return right and password_hash is not None, renewed
