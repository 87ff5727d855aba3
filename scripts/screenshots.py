"""`make screenshots`: the pictures of the interface that the READMEs show, of a platform that is started for them.

It trains the example once and begins a second training to look at while it runs: some minutes. Needs Chromium.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from app.client import Client
from app.ui.words import Words

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = REPOSITORY / "docs" / "images" / "ui"
MISTAKES = REPOSITORY / "examples" / "reviews_with_mistakes.csv"
LANGUAGES = {"en": "en-US", "zh-TW": "zh-TW"}
WIDTH, HEIGHT = 1280, 860
SENTENCE = "The soup was cold, but the waiter was kind and the view wonderful."
STEPS_TO_WATCH = 60
MAX_BYTES = 250_000
MILLISECONDS = 300_000.0
SECONDS_TO_END = 60.0
_AT_REST = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
  && !document.querySelector('[data-testid=stSkeleton]')"""


class Demo:
    """`make demo` without a browser, in a folder of its own: its addresses, name and password."""

    def __init__(self, folder: Path, max_steps: int | None) -> None:
        ports = [_free_port() for _ in range(3)]
        self.api_url = f"http://127.0.0.1:{ports[0]}"
        names = dict(zip(("API_PORT", "UI_PORT", "SERVE_PORT"), map(str, ports), strict=True))
        command = [sys.executable, str(REPOSITORY / "scripts" / "demo.py"), "--no-browser"]
        self._process = subprocess.Popen(
            command + (["--max-steps", str(max_steps)] if max_steps else []),
            env=os.environ | names | {"RESULTS_DIR": str(folder), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{ports[1]}"
        self.name, self.password = "", ""

    def wait(self) -> None:
        """Return when the example is trained and the password is told."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            print(line, end="", flush=True)
            match line.split():
                case ["name", name]:
                    self.name = name
                case ["password", password]:
                    self.password = password
                    return
        raise SystemExit("error: the demo ended before it was ready")

    def stop(self) -> None:
        """End all it runs."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.communicate(timeout=SECONDS_TO_END)


class Tour:
    """A walk through the interface in one language, with a picture at each stop."""

    def __init__(self, browser: Browser, demo: Demo, folder: Path, locale: str) -> None:
        self._t = Words(locale.replace("-", "_"), "Asia/Taipei")
        self._demo, self._folder = demo, folder
        folder.mkdir(parents=True, exist_ok=True)
        self._page: Page = browser.new_page(
            locale=locale, timezone_id="Asia/Taipei", viewport={"width": WIDTH, "height": HEIGHT}
        )
        self._page.set_default_timeout(MILLISECONDS)

    def sign_in(self) -> None:
        """As the demo's administrator."""
        self._page.goto(self._demo.url)
        self._page.fill("#username", self._demo.name)
        self._page.fill("#password", self._demo.password)
        self._page.press("#password", "Enter")
        self._page.get_by_role("link", name=self._t("Sign out")).wait_for()

    def watched(self, task_id: str) -> None:
        """A training that runs."""
        self._page.goto(f"{self._demo.url}/tasks?task={task_id}")
        self._page.get_by_text(self._t("Loss: how wrong the model is (lower is better)")).wait_for()
        self._take("task")

    def findings(self) -> None:
        """A file with mistakes."""
        self._page.goto(f"{self._demo.url}/data")
        self._page.locator("input[type=file]").first.set_input_files(MISTAKES)
        found = self._page.get_by_text(self._t("What was found"), exact=True)
        found.wait_for()
        self._rest()
        found.evaluate("element => element.scrollIntoView()")
        self._take("findings")

    def plan(self) -> None:
        """The form, and what the training would take."""
        self._page.goto(f"{self._demo.url}/train?data=reviews@1")
        self._page.get_by_role("button", name=self._t("Estimate time and memory")).click()
        self._page.locator("[data-testid=stMetric]").first.wait_for()
        self._take("train")

    def scores(self, run: str) -> None:
        """A finished run."""
        self._page.goto(f"{self._demo.url}/experiments?run={run}")
        self._page.locator("[data-testid=stMetric]").first.wait_for()
        self._take("scores")

    def tried(self, run: str) -> None:
        """An answer of its model, and which words mattered."""
        self._page.goto(f"{self._demo.url}/try?run={run}")
        self._page.get_by_role("textbox", name=self._t("Your text")).fill(SENTENCE)
        self._page.get_by_role("button", name=self._t("Ask"), exact=True).click()
        why = self._page.get_by_text(self._t("Show which words mattered"))
        why.click()
        self._page.get_by_text(self._t("Which words mattered (an estimate)")).wait_for()
        self._page.get_by_role("textbox", name=self._t("Your text")).scroll_into_view_if_needed()
        self._take("try")

    def close(self) -> None:
        """Close the browser's window."""
        self._page.close()

    def _rest(self) -> None:
        self._page.wait_for_function(_AT_REST)

    def _take(self, name: str) -> None:
        """A picture of what is on the screen, in few colours."""
        self._rest()
        path = self._folder / f"{name}.png"
        self._page.mouse.move(WIDTH - 1, HEIGHT - 1)
        self._page.screenshot(path=path)
        with Image.open(path) as image:
            small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SystemExit(f"error: {path} has {size} bytes, more than {MAX_BYTES}")
        print(f"screenshots | {path.relative_to(REPOSITORY)}, {size // 1000} kB", flush=True)


def main() -> None:
    """Take all pictures in all languages."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("error: there is no Chromium on PATH (apt-get install chromium)")
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else None
    with _demo(steps) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with Client(demo.api_url) as client:
            client.sign_in(demo.name, demo.password)
            run = next(item.name for item in client.experiments.all(where="state = SUCCESS"))
            tours = [Tour(browser, demo, TARGET / folder, locale) for folder, locale in LANGUAGES.items()]
            for tour in tours:
                tour.sign_in()
                tour.findings()
                tour.plan()
                tour.scores(run)
                tour.tried(run)
            task = client.train.submit({"experiment_name": "reviews-again", "data": {"train": "reviews@1"}}).task_id
            _wait_for_steps(client, task)
            for tour in tours:
                tour.watched(task)
                tour.close()
        browser.close()


def _wait_for_steps(client: Client, task_id: str) -> None:
    for news in client.tasks.follow(task_id):
        step = getattr(news, "step", None)
        if isinstance(step, int) and step >= STEPS_TO_WATCH:
            return


@contextmanager
def _demo(max_steps: int | None) -> Iterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        demo = Demo(Path(folder), max_steps)
        try:
            demo.wait()
            yield demo
        finally:
            demo.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
