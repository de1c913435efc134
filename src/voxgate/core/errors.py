"""The map of failures: every error that a client, an operator or the web app can meet.

    VoxgateError
    ├── RequestError            what a caller sent is wrong or not allowed (HTTP 4xx, OpenAI shape)
    │   ├── InvalidRequest      400  4000  a field is wrong; `param` names it
    │   │   ├── MissingModel    400  4000
    │   │   ├── InvalidModel    400  4000  no route serves this model
    │   │   └── BetaDisabled    400  4000  the client speaks the retired beta protocol
    │   ├── Unauthenticated     401  3000  no key
    │   │   ├── InvalidKey      401  3000  a key that is not known, was altered or was revoked
    │   │   └── ExpiredKey      401  3000  a temporary credential past its time
    │   ├── Forbidden           403  4003  a valid key that may not do this
    │   │   ├── ModelNotAllowed 403  4003  the credential names another model
    │   │   ├── OriginNotAllowed 403 4003  a page of an origin that may not call
    │   │   ├── AddressNotAllowed 403 4003 a client address that may not call
    │   │   └── SessionEnded    403  4001  an operator ended the call, or its credential was revoked
    │   ├── NotFound            404
    │   ├── MethodNotAllowed    405
    │   ├── BodyTooLarge        413
    │   └── MessageTooLarge     413  1009  larger than the gateway's largest message
    ├── UpstreamError           the provider failed (HTTP 502, close 1011)
    │   ├── UpstreamRefused     502  1011  no connection, or the handshake was refused
    │   └── UpstreamLost        502  1011  it ended in the middle of a call
    ├── Draining                503  1001  the gateway is stopping
    └── SettingsError           the configuration is wrong; names the key and the line (exit 2)

On a WebSocket a failure looks as the live service's: 101, an `error` event, then a close frame whose reason
is `type.code` (realtime-protocol 2.4), because a browser cannot read the HTTP status of a refused upgrade.
"""

from __future__ import annotations

from typing import Any, ClassVar


class VoxgateError(Exception):
    """An error with a message for people: what was wrong, with which value, and what to do."""

    status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011
    type: ClassVar[str] = "server_error"
    code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    @property
    def close_reason(self) -> str:
        """The reason of the close frame: `type.code`, or the type alone, at most 123 bytes."""
        reason = f"{self.type}.{self.code}" if self.code else self.type
        return reason[:123]

    def body(self) -> dict[str, Any]:
        """OpenAI's JSON error body."""
        return {"error": {"message": self.message, "type": self.type, "code": self.code, "param": self.param}}

    def event(self, event_id: str) -> dict[str, Any]:
        """The Realtime `error` event that says the same on a WebSocket."""
        error = {**self.body()["error"], "event_id": None}
        return {"type": "error", "event_id": event_id, "error": error}


class RequestError(VoxgateError):
    status = 400
    close_code = 4000
    type = "invalid_request_error"


class InvalidRequest(RequestError):
    code = "invalid_value"


class MissingModel(InvalidRequest):
    code = "missing_model"


class InvalidModel(InvalidRequest):
    code = "invalid_model"


class BetaDisabled(InvalidRequest):
    code = "beta_api_shape_disabled"


class Unauthenticated(RequestError):
    status = 401
    close_code = 3000


class InvalidKey(Unauthenticated):
    code = "invalid_api_key"


class ExpiredKey(Unauthenticated):
    code = "expired_api_key"


class Forbidden(RequestError):
    status = 403
    close_code = 4003
    code = "forbidden"


class ModelNotAllowed(Forbidden):
    code = "model_not_allowed"


class OriginNotAllowed(Forbidden):
    code = "origin_not_allowed"


class AddressNotAllowed(Forbidden):
    code = "address_not_allowed"


class SessionEnded(Forbidden):
    close_code = 4001
    code = "session_ended"


class NotFound(RequestError):
    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class BodyTooLarge(RequestError):
    status = 413
    code = "body_too_large"


class MessageTooLarge(RequestError):
    status = 413
    close_code = 1009
    code = "message_too_large"


class UpstreamError(VoxgateError):
    status = 502
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    code = "upstream_refused"


class UpstreamLost(UpstreamError):
    code = "upstream_lost"


class Draining(VoxgateError):
    status = 503
    close_code = 1001
    code = "draining"


class SettingsError(VoxgateError):
    code = "invalid_settings"
