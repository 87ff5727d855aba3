"""How often a sign-in may fail: per address, per account from an address or its network, and slower for an account.

Only failures count, so nobody is kept out by signing in often. What others do can keep somebody out only from the
attacker's own network; an account that is attacked from everywhere answers up to MAX_DELAY_SECONDS later, to all alike.
"""

import hashlib
import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from app.domain.errors import TooManyRequests
from app.settings import Settings

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Rule = tuple[RateLimitItem, tuple[str, ...]]
"""A limit, and the names of what it counts."""

ADDRESS = RateLimitItemPerMinute(50, 5, namespace="sign-in")
ACCOUNT_AT_ADDRESS = RateLimitItemPerMinute(10, 15, namespace="sign-in")
ACCOUNT_IN_NETWORK = RateLimitItemPerMinute(30, 15, namespace="sign-in")
ACCOUNT = RateLimitItemPerMinute(100, 15, namespace="sign-in")
"""Slows down, never refuses."""
FREE_FAILURES = 20
DELAY_SECONDS = 0.05
"""For each failure of an account beyond the free ones."""
MAX_DELAY_SECONDS = 2.0

REDIS_TIMEOUT_SECONDS = 1.0
REDIS_PAUSE_SECONDS = 10.0
"""After it did not answer, Redis is left alone for so long and this process counts for itself."""
PRUNE_EVERY = 1000


class LoginLimits:
    """Counts failed sign-ins in a moving window, in Redis where REDIS_URL lets several processes share it."""

    def __init__(self, settings: Settings) -> None:
        self._memory_storage = MemoryStorage()
        self._memory = MovingWindowRateLimiter(self._memory_storage)
        self._memory_lock = threading.Lock()
        self._failures = 0
        self._redis = MovingWindowRateLimiter(_redis_storage(settings.redis_url)) if settings.redis_url else None
        self._redis_rests_until = 0.0

    def check(self, ip: str | None, username: str | None = None) -> None:
        """TooManyRequests where too many attempts from there, or at that account from there, have failed."""
        for rule in (_rule_of_address(ip), *([] if username is None else _rules_of_account(ip, username))):
            reset, remaining = self._ask(MovingWindowRateLimiter.get_window_stats, rule)
            if remaining <= 0:
                raise TooManyRequests(
                    "too many attempts to sign in have failed",
                    retry_after_seconds=max(1.0, reset - time.time()),
                    hint="wait, then try again with the right password",
                    code="limit.sign_in",
                )

    def failed(self, ip: str | None, username: str | None = None) -> None:
        """Count an attempt that failed."""
        rules = [_rule_of_address(ip)]
        if username is not None:
            rules += [*_rules_of_account(ip, username), _slowing_rule(username)]
        for rule in rules:
            self._ask(MovingWindowRateLimiter.hit, rule)
        self._prune()

    def succeeded(self, ip: str | None, username: str) -> None:
        """Whoever knows the password was no attacker there; the address stays counted, it may try other accounts."""
        for rule in _rules_of_account(ip, username):
            self._ask(MovingWindowRateLimiter.clear, rule)

    def delay_seconds(self, username: str) -> float:
        """How long an attempt at that account, right or wrong, has to wait before it is looked at."""
        _, remaining = self._ask(MovingWindowRateLimiter.get_window_stats, _slowing_rule(username))
        return min(MAX_DELAY_SECONDS, DELAY_SECONDS * max(0, ACCOUNT.amount - remaining - FREE_FAILURES))

    def _ask(self, question: Callable[..., Answer], rule: Rule) -> Answer:
        item, names = rule
        if self._redis is not None and time.monotonic() >= self._redis_rests_until:
            try:
                return question(self._redis, item, *names)
            except StorageError:
                self._redis_rests_until = time.monotonic() + REDIS_PAUSE_SECONDS
                logger.warning("Redis does not answer; failed sign-ins are counted in this process meanwhile")
        with self._memory_lock:
            return question(self._memory, item, *names)

    def _prune(self) -> None:
        """Forget names whose window is empty; the library keeps them, and anybody can invent names."""
        with self._memory_lock:
            self._failures += 1
            if self._failures % PRUNE_EVERY == 0:
                for key in [key for key, events in self._memory_storage.events.items() if not events]:
                    self._memory_storage.clear(key)


def _rule_of_address(ip: str | None) -> Rule:
    return ADDRESS, ("address", _address(ip))


def _slowing_rule(username: str) -> Rule:
    return ACCOUNT, ("account", _digest(username))


def _rules_of_account(ip: str | None, username: str) -> list[Rule]:
    account = _digest(username)
    return [
        (ACCOUNT_AT_ADDRESS, ("account-at", account, _address(ip))),
        (ACCOUNT_IN_NETWORK, ("account-in", account, _network(ip))),
    ]


def _digest(username: str) -> str:
    return hashlib.sha256(username.encode("utf-8", "replace")).hexdigest()[:32]


def _address(ip: str | None) -> str:
    """What one caller holds: an IPv4 address, or the /64 an IPv6 one is in."""
    return _prefix(ip, 32, 64)


def _network(ip: str | None) -> str:
    """The neighbourhood of an address: its /24, or /48 for IPv6."""
    return _prefix(ip, 24, 48)


def _prefix(ip: str | None, bits_4: int, bits_6: int) -> str:
    try:
        address = ipaddress.ip_address((ip or "").partition("%")[0])
    except ValueError:
        return ip or "nowhere"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    bits = bits_4 if address.version == 4 else bits_6
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def _redis_storage(url: str) -> RedisStorage:
    """The storage behind REDIS_URL; Celery's `redis+socket://PATH?virtual_host=N` is understood too."""
    from redis import ConnectionPool
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    if url.startswith("redis+socket://"):
        url = url.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=")
    pool = ConnectionPool.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisStorage(url, connection_pool=pool, wrap_exceptions=True)
