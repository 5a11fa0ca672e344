"""LabelReport: what the page holds, and what a person can do with it in a browser."""

from __future__ import annotations

import base64
import io
import json
import re
import runpy
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.image import imread
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyfit import CoresetClassifier
from noisyfit.inspection import LabelReport
from noisyfit.inspection.report.contents import describe_rows
from noisyfit.inspection.report.page import as_json_block
from noisyfit.inspection.report.pictures import matrix_picture
from noisyfit.inspection.report.png import encode_png
from noisyfit.inspection.report.thumbnails import thumbnails, value_limits
from noisyfit.noise import apply_review, symmetric_noise
from noisyfit.noise.label_text import protect

HOSTILE = [
    "</script><script>window.hacked=1</script>",
    '<img src=x onerror="window.hacked=1">',
    "javascript:window.hacked=1",
    "{{script}} {{data}} ${alert(1)}",
    "<!--<script>",
    "&lt;b&gt; \u2028\u2029 \x01 \ud800",
    '=HYPERLINK("http://example.com","x")',
]


def probabilities_of(codes, n_classes, sure=0.9):
    p = np.full((len(codes), n_classes), (1 - sure) / (n_classes - 1))
    p[np.arange(len(codes)), codes] = sure
    return p


def data_of(page):
    """What the script of a page reads."""
    block = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    return json.loads(block[1])


@pytest.fixture(scope="module")
def fitted():
    X, y = make_blobs(200, centers=3, random_state=0)
    names = np.array(["ash", "beech", "oak"])
    y_given, wrong = symmetric_noise(names[y], 0.1, random_state=0)
    classifier = CoresetClassifier(
        make_pipeline(StandardScaler(), LogisticRegression()), rounds=1, random_state=0
    ).fit(X, y_given)
    return SimpleNamespace(X=X, y=y_given, wrong=wrong, classifier=classifier)


# ----------------------------------------------------------------------------- which rows


def test_from_estimator_reads_what_fit_found(fitted):
    report = LabelReport.from_estimator(fitted.classifier, fitted.X, fitted.y, n_rows=20)
    quality = fitted.classifier.label_quality_
    assert report.rows.tolist() == np.argsort(quality, kind="stable")[:20].tolist()
    assert report.suspicion == pytest.approx(1 - quality[report.rows])
    assert report.given_labels.tolist() == fitted.y[report.rows].tolist()
    believed = fitted.classifier.transduction_[report.rows]
    assert report.believed_labels.tolist() == believed.tolist()
    assert report.noise_rate == fitted.classifier.noise_rate_
    data = data_of(report.to_html())
    assert [data["classes"][code] for code in data["given"]] == report.given_labels.tolist()
    assert [data["classes"][code] for code in data["believed"]] == report.believed_labels.tolist()
    assert data["rows"] == report.rows.tolist()
    assert repr(report).startswith("LabelReport(20 of 200 rows")
    assert len(LabelReport.from_estimator(fitted.classifier, fitted.X, fitted.y).rows) == 100


def test_a_pipeline_or_a_search_is_looked_into(fitted):
    direct = LabelReport.from_estimator(fitted.classifier, fitted.X, fitted.y)
    pipeline = make_pipeline(StandardScaler(), fitted.classifier)
    search = SimpleNamespace(best_estimator_=pipeline)
    assert LabelReport.from_estimator(search, fitted.X, fitted.y).html == direct.html


def test_from_predictions_ranks_as_find_label_issues():
    p = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.95, 0.05]]
    report = LabelReport.from_predictions(p, [0, 0, 1, 1], n_rows=3)
    assert report.rows.tolist() == [3, 1, 2]
    assert report.given_labels.tolist() == [1, 0, 1]
    named = LabelReport.from_predictions(p, ["a", "a", "b", "b"], classes=["a", "b"], n_rows=None)
    assert named.rows.tolist() == [3, 1, 2, 0]
    assert named.given_labels.tolist() == ["b", "a", "b", "a"]


