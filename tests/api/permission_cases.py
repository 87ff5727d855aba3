"""One request for every route of the API, and the objects such a request is about.

A new route needs a line here; `test_permissions.py` fails until it has one.
"""

import itertools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.data import catalogue
from app.db.repositories import datasets, shares, tasks
from app.domain.principal import Caller, Principal
from app.domain.task import TaskKind
from app.runs.work import work_directory
from app.services import api_keys, authentication
from app.services.platform import Platform
from tests.api.conftest import PASSWORD
from tests.api_runs import MadeRun, Runs

Scope = Literal["open", "own", "task", "read", "change"]
"""What the caller's relation to an object means.

open: there is no object. own: only the account itself, administrators included. task: its owner. read, change: its
owner, and those it is shared with as far as reading goes.
"""
CONFIG = {"experiment_name": "reviews", "data": {"train": "reviews@1"}, "training": {"max_steps": 4}}
FILE = b"text,label\na fine day at the sea,good\nthe soup was cold,bad\n"
OTHER_PASSWORD = "seven lanterns on the quay"
_numbers = itertools.count(1)


@dataclass
class Things:
    """Makes what one request is about: it belongs to `owner`, and is shared with `reader`, if with anybody."""

    platform: Platform
    runs: Runs
    owner: str
    somebody: str
    reader: str | None = None
    version: str = ""
    """The content of `reviews@1`."""
    made: str = ""
    """The name of the object, as it stands in the address."""

    def run(self, state: str = "SUCCESS") -> str:
        """The name of a run."""
        self.made = self._run(state).name
        return self.made

    def task(self, state: str = "SUCCESS") -> str:
        """The id of a task."""
        self.made = self._run(state).task_id
        return self.made

    def data_set(self) -> str:
        """The name of a data set with one version."""
        self.made = f"set-{next(_numbers)}"
        catalogue.add(self.platform.settings.results_dir, self.made, self.version, None)
        with self.platform.installation.database.write() as session:
            datasets.claim(session, self.made, self.owner)
            if self.reader:
                shares.add(session, "dataset", self.made, self.reader, self.owner)
        return self.made

    def shared(self, kind: Literal["experiment", "dataset"]) -> str:
        """The name of an object that is shared with somebody."""
        name = self.run() if kind == "experiment" else self.data_set()
        with self.platform.installation.database.write() as session:
            shares.add(session, kind, name, self.somebody, self.owner)
        return name

    def session(self) -> str:
        """The id of a sign-in of the owner."""
        answer = authentication.login(self.platform, Caller(), self.owner, PASSWORD)
        principal = authentication.authenticate(self.platform, answer.access_token)
        assert principal.session_id is not None
        self.made = principal.session_id
        return self.made

    def refresh_token(self) -> str:
        """The refresh token of a sign-in of somebody."""
        return authentication.login(self.platform, Caller(), self.somebody, PASSWORD).refresh_token

    def api_key(self) -> int:
        """The id of an API key of the owner."""
        answer = authentication.login(self.platform, Caller(), self.owner, PASSWORD)
        principal: Principal = authentication.authenticate(self.platform, answer.access_token)
        made = api_keys.create_api_key(self.platform, Caller(principal=principal), f"key-{next(_numbers)}", None)
        self.made = str(made.id)
        return made.id

    def prediction(self) -> str:
        """The id of a prediction over a file that is done."""
        self.made = str(uuid.uuid4())
        work = work_directory(self.platform.settings.results_dir, TaskKind.PREDICT, self.made)
        work.path.mkdir(parents=True)
        (work.path / "predictions.csv").write_text("text,predicted_label\n")
        counts = {"rows": 0, "without_label": 0, "labels": {}}
        result = {"run": "r", "file": "predictions.csv", "bytes": 21, "sha256": "0" * 64, **counts}
        with self.platform.installation.database.write() as session:
            given = {"state": "SUCCESS", "result": result, "payload": {}}
            tasks.create(session, TaskKind.PREDICT, self.owner, task_id=self.made, **given)
        return self.made

    def _run(self, state: str) -> MadeRun:
        run = self.runs.add(f"run-{next(_numbers)}", owner=self.owner, state=state)
        if self.reader:
            self.runs.share(run.name, self.reader)
        return run


