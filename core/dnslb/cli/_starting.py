"""What `check` and `run` have in common: what keeps a service from starting is told with its place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dnslb.balancer import LoadBalancer
from dnslb.errors import ConfigurationError, Refused


@contextmanager
def in_file(file: Path) -> Iterator[None]:
    """Names the file in every problem of the body that names none."""
    try:
        yield
    except ConfigurationError as error:
        located = (problem if problem.file else replace(problem, file=str(file)) for problem in error.problems)
        raise ConfigurationError(located) from error


async def verify(balancer: LoadBalancer) -> bool:
    """As `LoadBalancer.verify`; what the provider refuses is told with the place where the provider was chosen.

    Raises:
        ConfigurationError: there is no own address, or the provider refuses.
    """
    try:
        return await balancer.verify()
    except Refused as error:
        raise balancer.settings.required_record_manager().refused(error) from error
