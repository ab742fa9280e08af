"""The descriptions of AWS's APIs are those of botocore, once in a process."""

from __future__ import annotations

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from dnslb_aws.descriptions import shared_loader


@pytest.fixture(autouse=True)
def fresh():
    shared_loader.cache_clear()
    yield
    shared_loader.cache_clear()


@pytest.mark.parametrize("kind", ["service-2", "paginators-1", "endpoint-rule-set-1"])
def test_a_description_is_what_botocore_reads_itself_in_plain_dictionaries(kind):
    description = shared_loader().load_service_model("sts", kind)
    assert description == Loader().load_service_model("sts", kind)
    assert type(description) is dict


def test_the_members_keep_their_order():
    ours, theirs = (each.load_service_model("sts", "service-2")["shapes"] for each in (shared_loader(), Loader()))
    assert list(ours) == list(theirs)
    assert [list(shape) for shape in ours.values()] == [list(shape) for shape in theirs.values()]


def test_a_description_is_kept_for_all_who_ask():
    first, second = (shared_loader().load_service_model("sts", "service-2") for _ in range(2))
    assert first is second


def test_what_nobody_describes_is_unknown():
    with pytest.raises(UnknownServiceError):
        shared_loader().load_service_model("no-such-service", "service-2")


def test_a_folder_of_descriptions_that_the_host_names_is_searched(monkeypatch, tmp_path):
    folder = tmp_path / "www" / "2026-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"metadata": {}}')
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert shared_loader().load_service_model("www", "service-2") == {"metadata": {}}
