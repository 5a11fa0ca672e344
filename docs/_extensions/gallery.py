"""Which examples make the gallery, in which order, how they are run, and where pictures come from.

Walk-throughs draw with matplotlib and are cut into blocks of text and code. Programs have options
(see `options_of`), print tables and save pictures. Both really run when the pages are built, except
for programs that take minutes or read a data set which is not there: their code is shown.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

WALK_THROUGHS = (
    "find_wrong_labels.py",
    "inspection.py",
    "any_classifier.py",
    "emphasis_curves.py",
    "what_selectors_take.py",
)
PROGRAMS = (
    "quickstart.py",
    "imbalanced.py",
    "own_emphasis.py",
    "purity_over_epochs.py",
    "tabular.py",
    "text.py",
    "search_on_workers.py",
    "train_in_processes.py",
)
NEED_DATA = ("tabular.py", "text.py")
# docs/purity.md and docs/guide/several_machines.md have what they print and draw.
TAKE_LONG = ("purity_over_epochs.py", "search_on_workers.py", "train_in_processes.py")
# One seed where the default is several: the pages have to be built in minutes.
OPTIONS = {
    "imbalanced.py": ["--seeds", "1"],
    "own_emphasis.py": ["--seeds", "1"],
}
SAVES_A_PICTURE = ("quickstart.py",)


def pictures_folder() -> Path:
    """Where programs save their pictures while the pages are built."""
    folder = Path(tempfile.gettempdir()) / f"noisyfit-gallery-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


def options_of(gallery_conf: dict[str, Any], script_vars: dict[str, Any]) -> list[str]:
    """The command line that a program is run with."""
    name = Path(script_vars["src_file"]).name
    options = list(OPTIONS.get(name, []))
    if name in SAVES_A_PICTURE:
        options += ["--output", str(pictures_folder() / f"{Path(name).stem}.png")]
    return options


def saved_pictures(
    block: tuple[str, str, int], block_vars: dict[str, Any], gallery_conf: dict[str, Any]
) -> str:
    """Pictures that a block has saved in the folder of pictures, moved to the page."""
    from sphinx_gallery.scrapers import figure_rst

    paths = []
    for picture in sorted(pictures_folder().glob("*.png")):
        place = Path(next(block_vars["image_path_iterator"]))
        place.write_bytes(picture.read_bytes())
        picture.unlink()
        paths.append(str(place))
    return figure_rst(paths, gallery_conf["src_dir"])


def place_of(filename: str) -> tuple[int, str]:
    """Walk-throughs first, then what nobody has given a place, then programs."""
    name = Path(filename).name
    for group, names in ((0, WALK_THROUGHS), (2, PROGRAMS)):
        if name in names:
            return group, f"{names.index(name):02d}"
    return 1, name


def settings(docs: Path) -> dict[str, Any]:
    """The configuration of sphinx-gallery."""
    from sphinx_gallery.scrapers import matplotlib_scraper

    there = bool(os.environ.get("NOISYFIT_DATA"))
    shown_only = "|".join(TAKE_LONG if there else (*TAKE_LONG, *NEED_DATA))
    return {
        "examples_dirs": [str(docs.parent / "examples")],
        "gallery_dirs": ["gallery"],
        "filename_pattern": rf"/(?!{shown_only})\w+\.py$",
        "ignore_pattern": r"(^|/)_",
        "nested_sections": False,
        "within_subsection_order": "gallery.place_of",
        "image_scrapers": (matplotlib_scraper, saved_pictures),
        "reset_argv": "gallery.options_of",
        "reset_modules": ("matplotlib",),
        "download_all_examples": False,
        "plot_gallery": "True",
        "abort_on_example_error": False,
        "remove_config_comments": True,
        "show_memory": False,
        "show_signature": False,
        "min_reported_time": 10**6,
        "capture_repr": (),
        "only_warn_on_example_error": False,
        "default_thumb_file": str(docs / "_static" / "thumbnail.png"),
    }
