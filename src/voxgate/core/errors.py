"""The map of failures: every error that a client, an operator or the web app can meet.

    VoxgateError
    ├── RequestError            what a caller sent is wrong or not allowed (HTTP 4xx, OpenAI shape)
    │   ├── InvalidRequest      400  4000  a field is wrong; `param` names it
    │   │   ├── MissingModel    400  4000
    │   │   ├── PriceUnknown    400  4000  a budget in dollars, for something whose price is not known
    │   │   ├── InvalidEvent    400  4000  a message that a credential's rules cannot judge
    │   │   ├── InvalidModel    400  4000  no route serves this model
    │   │   └── NotReplayable   400  4000  a recorded call that cannot be played back
    │   ├── ReplayDiverged      400  4000  what a client sent has no answer in the recording that is played
    │   ├── Unauthenticated     401  3000  no key
    │   │   ├── InvalidKey      401  3000  a key that is not known, was altered or was revoked
    │   │   └── ExpiredKey      401  3000  a temporary credential past its time
    │   ├── Forbidden           403  4003  a valid key that may not do this
    │   │   ├── ModelNotAllowed 403  4003  the credential names another model
    │   │   ├── OriginNotAllowed 403 4003  a page of an origin that may not call
    │   │   ├── AddressNotAllowed 403 4003 a client address that may not call
    │   │   ├── FieldLocked     403  4003  a setting of the session that the credential keeps as it is
    │   │   ├── EventNotAllowed 403  4003  a message that the credential does not let the client send
    │   │   ├── ToolNotAllowed  403  4003  a tool that the credential does not let the client bring
    │   │   ├── NotForRequests  403  4003  the credential holds for calls what cannot be held at a request
    │   │   ├── NoUseLeft       403  4003  the credential has been used as often as it may be
    │   │   └── SessionEnded    403  4001  an operator ended the call, or its credential was revoked
    │   ├── NotFound            404
    │   ├── MethodNotAllowed    405
    │   ├── BodyTooLarge        413
    │   ├── HeadTooLarge        431
    │   ├── RequestTimeout      408        the request was not whole in time
    │   ├── MessageTooLarge     413  1009  larger than the gateway's largest message
    │   ├── SessionExpired      408  1001  the call has taken as long as it may
    │   ├── SessionIdle         408  4008  nobody has said anything for too long
    │   ├── ClientStalled       408  4008  the client does not read what is sent to it
    │   └── LimitExceeded       429  4029  a limit of the gateway or of the key
    │       ├── BudgetSpent     429  4029  the credential has used its tokens, its sound or its dollars up
    │       ├── BudgetReserved  429  4029  what is left of it may be used up by the responses that run
    │       ├── TooManyCalls    429  4029  the key has as many calls as it may have
    │       ├── TooFast         429  4029  too many messages or bytes per second
    │       └── RateLimited     429  4029  too much in a minute; says when there is room again
    │           ├── RequestsLimited 429 4029 too many requests
    │           └── TokensLimited 429 4029 too many tokens
    ├── UpstreamError           the provider failed (HTTP 502, close 1011)
    │   ├── UpstreamRefused     502  1011  no connection, or the handshake was refused
    │   ├── UpstreamStalled     504  1011  it does not read what is sent to it
    │   ├── UsageUnknown        502  1011  it does not say what a response used, so no budget can be kept
    │   ├── SettingsRefused     502  1011  it did not take over the credential's session settings
    │   └── UpstreamLost        502  1011  it ended in the middle of a call
    ├── Overloaded              503  1013  the gateway has as many calls as it takes
    ├── StoreUnavailable        503  1013  the database is away or locked, and this cannot be done without it
    │   └── BlobsUnavailable    503  1013  the object store does not answer
    ├── LimitUnknown            503  1013  whether the key may have another call cannot be found out now
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


class PriceUnknown(InvalidRequest):
    code = "price_unknown"


class InvalidEvent(InvalidRequest):
    code = "invalid_event"


class InvalidModel(InvalidRequest):
    code = "invalid_model"


class NotReplayable(InvalidRequest):
    code = "not_replayable"


class ReplayDiverged(RequestError):
    code = "replay_diverged"

    def __init__(self, message: str, *, event_id: str | None = None) -> None:
        """`event_id`: the client's own, of the message that it sent."""
        super().__init__(message)
        self.event_id = event_id

    def event(self, event_id: str) -> dict[str, Any]:
        event = super().event(event_id)
        event["error"]["event_id"] = self.event_id
        return event


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


class FieldLocked(Forbidden):
    code = "session_field_locked"


class EventNotAllowed(Forbidden):
    code = "event_not_allowed"


class ToolNotAllowed(Forbidden):
    code = "tool_not_allowed"


class NotForRequests(Forbidden):
    code = "not_for_requests"


class NoUseLeft(Forbidden):
    code = "no_use_left"


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


class HeadTooLarge(RequestError):
    status = 431
    code = "head_too_large"


class RequestTimeout(RequestError):
    status = 408
    code = "request_timeout"


class SessionExpired(RequestError):
    """As the live service says it (realtime-protocol 2.4): the reason of its close frame is the message."""

    status = 408
    close_code = 1001
    code = "session_expired"

    @property
    def close_reason(self) -> str:
        return str(self)[:123]


class SessionIdle(RequestError):
    status = 408
    close_code = 4008
    code = "session_idle"


class ClientStalled(RequestError):
    status = 408
    close_code = 4008
    code = "client_stalled"


class LimitExceeded(RequestError):
    status = 429
    close_code = 4029
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class BudgetSpent(LimitExceeded):
    """With OpenAI's type for an account that has nothing left: its clients do not try again."""

    type = "insufficient_quota"
    code = "budget_spent"


class BudgetReserved(LimitExceeded):
    """Does not end the call: what is left is spoken for."""

    code = "budget_reserved"


class TooManyCalls(LimitExceeded):
    code = "too_many_calls"


class TooFast(LimitExceeded):
    """With the code that OpenAI gives for it."""


class RateLimited(LimitExceeded):
    """As the live service says it, with its own type."""

    def __init__(self, message: str, *, wait_seconds: float | None = None) -> None:
        """Without `wait_seconds` no waiting helps: it is more than the limit itself."""
        super().__init__(message)
        self.wait_seconds = wait_seconds


class RequestsLimited(RateLimited):
    type = "requests"


class TokensLimited(RateLimited):
    type = "tokens"


class UpstreamError(VoxgateError):
    status = 502
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    code = "upstream_refused"


class UpstreamStalled(UpstreamError):
    status = 504
    code = "upstream_stalled"


class UsageUnknown(UpstreamError):
    code = "usage_unknown"


class SettingsRefused(UpstreamError):
    code = "session_settings_refused"


class UpstreamLost(UpstreamError):
    code = "upstream_lost"


class Overloaded(VoxgateError):
    status = 503
    close_code = 1013
    code = "overloaded"


class StoreUnavailable(VoxgateError):
    status = 503
    close_code = 1013
    code = "database_unavailable"


class BlobsUnavailable(StoreUnavailable):
    code = "blobs_unavailable"


class LimitUnknown(VoxgateError):
    status = 503
    close_code = 1013
    code = "limit_unknown"


class Draining(VoxgateError):
    status = 503
    close_code = 1001
    code = "draining"


class SettingsError(VoxgateError):
    code = "invalid_settings"
