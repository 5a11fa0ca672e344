"""The packages that noisyfit runs on: their licences, and known vulnerabilities.

``python tests/stress/audit.py`` (or ``nox -s audit``) lists what is installed of them, and ends
with 1 if a licence is not one that the house allows or a vulnerability is known, with 2 if it could
not ask for vulnerabilities (pip-audit is not installed, or its database is not to be reached), else
with 0.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "noisyfit"
# Licences that ask for no more than that they are named, by their SPDX identifiers.
PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "LLVM-exception",
    "MIT",
    "PSF-2.0",
    "Unlicense",
    "Zlib",
}
# What packages without an identifier say instead.
ALSO_PERMISSIVE = re.compile(
    r"(New )?(BSD|MIT|Apache|Python)( Software Foundation| Software| 2\.0)?( License)?"
)
# Not direct dependencies, and used as they are: what they ask for concerns changes to them.
EXCEPTIONS = {
    re.compile(r"tqdm"): "MPL-2.0 in part; brought by skorch",
    re.compile(r"(nvidia|cuda)-.*"): "NVIDIA's terms; brought by torch where it is built for GPUs",
}


def runtime_distributions(root: str = ROOT) -> list[Distribution]:
    """What ``root`` needs to run and what that needs, without extras, by name."""
    found: dict[str, Distribution] = {}
    waiting = [root]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found[name] = distribution(name)
        for text in found[name].requires or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return [found[name] for name in sorted(found)]


def licence_of(package: Distribution) -> str:
    """The licence as the package states it: an SPDX expression, a classifier or a line."""
    facts = package.metadata
    if facts.get("License-Expression"):
        return str(facts["License-Expression"])
    classifiers = [
        entry.rpartition(" :: ")[2]
        for entry in facts.get_all("Classifier") or []
        if entry.startswith("License ::")
    ]
    return "; ".join(classifiers) or (facts.get("License") or "not stated").splitlines()[0]


def is_permissive(licence: str) -> bool:
    """Whether a licence is of the kind of BSD, MIT, Apache or Python's, in all of its parts."""
    identifiers = set(re.split(r"[\s()]+", licence)) - {"", "AND", "OR", "WITH"}
    if identifiers <= PERMISSIVE:
        return True
    return all(ALSO_PERMISSIVE.fullmatch(part) for part in licence.split("; "))


def exception_for(name: str) -> str | None:
    """Why a package may have another licence, if it may."""
    name = canonicalize_name(name)
    return next((why for names, why in EXCEPTIONS.items() if names.fullmatch(name)), None)


def direct_dependencies() -> set[str]:
    """Names of the packages that noisyfit itself asks for."""
    asked = map(Requirement, distribution(ROOT).requires or [])
    return {
        canonicalize_name(needed.name)
        for needed in asked
        if needed.marker is None or needed.marker.evaluate({"extra": ""})
    }


def licence_problems(packages: list[Distribution]) -> list[str]:
    """One line for each package whose licence the house does not allow."""
    direct = direct_dependencies()
    return [
        f"{package.name} {package.version}: {licence_of(package)}"
        for package in packages
        if not is_permissive(licence_of(package))
        and (canonicalize_name(package.name) in direct or exception_for(package.name) is None)
    ]


def vulnerabilities(packages: list[Distribution]) -> tuple[list[str], list[str]]:
    """Known vulnerabilities, and what could not be asked, by pip-audit."""
    try:
        distribution("pip-audit")
    except PackageNotFoundError:
        return [], ["pip-audit is not installed (pip install pip-audit)"]
    with TemporaryDirectory() as folder:
        listing = Path(folder) / "requirements.txt"
        # "+cpu" and the like name a build, which no database knows.
        pins = [f"{p.name}=={p.version.partition('+')[0]}" for p in packages if p.name != ROOT]
        listing.write_text("\n".join(pins))
        options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"]
        command = [sys.executable, "-m", "pip_audit", *options, "-r", str(listing)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return [], ["pip-audit had no answer after five minutes"]
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return [], [f"pip-audit failed: {why}"]
    known = [
        f"{answer['name']} {answer['version']}: {entry['id']}, fixed in {entry['fix_versions']}"
        for answer in answers
        for entry in answer.get("vulns", [])
    ]
    unasked = [f"{a['name']}: {a['skip_reason']}" for a in answers if "skip_reason" in a]
    return known, unasked


def main() -> int:
    """Print the audit and say by a number how it ended."""
    packages = runtime_distributions()
    for package in packages:
        why = exception_for(package.name)
        note = f"  [allowed: {why}]" if why and not is_permissive(licence_of(package)) else ""
        print(f"{package.name:20} {package.version:14} {licence_of(package)}{note}")
    problems = licence_problems(packages)
    print("\nLicences:", "; ".join(problems) if problems else "all as they should be")
    known, unasked = vulnerabilities(packages)
    if unasked:
        print("NOT ASKED for vulnerabilities:", "\n  ".join(["", *unasked]))
    if known or not unasked:
        print("Known vulnerabilities:", "; ".join(known) if known else "none")
    if problems or known:
        return 1
    return 2 if unasked else 0


if __name__ == "__main__":
    sys.exit(main())
