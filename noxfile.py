"""What contributors and CI run: ``nox`` for lint, test and docs, ``nox -s test`` for one of all.

Each session makes its own environment. ``nox -s test -- tests/test_losses.py -n 0`` hands
arguments on.
"""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "test", "docs"]
nox.options.error_on_missing_interpreters = True

# The lower bounds of pyproject.toml, and of what the tests use beside them.
OLDEST = [
    "numpy==1.26.*",
    "scipy==1.11.*",
    "joblib==1.3.*",
    "scikit-learn==1.6.0",
    "torch==2.4.*",
    "skorch==1.2.*",
    "pandas==2.1.*",
    "polars==1.0.*",
    "imbalanced-learn==0.13.*",
    "pyarrow==14.*",
    "matplotlib==3.8.*",
]


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def test(session: nox.Session) -> None:
    """The test suite against the newest versions."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def oldest(session: nox.Session) -> None:
    """The test suite against the oldest supported versions."""
    session.install(*OLDEST)
    session.install("-e", ".[test]", *OLDEST)
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site, warnings as errors, into docs/_build/html."""
    session.install("-e", ".[docs]")
    command = ["-W", "--keep-going", "-b", "html", "docs", "docs/_build/html"]
    session.run("python", "-m", "sphinx", *command, *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Licences and known vulnerabilities of what noisyfit runs on; the latter asks the network."""
    session.install("-e", ".", "pip-audit")
    session.run("python", "tests/stress/audit.py")


@nox.session
def bench(session: nox.Session) -> None:
    """One benchmark: ``nox -s bench -- accuracy --seeds 1``."""
    session.install("-e", ".[bench]")
    name, *arguments = session.posargs or ["fit_cost"]
    session.run("python", f"examples/benchmarks/{name}.py", *arguments)