def test_how_many_rows_are_listed():
    y = np.arange(1000) % 2
    p = probabilities_of(np.where(np.arange(1000) < 300, 1 - y, y), 2)
    n_rows = len(LabelReport.from_predictions(p, y).rows)
    assert n_rows == round(2 * LabelReport.from_predictions(p, y).noise_rate * 1000) > 400
    assert len(LabelReport.from_predictions(p[500:], y[500:]).rows) == 100
    assert len(LabelReport.from_predictions(p, y, n_rows=5000).rows) == 1000
    for wrong, error in ((0, ValueError), ("all", ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="n_rows must be"):
            LabelReport.from_predictions(p, y, n_rows=wrong)


def test_rows_are_named_by_position_and_index():
    y = pd.Series(["a", "b", "b"], index=["x", "x", 7])
    p = probabilities_of([0, 0, 1], 2)
    report = LabelReport.from_predictions(
        p, y, classes=["a", "b"], row_numbers=[10, 20, 30], n_rows=1
    )
    data = data_of(report.html)
    assert (data["rows"], data["index"]) == ([20], ["x"])
    assert report.rows.tolist() == [20]
    counted = LabelReport.from_predictions(p, y.reset_index(drop=True), classes=["a", "b"])
    assert data_of(counted.html)["index"] is None
    own = LabelReport.from_predictions(p, y, classes=["a", "b"], index=[1.5, None, "é"])
    assert data_of(own.html)["index"] == ["None", "1.5", "é"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": ["one"]}, "data has 1 rows, but there are 2 labels"),
        ({"index": ["one"]}, "index has 1 names, but there are 2 labels"),
        ({"row_numbers": [1, 1]}, "row_numbers must not repeat"),
        ({"row_numbers": [0.5, 1]}, "row_numbers must be 2 integers"),
        ({"data": np.zeros((2, 3)), "feature_names": ["a"]}, "feature_names has 1 names"),
        ({"data": np.zeros((2, 5, 3, 2))}, "images must have shape"),
        ({"classes": ["a", "\ud800"]}, "half of a surrogate pair"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    classes = arguments.pop("classes", ["a", "b"])
    with pytest.raises(ValueError, match=message):
        LabelReport.from_predictions(np.eye(2), classes, classes=classes, **arguments)


def test_other_estimators_and_rows_are_refused(fitted):
    with pytest.raises(TypeError, match="LogisticRegression has no label_quality_"):
        LabelReport.from_estimator(LogisticRegression(), fitted.X, fitted.y)
    with pytest.raises(ValueError, match="y has 10 labels, but the estimator was fitted on 200"):
        LabelReport.from_estimator(fitted.classifier, fitted.X[:10], fitted.y[:10])
    with pytest.raises(ValueError, match="labels that are not in classes"):
        LabelReport.from_estimator(fitted.classifier, fitted.X, np.full(200, "elm"))


# ----------------------------------------------------------------------------- what is shown


def test_texts_are_shown_and_long_ones_cut():
    rows = np.array([2, 0])
    for data in (
        ["a", "b", None],
        np.array(["a", "b", None], dtype=object),
        pd.Series(list("abc")),
    ):
        texts = describe_rows(data, rows)["texts"]
        assert texts[1] == "a"
        assert texts[0] in ("", "c")
    long = describe_rows(["x" * 2500], np.array([0]))["texts"][0]
    assert long == "x" * 2000 + "… (500 more characters)"
    assert describe_rows(pl.DataFrame({"text": ["a", "b", "c"]}), rows)["texts"] == ["c", "a"]


def test_features_are_shown_with_their_names():
    frame = pd.DataFrame({"n": [1, 2], "x": [0.123456789, np.nan], "word": ["cat", "dog"]})
    expected = {
        "kind": "features",
        "names": ["n", "x", "word"],
        "values": [["2", "1"], ["–", "0.123457"], ["dog", "cat"]],  # noqa: RUF001
        "n_hidden": 0,
    }
    assert describe_rows(frame, np.array([1, 0])) == expected
    polars = pl.DataFrame({"n": [1, 2], "x": [0.123456789, None], "word": ["cat", "dog"]})
    assert describe_rows(polars, np.array([1, 0])) == expected
    wide = describe_rows(np.zeros((1, 50)), np.array([0]))
    assert (len(wide["names"]), len(wide["values"]), wide["n_hidden"]) == (30, 30, 20)
    lists = pd.DataFrame({"l": [np.array([1, 2])], "m": [[3]], "d": [pd.Timestamp("2020-01-01")]})
    assert describe_rows(lists, np.array([0]))["values"] == [
        ["[1 2]"],
        ["[3]"],
        ["2020-01-01 00:00:00"],
    ]
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert describe_rows(twice, np.array([0]))["values"] == [["1"], ["2"]]
    assert describe_rows(np.array([[1234567.0, 5e-7]]), np.array([0]))["values"] == [
        ["1234567"],
        ["5e-07"],
    ]


def test_of_sparse_rows_the_largest_entries_are_shown():
    matrix = sp.csr_array(np.array([[0, 0, 0], [0.5, 0, -2.0]]))
    shown = describe_rows(matrix, np.array([1, 0]), ["a", "b", "c"])
    assert shown == {
        "kind": "entries",
        "names": ["c", "a"],
        "entries": [[[0, "-2"], [1, "0.5"]], []],
    }


def decoded(image):
    return np.rint(imread(io.BytesIO(base64.b64decode(image))) * 255).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 3, 4]).flatmap(
        lambda c: hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(c)))
    )
)
def test_png_files_hold_the_pixels(image):
    read = decoded(base64.b64encode(encode_png(image)))
    assert read.tolist() == (image[..., 0] if image.shape[2] == 1 else image).tolist()


