"""What the balancer does and why: pure functions, with no clock, no chance, no log and no I/O in them.

`decide(state, observation, policy)` is the product. The balancer feeds it what it sees and carries out what it
says; a simulator can do the same with virtual time. It is about one record set: A and AAAA are decided apart.
"""

from dnslb.decision.blockrecord import block_name
from dnslb.decision.deciding import decide, revised
from dnslb.decision.leases import Claim, Hold, LeaseView, holds, watched
from dnslb.decision.model import (
    Action,
    Decision,
    Destroy,
    Evict,
    EvictSlowly,
    Health,
    Look,
    Observation,
    Policy,
    Register,
    State,
    Trouble,
    Withdraw,
)
from dnslb.decision.reasons import Reason, Why
from dnslb.decision.targets import attempts, manages

__all__ = [
    "Action",
    "Claim",
    "Decision",
    "Destroy",
    "Evict",
    "EvictSlowly",
    "Health",
    "Hold",
    "LeaseView",
    "Look",
    "Observation",
    "Policy",
    "Reason",
    "Register",
    "State",
    "Trouble",
    "Why",
    "Withdraw",
    "attempts",
    "block_name",
    "decide",
    "holds",
    "manages",
    "revised",
    "watched",
]
