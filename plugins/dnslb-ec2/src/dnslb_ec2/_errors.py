"""What answers mean that only EC2 gives.

Source of the codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Mapping

from dnslb import Denied
from dnslb_aws.errors import ALLOW, CHECK_KEYS, Meaning

_MEANINGS: Mapping[str, Meaning] = {
    "UnauthorizedOperation": (Denied, ALLOW),
    "AuthFailure": (Denied, CHECK_KEYS),
    "Blocked": (Denied, "AWS has blocked the account; its support says why"),
    "PendingVerification": (Denied, "AWS is still verifying the account; wait, or ask its support"),
}


def meaning_of(code: str, message: str) -> Meaning | None:  # noqa: ARG001 - the code says it all
    """The error that an answer with this code is, and the next step; None where all of AWS may give it."""
    return _MEANINGS.get(code)