def test_png_files_hold_pixels_that_are_means_of_their_neighbours():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8)
    for i in range(1, 8):
        for j in range(1, 8):
            image[i, j] = (int(image[i, j - 1, 0]) + int(image[i - 1, j, 0])) // 2
    assert decoded(base64.b64encode(encode_png(image))).tolist() == image[..., 0].tolist()


def test_thumbnails_of_any_layout_and_range():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    expected = [image.tolist() for image in images]
    for same in (
        images,
        images.transpose(0, 3, 1, 2),
        images.astype(np.float32),
        images / 255,
        images.astype(np.int64),
        images.astype(np.float64) * 2 - 300,  # standardised: the range is stretched
    ):
        assert [decoded(image).tolist() for image in thumbnails(same)] == expected
    grey = thumbnails(images[..., 0])
    assert decoded(grey[0]).tolist() == images[0, :, :, 0].tolist()
    large = np.zeros((1, 300, 150), dtype=np.uint8)
    large[:, 150:] = 200
    small = decoded(thumbnails(large)[0])
    assert small.shape == (75, 38)  # blocks of four
    assert set(small.reshape(-1).tolist()) <= {0, 100, 200}
    assert decoded(thumbnails(np.array([[[np.nan, 1.0]]]))[0]).tolist() == [[0, 255]]
    assert value_limits(np.full((1, 2, 2), np.nan)) == (0, 1)
    assert value_limits(np.array([[[-np.inf, -2.0], [np.nan, 5.0]]])) == (-2, 5)


def test_thumbnails_of_all_rows_share_one_scale():
    images = np.stack([np.full((2, 2), value) for value in (-3.0, 0.0, 3.0)])
    shown = describe_rows(images, np.array([1]))
    assert decoded(shown["images"][0]).tolist() == [[128, 128], [128, 128]]


def test_matrices_that_no_one_can_read_are_left_out():
    assert matrix_picture(np.eye(41), [str(i) for i in range(41)]) is None
    assert matrix_picture(np.eye(40), [str(i) for i in range(40)]) is not None


