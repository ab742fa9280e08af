"""moto's server, with the filters of DescribeInstances that it lacks; prints the port of loopback that it listens on.

Its own filters know the primary private and the public address of an instance. The others go through the same table.
"""

from __future__ import annotations

from moto.ec2 import utils
from moto.ec2.models.instances import Instance
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


def private_addresses(instance: Instance) -> list[str]:
    return [entry["PrivateIpAddress"] for nic in instance.nics.values() for entry in nic.private_ip_addresses]


def public_addresses(instance: Instance) -> list[str]:
    return [nic.public_ip for nic in instance.nics.values() if nic.public_ip]


def ipv6_addresses(instance: Instance) -> list[str]:
    return [text for nic in instance.nics.values() for text in nic.ipv6_addresses]


FILTERS = {
    "network-interface.addresses.private-ip-address": private_addresses,
    "network-interface.addresses.association.public-ip": public_addresses,
    "network-interface.ipv6-addresses.ipv6-address": ipv6_addresses,
}


class QuietHandler(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


def main() -> None:
    for name, addresses in FILTERS.items():
        setattr(Instance, addresses.__name__, property(addresses))
        utils.filter_dict_attribute_mapping[name] = addresses.__name__
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
