"""IP addresses and networks as people and proxies write them: read, brought to one spelling, compared. An
IPv4 address inside IPv6 (`::ffff:192.0.2.1`, what a dual-stack socket shows) is that IPv4 address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_WITH_PORT: Final = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>[^:]+):\d+")


def parse_address(text: str) -> Address | None:
    """An address, with or without a port and brackets (RFC 7239 section 6); None for anything else."""
    if match := _WITH_PORT.fullmatch(text):
        text = match["six"] or match["four"]
    try:
        return _plain(
            ip_address(text.partition("%")[0])
        )  # the zone of a link-local address says nothing here
    except ValueError:
        return None


def network_text(text: str) -> str:
    """One spelling for an address or a network in CIDR form. ValueError that says what would be right."""
    try:
        if "/" not in text:
            return str(_plain(ip_address(text.replace("%", "no zone"))))
        meant = ip_network(text.replace("%", "no zone"), strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither an IP address nor a network; write '192.0.2.7' or '192.0.2.0/24'"
        ) from None
    if meant.network_address != ip_address(text.partition("/")[0]):
        raise ValueError(f"{text!r} has bits behind its prefix; the network is '{meant}'")
    return str(meant)


def _plain(address: Address) -> Address:
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


class Networks:
    """A list of addresses and networks, each as `network_text` gives it."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._networks = [ip_network(text) for text in texts]

    def __contains__(self, address: object) -> bool:
        return any(
            address in network
            for network in self._networks
            if isinstance(address, IPv4Address | IPv6Address) and address.version == network.version
        )
