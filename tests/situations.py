"""Any situation that an agent may be in: what it remembers, what it sees, and what is configured.

What it remembers need not have come about by decisions of its own; so whatever holds here holds for agents that were
misled in any way. Seven neighbours have a story each, which is what was last heard of them.
"""

from dataclasses import dataclass, replace
from ipaddress import ip_address

from hypothesis import strategies as st

from dnslb.decision import Decision, Health, Observation, Policy, State, Trouble, decide
from dnslb.decision.blockrecord import block_name
from dnslb.decision.destroyrecord import Line, Stage, destroy_name, new_line, watched_intents
from dnslb.decision.leases import Claim, watched
from dnslb.decision.model import NEVER, Healths
from dnslb.interfaces import ProbeResult, Verdict
from dnslb.records import Address, RecordSet, RecordType

from world import HEALTHY, REFUSED, WALL, address, policy

NAME = "www.example.test"
NOW = 1e6
OWN, FORMER = address(1), address(2)
PEERS = tuple(map(address, range(3, 8)))
STRANGERS = (ip_address("192.0.2.1"), ip_address("169.254.169.254"), ip_address("224.0.0.1"))
"""Of another kind than the own address: no agent may probe or remove these."""

LOCAL = ProbeResult(Verdict.LOCAL, "no descriptors")


@dataclass(frozen=True)
class Situation:
    state: State
    seen: Observation
    policy: Policy

    def decide(self) -> Decision:
        return decide(self.state, self.seen, self.policy)

    def last_probe(self, of: Address) -> tuple[float, ProbeResult | None]:
        """When it was last asked, and what that said, as far as it said anything."""
        if of in self.seen.probes:
            return self.seen.probed_at, self.seen.probes[of]
        health = self.state.health_of(of)
        result = HEALTHY if health.passed else REFUSED if health.failures else None
        return health.asked_at, result

    def lines(self) -> dict[str, float]:
        """The lines of the destroy record as just read, and since when each is known."""
        known = {sighting.line.text: sighting.since for sighting in self.state.intents.sightings}
        return {text: known.get(text, self.seen.now) for text in self.seen.intents.values}


# -- what was heard of somebody ------------------------------------------------------------------------------

ages = st.sampled_from([0.0, 1.0, 4.0, 100.0])
durations = st.sampled_from([0.0, 4.0, 6.0, 30.0, 90.0, 400.0, 7200.0])
well = st.builds(
    lambda passed, age: Health(passed=passed, probed_at=NOW - age, asked_at=NOW - age), st.integers(1, 3), ages
)
failing = st.builds(
    lambda failures, since, age, local: Health(
        failures=failures,
        failing_since=NOW - age - since,
        probed_at=NOW - age,
        asked_at=NOW - age,
        detail="connection refused",
        local=local,
    ),
    st.sampled_from([1, 2, 3, 50]),
    durations,
    ages,
    st.booleans(),
)
UP = Health(passed=2, probed_at=NOW - 5, asked_at=NOW - 5)
DOWN = Health(failures=5, failing_since=NOW - 65, probed_at=NOW - 5, asked_at=NOW - 5, detail="connection refused")

# -- records -------------------------------------------------------------------------------------------------

MINE = Claim(NAME, "0123456789abcdef", addresses=frozenset({OWN}))
OTHERS = Claim(NAME, "0123456789abcdef", addresses=frozenset({PEERS[0]}))
nothing = RecordSet(block_name(NAME), RecordType.TXT)
block_records = st.sampled_from(
    [
        nothing,
        nothing,
        MINE.record_set(1, WALL),
        MINE.record_set(1, WALL - 7200),
        OTHERS.record_set(1, WALL),
        nothing.holding([f"IP={OWN}", "what is this?"], 60),
        nothing.holding([f"IP={PEERS[0]}", "what is this?"], 60),
        nothing.holding(["\udcff\x00"], 60),
    ]
)
lines = st.builds(
    new_line,
    st.sampled_from([OWN, *PEERS, STRANGERS[0]]),
    st.sampled_from([Stage.INTENT, Stage.INTENT, *Stage]),
    st.sampled_from([OWN, *PEERS]),
    st.sampled_from(["00000001", "00000002", "00000003"]),
    st.just(WALL),
)


