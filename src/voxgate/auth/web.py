"""Signing in to the web app: an API key becomes a cookie, and the cookie that key again while the key is
good. The cookie is HttpOnly and SameSite=Strict; it is a sealed token and never holds the key.
"""

from __future__ import annotations

from typing import Final

from voxgate.auth.keys import ApiKey, KeyRing
from voxgate.auth.tokens import TokenBox
from voxgate.core import clock
from voxgate.core.errors import Forbidden

COOKIE: Final = "voxgate_session"
COOKIE_SECONDS: Final = 30 * 24 * 3600
CSRF_HEADER: Final = "x-voxgate-csrf"
_PURPOSE: Final = "web"
_SAFE_METHODS: Final = {"GET", "HEAD", "OPTIONS"}


class WebSignIn:
    def __init__(self, keys: KeyRing, tokens: TokenBox) -> None:
        self._keys = keys
        self._tokens = tokens

    def make_cookie(self, key: ApiKey) -> str:
        """Bound to the text of the key: one that a rotation has ended opens nothing any more."""
        claims = {"secret": key.secret, "exp": clock.unix_seconds() + COOKIE_SECONDS}
        return self._tokens.seal(claims, purpose=_PURPOSE)

    def open_cookie(self, cookie: str) -> ApiKey:
        """The key that signed in, as it is now; InvalidKey or ExpiredKey when it or the cookie is no longer
        good."""
        claims = self._tokens.open(cookie, purpose=_PURPOSE)
        return self._keys.by_secret(claims.get("secret", ""))


def check_own_page(method: str, host: str | None, origin: str | None, csrf: str | None) -> None:
    """A browser sends the cookie by itself, so a change needs proof that one of our own pages asks for it: a
    header that a foreign page cannot set without CORS, or the browser's word on the page's origin."""
    if method in _SAFE_METHODS or csrf == "1":
        return
    if not origin or origin.partition("://")[2] != host:
        raise Forbidden(f"A change with the web app's cookie needs the header '{CSRF_HEADER}: 1'.")
