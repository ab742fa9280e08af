"""What answers mean that only Route 53 gives.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html#API_ChangeResourceRecordSets_Errors
"""

from __future__ import annotations

import re

from dnslb import Conflict, Rejected, Throttled, ZoneNotFound
from dnslb_aws.errors import Meaning

# "Tried to create resource record set [name='www.example.com.', type='A'] but it already exists". Other messages
# speak of what already exists, too: a CNAME record of the name, which no retry gets out of the way.
_STALE = re.compile(
    r"Tried to (?:create|delete) resource record set (?:(?! but ).)*? but "
    r"(?:it already exists|it was not found|the values provided do not match the current values)\.?"
)
_BETWEEN_MESSAGES = re.compile(r"[\[\],;\s]*")


def meaning_of(code: str, message: str) -> Meaning | None:
    """The error that an answer with this code and message is, and the next step; None where all of AWS may give it."""
    match code:
        case "InvalidChangeBatch":
            return _refused_batch(message)
        case "NoSuchHostedZone":
            return ZoneNotFound, "check hosted_zone_id, and that the credentials are of the zone's account"
        case "PriorRequestNotComplete":
            return Throttled, "Route 53 is still at an earlier request of the account"
    return None


def _refused_batch(message: str) -> Meaning:
    """A conflict if every message says so; with any other among them it is useless to read again."""
    left, stale = _STALE.subn("", message)
    if stale and _BETWEEN_MESSAGES.fullmatch(left):
        return Conflict, "it is no longer what was read; read it again"
    return Rejected, "Route 53 does not take this change; correct the records of the zone that it names"