# ----------------------------------------------------------------------------- the file


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text() | st.text("<>&!-/script\u2028\ud800")))
def test_no_data_can_end_their_block(data):
    block = as_json_block(data)
    assert json.loads(block) == data
    assert block.isascii()
    assert not set("<>&") & set(block)


def test_the_page_names_no_address_and_allows_none():
    page = LabelReport.from_predictions(np.eye(2), [0, 1], title="<i>&").html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src &#x27;none&#x27;")
    assert "unsafe" not in policy
    assert re.findall(r"(?:https?:)?//\w+[.]\w+", page) == []
    assert "<title>&lt;i&gt;&amp;</title>" in page


def test_save_writes_all_or_nothing(tmp_path, monkeypatch):
    report = LabelReport.from_predictions(np.eye(2), [0, 1])
    path = report.save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == report.to_html()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        report.save(path)
    other = LabelReport.from_predictions(np.eye(2), [1, 0])
    other.save(str(path), overwrite=True)
    assert path.read_text(encoding="utf-8") == other.html
    with pytest.raises(FileNotFoundError, match="does not exist"):
        report.save(tmp_path / "missing" / "report.html")

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        report.save(path, overwrite=True)
    assert path.read_text(encoding="utf-8") == other.html
    assert list(tmp_path.iterdir()) == [path]


# ----------------------------------------------------------------------------- in a browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        pytest.skip("no Chromium with chromedriver on this machine")
    folder = tmp_path_factory.mktemp("downloads")
    options = selenium.ChromeOptions()
    options.binary_location = found
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "window-size=1200,900",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
    )
    yield Browser(chrome, folder)
    chrome.quit()


class Browser:
    """What the tests do with a page."""

    def __init__(self, chrome, downloads):
        self.chrome, self.downloads = chrome, downloads

    def open(self, report, folder):
        path = report.save(folder / "page.html", overwrite=True)
        self.chrome.get("about:blank")
        self.chrome.get_log("browser")
        self.chrome.get_log("performance")
        self.chrome.get(path.as_uri())
        return self

    def script(self, code, *arguments):
        return self.chrome.execute_script(f"return {code}", *arguments)

    def find(self, selector):
        return self.chrome.find_element("css selector", selector)

    def press(self, keys):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.chrome).send_keys(keys).perform()

    def choose(self, select, text):
        self.script(
            """[...document.getElementById(arguments[0]).options].forEach((option) => {
              if (option.text.startsWith(arguments[1])) option.selected = true;
            }), document.getElementById(arguments[0]).dispatchEvent(
              new Event("change", { bubbles: true }))""",
            select,
            text,
        )

    def texts(self, selector):
        return self.script(
            """[...document.querySelectorAll(arguments[0])].map(
              (node) => node.textContent.toWellFormed())""",
            selector,
        )

    def exported(self):
        for old in self.downloads.iterdir():
            old.unlink()
        self.find("#export").click()
        for _ in range(200):
            done = [path for path in self.downloads.iterdir() if path.suffix == ".csv"]
            if done and done[0].stat().st_size:
                return done[0]
            time.sleep(0.05)
        raise AssertionError("no file came")

    def requests(self):
        messages = [
            json.loads(entry["message"])["message"] for entry in self.chrome.get_log("performance")
        ]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


def bare(text):
    return re.sub("[\ud800\ufffd]", "", text)


