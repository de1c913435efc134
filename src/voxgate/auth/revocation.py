"""Revocation: what is no longer good before its time, and how all workers learn of it. The database keeps it
for workers that start later; a signal tells those that run, which ask four times a second.
"""

from __future__ import annotations

from typing import Final

from voxgate.store import Store

REVOKED: Final = "revoke_credential"
"""The credential or API key of this id starts no call any more."""
MINTED_REVOKED: Final = "revoke_minted"
"""Nor does any credential that the API key of this id has made."""
END: Final = "end_credential"
"""Its running calls end."""
END_MINTED: Final = "end_minted"
"""Those of the credentials that this API key has made end."""


def revoke_credential(store: Store, credential_id: str, *, end_sessions: bool) -> None:
    store.revoke_credential(credential_id)
    store.add_signal(REVOKED, credential_id)
    if end_sessions:
        store.add_signal(END, credential_id)


def revoke_api_key(store: Store, key_id: str, *, credentials: bool, end_sessions: bool) -> None:
    """`credentials` are those that it has made: without it they stay good until they expire."""
    store.revoke_api_key(key_id)
    store.add_signal(REVOKED, key_id)
    if credentials:
        store.revoke_credentials_of(key_id)
        store.add_signal(MINTED_REVOKED, key_id)
    if end_sessions:
        store.add_signal(END, key_id)
    if credentials and end_sessions:
        store.add_signal(END_MINTED, key_id)
