"""How Sphinx builds the documentation: `uv run nox -s docs`.

The source folder is that of the repository, since the plugins' pages are their READMEs: a link leads to the
same place in the repository and in what is built.
"""

from dnslb import __version__

project = "dnslb"
author = "The dnslb developers"
release = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 4
include_patterns = ["docs/**", "plugins/*/README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = ["docs/_build", "docs/changelog.d"]
root_doc = "docs/index"
# Code blocks say what they are, `named` for one; what Pygments does not know is shown plain.
suppress_warnings = ["misc.highlighting_failure"]

html_title = f"dnslb {release}"
html_theme_options = {"description": "Servers keep their own DNS records true.", "fixed_sidebar": True}