def test_hostile_cells_are_shown_and_do_nothing(browser, tmp_path):
    classes = sorted(HOSTILE[:3])
    n = len(HOSTILE)
    y = [classes[i % 3] for i in range(n)]
    p = probabilities_of(np.arange(1, n + 1) % 3, 3)
    frame = pl.DataFrame(
        {HOSTILE[1]: [text.replace("\ud800", "") for text in HOSTILE], "n": range(n)}
    )
    for data in (frame, list(HOSTILE)):
        report = LabelReport.from_predictions(
            p, y, classes=classes, data=data, index=HOSTILE, title=HOSTILE[0], n_rows=None
        )
        page = browser.open(report, tmp_path)
        shown = page.texts(".text, .values dd, .text-value")
        # what is left of half a surrogate pair depends on who passes it on
        assert {bare(text) for text in HOSTILE} <= {bare(text) for text in shown}
        assert set(classes) <= set(page.texts(".chip"))
        assert page.texts("h1") == [HOSTILE[0]]
        # every element is the page's own: three scripts would be one too many
        assert page.script("document.scripts.length") == 2
        assert page.script("document.querySelectorAll('main img, main a, main b').length") == 0
        page.press("j24")
        page.find("#picker button").click()
        assert page.script("window.hacked === undefined")
        assert {url.split(":")[0] for url in page.requests()} <= {"file", "data", "blob"}
        assert browser.chrome.get_log("browser") == []
        # even a script in the page could not do this
        refused = page.script(
            """(() => { try { document.body.innerHTML = "<b></b>"; return false; }
            catch (error) { return true; } })()"""
        )
        assert refused


NASTY = [
    "=1+1",
    "'=1+1",
    "-1",
    "-x",
    "+2",
    "@a",
    ' a, "b"',
    "two\nlines",
    "\r",
    "\t=x",
    "",
    " ",
    "é雪🙂",
    "a;b",
]


def test_a_review_by_keyboard_is_exported_and_read_back(browser, tmp_path):
    from selenium.webdriver.common.keys import Keys

    classes = np.array(sorted(NASTY), dtype=object)
    n = len(classes)
    believed = (np.arange(n) + 1) % n
    y = pd.Series(classes, index=[f"={label}" for label in classes])
    report = LabelReport.from_predictions(
        probabilities_of(believed, n), y, classes=classes, data=[f"text {i}" for i in range(n)]
    )
    page = browser.open(report, tmp_path)
    assert page.texts("#counts") == [f"0 of {n} reviewed"]

    snow = NASTY[-2]
    assert snow not in report.given_labels[-1:]
    page.press("j1" + "2" * (n - 3) + "34")  # the last goes to a class of its own choice
    page.find("#picker-search").send_keys("雪", Keys.ENTER)
    page.press("u")  # undone, and done again
    assert page.texts("#counts")[0].startswith(f"{n - 1} of {n} reviewed")
    page.press("4")
    page.find("#picker-search").send_keys("雪", Keys.ENTER)
    assert page.texts("#counts") == [f"{n} of {n} reviewed · 1 kept, {n - 2} relabelled, 1 dropped"]
    exported = page.exported()

    text = exported.read_bytes().decode("utf-8")
    lines = ["\ufeffrow,index,given_label,decision,new_label"]
    decisions = ["keep", *["relabel"] * (n - 3), "drop", "relabel"]
    corrected, kept = classes.copy(), np.ones(n, dtype=bool)
    for place, (row, decision) in enumerate(zip(report.rows, decisions, strict=True)):
        cells = [str(row), protect(y.index[row]), protect(classes[row]), decision, ""]
        kept[row] = decision != "drop"
        if decision == "relabel":
            corrected[row] = snow if place == n - 1 else classes[believed[row]]
            cells[4] = protect(corrected[row])
        lines.append(",".join(map(quoted, cells)))
    assert text == "\r\n".join(lines) + "\r\n"

    result = apply_review(exported, y)
    assert result.y.tolist() == corrected[kept].tolist()
    assert result.y.index.tolist() == y.index[kept].tolist()
    assert result.kept.tolist() == kept.tolist()
    assert result.reviewed.all()

    # decisions outlive the page, can be taken back, and come in again from the file
    page.open(report, tmp_path)
    assert page.texts("#counts")[0].startswith(f"{n} of {n} reviewed")
    page.press("j" + "0j" * n)
    assert page.texts("#counts") == [f"0 of {n} reviewed"]
    page.find("#file").send_keys(str(exported))
    wait_for(lambda: page.texts("#counts")[0].startswith(f"{n} of"))
    assert page.exported().read_bytes().decode() == text

    other = tmp_path / "other.csv"
    other.write_text("row,given_label,decision,new_label\n0,nothing,keep,\n")
    page.find("#file").send_keys(str(other))
    wait_for(lambda: "belongs to other data" in page.texts("#status")[0])
    assert {url.split(":")[0] for url in page.requests()} <= {"file", "data", "blob"}


