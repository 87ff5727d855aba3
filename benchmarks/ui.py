"""The interface in Chromium, on a real platform with many experiments: how long somebody waits, and what a tab costs.

Until a page can be used (cold: nothing is in the browser's cache), and from a click until the page is drawn and at
rest; and what the interface's process computes for it.

    .venv/bin/python benchmarks/ui.py [--size 100000] [--times 20]
"""

import argparse
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
from control_plane import POINT, Server, percentiles, seed
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, ViewportSize, sync_playwright

NUM_RUNNING = 1_000
LOGGED_POINTS = 10_000
LIVE_POINTS = 1_000
LAPTOP = ViewportSize(width=1366, height=900)
TABS, MAX_LOOKS = 8, 10
MILLISECONDS = 120_000.0
LIVE_TASKS = "00000000-0000-4000-8000-{:012d}"
LOGGED, LOGGED_ID, LIVE_TASK = "run-000003", 3, LIVE_TASKS.format(1)
_WATCH = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  window.drawn = {times: 0, took: []};
  let began = 0;
  new MutationObserver(() => {
    if (app.dataset.testScriptState === 'running') began = performance.now();
    else { window.drawn.times += 1; window.drawn.took.push(performance.now() - began); }
  }).observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
}"""
_AT_REST = """times => {
  const app = document.querySelector('[data-testid=stApp]');
  return app?.dataset.testScriptState === 'notRunning' && !document.querySelector('[data-testid=stSkeleton]')
    && (times == null || window.drawn.times > times);
}"""
_NOW = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


def seed_running(path: Path, first: int) -> None:
    """Trainings that run, one of which has reported much; and a run of before with many points. Ids from `first` on."""
    ids = range(first, first + NUM_RUNNING)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO experiments (id, name, experiment_name, owner, created_at, config, base_model, data_name, "
            "seed, library_versions, run_dir) "
            "VALUES (?, ?, 'live', 'ada', datetime('2026-06-01', ? || ' minutes'), '{}', 'minilm', 'reviews@1', 42, "
            "'{}', ?)",
            ((n, f"live-{n - first + 1:06d}", n, f"live-{n - first + 1:06d}") for n in ids),
        )
        connection.executemany(
            "INSERT INTO tasks (id, kind, experiment_id, state, stage, progress, attempt, events_offset, retryable, "
            "created_at, started_at, owner, priority, failures, is_queued) "
            "VALUES (?, 'train', ?, 'STARTED', 'training', 0.5, 1, 0, 0, datetime('2026-06-01', ? || ' minutes'), "
            "datetime('2026-06-02'), 'ada', 0, 0, 1)",
            ((LIVE_TASKS.format(n - first + 1), n, n) for n in ids),
        )
        connection.executemany(
            "WITH RECURSIVE step(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM step WHERE n < ?) "
            'INSERT INTO metric_points (experiment_id, kind, step, attempt, time, "values") '
            "SELECT ?, 'step', step.n, 1, 1767225600.0 + step.n, ? FROM step",
            [(LOGGED_POINTS, LOGGED_ID, POINT), (LIVE_POINTS, first, POINT)],
        )
        connection.execute("ANALYZE")


class Took(NamedTuple):
    """How long something took somebody, and the interface's process of its processor; in seconds."""

    waited: float
    worked: float


