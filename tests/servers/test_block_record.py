"""A block record written by hand, in the form of the Go package, and real agents, on real name servers and `local`."""

import time

import pytest

from dnslb import Config, RecordSet, RecordType
from dnslb.decision.blockrecord import block_name
from dnslb.records import Change

from agents import Agent, record_manager, services, wait_until

LEFT = 12.0
"""For how many seconds more the block is in force: its time is past, but not by more than half a minute."""


class Scene:
    """Two agents, not started, and the record manager that both write through."""

    def __init__(self, folder, fqdn, provider):
        self.services = services(2, "127.0.7")
        self.fqdn = fqdn
        common = f"fqdn: {fqdn}\ntcp_port: {self.services[0].port}\ncheck_interval: 5s\n{provider}"
        [settings] = Config.load(self._file(folder, common)).services
        self.manager = settings.required_record_manager().make(settings.service)
        self.free, self.blocked = (
            Agent(folder, service.address, f"{common}address: {service.address}\n") for service in self.services
        )

    @staticmethod
    def _file(folder, text):
        file = folder / "dnslb.yml"
        file.write_text(text, encoding="utf-8")
        return file

    @property
    def members(self):
        return set(self.manager.read(self.fqdn, RecordType.A).record_set.values)

    @property
    def block_record(self):
        return self.manager.read(block_name(self.fqdn), RecordType.TXT).record_set.values

    def write_block_record(self, *values):
        name = block_name(self.fqdn)
        after = RecordSet(name, RecordType.TXT, values, 60 if values else 0)
        self.manager.commit([Change(self.manager.read(name, RecordType.TXT), after)])

    def close(self):
        self.free.close()
        self.blocked.close()
        self.manager.close()
        for service in self.services:
            service.close()


@pytest.fixture
def on_server(server, request, tmp_path):
    host = request.node.originalname.replace("_", "-")[:40].strip("-")
    made = Scene(tmp_path, f"{host}.{server.zone}", record_manager(server, tmp_path))
    yield made
    made.close()


@pytest.fixture
def on_local(tmp_path):
    made = Scene(tmp_path, "www.ex.test", f"record_manager: {{plugin: local, path: {tmp_path / 'records.sqlite'}}}\n")
    yield made
    made.close()


def rfc3339(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def a_block_written_by_hand_keeps_one_agent_out_until_it_is_over(scene):
    over = int(time.time() + LEFT)
    address = scene.blocked.address
    # As the Go package writes it, with a TTL of one second: two of them for the address, five for the owner.
    times = f"IpExpires={rfc3339(over - 30)}", f"OwnerExpires={rfc3339(over - 27)}"
    scene.write_block_record(f"IP={address}", "OwnerId=9f86d081", *times)
    written = scene.block_record
    scene.free.start()
    scene.blocked.start()
    wait_until(lambda: scene.blocked.events("refused"), what="it says that it is blocked")
    wait_until(lambda: scene.members == {scene.free.address}, what="the other one is in")
    wait_until(lambda: address in scene.members, what="it is in once the block is over")
    assert time.time() >= over
    [refused] = scene.blocked.events("refused")
    assert (refused["why"], refused["holder"]) == ("blocked", "owner 9f86d081")
    assert refused["seconds"] <= LEFT
    assert not scene.free.events("refused")
    assert scene.block_record == written, "agents leave it alone, whatever its time"


def what_cannot_be_read_keeps_everybody_out_and_is_not_deleted(scene):
    scene.write_block_record('somebody\'s "text"; not=a=block record')
    written = scene.block_record
    scene.free.start()
    wait_until(lambda: scene.free.events("refused"), what="it says that it is blocked")
    assert scene.members == set()
    assert scene.block_record == written != ()
    scene.write_block_record()
    wait_until(lambda: scene.members == {scene.free.address}, what="it is in once somebody has deleted the record")
    [refused] = scene.free.events("refused")
    assert refused["holder"] == "a block record that cannot be read"


def test_a_block_written_by_hand_keeps_an_agent_out_on_a_name_server(on_server):
    a_block_written_by_hand_keeps_one_agent_out_until_it_is_over(on_server)


def test_a_block_written_by_hand_keeps_an_agent_out_on_local(on_local):
    a_block_written_by_hand_keeps_one_agent_out_until_it_is_over(on_local)


def test_what_cannot_be_read_keeps_everybody_out_on_a_name_server(on_server):
    what_cannot_be_read_keeps_everybody_out_and_is_not_deleted(on_server)


def test_what_cannot_be_read_keeps_everybody_out_on_local(on_local):
    what_cannot_be_read_keeps_everybody_out_and_is_not_deleted(on_local)
