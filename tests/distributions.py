"""Hand-written distributions: what pip leaves behind in a folder that Python imports from, without pip."""

import contextlib
import importlib
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import dnslb


class Site:
    """A folder of distributions, the first on the path that Python imports from."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.modules: set[str] = set()

    def distribution(
        self,
        name: str | None,
        entry_points: Mapping[str, str] | str,
        *,
        version: str | None = "1.2.3",
        requires: Sequence[str] = (f"dnslb~={dnslb.__version__}",),
        extras: Sequence[str] = (),
    ) -> Path:
        """Only the metadata; `entry_points` of the group `dnslb`, or the whole text of the file."""
        info = self.folder / f"{(name or 'nameless').replace('-', '_')}-{version or 0}.dist-info"
        info.mkdir()
        headers = [
            "Metadata-Version: 2.3",
            *([f"Name: {name}"] if name else []),
            *([f"Version: {version}"] if version else []),
            *(f"Requires-Dist: {requirement}" for requirement in requires),
            *(f"Provides-Extra: {extra}" for extra in extras),
        ]
        (info / "METADATA").write_text("\n".join(headers) + "\n")
        if not isinstance(entry_points, str):
            lines = (f"{plugin} = {module}\n" for plugin, module in entry_points.items())
            entry_points = "[dnslb]\n" + "".join(lines)
        (info / "entry_points.txt").write_text(entry_points)
        importlib.invalidate_caches()
        return info

    def module(self, name: str, source: str) -> None:
        (self.folder / f"{name}.py").write_text(textwrap.dedent(source))
        self.modules.add(name)
        importlib.invalidate_caches()

    def plugin(self, name: str, source: str, **metadata) -> None:
        """A distribution `acme-NAME` whose plugin `name` is the module `acme_NAME` with this source."""
        self.module(f"acme_{name}", source)
        self.distribution(f"acme-{name}", {name: f"acme_{name}"}, **metadata)

    def imported(self) -> set[str]:
        """Those of its modules that this process has imported."""
        return self.modules & set(sys.modules)


@contextlib.contextmanager
def site_in(folder: Path) -> Iterator[Site]:
    """A site in a new folder below `folder`; what was imported from it is forgotten at the end."""
    site = Site(folder / "site-packages")
    site.folder.mkdir()
    sys.path.insert(0, str(site.folder))
    try:
        yield site
    finally:
        sys.path.remove(str(site.folder))
        for name in site.modules:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
