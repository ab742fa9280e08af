"""How Sphinx builds the documentation: `uv run nox -s docs`."""

from dnslb import __version__

project = "dnslb"
author = "The dnslb developers"
release = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["_build", "changelog.d"]

html_title = f"dnslb {release}"
html_theme_options = {"description": "Servers keep their own DNS records true.", "fixed_sidebar": True}