def destroy_record(content: list[Line], nonsense: list[str]) -> RecordSet:
    return RecordSet(destroy_name(NAME), RecordType.TXT).holding([*(line.text for line in content), *nonsense], 60)


pending = st.sampled_from([Stage.INTENT, Stage.EXECUTING])
past = st.sampled_from([NOW - 1, NOW - 20, NOW - 100, NOW - 400, NOW - 1400, NOW - 4000])
LOW_TTL = 2
RECORDS = ("record_set", "block_record", "intents")

# -- all of it -----------------------------------------------------------------------------------------------

ODDITIES = (
    *("is out", "was removed", "fails itself", "was not asked itself", "cannot ask", "has moved", "stops"),
    *("holds", "waits for objections", "backs off", "waits to write", "just removed slowly", "is objected to"),
    *("dead answer", "dead unasked", "dead could not be asked", "nobody asked", "dead are back", "elsewhere"),
    *(
        "all dead",
        "strangers",
        "emptied",
        "region",
        "no destroyer",
        "no intents",
        "one more line",
        "nonsense",
        "new nonsense",
    ),
    *("record set unread", "block record unread", "destroy record unread", "provider down", "blocked", "hints"),
    *("witnesses", "low TTL", "is meant"),
)


@st.composite
def situations(draw) -> Situation:
    """An agent that is well in a cluster where some are dead, and up to four oddities on top of it."""
    odd = draw(st.frozensets(st.sampled_from(ODDITIES), max_size=3))
    rules = policy(
        draw(st.sampled_from([5.0, 60.0])),
        max_failures=draw(st.sampled_from([5, 60])),
        regional=bool(odd & {"region", "elsewhere"}),
        destroys="no destroyer" not in odd,
        hints="hints" in odd,
        witnesses="witnesses" in odd,
        low_ttl=LOW_TTL if "low TTL" in odd else None,
    )
    number = len(PEERS) if "all dead" in odd else draw(st.sampled_from([0, 1, 1, 2]))
    dead = frozenset(PEERS[:number])
    gone = frozenset(PEERS[: draw(st.integers(0, number))])
    state = _remembered(draw, odd, rules, dead, gone)
    return Situation(state, _seen(draw, odd, rules, state, dead), rules)


def _remembered(draw, odd, rules: Policy, dead: frozenset[Address], gone: frozenset[Address]) -> State:
    members = frozenset({OWN, *PEERS}) - gone
    members |= frozenset(STRANGERS if "strangers" in odd else ()) | frozenset({FORMER} if "has moved" in odd else ())
    members -= {OWN} if "is out" in odd else frozenset()
    doomed = [new_line(each, draw(pending), OWN, f"{int(each):08x}", WALL) for each in sorted(gone, key=int)]
    doomed = [] if "no intents" in odd else doomed
    doomed += [new_line(OWN, draw(pending), PEERS[0], "0000000b", WALL)] if "is meant" in odd else []
    other_lines = draw(st.lists(lines, max_size=2)) if "one more line" in odd else []
    read_before = destroy_record([*doomed, *other_lines], ["what is this?"] if "nonsense" in odd else [])
    sizes = draw(st.sampled_from([[], [8], [10], [12]]))
    later = NOW + 30
    return State(
        own=OWN,
        former=frozenset({FORMER}) if "has moved" in odd else frozenset(),
        record_set=RecordSet(NAME, RecordType.A).holding(members, rules.low_ttl or rules.ttl),
        shown=members,
        sizes=tuple((NOW - 10, size) for size in sizes),
        health=Healths(
            {
                OWN: DOWN if "fails itself" in odd else UP,
                FORMER: UP,
                **{each: draw(failing) if each in dead else draw(well) for each in PEERS},
            }
        ),
        registered_since=NOW - 7200 if OWN in members else None,
        not_before=later if "backs off" in odd else NOW - 7200,
        left=dict.fromkeys(gone, NOW + 60),
        held_until=later if "holds" in odd or "is objected to" in odd else NOW - 7200,
        objectors=dead if "is objected to" in odd else frozenset(),
        wave=draw(st.integers(0, 3)),
        paced_until=later if "waits for objections" in odd else NOW - draw(st.sampled_from([1, 7200])),
        removed=dict.fromkeys(gone, NOW - 100) if rules.destroys else {},
        last_slow=NOW - 1 if "just removed slowly" in odd else NOW - 7200,
        calm_since=None if dead or gone else NOW - draw(st.sampled_from([1.0, 7200.0])),
        lease=watched(None, draw(block_records), draw(past)),
        intents=watched_intents(None, read_before, draw(past)),
        next_write=later if "waits to write" in odd else NOW - 1,
        witnessed=draw(st.sampled_from([None, True, False])) if rules.witnesses else None,
        witnessed_at=NOW - draw(st.sampled_from([4.0, 100.0])) if rules.witnesses else -NEVER,
    )


