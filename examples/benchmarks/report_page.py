"""How fast a page of 10,000 rows opens and filters in headless Chromium.

Four pages: texts, 14 feature values, 28 x 28 grey images, and 32 x 32 colour images of random noise
(the largest files that images of this size can give). For each the median, and in brackets the
largest, of several times, in seconds:

- open: from the start of the navigation until the first rows are on the screen;
- class, words, decide: from the event (a class chosen, words searched for, a key pressed) until the
  screen shows what follows from it.

The time on the screen is taken two animation frames after the work, so nothing below .03 can show.
Target: opening and filtering below 2 seconds. Needs Chromium with chromedriver, and selenium.

    python examples/benchmarks/report_page.py
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import count
from _shared import format_table, stop

from noisyfit.inspection import LabelReport

N_CLASSES = 10
WORDS = (
    "price",
    "game",
    "team",
    "market",
    "phone",
    "rain",
    "vote",
    "song",
    "match",
    "share",
    "the",
)

OPENED = """
const done = arguments[0];
requestAnimationFrame(() => requestAnimationFrame(() => done(
  document.querySelectorAll(".card").length ? performance.now() : null)));
"""
MEASURE = """
const [act, done] = arguments;
const start = performance.now();
const element = (id) => document.getElementById(id);
const shown = () => requestAnimationFrame(
  () => requestAnimationFrame(() => done(performance.now() - start)));
if (act === "class") {
  element("given").selectedIndex = 1 + (element("given").selectedIndex + 1) % 9;
  element("given").dispatchEvent(new Event("change", { bubbles: true }));
  shown();
} else if (act === "decide") {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "3", bubbles: true }));
  shown();
} else {
  // A search starts when typing pauses, and ends when the number of rows is written.
  new MutationObserver((_, observer) => { observer.disconnect(); shown(); })
    .observe(element("matches"), { childList: true, characterData: true, subtree: true });
  element("search").value = element("search").value === "1" ? "2" : "1";
  element("search").dispatchEvent(new Event("input", { bubbles: true }));
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=count, default=10_000, help="rows of each page")
    parser.add_argument("--repeats", type=count, default=7, help="times each page is opened")
    options = parser.parse_args()
    chrome = start_browser()
    table = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, data in kinds_of_rows(options.rows):
                begin = time.perf_counter()
                page = report_on(data, options.rows).save(Path(folder) / f"{len(table)}.html")
                seconds = time.perf_counter() - begin
                times = measure(chrome, page.as_uri(), options.repeats)
                size = page.stat().st_size / 1e6
                table.append([name, f"{size:.1f}", f"{seconds:.1f}", *map(in_words, times)])
    finally:
        chrome.quit()
    print(format_table(["rows", "MB", "made in", "open", "class", "words", "decide"], table))


def kinds_of_rows(n: int) -> list[tuple[str, Any]]:
    """Names and data of the pages."""
    rng = np.random.default_rng(0)
    texts = [" ".join([str(i), *rng.choice(WORDS, rng.integers(20, 200))]) for i in range(n)]
    grey = np.zeros((n, 28, 28), dtype=np.uint8)
    grey[:, 4:24, 8:20] = rng.integers(0, 256, (n, 20, 12))
    return [
        ("texts of 110 words", texts),
        ("14 features", rng.normal(size=(n, 14))),
        ("grey images", grey),
        ("colour noise", rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)),
    ]


def report_on(data: Any, n: int) -> LabelReport:
    rng = np.random.default_rng(1)
    true = rng.integers(0, N_CLASSES, n)
    given = np.where(rng.random(n) < 0.2, rng.integers(0, N_CLASSES, n), true)
    p = 0.3 * rng.dirichlet(np.ones(N_CLASSES), n)
    p[np.arange(n), true] += 0.7
    return LabelReport.from_predictions(p, given, data=data, n_rows=None)


def measure(chrome: Any, address: str, repeats: int) -> list[list[float]]:
    """Seconds to open, to filter by a class, to search, and to decide."""
    times: list[list[float]] = [[], [], [], []]
    for _ in range(repeats):
        chrome.get("about:blank")
        chrome.get(address)
        opened = chrome.execute_async_script(OPENED)
        if opened is None:
            stop("The page shows no rows.")
        times[0].append(opened / 1000)
        for i, act in enumerate(("class", "words", "decide"), start=1):
            times[i].append(chrome.execute_async_script(MEASURE, act) / 1000)
    return times


def in_words(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({max(seconds):.2f})"


def start_browser() -> Any:
    """Headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    browser = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None or importlib.util.find_spec("selenium") is None:
        stop("This benchmark needs Chromium with chromedriver, and selenium (pip install selenium)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(browser)
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1200,900"):
        options.add_argument(f"--{argument}")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


if __name__ == "__main__":
    main()
