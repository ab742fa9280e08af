"""moto as an account of EC2 whose instances are on loopback addresses, where agents can be on them."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from providers import REGION, aws_client

MOTO = Path(__file__).parents[1] / "plugins" / "dnslb-ec2" / "tests" / "moto_double.py"
AMI = "ami-12c6146b"  # one that moto knows


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """The URL of moto, in a process of its own."""
    with subprocess.Popen([sys.executable, str(MOTO)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class Account:
    """One VPC with the subnet 127.0.1.0/24."""

    def __init__(self, url: str):
        self.url = url
        self._ec2 = aws_client("ec2", url)
        vpc = self._ec2.create_vpc(CidrBlock="127.0.0.0/16")["Vpc"]["VpcId"]
        self._subnet = self._ec2.create_subnet(VpcId=vpc, CidrBlock="127.0.1.0/24")["Subnet"]["SubnetId"]
        self._instances: dict[str, str] = {}

    @property
    def configuration(self) -> str:
        where = f"plugin: ec2, region: {REGION}, endpoint_url: '{self.url}', tags: {{cluster: www}}"
        return f"region_filter: {{{where}}}\ndestroyer: {{{where}}}\n"

    def launch(self, address: str) -> None:
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "cluster", "Value": "www"}]}]
        chosen = {"SubnetId": self._subnet, "PrivateIpAddress": address, "TagSpecifications": tags}
        launched = self._ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1, **chosen)
        self._instances[address] = launched["Instances"][0]["InstanceId"]

    def states(self) -> dict[str, str]:
        """The state of each instance, by the address that it was launched with."""
        found = self._ec2.describe_instances(InstanceIds=[*self._instances.values()])["Reservations"]
        states = {each["InstanceId"]: each["State"]["Name"] for page in found for each in page["Instances"]}
        return {address: states[instance] for address, instance in self._instances.items()}
