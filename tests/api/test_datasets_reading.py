"""Stored data sets over HTTP: lists, versions, rows, differences, copies; and who may see none of it."""

import csv
import io
import json
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.data import catalogue, versioning
from app.data.chunks import Example
from app.domain.data_report import Detected, Finding, ValidationReport
from app.domain.data_version import Origin, Source
from app.services import data_actions
from app.services.platform import Platform
from tests.api_data import Store, audited, labelled_rows

SignIn = Callable[..., TestClient]

PATHS = [
    "/datasets/{name}",
    "/datasets/{name}/1",
    "/datasets/{name}/1/findings",
    "/datasets/{name}/1/profile",
    "/datasets/{name}/1/rows",
    "/datasets/{name}/1/export",
    "/datasets/{name}/diff?old=1&new=1",
    "/datasets/{name}/shares",
]


@pytest.fixture
def store(platform: Platform) -> Store:
    return Store(platform)


def test_a_list_has_ones_own_and_what_is_shared_and_an_administrators_has_all(store: Store, sign_in: SignIn) -> None:
    for name, owner in (("a1", "ada"), ("a2", "ada"), ("b1", "bob"), ("b2", "bob")):
        store.put(name, owner)
    store.put("made-here", None, is_owned=False)
    ada, bob, admin = sign_in("user", "ada"), sign_in("user", "bob"), sign_in("admin")
    bob.post("/datasets/b1/shares", json={"grantee": "ada"})
    page = ada.get("/datasets").json()
    assert [(item["name"], item["owner"]) for item in page["items"]] == [("a1", "ada"), ("a2", "ada"), ("b1", "bob")]
    assert (page["total"], page["next"]) == (3, None)
    latest = page["items"][0]["latest"]
    assert (latest["reference"], latest["rows"], latest["labels"]) == ("a1@1", 24, {"negative": 12, "positive": 12})
    everything = admin.get("/datasets").json()["items"]
    assert [item["name"] for item in everything] == ["a1", "a2", "b1", "b2", "made-here"]
    assert everything[-1]["owner"] is None
    assert sign_in("viewer").get("/datasets").json()["items"] == []


def test_a_list_is_read_in_pages_and_not_sent_again_unchanged(store: Store, sign_in: SignIn) -> None:
    for number in range(5):
        store.put(f"d{number}", "ada")
    for client in (sign_in("user", "ada"), sign_in("admin")):
        seen, cursor = [], None
        while True:
            page = client.get("/datasets", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
            seen += [item["name"] for item in page["items"]]
            assert page["total"] == 5
            if (cursor := page["next"]) is None:
                break
        assert seen == ["d0", "d1", "d2", "d3", "d4"]
        etag = client.get("/datasets").headers["ETag"]
        assert client.get("/datasets", headers={"If-None-Match": etag}).status_code == 304
        damaged = client.get("/datasets", params={"cursor": "no-cursor"})
        assert (damaged.status_code, damaged.json()["code"]) == (422, "page.invalid")


@pytest.mark.parametrize("path", PATHS)
def test_somebody_elses_data_set_is_as_unknown_as_one_that_is_not_there(
    platform: Platform, store: Store, sign_in: SignIn, path: str
) -> None:
    store.put("secret", "ada")
    store.put("made-here", None, is_owned=False)
    bob = sign_in("user", "bob")
    answers = {name: bob.get(path.format(name=name)) for name in ("secret", "made-here", "nothing")}
    for name, answer in answers.items():
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.json()["detail"] == answers["nothing"].json()["detail"].replace("nothing", name)
    denied = [(event.resource, event.actor) for event in audited(platform, "access.denied")]
    assert denied == [("dataset:secret", "bob"), ("dataset:made-here", "bob")]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_reads_a_data_set_without_signing_in(store: Store, client: TestClient, path: str) -> None:
    store.put("secret", "ada")
    assert client.get(path.format(name="secret")).status_code == 401


@pytest.mark.parametrize("name", ["a b", "a%00b", "%ff", "%2e%2e%2f7", "x" * 300, "ａ", "-a", "a."])
def test_a_name_that_cannot_be_one_is_not_there(sign_in: SignIn, name: str) -> None:
    assert sign_in("admin").get(f"/datasets/{name}").status_code == 404


def test_a_slash_in_disguise_makes_a_number_of_what_follows(sign_in: SignIn) -> None:
    assert sign_in("admin").get("/datasets/%2e%2e%2fsecrets").status_code == 422


def _put_with_report(store: Store) -> None:
    """A version whose manifest says where it came from and what was found."""
    finding = Finding(code="duplicate", severity="warning", message="2 rows", fix="remove", count=2, rows=[3, 4])
    report = ValidationReport(
        file="reviews.csv",
        sha256="0" * 64,
        rows=3,
        detected=Detected(format="csv", text_column="text", label_column="label"),
        labels={"a": 2, "b": 1},
        findings=[finding],
    )
    origin = Origin(
        sources={"train": Source(file="reviews.csv", sha256="0" * 64, format="csv")},
        reports={"train": report},
        split_seed=7,
        eval_fraction=0.2,
    )
    rows = [Example("train", "one", "a"), Example("train", "two", "b"), Example("eval", "three", "a")]
    version = versioning.store(rows, store.results_dir, origin)
    catalogue.add(store.results_dir, "reviews", version, None)


def test_a_version_says_where_it_came_from_and_what_was_found(store: Store, sign_in: SignIn) -> None:
    _put_with_report(store)
    admin = sign_in("admin")
    version = admin.get("/datasets/reviews/1").json()
    assert version["sources"] == {"train": {"file": "reviews.csv", "sha256": "0" * 64, "format": "csv", "changed": {}}}
    assert (version["split_seed"], version["eval_fraction"], version["num_chunks"]) == (7, 0.2, 1)
    found = admin.get("/datasets/reviews/1/findings").json()
    assert [(one["code"], one["split"], one["rows"]) for one in found["findings"]] == [("duplicate", "train", [3, 4])]
    assert found["detected"]["train"]["format"] == "csv"
    unknown = admin.get("/datasets/reviews/7")
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "there is no reviews@7; there is reviews@1")


