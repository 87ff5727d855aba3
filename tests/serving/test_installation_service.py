"""The models of an installation answer whoever may read the run, through the API and where the service is asked."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, cast

import anyio.to_thread
import httpx
import pytest

from app.client import Client
from app.client.audit import AuditFilter
from app.client.retrying import NEVER
from app.domain.errors import Conflict, NotFound, ServiceUnavailable, StorageError, Unauthenticated
from app.inference_api import MAX_OF_ONE, create_platform_app
from app.runs.directory import RunDirectory
from app.schemas.inference import MAX_TRIED_CHARACTERS, PredictResponse
from app.services.inference import InferenceService
from app.serving.answers import Ready
from app.serving.predictor import Predictor
from tests.api_runs import Runs
from tests.api_server import PASSWORD, ApiServer
from tests.servers import free_port

RUN, TEXT = "served-001", "The soup was cold and nobody cared"


@pytest.fixture
def service(api_server: ApiServer, serve: Callable[[Any], str], finished_run: RunDirectory) -> str:
    """The service of the installation, in which ada has one real run; its address."""
    address = serve(create_platform_app(api_server.platform))
    api_server.app.state.inference = InferenceService(address)
    api_server.account("user", "ada")
    made = Runs(api_server.platform).add(RUN, owner="ada")
    shutil.rmtree(made.directory.path)
    shutil.copytree(finished_run.path, made.directory.path)
    return address


def signed_in(api_server: ApiServer, username: str) -> Client:
    client = Client(api_server.address, retrying=NEVER)
    client.sign_in(username, PASSWORD)
    return client


def token_of(client: Client) -> str:
    token = client.connection.sign_in.bearer(client.connection.renew)
    assert token is not None
    return token


def ask(address: str, path: str, credential: str | None, run: str = RUN, text: str = TEXT) -> httpx.Response:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return httpx.post(address + path, json={"run": run, "text": text}, headers=headers, timeout=60, trust_env=False)


def test_the_api_passes_on_what_the_model_says(api_server: ApiServer, service: str, predictor: Predictor) -> None:
    def loaded() -> int:
        return int(httpx.get(f"{service}/ready", trust_env=False).json()["loaded"])

    with closing(signed_in(api_server, "ada")) as ada:
        assert loaded() == 0
        answer = ada.inference.predict(RUN, TEXT)
        (expected,) = predictor.predict([TEXT])
        assert (answer.label, answer.label_name, answer.scores) == (
            expected.label,
            expected.label_name,
            expected.scores,
        )
        assert (answer.model, answer.truncated, answer.latency_ms > 0) == (RUN, False, True)
        assert ada.inference.predict(RUN, "good " * 1000).truncated
        found = ada.inference.explain(RUN, TEXT)
        assert [TEXT[word.start : word.end] for word in found.words] == TEXT.split()
        assert [word.text for word in found.words] == TEXT.split()
        assert (found.label_name, found.probability, found.num_words) == (expected.label_name, expected.probability, 7)
        assert loaded() == 1
        key = ada.api_keys.create("nightly").key
        for path in ("/predict", "/explain"):
            assert ask(service, path, key).json()["label"] == answer.label
            assert ask(api_server.address, path, key).json()["label"] == answer.label


def test_who_may_not_read_a_run_is_told_nothing_by_either(api_server: ApiServer, service: str) -> None:
    bob = signed_in(api_server, api_server.account("viewer", "bob"))
    with closing(bob):
        for address in (service, api_server.address):
            for path in ("/predict", "/explain"):
                nobody, hidden = ask(address, path, None), ask(address, path, token_of(bob))
                unknown = ask(address, path, token_of(bob), run="served-999")
                assert [nobody.status_code, hidden.status_code, unknown.status_code] == [401, 404, 404]
                assert nobody.headers["www-authenticate"] == "Bearer"
                assert hidden.headers["content-type"] == "application/problem+json"
                assert hidden.json()["detail"] == unknown.json()["detail"].replace("served-999", RUN)
        with pytest.raises(NotFound) as told:
            bob.experiments.show(RUN)
        assert told.value.message in hidden.json()["detail"]
        Runs(api_server.platform).share(RUN, "bob")
        token = token_of(bob)
        assert bob.inference.predict(RUN, TEXT).model == RUN
        bob.sign_out()
        for address in (service, api_server.address):
            assert ask(address, "/predict", token).status_code == 401
    with api_server.signed_in("admin") as admin:
        events = admin.audit.page(AuditFilter(action="access.denied"), limit=50).items
    assert {event.resource for event in events} >= {f"experiment:{RUN}", "route:POST /predict"}


def test_a_run_that_has_no_model_says_why(api_server: ApiServer, service: str) -> None:
    runs = Runs(api_server.platform)
    runs.add("running-001", owner="ada", state="STARTED")
    damaged = RunDirectory(api_server.platform.installation.results_dir / RUN)
    weights = damaged.final_model / "adapter_model.safetensors"
    content = weights.read_bytes()
    with closing(signed_in(api_server, "ada")) as ada:
        with pytest.raises(Conflict) as conflict:
            ada.inference.predict("running-001", TEXT)
        assert conflict.value.code == "run.incomplete"
        assert ask(service, "/predict", token_of(ada), run="running-001").status_code == 409
        weights.write_bytes(content[:-1] + b"?")
        with pytest.raises((StorageError, ServiceUnavailable)) as broken:
            ada.inference.predict(RUN, TEXT)
        assert broken.value.code == "run.damaged"
        assert "is not what the receipt says" in broken.value.message
        weights.write_bytes(content)
        assert ada.inference.predict(RUN, TEXT).model == RUN


def test_without_the_service_the_api_says_so_and_when_to_ask_again(
    api_server: ApiServer, service: str, serve: Callable[[Any], str]
) -> None:
    async def other(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"nothing here"})

    with closing(signed_in(api_server, "ada")) as ada:
        for url in (f"http://127.0.0.1:{free_port()}", serve(other)):
            api_server.app.state.inference = InferenceService(url)
            answer = ask(api_server.address, "/predict", token_of(ada))
            assert (answer.status_code, answer.json()["code"]) == (503, "inference.unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert url.rpartition(":")[2] not in answer.text, "an address is the operator's business"
        api_server.app.state.inference = InferenceService(service)
        assert ask(api_server.address, "/predict", token_of(ada)).status_code == 200


def test_one_account_asks_a_few_questions_at_once_and_others_are_answered_meanwhile(
    api_server: ApiServer, serve: Callable[[Any], str], finished_run: RunDirectory
) -> None:
    free, asked = threading.Event(), threading.Semaphore(0)

    class Slow:
        """A model that thinks until it is let go on."""

        async def predict(self, text: str) -> PredictResponse:
            asked.release()
            await anyio.to_thread.run_sync(free.wait)
            raise Conflict("it has thought enough")

    app = create_platform_app(api_server.platform, lambda _run: cast("Ready", Slow()))
    address = serve(app)
    runs = Runs(api_server.platform)
    api_server.account("admin")
    for username in ("ada", "bob"):
        api_server.account("user", username)
        made = runs.add(f"of-{username}-001", owner=username)
        shutil.copy(finished_run.receipt, made.directory.receipt)
    with (
        ThreadPoolExecutor(MAX_OF_ONE + 1) as threads,
        closing(signed_in(api_server, "ada")) as ada,
        closing(signed_in(api_server, "bob")) as bob,
    ):
        token = token_of(ada)
        waiting = [threads.submit(ask, address, "/predict", token, "of-ada-001") for _ in range(MAX_OF_ONE)]
        for _ in waiting:
            assert asked.acquire(timeout=60)
        refused = ask(address, "/explain", token, "of-ada-001")
        assert (refused.status_code, refused.json()["code"]) == (429, "limit.reached")
        assert float(refused.headers["retry-after"]) > 0
        other = threads.submit(ask, address, "/predict", token_of(bob), "of-bob-001")
        assert asked.acquire(timeout=60)
        free.set()
        assert [one.result().status_code for one in (*waiting, other)] == [409] * (MAX_OF_ONE + 1)
        assert ask(address, "/predict", token, "of-ada-001").status_code == 409


def test_a_wrong_question_is_refused_by_either(api_server: ApiServer, service: str) -> None:
    with closing(signed_in(api_server, "ada")) as ada:
        token = token_of(ada)
        for address in (service, api_server.address):
            for run, text in ((RUN, ""), (RUN, " \n"), ("../x", TEXT), (RUN, "x" * (MAX_TRIED_CHARACTERS + 1))):
                assert ask(address, "/predict", token, run=run, text=text).status_code == 422
            assert ask(address, "/explain", token, text="x" * 300_000).status_code == 413
            assert httpx.post(f"{address}/predict", headers={"Host": "evil.example"}).status_code == 400
    with Client(api_server.address) as nobody, pytest.raises(Unauthenticated):
        nobody.inference.predict(RUN, TEXT)


def test_the_service_loads_no_torch_before_it_is_asked() -> None:
    program = """
import sys, app.inference_api
from app.services.platform import open_platform
from app.settings import get_settings
app.inference_api.create_platform_app(open_platform(get_settings(), app.inference_api._NoQueue()))
print([name for name in ("torch", "transformers", "peft", "pandas", "pyarrow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
