"""The descriptions of AWS's APIs that come with botocore: most of the memory it takes, so all plugins share them."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session


@functools.cache
def shared_loader() -> Loader:
    """One for the process, which keeps what it has loaded.

    Raises:
        BotoCoreError: AWS's own configuration files, which may name a folder of descriptions, cannot be read.
    """
    loader: Loader = Session().get_component("data_loader")
    loader.file_loader = _PlainDictionaries()
    return loader


class _PlainDictionaries(JSONFileLoader):
    """Loads into dictionaries where botocore takes OrderedDict, which needs twice the memory for the same order."""

    def load_file(self, file_path: str) -> Any:
        """What is in the file, or None where it is not there; `file_path` lacks the ending."""
        for ending, opener in ((".json", open), (".json.gz", gzip.open)):
            path = Path(file_path + ending)
            if path.is_file():
                with opener(path, "rb") as file:
                    return json.load(file)
        return None
