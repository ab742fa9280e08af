"""How many examples a property is tried with: few each time, many where somebody asks for them.

`pytest tests/properties --hypothesis-profile=thorough --timeout=3600` tries twenty times as many.
"""

from hypothesis import settings

_USUAL = 100
"""What Hypothesis tries by default; the profile `thorough` of conftest.py says more."""


def effort(examples: int, **others) -> settings:
    """The settings of a property that is tried with so many examples each time, as fast as the machine is."""
    return settings(max_examples=max(1, examples * settings().max_examples // _USUAL), deadline=None, **others)
