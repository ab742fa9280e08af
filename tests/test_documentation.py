"""The pages of the documentation hold together: what they show is valid, and what they link to is there."""

import re
from pathlib import Path

import pytest
import yaml

from dnslb import Config
from dnslb.reference import FLAT_KEYS

from pages import DOCS, ROOT, Block, all_pages, blocks, headings, links, prose, section

REFERENCE = DOCS / "reference"
README = ROOT / "README.md"


def name_of(page: Path) -> str:
    """As a reader finds it in the repository."""
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and Sphinx make of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_every_relative_link_leads_somewhere(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


LOOSE = [block for page in all_pages() for block in blocks(page, "python") if block.file is None]


@pytest.mark.parametrize("block", LOOSE, ids=str)
def test_every_piece_of_python_that_is_no_file_runs(block):
    exec(compile(block.text, str(block), "exec"), {})


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_no_page_has_a_block_that_is_not_closed(page):
    assert "```" not in prose(page)


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_every_yaml_block_is_yaml(page):
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block.text) is not None, block


def test_the_two_commands_of_the_readme_are_those_that_a_fresh_machine_needs():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert "    pip install uv && uv run dnslb demo" in lines
    assert "    pip install uv && uv run nox -s tests" in lines


# -- configurations ------------------------------------------------------------------------------------------


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a block of YAML as a file; the secrets that it names are there."""

    def load(block: Block) -> Config:
        secret = tmp_path / "secret"
        secret.write_text("c2VjcmV0IHNlY3JldCBzZWNyZXQ=\n", encoding="utf-8")
        secret.chmod(0o600)
        for name in re.findall(r"env:(\w+)", block.text):
            monkeypatch.setenv(name, secret.read_text(encoding="utf-8").strip())
        file = tmp_path / "dnslb.yml"
        file.write_text(re.sub(r"file:[^\s,}]+", f"file:{secret}", block.text), encoding="utf-8")
        return Config.load(file)

    return load


WHOLE = [
    block
    for page in all_pages()
    for block in blocks(page, "yaml")
    # The plugin that this page writes is installed by the test that follows it: test_write_a_plugin.py.
    if re.match(r"fqdn:|services:", block.text) and page.name != "write-a-plugin.md"
]


@pytest.mark.parametrize("block", WHOLE, ids=str)
def test_every_whole_configuration_on_a_page_is_understood(load, block):
    assert load(block).warnings == ()


def test_there_are_configurations_where_a_reader_expects_them():
    assert {block.page for block in WHOLE} >= {README, REFERENCE / "configuration.md"}
    assert sum(block.text.startswith("services:") for block in WHOLE) >= 1


def test_a_file_of_the_go_package_means_what_the_page_says(load):
    page = REFERENCE / "configuration.md"
    text = section(page, "A file of the Go package")
    flat, spelled_out = [block for block in blocks(page, "yaml") if block.text in text]
    assert [name for name in FLAT_KEYS if name in flat.text] == list(FLAT_KEYS)
    [first], [second] = load(flat).services, load(spelled_out).services
    for made in (first, second):
        assert made.record_manager.registration.name == "route53"
        assert made.region_filter.registration.name == made.destroyer.registration.name == "ec2"
    for key in ("record_manager", "region_filter", "destroyer", "probe"):
        assert getattr(first, key).options == getattr(second, key).options
    assert first.destroyer.options.own_group
    assert (first.check_interval, first.probe_interval, first.ttl) == (45.0, 5.0, 45)