class Pages:
    """The interface in one browser, signed in."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser = browser
        self.process = _ui_process(server)
        self.url = f"http://127.0.0.1:{server.environment['UI_PORT']}"
        first = self._new_context()
        page = first.new_page()
        page.goto(self.url)
        page.fill("#username", "ada")
        page.fill("#password", server.password)
        page.press("#password", "Enter")
        page.wait_for_function(_AT_REST, arg=None)
        self._signed_in = first.storage_state()
        first.close()

    def new_context(self) -> BrowserContext:
        """A browser with nothing in its cache, signed in."""
        return self._new_context(self._signed_in)

    def _new_context(self, state: StorageState | None = None) -> BrowserContext:
        context = self._browser.new_context(locale="en-US", viewport=LAPTOP, storage_state=state)
        context.set_default_timeout(MILLISECONDS)
        return context

    def open(self, page: Page, path: str) -> Took:
        """Until a page can be used, counted from its address."""
        idle = self.worked()
        page.goto(self.url + path, wait_until="commit")
        page.wait_for_function(_AT_REST, arg=None, polling="raf")
        took: float = page.evaluate(_NOW)
        assert not page.get_by_test_id("stAlert").count(), "the page shows what it was asked for"
        page.evaluate(_WATCH)
        return Took(took / 1000, self.worked() - idle)

    def act(self, page: Page, press: Callable[[], object]) -> Took:
        """From a click until the page is drawn and at rest."""
        idle = self.worked()
        before = page.evaluate("() => window.drawn.times")
        began = page.evaluate("() => performance.now()")
        press()
        page.wait_for_function(_AT_REST, arg=before, polling="raf")
        ended: float = page.evaluate(_NOW)
        return Took((ended - began) / 1000, self.worked() - idle)

    def worked(self) -> float:
        """What the interface has used of its processor so far, in seconds."""
        used = self.process.cpu_times()
        return used.user + used.system


@contextmanager
def signed_in_page(pages: Pages) -> Iterator[Page]:
    """A window for some measurements."""
    context = pages.new_context()
    yield context.new_page()
    context.close()


def first_paint(pages: Pages, path: str, times: int) -> tuple[list[Took], list[Took]]:
    """Cold and warm."""
    cold, warm = [], []
    for _ in range(times):
        with signed_in_page(pages) as page:
            cold.append(pages.open(page, path))
            warm.append(pages.open(page, path))
    return cold, warm


def list_of_experiments(pages: Pages, times: int) -> dict[str, list[Took]]:
    """What one does with the list."""
    with signed_in_page(pages) as page:
        pages.open(page, "/experiments")
        found: dict[str, list[Took]] = {"next page": [], "search by name": [], "sort": []}
        forward = page.get_by_role("button", name="Next", exact=True)
        for _ in range(times):
            found["next page"].append(pages.act(page, forward.click))
        search = page.get_by_role("textbox", name="Search by name").or_(page.get_by_role("searchbox"))
        for number in range(times):
            search.fill(f"run-00{number % 10}")
            found["search by name"].append(pages.act(page, partial(search.press, "Enter")))
        search.fill("")
        pages.act(page, partial(search.press, "Enter"))
        toggle = page.get_by_text("Smallest first")
        for _ in range(times):
            found["sort"].append(pages.act(page, toggle.click))
    return found


def opened(pages: Pages, path: str, times: int, then: Callable[[Page], object] | None = None) -> list[Took]:
    """Something in full, by its address in a warm browser; with what is pressed there."""
    found = []
    with signed_in_page(pages) as page:
        pages.open(page, path)
        for _ in range(times):
            took = pages.open(page, path)
            if then is not None:
                took = pages.act(page, partial(then, page))
            found.append(took)
    return found


def _open_curves(page: Page) -> None:
    page.get_by_role("tab", name="Learning curves").click()


def looks(pages: Pages, path: str, times: int) -> list[Took]:
    """How long a page that looks again by itself is at it each time."""
    with signed_in_page(pages) as page:
        pages.open(page, path)
        idle = pages.worked()
        page.wait_for_function("times => window.drawn.times > times", arg=times)
        found: list[float] = page.evaluate("() => window.drawn.took")
        each = (pages.worked() - idle) / len(found)
    return [Took(one / 1000, each) for one in found]


def memory_of_tabs(pages: Pages, path: str) -> tuple[float, float]:
    """Megabytes of the interface's process without a tab of these, and what each adds."""
    process = pages.process
    before = process.memory_info().rss
    contexts = [pages.new_context() for _ in range(TABS)]
    for context in contexts:
        pages.open(context.new_page(), path)
    after = process.memory_info().rss
    for context in contexts:
        context.close()
    return before / 1e6, (after - before) / TABS / 1e6


def _ui_process(server: Server) -> psutil.Process:
    for process in psutil.process_iter(["cmdline"]):
        arguments, port = process.info["cmdline"] or (), server.environment["UI_PORT"]
        if "app.ui.app" in arguments and process.environ().get("UI_PORT") == port:
            return process
    raise LookupError("no process of the interface")


def row(what: str, found: list[Took]) -> None:
    """One row of the table."""
    p50, p95, _ = percentiles([one.waited for one in found])
    worked = 1000 * statistics.median(one.worked for one in found)
    print(f"| {what} | {p50:.0f} | {p95:.0f} | {worked:.0f} |", flush=True)


def measure(pages: Pages, times: int) -> None:
    """All rows."""
    live = f"/tasks?task={LIVE_TASK}"
    # First: later there is room in the process that others have left.
    memory = {
        what: memory_of_tabs(pages, path) for what, path in (("the list", "/experiments"), ("a running task", live))
    }
    print("| what | p50, ms | p95, ms | of the interface's processor, ms |")
    print("|---|---|---|---|")
    for what, path in (("home", "/"), ("list of experiments", "/experiments")):
        cold, warm = first_paint(pages, path, times)
        row(f"{what}, first time", cold)
        row(f"{what}, again", warm)
    for what, found in list_of_experiments(pages, times).items():
        row(f"list of experiments: {what}", found)
    run, num_looks = f"/experiments?run={LOGGED}", min(times, MAX_LOOKS)
    row("a run", opened(pages, run, times))
    row(f"its curves of {LOGGED_POINTS:,} points", opened(pages, run, times, _open_curves))
    row(f"tasks, {NUM_RUNNING:,} of them running", opened(pages, "/tasks", times))
    row("that page, looking again by itself", looks(pages, "/tasks", num_looks))
    row(f"a running task with {LIVE_POINTS:,} points", opened(pages, live, times))
    row("that page, looking again by itself", looks(pages, live, num_looks))
    for what, (before, each) in memory.items():
        print(f"| memory of the process, MB, and of each tab with {what} | {before:.0f} | {each:+.1f} | |")


def _wait_for(url: str) -> None:
    """The interface starts after the API."""
    while True:
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)


def main() -> None:
    """Measure and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000, help="experiments")
    parser.add_argument("--times", type=int, default=10, help="of each kind")
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("skipped: there is no Chromium on PATH (apt-get install chromium)")
        return
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        server = Server(Path(folder))
        server.finetune("experiments", "list")
        seed(server.results / "experiments.db", options.size, options.size)
        seed_running(server.results / "experiments.db", options.size + 1)
        with server.running():
            _wait_for(f"http://127.0.0.1:{server.environment['UI_PORT']}/healthz")
            measure(Pages(browser, server), options.times)


if __name__ == "__main__":
    main()