def test_a_version_without_a_profile_is_profiled_when_it_is_asked_for(store: Store, sign_in: SignIn) -> None:
    store.put("reviews", "ada")
    found = sign_in("user", "ada").get("/datasets/reviews/1/profile").json()
    assert (found["rows"], {one["label"] for one in found["classes"]}) == (24, {"negative", "positive"})
    assert found["map"] is None


def test_a_map_of_the_texts_is_made_when_it_is_asked_for(store: Store, sign_in: SignIn) -> None:
    store.put("reviews", "ada")
    found = sign_in("user", "ada").get("/datasets/reviews/1/profile", params={"map": True}).json()["map"]
    assert found["vectors"] == "TF-IDF"
    assert len(found["points"]) == 24
    assert {point["label"] for point in found["points"]} == {0, 1}


def test_rows_come_in_pages_through_the_chunks_of_a_version(
    platform: Platform, store: Store, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.data.chunks.MAX_ROWS", 7)
    rows = labelled_rows(30)
    store.put("reviews", "ada", rows)
    ada = sign_in("user", "ada")
    assert ada.get("/datasets/reviews/1").json()["num_chunks"] == 5
    for split, expected in ((None, rows), ("eval", rows[25:])):
        seen, cursor = [], None
        while True:
            given = {"limit": 11, "split": split, "cursor": cursor}
            page = ada.get("/datasets/reviews/1/rows", params={k: v for k, v in given.items() if v is not None}).json()
            seen += [(item["text"], item["label"]) for item in page["items"]]
            assert page["total"] == len(expected)
            if (cursor := page["next"]) is None:
                break
        assert seen == expected
    looks = [event.details for event in audited(platform, "dataset.download")]
    assert [(look["first"], look["num_rows"]) for look in looks] == [(1, 11), (12, 11), (23, 8), (26, 5)]
    no_split = ada.get("/datasets/reviews/1/rows", params={"split": "test"})
    assert no_split.status_code == 422
    assert "train, eval" in no_split.json()["detail"]


def test_a_long_text_is_cut_and_says_so(store: Store, sign_in: SignIn) -> None:
    store.put("reviews", "ada", [("long " * 10_000, "negative"), *labelled_rows(6)])
    first, second = sign_in("user", "ada").get("/datasets/reviews/1/rows?limit=2").json()["items"]
    assert (len(first["text"]), first["is_cut"]) == (data_actions.MAX_TEXT_CHARS, True)
    assert second["is_cut"] is False


def test_a_difference_counts_all_and_shows_the_first(store: Store, sign_in: SignIn) -> None:
    rows = labelled_rows()
    store.put("reviews", "ada", rows)
    store.put(
        "reviews", "ada", [(rows[0][0], "positive"), *rows[2:], ("a new text", "negative"), ("another", "positive")]
    )
    ada = sign_in("user", "ada")
    body = ada.get("/datasets/reviews/diff", params={"old": 1, "new": 2, "limit": 1}).json()
    counts = {key: body[f"num_{key}"] for key in ("added", "removed", "relabelled", "unchanged")}
    assert counts == {"added": 2, "removed": 1, "relabelled": 1, "unchanged": 22}
    assert body["relabelled"] == [{"text": rows[0][0], "old_label": "negative", "new_label": "positive"}]
    assert len(body["added"]) == 1
    assert ada.get("/datasets/reviews/diff", params={"old": 1, "new": 3}).status_code == 404


@pytest.mark.parametrize(
    ("file_format", "split"), [("csv", None), ("tsv", "train"), ("jsonl", None), ("parquet", "eval")]
)
def test_a_copy_has_every_row_and_is_recorded(
    platform: Platform, store: Store, sign_in: SignIn, file_format: str, split: str | None
) -> None:
    rows = [('a "quoted", text\nof two lines', "negative"), ("日本語のテキスト", "positive"), *labelled_rows()]
    store.put("reviews", "ada", rows)
    params = {"format": file_format} | ({"split": split} if split else {})
    answer = sign_in("user", "ada").get("/datasets/reviews/1/export", params=params)
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    name = f"reviews-1-{split}" if split else "reviews-1"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.{file_format}"'
    if file_format == "parquet":
        found = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    elif file_format == "jsonl":
        found = [json.loads(line) for line in answer.text.splitlines()]
    else:
        separator = "\t" if file_format == "tsv" else ","
        found = list(csv.DictReader(io.StringIO(answer.text, newline=""), delimiter=separator))
    cut = len(rows) - len(rows) // 6
    expected = rows if split is None else rows[:cut] if split == "train" else rows[cut:]
    assert [(row["text"], row["label"]) for row in found] == expected
    assert ("split" in found[0]) is (split is None)
    [event] = audited(platform, "dataset.download")
    assert (event.actor, event.resource, event.outcome) == ("ada", "dataset:reviews@1", "success")
    assert (event.details["format"], event.details["num_rows"]) == (file_format, len(expected))
    assert list(platform.settings.uploads_dir.iterdir()) == []


def test_damaged_rows_are_told_without_names_of_the_server(store: Store, sign_in: SignIn) -> None:
    entry = store.put("reviews", "ada")
    [chunk] = versioning.read_manifest(entry.version, store.results_dir).chunks
    next(store.results_dir.rglob(f"{chunk.sha256}.parquet")).write_bytes(b"PAR1 no longer")
    ada = sign_in("user", "ada")
    for path in ("rows", "export"):
        answer = ada.get(f"/datasets/reviews/1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (500, "data.damaged")
        assert str(store.results_dir) not in answer.text
    versioning.manifest_path(store.results_dir, entry.version).write_text("{}")
    answer = ada.get("/datasets/reviews")
    assert (answer.status_code, answer.json()["code"]) == (500, "data.damaged")
    assert str(store.results_dir) not in answer.text


def test_no_copy_is_given_where_it_cannot_be_recorded(
    platform: Platform, store: Store, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain.errors import AuditUnavailable

    def refuse(*_: object, **__: object) -> int:
        raise AuditUnavailable("the audit log cannot be written")

    store.put("reviews", "ada")
    ada = sign_in("user", "ada")
    monkeypatch.setattr(type(platform.audit), "append_now", refuse)
    for path in ("rows", "export", "diff?old=1&new=1"):
        answer = ada.get(f"/datasets/reviews/{'' if path.startswith('diff') else '1/'}{path}")
        assert (answer.status_code, answer.json()["code"]) == (503, "audit.unavailable")