def quoted(cell):
    return '"' + cell.replace('"', '""') + '"' if re.search('[",;\r\n\t]', cell) else cell


def wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def page_of_forty(browser, folder):
    """Rows enough for several screens, with contents like those of no other test's page."""
    y = np.arange(40) % 2
    report = LabelReport.from_predictions(
        probabilities_of(1 - y, 2), y, data=[f"forty {i}" for i in range(40)]
    )
    page = browser.open(report, folder)
    page.script("localStorage.clear()")
    browser.chrome.refresh()
    return page


CURRENT_IN_VIEW = """(() => {
  const box = document.querySelector(".current").getBoundingClientRect();
  return box.top >= document.querySelector("header").getBoundingClientRect().bottom
    && box.bottom <= innerHeight; })()"""


def test_after_a_reload_the_first_undecided_row_is_current(browser, tmp_path):
    page = page_of_forty(browser, tmp_path)
    page.press("j23")
    page.script("scrollTo(0, 700)")
    browser.chrome.refresh()
    said, current, in_view = (
        page.texts("#status"),
        page.texts(".current .rank"),
        page.script(CURRENT_IN_VIEW),
    )
    page.press("3")  # the worst first: an earlier decision must not change
    assert page.texts("#counts") == ["3 of 40 reviewed · 0 kept, 1 relabelled, 2 dropped"]
    assert said == ["2 decisions from earlier restored; going on at #3."]
    assert (current, in_view) == (["#3"], True)
    assert page.texts(".current .rank") == ["#4"]


def test_a_decision_leads_to_the_next_undecided_row(browser, tmp_path):
    page = page_of_forty(browser, tmp_path)
    page.press("j2j2")  # one row left out
    page.press("kk3")
    assert page.texts(".current .rank") == ["#4"]  # rows 1 and 3 are decided
    exported = page.exported()
    page.press("0kkk0")
    page.press("u")
    page.find("#file").send_keys(str(exported))
    wait_for(lambda: page.texts("#status") == ["3 decisions imported; going on at #4."])
    assert page.texts(".current .rank") == ["#4"]
    page.script("document.querySelector('[data-row=\"39\"]').click()")
    page.press("11")  # the first brings it into view
    assert page.texts(".current .rank") == ["#40"]
    assert page.texts("#status")[0].endswith("No row below it is undecided.")


@pytest.mark.parametrize("key", "1230")
def test_no_key_decides_about_a_row_out_of_view(browser, tmp_path, key):
    page = page_of_forty(browser, tmp_path)
    page.press("j1k")
    before = page.texts("#counts")
    page.script("scrollTo(0, document.body.scrollHeight)")
    page.press(key)
    assert page.texts("#counts") == before
    assert page.texts(".current .verdict") == ["kept"]
    assert page.texts("#status")[0].startswith("#1 is the current row")
    assert page.script(CURRENT_IN_VIEW)


