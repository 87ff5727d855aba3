"""Labelled files sent over HTTP: checked, stored as versions of a name, counted, refused."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.data import catalogue
from app.db.repositories import datasets, uploads
from app.db.tables import UserRow
from app.services import data_set_intake, data_sets_shared
from app.services.execution import execute_next
from app.services.platform import Platform
from app.services.supervisor import StopRequest
from tests.api.conftest import RecordingQueue
from tests.api_data import Store, as_csv, audited, form, labelled_rows

SignIn = Callable[..., TestClient]


@pytest.fixture
def store(platform: Platform) -> Store:
    return Store(platform)


def nothing_is_left(platform: Platform) -> bool:
    """No file, no row and no name of an upload that came to nothing."""
    folder = platform.settings.uploads_dir
    with platform.installation.database.read() as session:
        rows, names = uploads.all_ids(session), datasets.all_names(session)
    return not rows and not names and (not folder.exists() or not list(folder.iterdir()))


def test_a_file_becomes_the_first_version_of_its_name_and_sent_again_is_that_version(
    platform: Platform, sign_in: SignIn
) -> None:
    answer = sign_in("user", "ada").post("/datasets", **form(as_csv(labelled_rows()), name="reviews"))
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["name"], body["version"], body["rows"], body["reference"]) == ("reviews", 1, 24, "reviews@1")
    assert body["labels"] == {"negative": 12, "positive": 12}
    assert sum(body["splits"].values()) == 24
    assert (body["detected"]["text_column"], body["detected"]["label_column"]) == ("text", "label")
    assert all(finding["severity"] == "warning" and finding["split"] == "train" for finding in body["findings"])
    with platform.installation.database.read() as session:
        row = datasets.get(session, "reviews")
        assert row is not None
        assert row.owner == "ada"
        assert row.stored_bytes == data_set_intake.measured_bytes(platform, "reviews") > 0
        assert uploads.all_ids(session) == set()
    assert list(platform.settings.uploads_dir.iterdir()) == []
    began, ended = audited(platform, "dataset.create")
    assert [(event.actor, event.resource, event.outcome) for event in (began, ended)] == [
        ("ada", "dataset:reviews", "started"),
        ("ada", "dataset:reviews", "success"),
    ]
    assert "lovely" not in json.dumps([began.details, ended.details])
    again = sign_in("user", "ada").post("/datasets", **form(as_csv(labelled_rows()), name="reviews"))
    assert (again.status_code, again.json()["version"], again.json()["is_new"]) == (200, 1, False)


def test_other_content_becomes_the_next_version(store: Store, sign_in: SignIn) -> None:
    first = store.put("reviews", "ada")
    more = sign_in("user", "ada").post("/datasets", **form(as_csv(labelled_rows(30)), name="reviews"))
    assert (more.status_code, more.json()["version"], more.json()["parent"]) == (201, 2, first.version)


def test_evaluation_and_test_rows_may_come_in_files_of_their_own(sign_in: SignIn) -> None:
    files = {
        "file": ("train.csv", as_csv(labelled_rows())),
        "eval_file": ("dev.tsv", as_csv(labelled_rows(6, "dev")).replace(b",", b"\t")),
        "test_file": ("test.csv", as_csv(labelled_rows(4, "test"))),
    }
    ada = sign_in("user", "ada")
    body = ada.post("/datasets", files=files, data={"name": "reviews"}).json()
    assert body["splits"] == {"train": 24, "eval": 6, "test": 4}
    version = ada.get("/datasets/reviews/1").json()
    assert {split: source["file"] for split, source in version["sources"].items()} == {
        "train": "train.csv",
        "eval": "dev.tsv",
        "test": "test.csv",
    }
    assert version["split_seed"] is None


def test_what_blocks_training_is_refused_with_its_findings_and_leaves_nothing(
    platform: Platform, sign_in: SignIn
) -> None:
    rows = [*labelled_rows(), ("", "positive"), ("a text without a label", "")]
    ada = sign_in("user", "ada")
    answer = ada.post("/datasets", **form(as_csv(rows), name="reviews"))
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "data.blocked")
    blocking = {finding["code"]: finding for finding in body["findings"] if finding["severity"] == "error"}
    assert blocking.keys() == {"empty_text", "missing_label"}
    assert blocking["empty_text"]["rows"] == [25]
    assert nothing_is_left(platform)
    assert catalogue.entries(platform.settings.results_dir, "reviews") == []
    assert [event.outcome for event in audited(platform, "dataset.create")] == ["started", "failed"]
    allowed = form(as_csv(rows), name="reviews", allow=["empty_text", "missing_label"])
    assert ada.post("/datasets", **allowed).json()["rows"] == 24


def test_personal_data_is_masked_where_a_file_is_described(sign_in: SignIn) -> None:
    rows = [
        (f"write to jane.roe{i}@example.org about the {text}", label) for i, (text, label) in enumerate(labelled_rows())
    ]
    answer = sign_in("user", "ada").post("/datasets", **form(as_csv(rows), name="letters"))
    assert answer.status_code == 201, answer.text
    assert "@example.org" not in answer.text
    assert any(finding["code"] == "personal_data" for finding in answer.json()["findings"])
    assert "***" in answer.json()["detected"]["preview"][0]["text"]


def test_an_unclear_column_is_asked_for_with_the_choices(sign_in: SignIn) -> None:
    lines = ["first,second,label"] + [f"words of {text},other words {text},{label}" for text, label in labelled_rows()]
    content = "\n".join(lines).encode()
    ada = sign_in("user", "ada")
    answer = ada.post("/datasets", **form(content, name="reviews"))
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "data.ambiguous_columns")
    assert {"first", "second"} <= set(body["choices"])
    assert [place["pointer"] for place in body["errors"]] == ["/text_column"]
    chosen = ada.post("/datasets/validate", **form(content, text_column="second")).json()
    assert chosen["detected"]["text_column"] == "second"


def test_a_file_is_read_as_its_sender_says_and_stored_so(sign_in: SignIn) -> None:
    content = "".join(f"{text}; truly;{label}\n" for text, label in labelled_rows()).encode("utf-16")
    ada = sign_in("user", "ada")
    reading = {"format": "text", "encoding": "utf-16", "delimiter": "semicolon", "header": "no"}
    found = ada.post("/datasets/validate", **form(content, **reading)).json()
    assert (found["ok"], found["rows"], found["detected"]["format"]) == (True, 24, "text")
    assert found["detected"]["reasons"]["header"] == "that was asked for"
    made = ada.post("/datasets", **form(content, name="reviews", **reading)).json()
    assert made["labels"] == {"negative": 12, "positive": 12}
    assert made["detected"]["preview"][0]["text"].endswith("; truly")


def test_a_way_of_reading_that_cannot_be_is_refused_with_what_can(platform: Platform, sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    refused = ada.post("/datasets", **form(as_csv(labelled_rows()), name="reviews", delimiter="tab"))
    body = refused.json()
    assert (refused.status_code, body["code"]) == (422, "data.reading_refused")
    assert "a comma" in body["hint"]
    faults = ada.post(
        "/datasets/validate", **form(b"a,b", encoding="klingon", delimiter="ab", header="perhaps", format="docx")
    ).json()["errors"]
    places = {fault["pointer"]: fault["detail"] for fault in faults}
    assert "'cp950'" in places["/encoding"]
    assert "semicolon" in places["/delimiter"]
    assert "'jsonl'" in places["/format"]
    assert any(pointer.startswith("/header") for pointer in places)
    assert nothing_is_left(platform)


def test_validation_says_what_is_wrong_and_stores_nothing(platform: Platform, sign_in: SignIn) -> None:
    answer = sign_in("user", "ada").post("/datasets/validate", **form(as_csv([*labelled_rows(), ("", "positive")])))
    body = answer.json()
    assert (answer.status_code, body["ok"], body["file"], body["rows"]) == (200, False, "reviews.csv", 25)
    assert {finding["code"] for finding in body["findings"] if finding["severity"] == "error"} == {"empty_text"}
    assert nothing_is_left(platform)
    assert audited(platform, "dataset.create") == []


def test_validation_asks_whether_a_base_model_reads_the_texts(sign_in: SignIn) -> None:
    rows = [(f"這間餐廳的菜很好吃服務也很親切第{i}次來", label) for i, (_, label) in enumerate(labelled_rows())]
    ada = sign_in("user", "ada")
    body = ada.post("/datasets/validate", **form(as_csv(rows), base_model="minilm")).json()
    assert any(finding["code"] == "language_mismatch" for finding in body["findings"])
    default = ada.post("/datasets/validate", **form(as_csv(rows), base_model="auto")).json()
    assert default["findings"] == body["findings"]
    refused = ada.post("/datasets/validate", **form(as_csv(rows), base_model="../../etc"))
    assert (refused.status_code, refused.json()["code"]) == (422, "input.invalid")


def test_every_fault_of_the_form_is_named_with_its_place(platform: Platform, sign_in: SignIn) -> None:
    wrong = form(as_csv(labelled_rows()), name="../etc/passwd", seed="-1", eval_fraction="0.9", colour="blue")
    answer = sign_in("user", "ada").post("/datasets", **wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    places = {place["pointer"] for place in answer.json()["errors"]}
    assert places == {"/name", "/seed", "/eval_fraction", "/colour"}
    unknown_code = sign_in("user", "ada").post(
        "/datasets", **form(as_csv(labelled_rows()), name="reviews", allow="duplicates")
    )
    assert unknown_code.status_code == 422
    assert "duplicate" in unknown_code.json()["detail"]
    assert nothing_is_left(platform)


def test_a_form_without_a_file_is_refused(sign_in: SignIn) -> None:
    answer = sign_in("user", "ada").post("/datasets", files={"name": (None, "reviews")})
    assert answer.status_code == 422
    assert "'file'" in answer.json()["detail"]


# ---- work left to a worker ----


def test_a_file_is_left_to_a_worker_where_that_is_preferred(
    platform: Platform, sign_in: SignIn, queue: RecordingQueue
) -> None:
    ada = sign_in("user", "ada")
    answer = ada.post("/datasets", **form(as_csv(labelled_rows()), name="reviews"), headers={"Prefer": "respond-async"})
    task_id = answer.json()["task_id"]
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/task/{task_id}")
    assert [sent for sent, _ in queue.sent] == [task_id]
    assert ada.get("/datasets/reviews").json()["num_versions"] == 0
    assert execute_next(platform, StopRequest()) == task_id
    task = ada.get(f"/task/{task_id}").json()
    assert task["status"] == "SUCCESS", task
    assert (task["result"]["reference"], task["result"]["rows"]) == ("reviews@1", 24)
    assert ada.get("/datasets/reviews").json()["versions"][0]["rows"] == 24
    assert list(platform.settings.uploads_dir.iterdir()) == []
    assert [(e.actor, e.outcome) for e in audited(platform, "dataset.create")] == [
        ("ada", "started"),
        ("ada", "success"),
    ]


def test_a_worker_tells_what_blocks_a_file_and_lets_go_of_its_name(platform: Platform, sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    content = as_csv([*labelled_rows(), ("", "positive")])
    headers = {"Prefer": "respond-async"}
    task_id = ada.post("/datasets", **form(content, name="reviews"), headers=headers).json()["task_id"]
    execute_next(platform, StopRequest())
    task = ada.get(f"/task/{task_id}").json()
    assert (task["status"], task["error"]["code"]) == ("FAILURE", "data.blocked")
    assert "empty_text" in {finding["code"] for finding in task["result"]["findings"]}
    assert nothing_is_left(platform)


def test_large_files_are_left_to_a_worker(platform: Platform, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_set_intake, "IN_BACKGROUND_BYTES", 100)
    ada = sign_in("user", "ada")
    answer = ada.post("/datasets/validate", **form(as_csv(labelled_rows())))
    assert answer.status_code == 202
    execute_next(platform, StopRequest())
    result = ada.get(answer.headers["Location"]).json()["result"]
    assert (result["ok"], result["file"], result["rows"]) == (True, "reviews.csv", 24)
    assert nothing_is_left(platform)


# ---- whose name it is ----


def test_a_name_of_somebody_else_is_taken_and_no_more_is_told(
    platform: Platform, store: Store, sign_in: SignIn
) -> None:
    store.put("reviews", "ada", labelled_rows(30))
    store.put("made-here", None, is_owned=False)
    bob = sign_in("user", "bob")
    for name in ("reviews", "made-here", "Reviews"):
        answer = bob.post("/datasets", **form(as_csv(labelled_rows()), name=name))
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset.name_taken")
        assert "ada" not in answer.text
    assert len(catalogue.entries(platform.settings.results_dir, "reviews")) == 1


def test_whoever_may_only_read_a_data_set_adds_no_version(store: Store, sign_in: SignIn) -> None:
    store.put("reviews", "ada", labelled_rows(30))
    assert sign_in("user", "ada").post("/datasets/reviews/shares", json={"grantee": "*"}).status_code == 201
    answer = sign_in("user", "bob").post("/datasets", **form(as_csv(labelled_rows()), name="reviews"))
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")
    assert sign_in("viewer").post("/datasets", **form(as_csv(labelled_rows()), name="mine")).status_code == 403


def test_an_administrator_adds_to_any_name_and_the_owner_keeps_it(
    platform: Platform, store: Store, sign_in: SignIn
) -> None:
    store.put("reviews", "ada", labelled_rows(30))
    store.put("made-here", None, labelled_rows(30), is_owned=False)
    admin = sign_in("admin")
    answer = admin.post("/datasets", **form(as_csv(labelled_rows()), name="reviews"))
    assert (answer.status_code, answer.json()["version"]) == (201, 2)
    later = form(as_csv(labelled_rows()), name="made-here")
    assert admin.post("/datasets", **later, headers={"Prefer": "respond-async"}).status_code == 202
    with platform.installation.database.read() as session:
        rows = datasets.named(session, ["reviews", "made-here"])
    assert {name: row.owner for name, row in rows.items()} == {"reviews": "ada", "made-here": None}


# ---- limits of what an account keeps ----


def test_an_upload_that_does_not_fit_beside_what_is_kept_is_refused_with_when(
    platform: Platform, store: Store, sign_in: SignIn
) -> None:
    ada = sign_in("user", "ada")
    store.put("reviews", "ada")
    with platform.installation.database.write() as session:
        kept = datasets.stored_bytes_of(session, "ada")
        session.query(UserRow).filter_by(username="ada").update({"max_stored_bytes": kept + 1000})
    refused = ada.post("/datasets", **form(as_csv(labelled_rows(200)), name="more"))
    assert (refused.status_code, refused.json()["code"]) == (429, "quota.exceeded")
    assert int(refused.headers["Retry-After"]) > 0
    assert ada.delete("/datasets/reviews").status_code == 204
    assert nothing_is_left(platform)


def test_uploads_on_their_way_take_room_too(platform: Platform, sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    with platform.installation.database.write() as session:
        session.query(UserRow).filter_by(username="ada").update({"max_stored_bytes": 50_000})
        uploads.add(session, upload_id="elsewhere", owner="ada", size_bytes=49_900)
    refused = ada.post("/datasets", **form(as_csv(labelled_rows()), name="reviews"))
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    with platform.installation.database.write() as session:
        uploads.remove(session, "elsewhere")
    assert nothing_is_left(platform)


def test_an_account_sends_so_many_files_at_once(platform: Platform, sign_in: SignIn) -> None:
    with platform.installation.database.write() as session:
        for number in range(10):
            uploads.add(session, upload_id=f"elsewhere-{number}", owner="ada", size_bytes=1)
    answer = sign_in("user", "ada").post("/datasets", **form(as_csv(labelled_rows()), name="reviews"))
    assert (answer.status_code, answer.json()["code"]) == (429, "limit.reached")
    assert sign_in("user", "bob").post("/datasets", files={}, data={}).status_code == 422


def test_what_takes_more_room_than_it_was_sent_as_is_not_kept(platform: Platform, sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    content = as_csv(labelled_rows())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("reviews.csv", content)
    with platform.installation.database.write() as session:
        session.query(UserRow).filter_by(username="ada").update({"max_stored_bytes": len(packed.getvalue()) + 600})
    refused = ada.post("/datasets", **form(packed.getvalue(), "reviews.zip", name="reviews"))
    assert (refused.status_code, refused.json()["code"]) == (429, "quota.exceeded"), refused.text
    assert catalogue.entries(platform.settings.results_dir, "reviews") == []
    assert nothing_is_left(platform)


# ---- what a training may name ----


def test_a_training_names_stored_versions_its_owner_may_read(platform: Platform, store: Store, sign_in: SignIn) -> None:
    from app.domain.errors import Hidden, InvalidInput, NotFound
    from app.domain.principal import Principal, Role

    store.put("reviews", "ada")
    store.put("reviews", "ada", labelled_rows(30))
    who = {name: Principal(user_id=1, username=name, role=Role.USER, via="token") for name in ("ada", "bob")}
    with platform.installation.database.read() as session:
        resolve = data_sets_shared.resolve_for_training
        assert str(resolve(session, who["ada"], "reviews@1")) == "reviews@1"
        assert str(resolve(session, who["ada"], "reviews")) == "reviews@2"
        with pytest.raises(Hidden) as hidden:
            resolve(session, who["bob"], "reviews@1")
        with pytest.raises(NotFound) as unknown:
            resolve(session, who["bob"], "no-such@1")
        assert hidden.value.message.replace("reviews", "X") == unknown.value.message.replace("no-such", "X")
        with pytest.raises(NotFound, match="no reviews@3"):
            resolve(session, who["ada"], "reviews@3")
        for source in ("/etc/passwd", "hub:owner/name", "https://example.org/a.csv", "../reviews", "a b"):
            with pytest.raises(InvalidInput):
                resolve(session, who["ada"], source)


def test_the_openapi_document_describes_the_form(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/datasets"]["post"]
    schema = described["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "name"} <= set(schema["required"])
    assert schema["properties"]["file"]["format"] == "binary"
    assert {"200", "201", "202", "413", "422", "429", "507"} <= described["responses"].keys()
    assert Path(schema["properties"]["name"]["examples"][0]).name == "reviews"