@dataclass(frozen=True)
class Ask:
    """A request; `options` are httpx's words: json, params, headers, files, data."""

    path: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A request and the status of its answer for who may send it."""

    make: Callable[[Things], Ask]
    scope: Scope = "open"
    allowed: int = 200


def _at(path: str, **options: Any) -> Callable[[Things], Ask]:
    return lambda _things: Ask(path, options)


def _run(path: str, state: str = "SUCCESS", **options: Any) -> Callable[[Things], Ask]:
    return lambda things: Ask(f"/experiments/{things.run(state)}{path}", options)


def _task(path: str, state: str = "SUCCESS", **options: Any) -> Callable[[Things], Ask]:
    return lambda things: Ask(f"/task/{things.task(state)}{path}", options)


def _data(path: str = "", **options: Any) -> Callable[[Things], Ask]:
    return lambda things: Ask(f"/datasets/{things.data_set()}{path}", options)


def _account(path: str, **options: Any) -> Callable[[Things], Ask]:
    return lambda things: Ask(f"/users/{things.somebody}{path}", options)


def _question(path: str) -> Callable[[Things], Ask]:
    """About a run that has no model yet: to have it answered takes another process."""
    return lambda things: Ask(path, {"json": {"run": things.run("STARTED"), "text": "a fine day"}})


def _compare(things: Things) -> Ask:
    first, second = things.run(), things.run()
    return Ask("/experiments/compare", {"params": {"names": [second, first]}})


def _delete_run(things: Things) -> Ask:
    name = things.run()
    return Ask(f"/experiments/{name}", {"params": {"confirm": name}})


def _shares(kind: Literal["experiment", "dataset"]) -> Callable[[Things], Ask]:
    """To share with everybody: the caller may be the one it is shared with, or owns it."""
    make = {"experiment": _run("/shares", json={"grantee": "*"}), "dataset": _data("/shares", json={"grantee": "*"})}
    return make[kind]


def _unshare(kind: Literal["experiment", "dataset"]) -> Callable[[Things], Ask]:
    return lambda things: Ask(f"/{kind}s/{things.shared(kind)}/shares/{things.somebody}")


def _new_user(_things: Things) -> Ask:
    return Ask("/users", {"json": {"username": f"new-{uuid.uuid4().hex[:8]}", "password": OTHER_PASSWORD}})


LATER = {"Prefer": "respond-async"}
PASSWORDS = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
SETUP = {"code": "3f9a-77c1-0e5b-d2a4-81b6", "username": "first", "password": OTHER_PASSWORD}
NO_VERSION = 7
"""What would read rows answers without starting a process, and only who may see the data set hears why."""

CASES: dict[str, Case] = {
    "POST /login": Case(lambda t: Ask("/login", {"json": {"username": t.somebody, "password": PASSWORD}})),
    "POST /refresh": Case(lambda t: Ask("/refresh", {"json": {"refresh_token": t.refresh_token()}})),
    "POST /setup": Case(_at("/setup", json=SETUP), allowed=409),
    "GET /health": Case(_at("/health")),
    "GET /ready": Case(_at("/ready")),
    "GET /metrics": Case(_at("/metrics")),
    "GET /monitor": Case(_at("/monitor")),
    "POST /logout": Case(_at("/logout"), allowed=204),
    "GET /me": Case(_at("/me")),
    "PUT /me/password": Case(_at("/me/password", json=PASSWORDS), allowed=204),
    "GET /me/sessions": Case(_at("/me/sessions")),
    "DELETE /me/sessions/{session_id}": Case(lambda t: Ask(f"/me/sessions/{t.session()}"), "own", 204),
    "GET /me/api-keys": Case(_at("/me/api-keys")),
    "POST /me/api-keys": Case(_at("/me/api-keys", json={"name": "nightly"}), allowed=201),
    "DELETE /me/api-keys/{key_id}": Case(lambda t: Ask(f"/me/api-keys/{t.api_key()}"), "own", 204),
    "GET /users": Case(_at("/users")),
    "POST /users": Case(_new_user, allowed=201),
    "GET /users/{username}": Case(_account("")),
    "PATCH /users/{username}": Case(_account("", json={"disabled": True})),
    "PUT /users/{username}/password": Case(_account("/password", json={"password": OTHER_PASSWORD}), allowed=204),
    "GET /audit/logs": Case(_at("/audit/logs")),
    "GET /audit/export": Case(_at("/audit/export", params={"limit": 1})),
    "GET /audit/verify": Case(_at("/audit/verify")),
    "POST /train": Case(_at("/train", json=CONFIG), allowed=202),
    "POST /plan": Case(_at("/plan", json=CONFIG), allowed=202),
    "GET /config/schema": Case(_at("/config/schema")),
    "POST /config/validate": Case(_at("/config/validate", json=CONFIG)),
    "GET /tasks": Case(_at("/tasks")),
    "GET /task/{task_id}": Case(_task(""), "task"),
    "POST /task/{task_id}/cancel": Case(_task("/cancel", "PENDING"), "task", 202),
    "POST /task/{task_id}/retry": Case(_task("/retry", "FAILURE"), "task", 202),
    "GET /task/{task_id}/logs": Case(_task("/logs"), "task"),
    "GET /task/{task_id}/metrics": Case(_task("/metrics"), "task"),
    "GET /task/{task_id}/events": Case(_task("/events", headers={"Last-Event-ID": "0"}), "task", 204),
    "GET /experiments": Case(_at("/experiments")),
    "GET /me/experiments": Case(_at("/me/experiments")),
    "GET /experiments/compare": Case(_compare, "read"),
    "GET /experiments/{name}": Case(_run(""), "read"),
    "GET /experiments/{name}/metrics": Case(_run("/metrics"), "read"),
    "GET /experiments/{name}/deletion": Case(_run("/deletion"), "change"),
    "DELETE /experiments/{name}": Case(_delete_run, "change", 204),
    "POST /experiments/{name}/assign": Case(_run("/assign", json={"owner": None}), "change"),
    "GET /experiments/{name}/artifacts": Case(_run("/artifacts"), "read"),
    "GET /experiments/{name}/artifacts/{path:path}": Case(_run("/artifacts/evaluation/report.html"), "read"),
    "GET /experiments/{name}/archive": Case(_run("/archive"), "read"),
    "GET /experiments/{name}/report": Case(_run("/report"), "read"),
    "GET /experiments/{name}/shares": Case(_run("/shares"), "change"),
    "POST /experiments/{name}/shares": Case(_shares("experiment"), "change", 201),
    "DELETE /experiments/{name}/shares/{grantee}": Case(_unshare("experiment"), "change", 204),
    "POST /predict": Case(_question("/predict"), "read", 409),
    "POST /explain": Case(_question("/explain"), "read", 409),
    "POST /predictions": Case(
        lambda t: Ask("/predictions", {"files": {"file": FILE}, "data": {"run": t.run()}}), "read", 202
    ),
    "GET /predictions/{task_id}": Case(lambda t: Ask(f"/predictions/{t.prediction()}"), "task"),
    "POST /datasets": Case(
        lambda t: Ask(
            "/datasets", {"files": {"file": FILE}, "data": {"name": f"new-{next(_numbers)}"}, "headers": LATER}
        ),
        allowed=202,
    ),
    "POST /datasets/validate": Case(_at("/datasets/validate", files={"file": FILE}, headers=LATER), allowed=202),
    "GET /datasets": Case(_at("/datasets")),
    "GET /datasets/{name}": Case(_data(), "read"),
    "DELETE /datasets/{name}": Case(_data(), "change", 204),
    "GET /datasets/{name}/diff": Case(_data("/diff", params={"old": 1, "new": NO_VERSION}), "read", 404),
    "GET /datasets/{name}/{number}": Case(_data("/1"), "read"),
    "DELETE /datasets/{name}/{number}": Case(_data("/1"), "change", 204),
    "GET /datasets/{name}/{number}/findings": Case(_data("/1/findings"), "read"),
    "GET /datasets/{name}/{number}/profile": Case(_data("/1/profile"), "read"),
    "GET /datasets/{name}/{number}/rows": Case(_data("/1/rows", params={"cursor": "damaged"}), "read", 422),
    "GET /datasets/{name}/{number}/export": Case(_data(f"/{NO_VERSION}/export"), "read", 404),
    "GET /datasets/{name}/shares": Case(_data("/shares"), "change"),
    "POST /datasets/{name}/shares": Case(_shares("dataset"), "change", 201),
    "DELETE /datasets/{name}/shares/{grantee}": Case(_unshare("dataset"), "change", 204),
}

ACTIONS: dict[str, str] = {
    "POST /login": "session.login",
    "POST /refresh": "session.refresh",
    "POST /logout": "session.logout",
    "PUT /me/password": "password.change",
    "DELETE /me/sessions/{session_id}": "session.revoke",
    "POST /me/api-keys": "api_key.create",
    "DELETE /me/api-keys/{key_id}": "api_key.revoke",
    "POST /users": "user.create",
    "PATCH /users/{username}": "user.disable",
    "PUT /users/{username}/password": "password.reset",
    "GET /audit/logs": "audit.read",
    "GET /audit/export": "audit.export",
    "GET /audit/verify": "audit.verify",
    "POST /train": "train.submit",
    "POST /plan": "plan.submit",
    "POST /task/{task_id}/cancel": "task.cancel",
    "POST /task/{task_id}/retry": "task.retry",
    "DELETE /experiments/{name}": "experiment.delete",
    "POST /experiments/{name}/assign": "experiment.assign",
    "GET /experiments/{name}/artifacts/{path:path}": "artifact.download",
    "GET /experiments/{name}/archive": "artifact.download",
    "GET /experiments/{name}/report": "artifact.download",
    "POST /experiments/{name}/shares": "experiment.share",
    "DELETE /experiments/{name}/shares/{grantee}": "experiment.unshare",
    "POST /predictions": "predict.submit",
    "GET /predictions/{task_id}": "prediction.download",
    "POST /datasets": "dataset.submit",
    "POST /datasets/validate": "dataset.submit",
    "DELETE /datasets/{name}": "dataset.delete",
    "DELETE /datasets/{name}/{number}": "dataset.delete",
    "POST /datasets/{name}/shares": "dataset.share",
    "DELETE /datasets/{name}/shares/{grantee}": "dataset.unshare",
}
"""What the audit log has of a request that was let through."""
CHANGES_NOTHING = {"POST /config/validate", "POST /explain", "POST /predict", "POST /setup"}
"""Requests that are no GET and leave no event; setup is refused here."""
