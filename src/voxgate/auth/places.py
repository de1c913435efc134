"""Where a call may come from: the page that makes it (its origin) and the address of its caller, against the
lists of the credential and of its project. Both lists of origins must allow a page. And what of it is
recorded, which both must want too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from voxgate.auth.credentials import DEFAULT_PROJECT, Grant
from voxgate.core.errors import AddressNotAllowed, OriginNotAllowed
from voxgate.core.networks import Address, Networks
from voxgate.core.origins import origin_fits
from voxgate.core.projects import ProjectSettings

_NO_RULES: Final = ProjectSettings()


class Places:
    def __init__(self, projects: Mapping[str, ProjectSettings]) -> None:
        self._projects = projects

    def check(self, grant: Grant, origin: str | None, address: Address | None) -> None:
        """OriginNotAllowed or AddressNotAllowed. `origin` is None when the request has no such header, so
        does not come from a browser; `address` is None when it is not known."""
        self._check_project(grant, origin)
        if grant.allowed_origins is not None:
            _check_origin(grant.allowed_origins, origin)
        if grant.allowed_ips is not None and address not in Networks(grant.allowed_ips):
            shown = "not known" if address is None else str(address)
            raise AddressNotAllowed(
                f"This credential may not be used from this address, which is {shown} to the gateway."
            )

    def recorded(self, grant: Grant) -> dict[str, bool]:
        """Whether the call's `audio` is recorded, and its `text`."""
        project = self._projects.get(grant.project or DEFAULT_PROJECT) or _NO_RULES
        return {"audio": grant.record_audio and project.audio, "text": grant.record_text and project.text}

    def _check_project(self, grant: Grant, origin: str | None) -> None:
        rules = self._projects.get(grant.project or grant.home or DEFAULT_PROJECT)
        if origin is None or rules is None or rules.allowed_origins is None:
            return
        if not origin_fits(origin, rules.allowed_origins):
            raise OriginNotAllowed(f"Pages of the origin {origin!r} may not make calls in this project.")


def _check_origin(allowed: tuple[str, ...], origin: str | None) -> None:
    """A credential that is for certain pages is for nobody else, so for no program without an origin."""
    if origin is None:
        raise OriginNotAllowed(
            "This credential is for the pages of certain origins, and the request has no header Origin."
        )
    if not origin_fits(origin, allowed):
        raise OriginNotAllowed(f"Pages of the origin {origin!r} may not use this credential.")
