"""The documentation as data: its pages, and the blocks of code, tables, headings and links in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(?P<language>\S*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^`(?P<file>[^`]+)`(?:, .*)?:$")
_CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block of code; `file` is the name in the line above it, if that has the form "`NAME`:"."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def all_pages() -> list[Path]:
    """Every page that a reader may come to."""
    folders = [path for path in DOCS.rglob("*.md") if not {"_build", "changelog.d"} & set(path.parts)]
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("plugins/*/README.md"), *folders])


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """The fenced blocks of a page, or those in one language."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()].rstrip().splitlines() or [""]
        named = _FILE.match(before[-1])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match["language"], match["text"], named["file"] if named else None))
    return [block for block in found if language in (None, block.language)]


def write_files(page: Path, folder: Path) -> dict[str, Path]:
    """Writes the blocks that are files with a relative name, as a reader would; answers with what was written."""
    written = {}
    for block in blocks(page):
        if block.file and not Path(block.file).is_absolute():
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            written[block.file] = path
    return written


def block_of(page: Path, file: str) -> str:
    """The text of the one block that is that file."""
    [found] = [block.text for block in blocks(page) if block.file == file]
    return found


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    """The headings, without the number signs and the code marks."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return [heading.replace("`", "") for heading in found]


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next of the same or a higher rank."""
    text = page.read_text(encoding="utf-8")
    match = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert match, f"{page.name} has no heading {heading!r}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", _FENCE.sub(lambda fence: "x" * len(fence[0]), rest), re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in `text`, without their heads."""
    found, above = [], ""
    for line in text.splitlines():
        if line.startswith("| "):
            cells = [cell.strip().replace("\\|", "|") for cell in _CELLS.split(line.strip())[1:-1]]
            is_head = not above.startswith("|")
            if not is_head and not set(line) <= set("|-: "):
                found.append(cells)
        above = line
    return found


def known(cells: list[list[str]]) -> dict[str, list[str]]:
    """The rows of a table by their first cell, without its code marks."""
    table = {row[0].strip("`"): row[1:] for row in cells}
    assert len(table) == len(cells), "a row is there twice"
    return table


def links(page: Path) -> Iterator[str]:
    """The targets of all links of the page."""
    yield from re.findall(r"\]\(([^)\s]+)\)", prose(page))
