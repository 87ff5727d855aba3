"""The story of a first model, step by step, in the language of whoever lives it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.task import Stage
from tests.platform.conftest import Started
from tests.ui.browsing import Person, person

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator


def store_mended(ada: Person, spreadsheet: Path, name: str) -> None:
    """Upload, see what is wrong, see what mending changes, store."""
    t = ada.t
    ada.go_to("Data")
    ada.page.locator("input[type=file]").first.set_input_files(spreadsheet)
    ada.sees("Something blocks training. Fix it above, or correct your file and choose it again.")
    ada.picture("02-findings")
    assert ada.button("Store").count() == 0, "nothing can be stored while something blocks"
    ada.press("Fix what can be fixed")
    ada.sees("{before} rows become {after}. Your file itself stays as it is.", before=303, after=301)
    ada.page.get_by_text(t("Before and after")).first.wait_for()
    ada.type(ada.field("Name of the data set"), name)
    ada.picture("03-what-mending-changes")
    ada.press("Store")
    ada.page.wait_for_url(f"**/data?dataset={name}*")
    ada.page.get_by_role("heading", name=name).wait_for()
    ada.picture("04-stored")


def train(ada: Person, name: str) -> None:
    """Three steps of training, watched to the end over a reload."""
    ada.page.get_by_role("link", name=ada.t("Train a model with it")).click()
    ada.page.get_by_role("heading", name=ada.t("Train a model")).wait_for()
    ada.type(ada.field("Name"), name)
    ada.page.get_by_text(f"experiment_name: {name}").first.wait_for()
    ada.type(steps_of(ada), "3")
    ada.page.get_by_text("max_steps: 3").first.wait_for()
    ada.picture("05-before-the-start")
    ada.press("Start training")
    ada.page.wait_for_url("**/tasks?task=*")
    watched = ada.page.url
    ada.page.get_by_role("list", name=ada.t("Progress")).wait_for()
    ada.as_it_is("06-watched")
    ada.page.reload()
    assert ada.page.url == watched
    ada.page.get_by_role("link", name=ada.t("See how good it is")).wait_for()
    done = ada.page.get_by_role("list", name=ada.t("Progress")).get_by_role("listitem")
    assert [text.startswith("✓") for text in done.all_inner_texts()] == [True] * len(Stage)
    ada.picture("07-done")


def steps_of(somebody: Person) -> "Locator":
    """The field for the steps at most."""
    return somebody.field("Steps at most", "spinbutton").or_(somebody.field("Steps at most"))


def look_into(ada: Person, run: str, folder: Path) -> None:
    """Scores, mistakes, the report."""
    ada.page.get_by_role("link", name=ada.t("See how good it is")).click()
    ada.page.wait_for_url(f"**/experiments?run={run}")
    ada.page.get_by_text(ada.t("Accuracy"), exact=True).first.wait_for()
    ada.picture("08-scores")
    ada.page.get_by_role("tab", name=ada.t("Mistakes")).click()
    ada.sees("The wrong answers the model was surest of. Look first whether the given label is right.")
    ada.picture("09-mistakes")
    with ada.page.expect_download() as download:
        ada.button("Download the report").first.click()
    report = ada.context.new_page()
    download.value.save_as(folder / "report.html")
    report.goto((folder / "report.html").as_uri())
    assert run in report.content()
    report.close()


def try_it(ada: Person, run: str) -> None:
    """A sentence of one's own, and which words mattered."""
    ada.page.get_by_test_id("stMain").get_by_role("link", name=ada.t("Try it")).click()
    ada.page.wait_for_url(f"**/try?run={run}")
    ada.type(ada.field("Your text"), "The soup was cold and nobody cared.")
    ada.press("Ask")
    ada.page.get_by_role("heading", name=re.compile(r"^(positive|negative) · \d")).wait_for()
    ada.page.get_by_text(ada.t("Show which words mattered")).click()
    ada.sees("Which words mattered (an estimate)")
    ada.picture("10-tried")


def share(ada: Person, run: str) -> None:
    ada.open(f"/experiments?run={run}")
    ada.page.get_by_role("tab", name=ada.t("Sharing and deleting")).click()
    ada.sees("Nobody but you and the administrators can see this.")
    ada.type(ada.field("Share with"), "bob")
    ada.press("Share")
    ada.button("Take back").wait_for()
    ada.picture("11-shared")


def leave_for_good(browser: "Browser", platform: Started, ada: Person, folder: Path) -> None:
    """Sign out; the cookie of before is nobody's."""
    before = ada.context.cookies()
    ada.page.get_by_role("link", name=ada.t("Sign out")).click()
    ada.sees("You are signed out.")
    with person(browser, platform, folder, "en-US", "14-old-cookie") as thief:
        thief.context.add_cookies([{key: one[key] for key in ("name", "value", "domain", "path")} for one in before])
        thief.open("/experiments")
        assert "/sign-in" in thief.page.url