def _seen(draw, odd, rules: Policy, state: State, dead: frozenset[Address]) -> Observation:
    known_lines = [sighting.line for sighting in state.intents.sightings]
    new_lines = draw(st.lists(lines, max_size=1)) if "one more line" in odd else []
    probes = _probes(odd, dead)
    seen = Observation(
        now=NOW,
        wall=WALL,
        own=OWN,
        host=frozenset({OWN}),
        record_set=RecordSet(NAME, RecordType.A).holding(_members(odd, state, dead), rules.low_ttl or 60),
        block_record=draw(block_records) if "blocked" in odd else nothing,
        intents=destroy_record(known_lines + new_lines, ["IP=10.0.0.7 Stage=intent"] if "new nonsense" in odd else []),
        probes=probes,
        probed_at=NOW - draw(st.sampled_from([0.0, 1.5])),
        local=frozenset(probes) - (dead if "elsewhere" in odd else frozenset()),
        witnesses=draw(st.sampled_from([True, True, False, None])) if rules.witnesses else None,
        witnessed_at=NOW - draw(st.sampled_from([0.0, 1.5, 100.0])),
        stopping="stops" in odd,
        jitter=draw(st.sampled_from([0.0, 0.5, 1.0])),
        token=draw(st.sampled_from(["00000008", "00000009"])),
    )
    unread = [
        record for record in RECORDS if record.replace("_", " ").replace("intents", "destroy record") + " unread" in odd
    ]
    if "provider down" in odd:
        return replace(seen, trouble=Trouble(), **dict.fromkeys(RECORDS))
    return replace(seen, **dict.fromkeys(unread))


def _members(odd, state: State, dead: frozenset[Address]) -> frozenset[Address]:
    members = state.members - ({OWN} if "was removed" in odd else frozenset())
    members |= dead if "dead are back" in odd else frozenset()
    return members & {OWN, PEERS[0]} if "emptied" in odd else members


def _probes(odd, dead: frozenset[Address]) -> dict[Address, ProbeResult]:
    if "nobody asked" in odd:
        return {}
    probes = {OWN: HEALTHY, FORMER: HEALTHY} | {each: REFUSED if each in dead else HEALTHY for each in PEERS}
    probes |= {OWN: REFUSED} if "fails itself" in odd else {}
    probes |= dict.fromkeys(dead, HEALTHY) if "dead answer" in odd else {}
    probes |= dict.fromkeys(dead, LOCAL) if "dead could not be asked" in odd else {}
    probes = dict.fromkeys(probes, LOCAL) if "cannot ask" in odd else probes
    unasked = {OWN} if "was not asked itself" in odd else dead if "dead unasked" in odd else frozenset()
    return {each: result for each, result in probes.items() if each not in unasked}
