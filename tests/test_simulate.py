"""A configuration can be tried out before it is used: `dnslb simulate` runs it, and `dnslb explain` computes it."""

import io
import json
import random
import re
from xml.etree import ElementTree as ET

import pytest

from dnslb.cli import main
from dnslb.cli._progress import Progress
from dnslb.decision import Policy
from dnslb.records import RecordType
from dnslb.simulation.agents import KeeperAgent
from dnslb.simulation.bounds import Bounds
from dnslb.simulation.cluster import Cluster, address_of
from dnslb.simulation.outcome import Setting, Tally, play
from dnslb.simulation.picture import picture
from dnslb.simulation.provider import NAME, ProviderModel, Written
from dnslb.simulation.scenarios import SCENARIOS, Turn
from dnslb.simulation.summary import Times, summary

USUAL = Policy(interval=15.0, probe_interval=5.0, ttl=15)
ONE, TWO, THREE = map(address_of, range(3))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "dnslb.yml"
    keys = ("fqdn: www.example.com", "tcp_port: 80", "check_interval: 15s", "record_manager: {plugin: local, path: r}")
    file.write_text("".join(f"{key}\n" for key in keys))
    return file


@pytest.fixture
def command(capsys):
    """Runs the command in this process; answers with its status, what it prints, and its errors."""

    def command(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as ended:
            status = ended.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


def figures(command, *words):
    status, out, err = command("simulate", *words, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)["results"]


def run(name, nodes=6, policy=USUAL, seed=1, **provider):
    return play(SCENARIOS[name], Setting(nodes, policy, ProviderModel(**provider)), KeeperAgent, seed)


# -- dnslb simulate ----------------------------------------------------------------------------------------------


def test_a_crash_is_told_as_a_table(command, file):
    status, out, err = command("simulate", file, "--nodes", 5, "--runs", 2)
    assert (status, err) == (0, "")
    assert out.startswith("www.example.com: check_interval 15s, probe_interval 5s, TTL 15 s, local (no limit known)\n")
    assert re.search(r"^  a dead member leaves after +\d+\.\d s, p99 \d+\.\d s$", out, re.MULTILINE)
    assert re.search(r"^  smallest record set +4 of 5$", out, re.MULTILINE)
    assert "removal + propagation (0 s) + TTL (15 s)" in out


def test_the_figures_come_as_json_and_hang_together(command, file):
    [ours] = figures(command, file, "--nodes", 5, "--runs", 3, "--propagation", "30s").values()
    removal, exposure = ours["removal"], ours["exposure"]
    assert (ours["runs"], removal["count"], ours["missed"], ours["false_removals"]) == (3, 3, 0, 0)
    assert exposure["median"] == pytest.approx(removal["median"] + 30 + 15)
    assert exposure["p99"] == pytest.approx(removal["p99"] + 30 + 15)


def test_one_seed_gives_one_history_and_another_seed_another(command, file):
    first, again, other = (figures(command, file, "--runs", 1, "--seed", seed) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_the_algorithm_of_the_go_package_is_simulated_beside_ours(command, file):
    results = figures(command, file, "--reference", "--runs", 2)
    assert list(results) == ["dnslb", "reference"]
    assert results["reference"]["removal"]["median"] > 2 * results["dnslb"]["removal"]["p99"]
    _, out, _ = command("simulate", file, "--reference", "--runs", 1)
    assert re.search(r"^ +dnslb +Go package$", out, re.MULTILINE)


def test_nothing_is_made_of_the_configuration_and_nobody_is_asked(command, file):
    assert command("simulate", file, "--runs", 1)[0] == command("explain", file)[0] == 0
    assert not (file.parent / "r").exists()


def test_a_limit_of_requests_is_kept_to_and_the_cost_told_as_a_share_of_it(command, file):
    [ours] = figures(command, file, "--runs", 1, "--limit", 0.5).values()
    assert ours["throttled"] > 0
    assert ours["requests_an_hour"] > 0.5 * 3600
    _, out, _ = command("simulate", file, "--runs", 1, "--limit", 5)
    assert re.search(r"requests an hour +[\d,]+ \(1\d\.\d % of the limit\)", out)


def test_the_limit_is_what_the_plugin_of_the_provider_says(command, file):
    file.write_text("fqdn: a.example\ntcp_port: 80\nrecord_manager: {plugin: route53, hosted_zone_id: Z1}\n")
    assert json.loads(command("simulate", file, "--runs", 1, "--json")[1])["limit"] == 5.0
    assert json.loads(command("simulate", file, "--runs", 1, "--json", "--limit", 0)[1])["limit"] is None


def test_it_lasts_as_long_as_somebody_wants(command, file):
    out = command("simulate", file, "--runs", 1, "--hours", 0.5, "--json")[1]
    assert json.loads(out)["seconds"] == 1800
    assert "1 run of 30m" in command("simulate", file, "--runs", 1, "--hours", 0.5)[1]


def test_the_help_names_every_scenario(command):
    status, out, _ = command("simulate", "--help")
    assert status == 0
    assert all(re.search(rf"^  {name}  +\S", out, re.MULTILINE) for name in SCENARIOS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scenario", "earthquake"], "earthquake"),
        (["--nodes", "0"], "less than 1"),
        (["--hours", "-1"], "not a number of hours"),
        (["--limit", "-1"], "no number of requests"),
        (["--propagation", "30"], "not a duration"),
    ],
)
def test_what_cannot_be_simulated_is_refused(command, file, words, said):
    status, out, err = command("simulate", file, *words)
    assert (status, out) == (2, "")
    assert said in err


def test_of_several_services_one_has_to_be_chosen(command, file):
    file.write_text("services:\n  - {fqdn: a.example, tcp_port: 80}\n  - {fqdn: b.example, tcp_port: 80}\n")
    status, _, err = command("simulate", file)
    assert status == 2
    assert err == "dnslb: the file has several services; choose one: --service a.example or --service b.example\n"
    assert command("simulate", file, "--service", "c.example")[2].startswith("dnslb: the file has no service c.example")
    assert command("simulate", file, "--service", "b.example", "--runs", 1)[1].startswith("b.example: ")
    assert re.findall(r"^\w\.example", command("explain", file)[1], re.MULTILINE) == ["a.example", "b.example"]


# -- the bar -----------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_how_far_it_is_and_is_clean_afterwards():
    terminal = Terminal()
    with Progress("crash", terminal) as bar:
        for done in (0.0, 0.5, 0.501, 1.0):
            bar.show(done)
    shown = terminal.getvalue().split("\r\x1b[2K")
    assert [line[-5:] for line in shown[1:-1]] == ["  0 %", " 50 %", "100 %"]
    assert shown[-1] == ""


def test_what_is_no_terminal_is_left_alone():
    output = io.StringIO()
    with Progress("crash", output) as bar:
        bar.show(0.5)
    assert output.getvalue() == ""


# -- scenarios ---------------------------------------------------------------------------------------------------


def said(outcome, event):
    return [each for each in outcome.events if each.event == event and each.at > outcome.begin]


SEEN = {
    "crash": lambda o: len(o.tally.removals) == 1 and o.tally.smallest == 5,
    "half-dies": lambda o: len(o.tally.removals) == 3 and o.tally.smallest == 3,
    "all-down": lambda o: o.tally.missed == o.tally.smallest == 6 and o.dead_answers == pytest.approx(0.75),
    "flapping": lambda o: len(o.tally.removals) > 5 and o.tally.smallest == 5,
    "partition": lambda o: said(o, "refused") and o.tally.smallest >= 1 and not o.tally.removals,
    "isolated": lambda o: o.tally.removals and said(o, "refused"),
    "unreachable": lambda o: o.tally.removals and o.tally.smallest == 5,
    "one-broken-link": lambda o: said(o, "removed") + said(o, "refused") and o.tally.smallest >= 4,
    "loss": lambda o: not o.tally.missed and o.tally.smallest >= 5,
    "cold-start": lambda o: len(o.writes) == 6 and len(said(o, "registered")) == 6 and o.settled_after < 60,
    "slow-start": lambda o: o.writes[0].at > 180 and len(o.writes[-1].after) == 6,
    "restart": lambda o: len(o.writes) == 12 and len(said(o, "withdrawn")) == 6 and not o.tally.removals,
    "provider-outage": lambda o: min(o.tally.removals) > 0.75 * (o.end - o.begin) and not o.throttled,
    "throttling": lambda o: min(o.tally.removals) > 0.75 * (o.end - o.begin) and o.throttled > 10,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_scenario_says_is_what_happens(name):
    outcome = run(name)
    assert SEEN[name](outcome)
    assert outcome.settled_after is not None
    assert outcome.healthy_destroyed == 0


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("nodes", [1, 2])
def test_every_scenario_can_be_had_with_very_few_nodes(name, nodes):
    outcome = run(name, nodes)
    assert 0 <= outcome.tally.smallest <= nodes
    assert all(seconds >= 0 for seconds in outcome.tally.removals + outcome.tally.absences)


def test_a_destroyer_is_simulated_too():
    outcome = run("crash", policy=Policy(15.0, 5.0, 15, destroys=True))
    assert (outcome.destroyed, outcome.healthy_destroyed) == (1, 0)


# -- what is counted ---------------------------------------------------------------------------------------------


def tally(*happened, members=(ONE, TWO, THREE)):
    counted = Tally(frozenset(members), smallest=len(members))
    for each in happened:
        counted.pass_time(each.at)
        counted.turn(each) if isinstance(each, Turn) else counted.write(each)
        counted.look(frozenset({ONE, TWO, THREE}))
    counted.pass_time(100.0)
    counted.end()
    return counted


def wrote(at, by, before, after):
    return Written(at, by, frozenset(before), frozenset(after))


def test_a_removal_takes_from_the_death_to_the_commit():
    counted = tally(Turn(10.0, ONE, serves=False), wrote(18.0, TWO, [ONE, TWO, THREE], [TWO, THREE]))
    assert (counted.removals, counted.missed, counted.false_removals, counted.smallest) == ([8.0], 0, 0, 2)
    assert counted.dead_seconds == pytest.approx(8 / 3)
    assert counted.right_since == 18.0


def test_who_lives_again_before_it_is_removed_was_missed():
    counted = tally(Turn(10.0, ONE, serves=False), Turn(40.0, ONE, serves=True), Turn(90.0, TWO, serves=False))
    assert (counted.removals, counted.missed) == ([], 2)
    assert counted.dead_seconds == pytest.approx(40 / 3)


def test_only_who_served_and_was_taken_out_by_another_was_removed_falsely():
    everybody = [ONE, TWO, THREE]
    counted = tally(
        wrote(10.0, TWO, everybody, [TWO, THREE]),
        wrote(35.0, ONE, [TWO, THREE], everybody),
        wrote(50.0, THREE, everybody, [ONE, TWO]),
    )
    assert (counted.false_removals, counted.absences, counted.removals) == (1, [25.0], [])


def test_a_dead_member_that_comes_back_misleads_clients_from_then_on():
    counted = tally(
        Turn(10.0, ONE, serves=False),
        wrote(18.0, TWO, [ONE, TWO, THREE], [TWO, THREE]),
        wrote(30.0, ONE, [TWO, THREE], [ONE, TWO, THREE]),
        wrote(37.0, TWO, [ONE, TWO, THREE], [TWO, THREE]),
    )
    assert counted.removals == [8.0, 7.0]


def test_times_are_told_by_the_nearest_rank():
    assert Times.of([]) == Times(0, None, None)
    assert Times.of([4.0, 1.0, 2.0]) == Times(3, 2.0, 4.0)
    assert Times.of(range(1, 201)).p99 == 198
    assert Times.of([1.0]).plus(2.0) == Times(1, 3.0, 3.0)


def test_counts_of_several_runs_are_means_and_extremes_the_worst():
    runs = [run("crash", seed=seed) for seed in (1, 2)]
    result = summary(runs, ttl=15, propagation=0)
    assert result.removal.count == 2
    assert result.smallest == min(each.tally.smallest for each in runs)
    assert result.requests_an_hour == pytest.approx(sum(each.requests_an_hour for each in runs) / 2)


# -- the picture -------------------------------------------------------------------------------------------------


def test_the_picture_has_a_row_for_each_node_and_tells_what_agents_said(command, file, tmp_path):
    drawn = tmp_path / "out.svg"
    assert command("simulate", file, "--nodes", 5, "--runs", 1, "--picture", drawn)[0] == 0
    root = ET.parse(drawn).getroot()
    named = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "node"]
    assert named == [str(address_of(number)) for number in range(5)]
    [removed] = [mark for mark in root.iter(f"{SVG}path") if mark.get("class") == "mark removed" and len(mark)]
    assert re.search(r"failed \d probes over \d+\.\d s: no answer in time", removed[0].text)
    dead = [bar for bar in root.iter(f"{SVG}rect") if bar.get("class") == "dead" and len(bar)]
    assert len(dead) == 1
    assert float(removed.get("d")[1:].split(" ")[0]) >= float(dead[0].get("x"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_everything_on_a_picture_is_on_the_picture(name):
    root = ET.fromstring(picture(run(name, nodes=40 if name == "cold-start" else 5), "a <b> & 'c'", "<&>"))
    width, height = float(root.get("width")), float(root.get("height"))
    for each in root.iter(f"{SVG}rect"):
        if each.get("x"):
            x, y, wide, high = (float(each.get(key)) for key in ("x", "y", "width", "height"))
            assert 0 <= x <= x + wide <= width
            assert 0 <= y <= y + high <= height
            assert wide >= 0
    assert next(text.text for text in root.iter(f"{SVG}text")) == "a <b> & 'c'"


def test_a_picture_that_cannot_be_written_is_one_line(command, file, tmp_path):
    status, out, err = command("simulate", file, "--runs", 1, "--picture", tmp_path / "none" / "out.svg")
    assert (status, out) == (1, "")
    assert re.fullmatch(r"dnslb: the picture cannot be written: No such file or directory: .*; name another .*\n", err)


# -- dnslb explain, held against the simulator -------------------------------------------------------------------

POLICIES = [
    USUAL,
    Policy(60.0, 5.0, 60),
    Policy(60.0, 30.0, 60),
    Policy(15.0, 1.0, 15),
    Policy(15.0, 5.0, 15, fall=6, rise=4),
    Policy(5.0, 2.0, 5, fall=1),
]
ON_HINTS = Policy(15.0, 5.0, 15, hints=True)


def at_rest(size, policy, seed):
    cluster = Cluster(size, policy, KeeperAgent, seed)
    cluster.register_all()
    cluster.start(within=policy.interval)
    cluster.run_until((5 + cluster.chance.random()) * policy.interval)
    return cluster


def seconds_until(cluster, condition, limit):
    began = cluster.now
    while not condition():
        assert cluster.now - began < limit, f"not within {limit:.1f} s"
        cluster.run_until(cluster.now + 0.02)
    return cluster.now - began


@pytest.mark.parametrize("policy", [*POLICIES, ON_HINTS], ids=str)
@pytest.mark.parametrize("silent", [True, False], ids=["a host", "a process"])
def test_the_dead_leave_as_soon_as_is_explained(policy, silent):
    bound = Bounds(policy).removal(silent=silent)
    seen = []
    for seed in range(24):
        cluster = at_rest(2 + seed % 4, policy, seed)
        victim = random.Random(seed).choice(list(cluster.nodes))
        cluster.crash(victim, silent=silent)
        seen.append(seconds_until(cluster, lambda: victim not in cluster.members, bound + 0.02))  # noqa: B023
    assert max(seen) > 0.65 * bound, "the bound is far from what happens"


@pytest.mark.parametrize("policy", [*POLICIES, ON_HINTS], ids=str)
def test_a_pause_that_is_shorter_than_explained_removes_nobody(policy):
    for seed in range(6):
        cluster = at_rest(3, policy, seed)
        cluster.service_down(ONE)
        cluster.run_until(cluster.now + policy.blip - 0.1)
        cluster.service_up(ONE)
        cluster.run_until(cluster.now + 2 * policy.interval)
        assert ONE in cluster.members


@pytest.mark.parametrize("policy", [*POLICIES, ON_HINTS], ids=str)
def test_a_new_server_registers_as_soon_as_is_explained(policy):
    bound = Bounds(policy).registration
    for seed in range(6):
        cluster = Cluster(1, policy, KeeperAgent, seed)
        cluster.start()
        assert seconds_until(cluster, lambda: cluster.members, bound + 0.02) > 0.7 * bound  # noqa: B023


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_who_was_removed_and_sees_nothing_wrong_is_back_when_it_is_explained(policy):
    bound = Bounds(policy).absence
    seen = []
    for seed in range(8):
        cluster = at_rest(5, policy, seed)
        held = cluster.provider.held(NAME, RecordType.A)
        cluster.provider.put(held.holding(held.addresses - {ONE}, policy.ttl), TWO)
        seen.append(seconds_until(cluster, lambda: ONE in cluster.members, bound + 0.02))  # noqa: B023
    assert max(seen) > 0.65 * bound


@pytest.mark.parametrize("policy", [*POLICIES, ON_HINTS], ids=str)
def test_who_was_removed_and_objects_is_back_when_it_is_explained(policy):
    bound = Bounds(policy).objection
    for seed in range(8):
        # ONE fails to reach two others, has removed one of them as a question, and is then removed itself.
        cluster = at_rest(5, policy, seed)
        cluster.network.cut(ONE, TWO)
        cluster.network.cut(ONE, THREE)
        seconds_until(cluster, lambda: len(cluster.members) == 4, 20 + 20 * policy.probe_interval)  # noqa: B023
        held = cluster.provider.held(NAME, RecordType.A)
        cluster.provider.put(held.holding(held.addresses - {ONE}, policy.ttl), TWO)
        out = seconds_until(cluster, lambda: ONE in cluster.members, bound + 0.02)  # noqa: B023
        assert out >= policy.objection_pause(policy.disturbed_interval)


def test_who_lives_on_hints_is_back_no_later_than_is_explained():
    bound = Bounds(ON_HINTS).absence
    for seed in range(8):
        cluster = at_rest(5, ON_HINTS, seed)
        held = cluster.provider.held(NAME, RecordType.A)
        cluster.provider.put(held.holding(held.addresses - {ONE}, ON_HINTS.ttl), TWO)
        seconds_until(cluster, lambda: ONE in cluster.members, bound + 0.02)  # noqa: B023


def test_who_was_removed_again_and_again_stays_away_no_longer_than_is_explained():
    bound = Bounds(USUAL).longest_absence
    cluster, absences = at_rest(5, USUAL, 1), []
    for _ in range(6):
        held = cluster.provider.held(NAME, RecordType.A)
        cluster.provider.put(held.holding(held.addresses - {ONE}, USUAL.ttl), TWO)
        absences.append(seconds_until(cluster, lambda: ONE in cluster.members, bound + 0.02))
        cluster.run_until(cluster.now + 2 * USUAL.interval)
    assert absences[-1] > 0.65 * bound
    assert absences[0] < Bounds(USUAL).absence


@pytest.mark.parametrize("seed", range(4))
def test_who_is_protected_leaves_in_the_end_as_is_explained(seed):
    policy = Policy(15.0, 5.0, 15, max_failures=4, regional=True)
    bound = Bounds(policy).slow_removal
    cluster = at_rest(4, policy, seed)
    cluster.nodes[ONE].region = "elsewhere"
    cluster.crash(ONE, silent=True)
    assert seconds_until(cluster, lambda: ONE not in cluster.members, bound + 0.02) > 0.65 * bound


def test_an_instance_is_destroyed_no_sooner_than_is_explained():
    policy = Policy(15.0, 5.0, 15, destroys=True)
    outcome = run("crash", policy=policy)
    [intended], [destroyed] = said(outcome, "intended"), said(outcome, "destroyed")
    assert policy.destroy_delay <= destroyed.at - intended.at < 1.3 * policy.destroy_delay


def test_the_floor_is_what_is_explained():
    for nodes in (2, 5, 8):
        cluster = at_rest(nodes, USUAL, 1)
        for address in list(cluster.nodes)[1:]:
            cluster.crash(address, silent=True)
        cluster.run_until(cluster.now + 10 * USUAL.interval)
        assert len(cluster.members) >= Bounds(USUAL).floor(nodes)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("nodes", [1, 2, 12])
def test_requests_and_probes_are_as_many_as_is_explained(policy, nodes):
    cluster, bounds = at_rest(nodes, policy, 1), Bounds(policy)
    requests, probes, seconds = cluster.provider.requests, cluster.probes, 60 * policy.interval
    cluster.run_until(cluster.now + seconds)
    requests, probes = cluster.provider.requests - requests, cluster.probes - probes
    assert requests * 3600 / seconds == pytest.approx(bounds.requests_an_hour(nodes), rel=0.08)
    assert 0.75 * bounds.probes_a_second(nodes) < probes / seconds <= 1.05 * bounds.probes_a_second(nodes)


def test_agents_that_ask_name_servers_send_as_few_requests_as_is_explained():
    cluster = Cluster(12, ON_HINTS, KeeperAgent, provider=ProviderModel(propagation=20.0))
    cluster.register_all()
    cluster.start(within=600.0)
    cluster.run_until(1500.0)
    already = cluster.provider.requests
    cluster.run_until(1500.0 + 10 * 600)
    requests = (cluster.provider.requests - already) * 3600 / (10 * 600)
    assert requests == pytest.approx(Bounds(ON_HINTS).requests_an_hour(12), rel=0.1)
    assert requests < Bounds(USUAL).requests_an_hour(12) / 30


def test_while_a_member_fails_there_are_no_more_requests_than_is_explained():
    for name in ("partition", "half-dies", "isolated"):
        outcome = run(name, nodes=8)
        commits = 2 * len(outcome.writes) + 8
        assert outcome.busiest_minute <= Bounds(USUAL).most_requests_an_hour(8) / 60 + commits
        assert outcome.requests_an_hour < Bounds(USUAL).most_requests_an_hour(8)


def test_the_worst_cases_fit_on_one_screen(command, file):
    status, out, err = command("explain", file)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) <= 24
    assert max(map(len, out.splitlines())) <= 120
    bounds = Bounds(USUAL)
    assert re.search(rf"a dead host leaves it after +{bounds.removal(silent=True):.1f} s", out)
    assert re.search(r"must stay, whatever fails at once +3 +10 +50$", out, re.MULTILINE)
    assert re.search(r"provider requests an hour, at rest +1,200 +4,800 +24,000$", out, re.MULTILINE)


WARNINGS = [
    (["--nodes", "2"], "", "of two servers"),
    (["--nodes", "100", "--limit", "5"], "", "100 servers ask too often for 5 requests/s: check_interval 20s fits"),
    ([], "ttl: 5m", "the TTL of 300 s is the longest part"),
    (["--nodes", "1001"], "", "1001 servers are too many: a record set of this provider holds 1000"),
]


@pytest.mark.parametrize(("words", "line", "warning"), WARNINGS)
def test_what_somebody_should_think_over_is_a_warning(command, file, words, line, warning):
    file.write_text(f"{file.read_text()}{line}\n")
    assert f"warning: {warning}" in command("explain", file, *words)[1]


def test_what_is_in_order_brings_no_warning(command, file):
    file.write_text(f"{file.read_text()}ttl: 10\n")
    assert "warning" not in command("explain", file, "--limit", 50)[1]


def test_a_destroyer_is_explained_where_there_is_one(command, file):
    assert "destroyed" not in command("explain", file)[1]
    file.write_text(file.read_text() + 'destroyer: {plugin: exec, command: [/bin/true, "{address}"]}\n')
    assert re.search(r"a removed instance is destroyed after +1m30s +at the earliest", command("explain", file)[1])


def test_a_wrong_file_is_told_as_by_check(command, file):
    file.write_text("fqdn: www.example.com\ntcp_port: 70000\n")
    for name in ("simulate", "explain"):
        status, out, err = command(name, file)
        assert (status, out) == (2, "")
        assert err.startswith(f"dnslb: {file}:2: tcp_port: 70000 is not a port")
