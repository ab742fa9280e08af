"""What the balancer does and why: pure functions, with no clock, no chance, no log and no I/O in them.

`decide(state, observation, policy)` is the product. The balancer feeds it what it sees and carries out what it
says; a simulator can do the same with virtual time. It is about one record set: A and AAAA are decided apart.
"""

from dnslb.decision.actions import (
    Action,
    Destroy,
    Edit,
    Evict,
    EvictSlowly,
    Intend,
    Mark,
    RaiseTtl,
    Register,
    Veto,
    Withdraw,
)
from dnslb.decision.blockrecord import block_name
from dnslb.decision.deciding import decide, revised
from dnslb.decision.destroying import remarked, settled
from dnslb.decision.destroyrecord import destroy_name
from dnslb.decision.leases import Claim, Hold, LeaseView, holds, watched
from dnslb.decision.model import Decision, Health, Look, Observation, State, Trouble
from dnslb.decision.policy import Policy
from dnslb.decision.reasons import Reason, Why
from dnslb.decision.targets import attempts, manages

__all__ = [
    "Action",
    "Claim",
    "Decision",
    "Destroy",
    "Edit",
    "Evict",
    "EvictSlowly",
    "Health",
    "Hold",
    "Intend",
    "LeaseView",
    "Look",
    "Mark",
    "Observation",
    "Policy",
    "RaiseTtl",
    "Reason",
    "Register",
    "State",
    "Trouble",
    "Veto",
    "Why",
    "Withdraw",
    "attempts",
    "block_name",
    "decide",
    "destroy_name",
    "holds",
    "manages",
    "remarked",
    "revised",
    "settled",
    "watched",
]
