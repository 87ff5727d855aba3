"""Files that are mended on their way in: what is changed is told, what was sent stays, what is stored is the rest."""

from collections.abc import Callable

from fastapi.testclient import TestClient

from app.services.execution import execute_next
from app.services.platform import Platform
from app.services.supervisor import StopRequest
from tests.api_data import as_csv, form, labelled_rows

SignIn = Callable[..., TestClient]
FLAWED = [
    *labelled_rows(),
    ("", "positive"),
    ("a text without a label", ""),
    ("a bright and lovely terrace &amp; garden", "Positive "),
    labelled_rows()[0],
    ("write to jane.roe@example.org about the tea", "negative"),
]


def test_a_report_says_what_can_be_done_about_each_finding(sign_in: SignIn) -> None:
    body = sign_in("user", "ada").post("/datasets/validate", **form(as_csv(FLAWED))).json()
    assert (body["ok"], body["fixed"]) == (False, None)
    offered = body["remedies"]
    assert offered["empty_text"] == offered["missing_label"] == offered["label_variant"] == ["fix", "allow"]
    assert offered["duplicate"] == ["fix"]
    assert offered["personal_data"] == ["drop", "mask"]


def test_a_mended_file_is_judged_as_it_would_be_stored(sign_in: SignIn) -> None:
    body = sign_in("user", "ada").post("/datasets/validate", **form(as_csv(FLAWED), fix=True)).json()
    assert body["ok"]
    assert body["labels"] == {"negative": 13, "positive": 13}
    assert {finding["code"] for finding in body["findings"]} == {"near_duplicate", "personal_data"}
    assert (body["fixed"]["rows_before"], body["fixed"]["rows_after"]) == (29, 26)
    counts = {(one["action"], one["code"]): one["count"] for one in body["fixed"]["counts"]}
    assert counts == {
        ("drop", "empty_text"): 1,
        ("drop", "missing_label"): 1,
        ("drop", "duplicate"): 1,
        ("relabel", "label_variant"): 1,
        ("repair", "encoding_damage"): 1,
    }
    repaired = next(one for one in body["fixed"]["changes"] if one["action"] == "repair")
    assert (repaired["row"], repaired["after"]) == (27, "a bright and lovely terrace & garden")
    personal = next(finding for finding in body["findings"] if finding["code"] == "personal_data")
    assert personal["rows"] == [29]


def test_personal_data_is_masked_or_its_rows_are_left_out_where_that_is_asked_for(sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    masked = ada.post("/datasets/validate", **form(as_csv(FLAWED), fix=True, mask=True))
    assert "jane.roe" not in masked.text
    assert "personal_data" not in {finding["code"] for finding in masked.json()["findings"]}
    dropped = ada.post("/datasets/validate", **form(as_csv(FLAWED), fix=True, drop=["personal_data"])).json()
    assert dropped["rows"] == 25
    assert "jane.roe" not in ada.post("/datasets/validate", **form(as_csv(FLAWED), fix=True)).text


def test_what_is_stored_is_the_mended_file_and_says_so(sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    stored = ada.post("/datasets", **form(as_csv(FLAWED), name="reviews", fix=True, mask=True))
    assert stored.status_code == 201, stored.text
    assert stored.json()["rows"] == 26
    rows = ada.get("/datasets/reviews/1/rows", params={"limit": 100}).text
    assert "jane.roe" not in rows
    assert "terrace & garden" in rows
    source = ada.get("/datasets/reviews/1").json()["sources"]["train"]
    assert source["changed"]["drop duplicate"] == 1


def test_a_worker_mends_as_a_request_does(platform: Platform, sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    sent = form(as_csv(FLAWED), name="reviews", fix=True)
    later = ada.post("/datasets", **sent, headers={"Prefer": "respond-async"})
    assert later.status_code == 202
    assert execute_next(platform, StopRequest())
    task = ada.get(f"/task/{later.json()['task_id']}").json()
    assert task["status"] == "SUCCESS", task
    assert task["result"]["rows"] == 26


def test_wishes_that_make_no_sense_are_refused(sign_in: SignIn) -> None:
    ada = sign_in("user", "ada")
    alone = ada.post("/datasets/validate", **form(as_csv(FLAWED), mask=True))
    assert (alone.status_code, alone.json()["code"]) == (422, "input.invalid")
    unknown = ada.post("/datasets/validate", **form(as_csv(FLAWED), fix=True, drop=["imbalance"]))
    assert unknown.status_code == 422
    assert "no row can be left out for 'imbalance'" in unknown.json()["detail"]
