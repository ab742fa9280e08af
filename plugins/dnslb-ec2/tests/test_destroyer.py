"""The destroyer terminates the one instance that is meant, and of all that is doubtful nothing."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from dnslb import OutcomeUnknown, Rejected, Unavailable

GROUP = "www"


def destroy(destroyer, *texts: str) -> None:
    destroyer.destroy(frozenset(ip_address(text) for text in texts))


@pytest.fixture
def subnet(cloud) -> str:
    return cloud.network()[1]


# -- what must be certain ----------------------------------------------------------------------------------


def test_two_live_instances_with_one_address_are_not_touched(cloud):
    networks = [cloud.network() for _ in range(2)]
    both = [cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7") for _, subnet in networks]
    with pytest.raises(Rejected, match=r"2 live instances carry 10\.0\.0\.7 in eu-west-1 \(i-\w+, i-\w+\); set vpc_id"):
        destroy(cloud.destroyer(), "10.0.0.7")
    assert [cloud.state(each) for each in both] == ["running", "running"]


@pytest.mark.parametrize("by", ["vpc_id", "subnet_ids"])
def test_the_network_tells_which_of_two_is_meant(cloud, by):
    networks = [cloud.network() for _ in range(2)]
    both = [cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7") for _, subnet in networks]
    vpc, subnet = networks[1]
    destroy(cloud.destroyer(**{by: vpc if by == "vpc_id" else (subnet,)}), "10.0.0.7")
    assert [cloud.state(each) for each in both] == ["running", "terminated"]


def test_a_tag_does_not_tell_which_of_two_is_meant(cloud):
    """Who cannot say where the instance is does not know enough to destroy it."""
    first, second = cloud.network(), cloud.network()
    cloud.launch(SubnetId=first[1], PrivateIpAddress="10.0.0.7")
    cloud.launch(SubnetId=second[1], PrivateIpAddress="10.0.0.7", tags={"cluster": "api"})
    with pytest.raises(Rejected, match="2 live instances"):
        destroy(cloud.destroyer(), "10.0.0.7")
    assert len(cloud.live()) == 2


@pytest.mark.parametrize("tags", [{}, {"cluster": "api"}, {"Cluster": "www"}, {"cluster": "www2"}, {"cluster": "WWW"}])
def test_an_instance_without_the_very_tag_is_not_touched(cloud, subnet, tags):
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7", tags=tags or {"Name": "stranger"})
    with pytest.raises(
        Rejected, match=r"terminated nothing: i-\w+, which carries 10\.0\.0\.7, lacks the tag cluster=www"
    ):
        destroy(cloud.destroyer(), "10.0.0.7")
    assert cloud.state(instance) == "running"
    assert cloud.front.count("TerminateInstances") == 0


def test_a_tag_with_a_wildcard_matches_itself_only(cloud, subnet):
    """Filters of the API take `*` for anything."""
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    with pytest.raises(Rejected, match=r"lacks the tag cluster=\*"):
        destroy(cloud.destroyer(tags={"cluster": "*"}), "10.0.0.7")
    assert cloud.state(instance) == "running"


def test_all_tags_are_needed(cloud, subnet):
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    with pytest.raises(Rejected, match="lacks the tag stage=live"):
        destroy(cloud.destroyer(tags={"cluster": "www", "stage": "live"}), "10.0.0.7")
    assert cloud.state(instance) == "running"


def test_an_instance_of_another_network_is_not_touched(cloud, subnet):
    other, _ = cloud.network()
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    with pytest.raises(Rejected, match=rf"no instance carries 10\.0\.0\.7 in eu-west-1 within {other}; if it is one"):
        destroy(cloud.destroyer(vpc_id=other), "10.0.0.7")
    assert cloud.state(instance) == "running"


def test_an_instance_of_another_region_is_not_touched(cloud):
    abroad = cloud.client("ec2", "us-east-1")
    instance = cloud.launch(client=abroad)
    with pytest.raises(Rejected, match="no instance carries"):
        destroy(cloud.destroyer(), instance["PrivateIpAddress"])
    assert cloud.described(instance["InstanceId"], abroad)["State"]["Name"] == "running"


def test_a_stopped_instance_is_not_touched_unless_states_says_so(cloud, subnet):
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    cloud.ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    with pytest.raises(Rejected, match="is stopped; states allows pending, running"):
        destroy(cloud.destroyer(), "10.0.0.7")
    assert cloud.state(instance) == "stopped"
    destroy(cloud.destroyer(states=("running", "stopped")), "10.0.0.7")
    assert cloud.state(instance) == "terminated"


def test_an_address_that_moved_on_takes_nobody_with_it(cloud, subnet):
    """The instance is gone, and its address was given to one of another cluster."""
    first = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    destroyer = cloud.destroyer()
    destroy(destroyer, "10.0.0.7")
    heir = cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7", tags={"cluster": "api"})
    with pytest.raises(Rejected, match=f"{heir['InstanceId']}, which carries .* lacks the tag"):
        destroy(destroyer, "10.0.0.7")
    assert (cloud.state(first), cloud.state(heir)) == ("terminated", "running")


# -- which address -----------------------------------------------------------------------------------------


def addresses_of(cloud, subnet) -> dict[str, str]:
    """An instance with an address of each kind."""
    instance = cloud.launch(SubnetId=subnet, Ipv6AddressCount=1)
    (card,) = instance["NetworkInterfaces"]
    secondary = "10.0.0.200"
    cloud.ec2.assign_private_ip_addresses(NetworkInterfaceId=card["NetworkInterfaceId"], PrivateIpAddresses=[secondary])
    return {
        "primary": instance["PrivateIpAddress"],
        "secondary": secondary,
        "ipv6": card["Ipv6Addresses"][0]["Ipv6Address"],
        "public": str(cloud.publish(instance)),
    }


@pytest.mark.parametrize("kind", ["primary", "secondary", "public", "ipv6"])
def test_an_instance_is_known_by_each_kind_of_address(cloud, subnet, kind):
    address = addresses_of(cloud, subnet)[kind]
    destroy(cloud.destroyer(by=(kind,)), address)
    assert cloud.live() == []


@pytest.mark.parametrize("kind", ["primary", "secondary", "public", "ipv6"])
def test_it_is_not_known_by_a_kind_that_is_left_out(cloud, subnet, kind):
    address = addresses_of(cloud, subnet)[kind]
    others = tuple(sorted({"primary", "secondary", "public", "ipv6"} - {kind}))
    with pytest.raises(Rejected, match="no instance carries"):
        destroy(cloud.destroyer(by=others), address)
    assert len(cloud.live()) == 1


def test_two_addresses_of_one_instance_are_one_order(cloud, subnet):
    addresses = addresses_of(cloud, subnet)
    destroy(cloud.destroyer(), addresses["primary"], addresses["ipv6"])
    assert cloud.live() == []
    assert cloud.front.count("TerminateInstances") == 1


# -- Auto Scaling ------------------------------------------------------------------------------------------


@pytest.fixture
def group(cloud, subnet) -> str:
    """Two instances of a group; its name."""
    cloud.scale(subnet, GROUP, 2)
    return GROUP


def test_an_instance_of_a_group_is_terminated_by_the_group_which_replaces_it(cloud, group):
    before = cloud.live()
    destroy(cloud.destroyer(), before[0]["PrivateIpAddress"])
    after = {each["InstanceId"] for each in cloud.live()}
    assert before[0]["InstanceId"] not in after
    assert before[1]["InstanceId"] in after
    assert len(after) == 2, "the group's desired capacity was lowered"
    (described,) = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert described["DesiredCapacity"] == 2
    assert cloud.front.count("TerminateInstances") == 0
    (form,) = [form for form in cloud.front.forms if form["Action"] == "TerminateInstanceInAutoScalingGroup"]
    assert form["ShouldDecrementDesiredCapacity"] == "false"


def test_a_group_that_refuses_is_not_passed_by(cloud, group, answer):
    cloud.front.answers["TerminateInstanceInAutoScalingGroup"] = answer("ValidationError", "Instance Id not found")
    with pytest.raises(Rejected, match="was answered with ValidationError"):
        destroy(cloud.destroyer(), cloud.live()[0]["PrivateIpAddress"])
    assert len(cloud.live()) == 2
    assert cloud.front.count("TerminateInstances") == 0


# -- the own group -----------------------------------------------------------------------------------------


@pytest.fixture
def one_of(cloud, metadata):
    """Makes a destroyer that runs on an instance, and is limited to its group."""

    def make(instance, **options):
        metadata.tell(instance_id=instance["InstanceId"])
        return cloud.destroyer(**{"tags": None, "own_group": True, "metadata_endpoint": metadata.url} | options)

    return make


def test_an_instance_of_the_own_group_is_terminated(cloud, subnet, one_of):
    here, failed = cloud.scale(subnet, GROUP, 2)
    destroy(one_of(here), failed["PrivateIpAddress"])
    assert cloud.state(failed) == "terminated"
    assert cloud.state(here) == "running"


def test_an_instance_of_another_group_is_not_touched_whatever_its_tags(cloud, subnet, one_of):
    (here,), (other,) = cloud.scale(subnet, GROUP, 1), cloud.scale(subnet, "api", 1)
    with pytest.raises(Rejected, match=r"^terminated nothing: i-\w+, which .* is in api; own_group allows www only$"):
        destroy(one_of(here), other["PrivateIpAddress"])
    assert cloud.state(other) == "running"


def test_an_instance_of_no_group_is_not_touched_by_one_that_is_in_a_group(cloud, subnet, one_of):
    (here,) = cloud.scale(subnet, GROUP, 1)
    alone = cloud.launch(SubnetId=subnet)
    with pytest.raises(Rejected, match="is in no Auto Scaling group; own_group allows www only"):
        destroy(one_of(here), alone["PrivateIpAddress"])
    assert cloud.state(alone) == "running"


def test_an_instance_without_a_group_terminates_nothing_and_says_to_give_tags(cloud, subnet, one_of):
    here, other = cloud.launch(SubnetId=subnet), cloud.launch(SubnetId=subnet)
    said = f"{here['InstanceId']}, which is this instance, is in no Auto Scaling group; give `tags` in place of"
    with pytest.raises(Rejected, match=f"^terminated nothing: {said}"):
        destroy(one_of(here), other["PrivateIpAddress"])
    assert cloud.state(other) == "running"


def test_an_instance_that_ec2_does_not_know_terminates_nothing(cloud, subnet, one_of):
    """As where `region` or `role_arn` is of somewhere else."""
    (failed,) = cloud.scale(subnet, GROUP, 1)
    with pytest.raises(Rejected, match=r"i-0123456789abcdef0, .* is not to be found in eu-west-1; check region"):
        destroy(one_of({"InstanceId": "i-0123456789abcdef0"}), failed["PrivateIpAddress"])
    assert cloud.state(failed) == "running"


@pytest.mark.parametrize("told", [(404, ""), (500, ""), (200, "i-1"), (200, "<html>")])
def test_without_its_own_id_it_terminates_nothing(cloud, subnet, one_of, metadata, told):
    here, failed = cloud.scale(subnet, GROUP, 2)
    destroyer = one_of(here)
    metadata.told["instance-id"] = told
    with pytest.raises(Unavailable, match=r"cannot find the id of this instance: .*; give `tags` in place of"):
        destroy(destroyer, failed["PrivateIpAddress"])
    assert cloud.state(failed) == "running"


def test_where_both_are_given_both_must_hold(cloud, subnet, one_of):
    here, failed = cloud.scale(subnet, GROUP, 2)
    with pytest.raises(Rejected, match="lacks the tag stage=live"):
        destroy(one_of(here, tags={"stage": "live"}), failed["PrivateIpAddress"])
    assert cloud.state(failed) == "running"
    destroy(one_of(here, tags={"cluster": "www"}), failed["PrivateIpAddress"])
    assert cloud.state(failed) == "terminated"


# -- done already ------------------------------------------------------------------------------------------


def test_a_terminated_instance_counts_as_destroyed(cloud, subnet):
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    destroy(cloud.destroyer(), "10.0.0.7")
    destroy(cloud.destroyer(), "10.0.0.7")
    assert cloud.front.count("TerminateInstances") == 1


def test_a_terminated_instance_does_not_hide_a_live_one(cloud, subnet):
    first = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    cloud.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    second = cloud.launch(SubnetId=cloud.network()[1], PrivateIpAddress="10.0.0.7")
    destroy(cloud.destroyer(), "10.0.0.7")
    assert cloud.state(second) == "terminated"


def test_an_order_whose_reply_was_lost_is_given_once_and_found_done_the_next_time(cloud, subnet, answer):
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    cloud.front.answers["TerminateInstances"] = answer(cut=True, applied=True)
    destroyer = cloud.destroyer()
    with pytest.raises(OutcomeUnknown, match=f"cannot terminate {instance['InstanceId']} .*: the reply was lost"):
        destroy(destroyer, "10.0.0.7")
    assert cloud.front.count("TerminateInstances") == 1
    # EC2 soon forgets the addresses of a terminated instance; moto does not, so the address is made to match nothing.
    cloud.front.hides_addresses = True
    destroy(destroyer, "10.0.0.7")
    with pytest.raises(Rejected, match="no instance carries"):
        destroy(destroyer, "10.0.0.7")
    assert cloud.front.count("TerminateInstances") == 1


def test_an_order_that_was_lost_on_the_way_is_given_again_the_next_time(cloud, subnet, answer):
    instance = cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    cloud.front.answers["TerminateInstances"] = answer(cut=True)
    destroyer = cloud.destroyer()
    with pytest.raises(OutcomeUnknown):
        destroy(destroyer, "10.0.0.7")
    assert cloud.state(instance) == "running"
    cloud.front.answers.clear()
    destroy(destroyer, "10.0.0.7")
    assert cloud.state(instance) == "terminated"


# -- several at once ---------------------------------------------------------------------------------------


def test_one_that_is_refused_does_not_keep_the_others(cloud, subnet):
    cloud.launch(SubnetId=subnet, PrivateIpAddress="10.0.0.7")
    kept = [cloud.launch(SubnetId=subnet, PrivateIpAddress=f"10.0.0.{n}", tags={"Name": "x"}) for n in (8, 9)]
    with pytest.raises(Rejected, match=r"10\.0\.0\.8, lacks the tag .*; terminated nothing: .*10\.0\.0\.9, lacks"):
        destroy(cloud.destroyer(), "10.0.0.7", "10.0.0.8", "10.0.0.9")
    assert {each["InstanceId"] for each in cloud.live()} == {each["InstanceId"] for each in kept}


# -- an API whose filters are broken -----------------------------------------------------------------------


def test_an_api_that_returns_every_instance_whatever_it_is_asked_leads_to_nothing(unfiltered):
    """MiniStack: all instances carry the tag, and are alive, and none has the address."""
    instances = [unfiltered.launch() for _ in range(3)]
    asked = {"Filters": [{"Name": "private-ip-address", "Values": ["10.99.99.99"]}]}
    returned = [
        each for page in unfiltered.ec2.describe_instances(**asked)["Reservations"] for each in page["Instances"]
    ]
    assert len(returned) >= 3, "MiniStack has learnt to filter; this test needs another double"
    with pytest.raises(Rejected, match=r"^terminated nothing: no instance carries 10\.99\.99\.99 in eu-west-1; if it"):
        destroy(unfiltered.destroyer(), "10.99.99.99")
    assert unfiltered.front.count("DescribeInstances") > 0
    assert unfiltered.front.count("TerminateInstances") == 0
    assert [unfiltered.state(each) for each in instances] == ["running"] * 3


def test_with_such_an_api_too_the_one_that_carries_the_address_is_terminated(unfiltered):
    first, meant, last = [unfiltered.launch(PrivateIpAddress=f"10.0.0.{number}") for number in (6, 7, 8)]
    destroy(unfiltered.destroyer(), "10.0.0.7")
    assert [unfiltered.state(each) == "running" for each in (first, meant, last)] == [True, False, True]
