"""Data sets: a file becomes a version through what was found in it; what is there is looked at, shared, deleted."""

import pytest
from streamlit.testing.v1 import AppTest

from app.ui.components.drafts import Draft, name_from, safe_name
from tests.api_data import Store, as_csv, labelled_rows
from tests.api_server import ApiServer
from tests.ui.conftest import Visit

HOSTILE = "<script>alert(1)</script> **bold** [link](javascript:alert(2)) $x$"
FLAWED = [
    *labelled_rows(),
    ("", "positive"),
    ("a bright and lovely terrace &amp; garden", "Positive "),
    ("write to jane.roe@example.org about the tea", "negative"),
]


@pytest.fixture
def store(api_server: ApiServer) -> Store:
    return Store(api_server.platform)


def words(page: AppTest) -> str:
    """All that is shown but tables and plots."""
    assert not page.exception
    kinds = ("title", "subheader", "markdown", "caption", "text", "info", "warning", "error", "success")
    return "\n".join(str(element.value) for kind in kinds for element in page.get(kind))


def as_markdown(page: AppTest) -> str:
    """What is shown as Markdown."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    return "\n".join(str(element.value) for kind in kinds for element in page.get(kind))


def press(page: AppTest, label: str) -> AppTest:
    found = next(button for button in page.button if button.label == label)
    return found.click().run()


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def upload(page: AppTest, content: bytes, name: str = "reviews.csv") -> AppTest:
    return page.file_uploader(key="data_file").upload(name, content).run()


def test_nothing_there_yet_says_what_would_bring_it(visit: Visit) -> None:
    page = visit("data")
    assert "There is no data set yet" in words(page).replace("\\", "")
    assert len(page.get("file_uploader")) == 1
    viewer = visit("data", "viewer")
    assert "There is no data set yet" in words(viewer).replace("\\", "")
    assert len(viewer.get("file_uploader")) == 0


def test_a_file_is_checked_mended_and_stored(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    page = upload(visit("data"), as_csv(FLAWED))
    shown = words(page)
    assert "Rows without a text" in shown
    assert "One label in several spellings" in shown
    assert "Something blocks training" in shown
    assert "Store" not in labels(page)
    press(page, "Fix what can be fixed")
    assert "27 rows become 26" in words(page)
    changes = next(table.value for table in page.dataframe if "Before" in table.value)
    assert "a bright and lovely terrace & garden" in list(changes["After"])
    assert "Rows without a text" not in as_markdown(page)
    page.text_input[0].set_value("opinions")
    with monkeypatch.context() as ended:
        ended.setattr("app.ui.context.session_id", lambda: None)
        assert "What you typed is still here." in words(press(page, "Store"))
    assert page.run().text_input[0].value == "opinions"
    press(page, "Store")
    assert page.query_params == {"dataset": "opinions", "version": "1"}
    assert page.title[0].value == "opinions"


def test_a_decision_can_be_taken_back(visit: Visit) -> None:
    page = upload(visit("data"), as_csv(FLAWED))
    press(page, "Mask it")
    assert "What you decided" in words(page)
    press(page, "Undo")
    assert "What you decided" not in words(page)
    assert "What looks like personal data" in words(page)
    press(page, "Choose another file")
    assert len(page.get("file_uploader")) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "empty"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "is a picture \\(PNG\\)"),
    ],
)
def test_what_is_no_table_is_refused_in_words(visit: Visit, name: str, content: bytes, said: str) -> None:
    page = upload(visit("data"), content, name)
    assert not page.exception
    assert len(page.error) == 1
    assert said in page.error[0].value
    assert "Choose another file" in labels(page)


def test_a_file_above_the_limit_is_refused_in_words(
    visit: Visit, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(api_server.platform.settings), "max_upload_bytes", 1000)
    page = upload(visit("data"), as_csv(labelled_rows(100)))
    assert not page.exception
    assert len(page.error) == 1
    assert "1,000" in page.error[0].value.replace("\\", "")


def test_markup_in_columns_and_texts_is_shown_as_it_is(visit: Visit) -> None:
    rows = [(f"{text} {HOSTILE}", f"{label} {HOSTILE}") for text, label in labelled_rows()]
    content = as_csv(rows).replace(b"text,label", b"text <img src=x onerror=alert(1)>,label **b**")
    page = upload(visit("data"), content, "<b>data</b>.csv")
    shown = as_markdown(page)
    assert "<script>" not in shown
    assert "**bold**" not in shown
    assert "<b>" not in shown
    preview = next(table.value for table in page.dataframe if {"Row", "Label", "Text"} <= set(table.value))
    assert "<script>" in preview["Text"][0]


def test_which_column_is_which_can_be_said(visit: Visit) -> None:
    rows = b"".join(b"%d,a fine day number %d,another text %d,good\n" % (n, n, n) for n in range(9))
    page = upload(visit("data"), b"id,first,second,label\n" + rows)
    assert not page.exception
    box = next(one for one in page.selectbox if one.label == "Text column")
    box.set_value("second").run()
    preview = next(table.value for table in page.dataframe if {"Row", "Label", "Text"} <= set(table.value))
    assert preview["Text"][0] == "another text 0"


def choose(page: AppTest, label: str, value: str) -> AppTest:
    box = next(one for one in page.selectbox if one.label == label)
    return box.set_value(value).run()


def first_text(page: AppTest) -> str:
    preview = next(table.value for table in page.dataframe if {"Row", "Label", "Text"} <= set(table.value))
    return str(preview["Text"][0])


def test_a_file_is_read_differently_and_its_first_rows_are_shown_again(visit: Visit) -> None:
    rows = [(f"餐廳{i}很好吃，服務也很親切", "好" if i % 2 else "壞") for i in range(12)]
    page = upload(visit("data"), "".join(f"{text};{label}\n" for text, label in rows).encode("cp950"))
    assert first_text(page) == rows[0][0]
    assert "Another base model may read these texts" in words(page)
    assert "Store" in labels(page)
    choose(page, "Encoding", "latin-1")
    assert "餐廳" not in first_text(page)
    choose(page, "Separator", "tab")
    assert "there is not a tab in reviews" in page.error[0].value.replace("\\", "")
    press(page, "Read it as it was found again")
    assert first_text(page) == rows[0][0]
    choose(page, "Can this base model read the texts?", "none")
    assert "Another base model may read these texts" not in words(page)


def test_a_large_file_is_left_to_a_worker_and_waited_for(
    visit: Visit, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services import data_set_intake
    from app.services.execution import execute_next
    from app.services.supervisor import StopRequest

    monkeypatch.setattr(data_set_intake, "IN_BACKGROUND_BYTES", 100)
    page = upload(visit("data"), as_csv(labelled_rows()))
    assert "What was found" not in words(page)
    assert len(api_server.queue.sent) == 1
    assert execute_next(api_server.platform, StopRequest())
    page.run()
    assert "What was found" in words(page)
    assert len(api_server.queue.sent) == 1


def test_how_a_large_file_is_read_is_tried_on_its_beginning(
    visit: Visit, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services import data_set_intake
    from app.ui.components import drafts

    content = as_csv([(text, label) for text, label in labelled_rows(200)]).replace(b",", b";")
    monkeypatch.setattr(drafts, "LARGE_BYTES", 1000)
    monkeypatch.setattr(drafts, "BEGINNING_BYTES", 2000)
    page = upload(visit("data"), content)
    assert {metric.label: metric.value for metric in page.metric}["Rows"] == "200"
    monkeypatch.setattr(data_set_intake, "IN_BACKGROUND_BYTES", 3000)
    choose(page, "First row", "no")
    assert "tried on its beginning alone" in words(page)
    assert first_text(page) == "text"
    assert api_server.queue.sent == []
    press(page, "Read it as it was found again")
    assert {metric.label: metric.value for metric in page.metric}["Rows"] == "200"
    choose(page, "First row", "no")
    press(page, "Check the whole file so")
    assert len(api_server.queue.sent) == 1


def test_own_and_shared_data_sets_are_listed_and_nobody_elses(
    visit: Visit, store: Store, api_server: ApiServer
) -> None:
    from app.db.repositories import shares

    visit("data")
    api_server.account("user", "grace")
    for name, owner in (("mine", "user"), ("lent", "grace"), ("hidden", "grace")):
        store.put(name, owner, labelled_rows(mark=name))
    with store.platform.installation.database.write() as session:
        shares.add(session, "dataset", "lent", "user", "grace")
    page = visit("data")
    assert [name for name in labels(page) if name in ("mine", "lent", "hidden")] == ["lent", "mine"]
    lent = visit("data", dataset="lent", part="findings")
    assert "Sharing and deleting" not in {tab.label for tab in lent.tabs}
    assert "Fix it in a new version" not in labels(lent)
    elsewhere = visit("data", dataset="hidden")
    assert "This is not here, or not shared with you" in words(elsewhere)
    assert "grace" not in words(elsewhere)


def test_a_data_set_with_its_versions_and_differences(visit: Visit, store: Store) -> None:
    visit("data")
    store.put("reviews", "user", [*labelled_rows(), (HOSTILE, "positive")])
    store.put("reviews", "user", [*labelled_rows(), ("one more", HOSTILE)])
    page = visit("data", dataset="reviews", part="differences")
    assert "25 rows, 3 labels" in words(page)
    assert "Added rows" in words(page)
    counts = {metric.label: metric.value for metric in page.metric}
    assert (counts["Added"], counts["Removed"], counts["Label changed"], counts["As before"]) == ("1", "1", "0", "24")
    added, removed = (
        next(t.value for t in page.dataframe if text in list(t.value.get("Text", []))) for text in ("one more", HOSTILE)
    )
    assert list(added["Label"]) == [HOSTILE]
    assert list(removed["Label"]) == ["positive"]
    assert "<script>" not in as_markdown(page)
    overview = visit("data", dataset="reviews")
    shown = words(overview)
    assert "Whoever always says the most frequent label" in shown
    assert "Typical and unusual texts" in shown
    assert {"Words in all", "Said only once", "Repeated texts"} <= {metric.label for metric in overview.metric}
    assert "<script>" not in as_markdown(overview)
    first = visit("data", dataset="reviews", version="1", part="download")
    assert "25 rows, 2 labels" in words(first)


def test_deleting_says_what_goes_and_asks_for_the_name(visit: Visit, store: Store) -> None:
    visit("data")
    store.put("reviews", "user")
    page = press(visit("data", dataset="reviews", part="sharing"), "Delete the data set…")
    assert "24 rows" in words(page)
    confirm = next(one for one in page.text_input if one.label.startswith("Type"))
    confirm.set_value("review")
    assert "Nothing was deleted" in words(press(page, "Delete for good"))
    press(press(page, "Keep it"), "Delete the data set…")
    confirm = next(one for one in page.text_input if one.label.startswith("Type"))
    assert not confirm.value
    confirm.set_value("reviews")
    press(page, "Delete for good")
    assert page.title[0].value == "Data"
    assert "There is no data set yet" in words(page).replace("\\", "")


@pytest.mark.parametrize(
    ("given", "safe"),
    [("../../etc/passwd", "passwd"), ("C:\\d.csv", "d.csv"), ("..", "file"), ("\0", "file"), ("a.csv", "a.csv")],
)
def test_file_names_are_no_paths(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_long_file_names_keep_their_end_and_fit_on_a_disk() -> None:
    cut = safe_name("評" * 200 + ".csv")
    assert cut.endswith(".csv")
    assert len(cut.encode()) <= 150
    assert safe_name("x" * 500) == "x" * 130


@pytest.mark.parametrize(
    ("file", "name"), [("My reviews (2).csv", "My-reviews-2"), ("評論.csv", "data"), ("a.b.csv", "a"), ("-x-.csv", "x")]
)
def test_a_data_set_is_called_after_its_file(file: str, name: str) -> None:
    assert name_from(file) == name


def test_what_was_chosen_stays_until_it_is_let_go() -> None:
    draft = Draft()
    path = draft.place("train", "reviews.csv")
    path.write_text("text,label\n")
    assert draft.files().train == path
    draft.remedies += [("drop", "personal_data"), ("allow", "empty_text")]
    assert draft.wishes() == {"fix": True, "mask": False, "drop": ["personal_data"], "allow": ["empty_text"]}
    folder = draft.folder
    del draft
    assert not folder.exists()