def test_ten_thousand_rows_are_filtered_and_paged(browser, tmp_path):
    n = 10_000
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, n)
    classes = np.array(["ant", "bee", "cow", "doe"])
    p = probabilities_of(np.where(rng.random(n) < 0.2, (codes + 1) % 4, codes), 4)
    texts = [f"animal {i} {'needle' if i % 1000 == 7 else 'hay'}" for i in range(n)]
    report = LabelReport.from_predictions(
        p, classes[codes], classes=classes, data=texts, n_rows=None
    )
    page = browser.open(report, tmp_path)
    assert page.texts("#matches") == ["10,000 rows"]
    assert len(page.texts(".card")) == 50
    page.choose("given", "bee")
    n_bees = int((report.given_labels == "bee").sum())
    assert page.texts("#matches") == [f"{n_bees:,} of 10,000 rows"]
    page.choose("believed", "cow")
    shown = (report.given_labels == "bee") & (report.believed_labels == "cow")
    assert page.texts("#matches") == [f"{shown.sum():,} of 10,000 rows"]
    places = page.script("[...document.querySelectorAll('.card')].map((card) => +card.dataset.row)")
    assert places == np.flatnonzero(shown)[:50].tolist()
    page.find("#next").click()
    page.press("kj")  # back to the last row of the first page and on again
    first = page.script("+document.querySelector('.card.current').dataset.row")
    assert first == np.flatnonzero(shown)[50]
    page.press("3")
    page.find("#show-all").click()
    wait_for(lambda: page.texts("#matches") == ["10,000 rows"])
    page.choose("state", "drop")
    assert page.texts(".where") == [f"row {report.rows[first]:,}"]
    page.choose("state", "any")
    page.find("#search").send_keys("NEEDLE")
    wait_for(lambda: page.texts("#matches") == ["10 of 10,000 rows"])
    page.find("#search").send_keys("xyz")
    wait_for(lambda: page.texts("#matches") == ["0 of 10,000 rows"])
    assert page.find("#nothing").is_displayed()


def test_most_frequent_mistakes_lead_to_their_rows(browser, tmp_path):
    y = np.array([0] * 6 + [1] * 6)
    p = probabilities_of([1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0], 2)
    report = LabelReport.from_predictions(p, y, n_rows=None)
    page = browser.open(report, tmp_path)
    believed = (report.given_labels == 0) & (report.believed_labels == 1)
    assert page.texts(".pairs .count")[0] == str(believed.sum())
    page.find(".pairs button").click()
    assert page.texts("#matches") == [f"{believed.sum()} of 12 rows"]


def test_thumbnails_reach_the_screen(browser, tmp_path):
    images = np.zeros((2, 4, 6, 3), dtype=np.uint8)
    images[:, :, :3, 0] = 200
    report = LabelReport.from_predictions(np.eye(2), [0, 1], data=images)
    page = browser.open(report, tmp_path)
    pixels = """(() => { const image = document.querySelector(".image img");
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, 6, 4).data]; })()"""
    drawn = np.array(page.script(pixels)).reshape(4, 6, 4)
    assert drawn[..., :3].tolist() == images[0].tolist()


def test_a_browser_that_keeps_nothing_says_so(browser, tmp_path):
    report = LabelReport.from_predictions(np.eye(2), [0, 1], data=["a", "b"])
    block = "Storage.prototype.setItem = () => { throw new Error('full'); }"
    added = browser.chrome.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": block}
    )
    try:
        page = browser.open(report, tmp_path)
        assert page.find("#warning").is_displayed()
        page.press("j1")
        assert page.texts("#counts")[0].startswith("1 of 2 reviewed")
        page.exported()  # so that nothing keeps the page from being left
    finally:
        browser.chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    page = browser.open(report, tmp_path)
    assert not page.find("#warning").is_displayed()


def test_the_benchmark_measures_a_page(browser, monkeypatch, tmp_path):
    script = Path(__file__).resolve().parents[1] / "examples" / "benchmarks" / "report_page.py"
    monkeypatch.setattr(sys, "path", [str(script.parent), *sys.path])
    names = runpy.run_path(str(script))
    kinds = dict(names["kinds_of_rows"](60))
    assert len(kinds) == 4
    page = names["report_on"](kinds["14 features"], 60).save(tmp_path / "page.html")
    times = names["measure"](browser.chrome, page.as_uri(), 2)
    assert [len(seconds) for seconds in times] == [2, 2, 2, 2]
    assert min(map(min, times)) > 0
