"""What noisyfit never does: unpickle, run code from data, go online, leave files open to others."""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from composition.common import coreset, crust, dm
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from stress import audit

import noisyfit
from noisyfit.command_line import main
from noisyfit.inspection import LabelReport
from noisyfit.storage.replacing import replacing

ROOT = Path(noisyfit.__file__).parent.parent
PACKAGE = sorted((ROOT / "noisyfit").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
X, Y = make_blobs(90, n_features=4, centers=3, random_state=0)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------------------------- the sources

UNPICKLING = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
NETWORK = {"aiohttp", "ftplib", "httpx", "requests", "smtplib", "socket", "torch.hub", "webbrowser"}
NETWORK |= {"http.client", "http.server", "socketserver", "urllib.request", "xmlrpc"}
CALLS = {"eval", "exec", "compile", "__import__", "joblib.load", "tempfile.mktemp", "os.system"}
CALLS |= {"os.popen", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load"}
STARTING = re.compile(r"os\.(exec|spawn|posix_spawn|fork)\w*|pty\.\w+")
# Reads data sets that scikit-learn fetches where the user has none, and says so.
FETCHES = {"examples/_shared.py"}


def imported_names(tree):
    """What each name that a module binds by importing stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dangers(source, *, may_start=False, may_fetch=False):
    """Names in a source that unpickle, run text as code, start programs or go online."""
    tree = ast.parse(source)
    names = imported_names(tree)
    found = set()
    modules = UNPICKLING | NETWORK | (set() if may_start else {"subprocess"})
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call | ast.Attribute):
            written = ast.unparse(node.func if isinstance(node, ast.Call) else node)
            first, dot, rest = written.partition(".")
            full = [names[first] + dot + rest] if first in names else []
            if isinstance(node, ast.Call):
                found |= dangerous_call("".join(full) or written, node, bound=first in names)
        else:
            continue
        for name in full:
            found |= {m for m in modules if name == m or name.startswith(m + ".")}
            if re.search(r"(^|\.)fetch_\w+$", name) and not may_fetch:
                found.add(name)
    return sorted(found)


def dangerous_call(name, call, *, bound):
    """The name of a call in a set, if it is one that is never made."""
    options = {word.arg: ast.unparse(word.value) for word in call.keywords}
    bad = (
        (name in CALLS and (("." in name) or not bound))
        or STARTING.fullmatch(name) is not None
        or (name == "torch.load" and options.get("weights_only") != "True")
        or options.get("allow_pickle", "False") != "False"
        or options.get("shell", "False") != "False"
        or options.get("download", "False") != "False"
        or options.get("trust_remote_code", "False") != "False"
    )
    return {name} if bad else set()


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_the_package_calls_nothing_dangerous(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_the_examples_call_nothing_dangerous(path):
    # Some benchmarks measure the memory of a process of its own.
    source = path.read_text(encoding="utf-8")
    assert dangers(source, may_start=True, may_fetch=name_of(path) in FETCHES) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from pickle import loads as read",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "import numpy as np\nnp.lib.format.read_array(f, allow_pickle=flag)",
        "import torch\ntorch.load(f)",
        "from torch import load\nload(f, weights_only=False)",
        "import joblib as j\nj.load(f)",
        "import pandas as pd\npd.read_pickle(f)",
        "eval('1')",
        "exec(text)",
        "compile(text, 'a', 'exec')",
        "__import__(name)",
        "import os\nos.system('a')",
        "from os import popen\npopen('a')",
        "import os\nos.execvp('a', [])",
        "import subprocess\nsubprocess.run('a', shell=True)",
        "import urllib.request",
        "from urllib import request",
        "import http.client as c",
        "import torch\ntorch.hub.load('a', 'b')",
        "import requests",
        "from sklearn.datasets import fetch_openml",
        "import sklearn.datasets as d\nd.fetch_openml('a')",
        "import tempfile\ntempfile.mktemp()",
        "from torchvision.datasets import MNIST\nMNIST(f, download=True)",
    ],
)
def test_the_test_of_sources_can_fail(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    [
        "module.eval()",
        "import re\nre.compile('a')",
        "import torch\ntorch.load(f, weights_only=True)",
        "import numpy as np\nnp.load(f, allow_pickle=False)",
        "import numpy as np\nnp.load(f)",
        "from urllib.parse import quote",
        "from noisyfit import load\nload(f)",
        "from sklearn.datasets import load_iris",
    ],
)
def test_the_test_of_sources_lets_harmless_ones_pass(source):
    assert dangers(source) == []


def test_starting_a_program_is_for_the_benchmarks_only():
    source = "import subprocess\nsubprocess.run(['a'])"
    assert dangers(source) == ["subprocess"]
    assert dangers(source, may_start=True) == []


# ----------------------------------------------------------------------------- in a fresh process

# What must not happen raises, by its name or by Python's audit event.
TRAPS = """
import sys
import _pickle, pickle, socket
import joblib, numpy, torch
import pandas, skops.io, noisyfit

sprung = []

def spring(name):
    sprung.append(name)
    raise RuntimeError("noisyfit caused " + name)

def trap(name):
    class Trap:
        def __init__(self, *arguments, **options):
            spring(name)
    return Trap

def listen(event, arguments):
    online = event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6)
    if online or event in {"socket.connect", "socket.getaddrinfo", "urllib.Request", *forbidden}:
        spring(event)

forbidden = set()
sys.addaudithook(listen)
"""
UNPICKLERS = """
forbidden.add("pickle.find_class")
for module, names in (
    (pickle, "load loads Unpickler _Unpickler _load _loads"), (_pickle, "load loads Unpickler"),
    (torch, "load"), (joblib, "load"),
):
    for name in filter(module.__dict__.get, names.split()):
        setattr(module, name, trap(module.__name__ + "." + name))
"""
LOADING = (
    TRAPS
    + UNPICKLERS
    + """
rows = numpy.load(sys.argv[1])
for path in sys.argv[2:]:
    estimator = noisyfit.load(path)
    print(estimator.predict_proba(rows).tobytes().hex())
assert sprung == []
for test in (lambda: pickle.loads(b"N."), lambda: torch.load(sys.argv[1])):
    try:
        test()
    except RuntimeError:
        continue
    raise SystemExit("the trap is not set")
"""
)
OFFLINE = (
    TRAPS
    + """
from noisyfit.command_line import main
from noisyfit.inspection import LabelReport
from noisyfit.selection import partitioned_medoids
rows, y = numpy.load(sys.argv[1]), numpy.load(sys.argv[2])
folder = sys.argv[3]
options = dict(max_epochs=2, random_state=0, module__hidden=(4,))
for classifier in (
    noisyfit.CRUSTClassifier(cross_fit=2, screening_epochs=1, **options),
    noisyfit.PENCILClassifier(**options),
    noisyfit.CoresetClassifier(random_state=0),
):
    classifier.fit(rows, y)
    LabelReport.from_estimator(classifier, rows, y).save(folder + "/a.html", overwrite=True)
    if not isinstance(classifier, noisyfit.CoresetClassifier):
        noisyfit.save(classifier, folder + "/a.noisyfit")
        noisyfit.load(folder + "/a.noisyfit").predict(rows)
with joblib.parallel_config("loky", n_jobs=2):
    partitioned_medoids(rows, 9, random_state=0)
table = folder + "/table.csv"
assert main(["report", table, "--label", "y", "-o", folder + "/b.html"]) == 0
assert main(["report", "https://example.org/a.csv", "--label", "y"]) == 1
assert sprung == []
for family in (socket.AF_INET, socket.AF_INET6):
    try:
        socket.socket(family)
    except RuntimeError:
        continue
    raise SystemExit("the trap is not set")
"""
)


def in_a_fresh_process(source, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_unpickles_nothing(tmp_path):
    fits = {"crust": crust().fit(X, Y), "dm": dm(emphasis="gce").fit(X, Y)}
    fits["coreset"] = coreset(estimator=LogisticRegression()).fit(X, Y)
    frame = pd.DataFrame(X, columns=list("abcd"), index=pd.date_range("2020", periods=len(X)))
    fits["frame"] = dm().fit(frame.to_numpy(), pd.Series(Y, index=frame.index))
    np.save(tmp_path / "rows.npy", X)
    paths = []
    for name, estimator in fits.items():
        paths.append(tmp_path / f"{name}.noisyfit")
        noisyfit.save(estimator, paths[-1])
    printed = in_a_fresh_process(LOADING, tmp_path / "rows.npy", *paths).split()
    assert printed == [fit.predict_proba(X).tobytes().hex() for fit in fits.values()]


def test_nothing_goes_online(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "y.npy", Y)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=Y)
    frame.to_csv(tmp_path / "table.csv", index=False)
    in_a_fresh_process(OFFLINE, tmp_path / "rows.npy", tmp_path / "y.npy", tmp_path)


# ------------------------------------------------------------------------------- the HTML report

HOSTILE = [
    "</script><script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "'><svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "</title></style></textarea><b onmouseover=alert(1)>",
    "{{script}} {{title}}",
    "<!--",
    "]]><!DOCTYPE html [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>&a;",
    "half a pair \ud800",
]


class Elements(HTMLParser):
    """Collects the elements of a page and their attributes, as a browser would see them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.comments = [], set(), 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_comment(self, data):
        self.comments += 1


def report_with(text, data=None, names=None):
    """A page in which a text stands wherever one can."""
    # Labels with half a surrogate pair are refused, as no file can hold them.
    named = text.replace("\ud800", "")
    classes = [f"{named} {number}" for number in range(3)]
    labels = [classes[code] for code in Y]
    probabilities = np.full((len(Y), 3), 0.05)
    probabilities[np.arange(len(Y)), np.roll(Y, 1)] = 0.9
    report = LabelReport.from_predictions(
        probabilities,
        labels,
        classes=classes,
        data=[f"{text} {row}" for row in range(len(Y))] if data is None else data,
        feature_names=names,
        index=[f"{text} {row}" for row in range(len(Y))],
        title=text,
        n_rows=None,
    )
    return report


KINDS = {
    "texts": lambda text: (None, None),
    "columns": lambda text: (X, [f"{text} {column}" for column in range(X.shape[1])]),
    "frame": lambda text: (
        # pandas' strings are Arrow's, which can't hold half a surrogate pair.
        pd.DataFrame({f"{text} {n}": [text] * len(X) for n in range(2)}, dtype=object)
        if text.isprintable()
        else pd.DataFrame(X),
        None,
    ),
    "sparse": lambda text: (
        scipy.sparse.csr_matrix(X),
        [f"{text} {column}" for column in range(X.shape[1])],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_an_element_of_the_page(text, kind, tmp_path):
    harmless, hostile = (
        report_with("plain", *KINDS[kind]("plain")),
        report_with(text, *KINDS[kind](text)),
    )
    page = hostile.save(tmp_path / "page.html").read_text(encoding="utf-8")
    found, expected = Elements(page), Elements(harmless.html)
    assert found.tags == expected.tags
    assert found.comments == expected.comments
    assert {name for name, _ in found.attributes} == {name for name, _ in expected.attributes}
    assert not any(name.startswith("on") for name, _ in found.attributes)
    assert not any(
        name in ("href", "src", "action", "formaction", "style", "srcdoc") and text in value
        for name, value in found.attributes
    )


def test_the_parser_of_pages_sees_what_is_not_escaped():
    page = report_with("plain").html.replace("<h1>", "<h1><img src=x onerror=alert(1)>")
    assert "img" in Elements(page).tags
    assert ("onerror", "alert(1)") in Elements(page).attributes


def test_the_command_line_escapes_names_of_files_and_columns(tmp_path, capsys):
    name = "<img src=x onerror=alert(1)>"
    frame = pd.DataFrame(X, columns=[f"{name}{n}" for n in range(4)])
    frame[f"{name}y"] = [f"{name}{code}" for code in Y]
    frame.to_csv(tmp_path / f"{name}.csv", index=False)
    out = tmp_path / "page.html"
    arguments = ["report", str(tmp_path / f"{name}.csv"), "--label", f"{name}y", "-o", str(out)]
    assert main(arguments) == 0
    found = Elements(out.read_text(encoding="utf-8"))
    assert "img" not in found.tags
    assert not any(attribute.startswith("on") for attribute, _ in found.attributes)
    assert json.dumps(capsys.readouterr().out)  # whatever it printed is text


# ------------------------------------------------------------------------------ files on the way


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


WRITERS = {
    "save": lambda path: noisyfit.save(noisyfit.DMClassifier(), path),
    "report": lambda path: LabelReport.from_predictions(np.eye(2), [0, 1]).save(
        path, overwrite=True
    ),
}


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_unfinished_files_are_private_and_finished_ones_follow_the_umask(
    write, umask, tmp_path, monkeypatch
):
    path = tmp_path / "file"
    seen = []
    fsync = os.fsync

    def look(descriptor):
        seen.extend((found.is_dir(), mode(found)) for found in tmp_path.iterdir())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write(path)
    assert seen[0] == (True, 0o700)
    assert mode(path) == 0o666 & ~umask
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_replaces_a_private_file_is_private(write, tmp_path):
    path = tmp_path / "file"
    path.touch(mode=0o600)
    write(path)
    assert mode(path) == 0o600
    assert path.stat().st_size > 0


def test_a_file_is_not_written_through_a_link_that_someone_else_has_put_there(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    with replacing(tmp_path / "file") as file:
        (folder,) = (found for found in tmp_path.iterdir() if found.is_dir())
        with pytest.raises(FileExistsError):
            (folder / "file").symlink_to(victim)
        file.write(b"new")
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "file").read_bytes() == b"new"


# ---------------------------------------------------------------------------------- the licences


def test_what_noisyfit_runs_on_has_permissive_licences():
    packages = audit.runtime_distributions()
    assert {"numpy", "torch", "scikit-learn"} <= {package.name for package in packages}
    assert audit.licence_problems(packages) == []


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("BSD-3-Clause AND (MIT OR Apache-2.0)", True),
        ("BSD License", True),
        ("Apache Software License; MIT License", True),
        ("Python Software Foundation License", True),
        ("GPL-3.0-only", False),
        ("MIT AND LGPL-2.1-only", False),
        ("GNU Affero General Public License v3; MIT License", False),
        ("MITRE's own", False),
        ("not stated", False),
    ],
)
def test_licences_are_told_apart(licence, allowed):
    assert audit.is_permissive(licence) is allowed


def test_an_exception_is_not_for_direct_dependencies(monkeypatch):
    monkeypatch.setattr(audit, "direct_dependencies", lambda: {"tqdm"})
    problems = audit.licence_problems(audit.runtime_distributions())
    assert [problem.split()[0] for problem in problems] == ["tqdm"]


def test_the_audit_says_what_it_could_not_ask(monkeypatch, capsys):
    monkeypatch.setattr(audit, "vulnerabilities", lambda packages: ([], ["offline"]))
    assert audit.main() == 2
    assert "NOT ASKED" in capsys.readouterr().out
    monkeypatch.setattr(audit, "vulnerabilities", lambda packages: (["torch 1: CVE"], []))
    assert audit.main() == 1
    monkeypatch.setattr(audit, "vulnerabilities", lambda packages: ([], []))
    assert audit.main() == 0
