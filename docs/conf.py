"""How the documentation is built: see docs/contributing.md, or the README, for the command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Examples are small and may run side by side: on one thread each they are quickest.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TQDM_DISABLE"] = "1"  # progress bars say nothing on a page

HERE = Path(__file__).parent
sys.path += [str(HERE / "_extensions"), str(HERE.parent / "examples")]

import gallery
import torch

import noisyfit

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

project = "noisyfit"
author = "The noisyfit developers"
copyright = author
version = release = noisyfit.__version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
    "api_pages",
    "result_tables",
    "demo_report",
]

source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build", "results", "gallery/**/*.ipynb", "gallery/**/*.py"]
suppress_warnings = ["config.cache"]  # the gallery's settings hold functions: no harm
templates_path: list[str] = []

# A name in single backticks is a link where it is public, else plain code. What begins with
# "noisyfit." has to exist.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!noisyfit\.).*")]

autodoc_typehints = "none"  # numpydoc's sections say it, with shapes
autodoc_member_order = "bysource"
autoclass_content = "class"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "substitution"]
myst_heading_anchors = 3
myst_substitutions = {"version": release}
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = gallery.settings(HERE)

html_theme = "pydata_sphinx_theme"
html_title = "noisyfit"
html_static_path = ["_static"]
html_css_files = ["noisyfit.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "back_to_top_button": False,
}
html_sidebars = {
    "index": [],
    "installation": [],
    "five_minutes": [],
    "neighbours": [],
    "contributing": [],
    "changelog": [],
}

linkcheck_anchors = False
linkcheck_timeout = 20
