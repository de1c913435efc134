"""The smallest honest check of a provider: is there a key, is its list of models given out for that key, and
does it open a call? The call is hung up as soon as the provider has said its first word, so it costs nothing.
One that serves no calls but requests is asked for its models. For the web app and for the command line;
Router in, Check out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import aiohttp
import orjson

from voxgate.core.kinds import Kind
from voxgate.core.settings import LOCAL
from voxgate.core.upstreams import ProviderSettings
from voxgate.providers.adapters import facts_of
from voxgate.providers.routes import Router, Upstream, key_variable
from voxgate.providers.targets import Targets
from voxgate.realtime.redaction import without_key

Status = Literal["passed", "failed", "skipped"]
_FIRST_WORD_SECONDS: Final = 5.0
_LARGEST_ANSWER_BYTES: Final = 4 << 20
_SHOWN_WORDS: Final = 300
_KEY_REFUSED: Final = frozenset({401, 403})
_NOT_THERE: Final = frozenset({404, 405, 426, 501})


@dataclass(frozen=True, slots=True)
class Step:
    """One question and its answer. `advice` says what to do where something is wrong."""

    name: Literal["key", "models", "call"]
    status: Status
    said: str
    advice: str = ""
    ms: float | None = None
    is_not_there: bool = False
    """Whether the provider has nothing at that place."""


@dataclass(frozen=True, slots=True)
class Check:
    provider: str
    model: str | None
    steps: list[Step] = field(default_factory=list)
    proof: Literal["models", "call"] = "call"
    """The step that shows that it serves."""

    @property
    def status(self) -> Status:
        if any(step.status == "failed" for step in self.steps):
            return "failed"
        is_proven = any(step.status == "passed" and step.name == self.proof for step in self.steps)
        return "passed" if is_proven else "skipped"

    @property
    def said(self) -> str:
        """The step that decides, in words."""
        failed = next((step for step in self.steps if step.status == "failed"), None)
        return (failed or self.steps[-1]).said


async def check_provider(router: Router, name: str, model: str | None = None) -> Check:
    """`name` is one of `router.providers`; `model` as a caller asks for it, else the first that is routed, of
    those for calls if there are some."""
    provider, known = router.providers[name], router.models_at(name)
    for_calls = [each for each, live in known if _is_for_calls(provider, live)]
    asked = model or next(iter((*for_calls, *(each for each, _ in known))), None)
    live = next((live for each, live in known if each == asked), asked)
    is_for_requests = provider.kind is Kind.OPENAI and not (model or for_calls) and bool(known)
    serves_calls = facts_of(provider).form is not None and not is_for_requests
    check = Check(name, asked, proof="call" if serves_calls else "models")
    check.steps.append(key := _key_step(router, name))
    if key.status == "failed":
        return check
    listed = live or ""
    upstream = Targets(router).listing(name, listed) if not serves_calls else router.upstream(name, listed)
    async with aiohttp.ClientSession() as http:
        if models := await _models_step(http, router, upstream):
            check.steps.append(models)
        if not serves_calls:
            return check
        is_away = models is not None and models.ms is None  # then it need not be asked once more
        if not is_away:
            check.steps.append(await _call_step(http, upstream) if asked else _NO_MODEL)
    return _of_requests(check) if not for_calls and provider.kind is Kind.COMPATIBLE else check


def _is_for_calls(provider: ProviderSettings, live: str) -> bool:
    return "realtime" in live or live in facts_of(provider).models


def _of_requests(check: Check) -> Check:
    """One that takes the key but knows no calls, and of which no model is known that has some, answers
    requests: vLLM and the like."""
    *steps, last = check.steps
    if last.status != "failed" or not last.is_not_there or all(step.name != "models" for step in steps):
        return check
    said = replace(last, status="skipped", said=f"{last.said} It opens none, and is for requests.", advice="")
    return Check(check.provider, check.model, [*steps, said], proof="models")


_NO_MODEL: Final = Step(
    "call",
    "skipped",
    "No route names a model that it serves, so no call was tried.",
    "Add a [[routes]] section to voxgate.toml, or name a model for the check.",
)


def _key_step(router: Router, name: str) -> Step:
    provider = router.providers[name]
    variable = key_variable(provider)
    if name == LOCAL:
        return Step("key", "passed", "It is in the box and needs no key of yours.")
    if provider.api_key is not None:
        return Step("key", "passed", "Its key stands in the settings.")
    if variable is None:
        return Step("key", "passed", "It is sent no key: the settings name none.")
    if router.has_key(name):
        return Step("key", "passed", f"{variable} is set.")
    return Step(
        "key",
        "failed",
        f"There is no key: the variable {variable} is not set.",
        f"Set {variable} where Voxgate is started, and start it again.",
    )


async def _models_step(http: aiohttp.ClientSession, router: Router, upstream: Upstream) -> Step | None:
    """None where the kind of provider has no list of models."""
    url = _models_url(router, upstream)
    if url is None:
        return None
    began = time.monotonic()
    try:
        async with _patience(upstream), http.get(url, headers=_headers(upstream)) as answer:
            body = await answer.content.read(_LARGEST_ANSWER_BYTES)
            status = answer.status
    except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
        return _unreachable("models", upstream, error)
    return _judge_models(upstream, status, body, _ms(began))


def _judge_models(upstream: Upstream, status: int, body: bytes, ms: float) -> Step:
    if status in _KEY_REFUSED:
        return Step(
            "models",
            "failed",
            f"It refuses the key ({status}). {_words(upstream, body)}".strip(),
            _KEY_ADVICE,
            ms,
        )
    if status in _NOT_THERE:
        return Step("models", "skipped", f"It has no list of models ({status}).", ms=ms)
    if status >= 400:
        said = f"Its list of models answers {status}. {_words(upstream, body)}".strip()
        return Step("models", "failed", said, _STATUS_ADVICE, ms)
    names = list(_names(body))
    if not names:
        return Step("models", "skipped", "It answers, but with no list of models that can be read.", ms=ms)
    listed = f"It takes the key and lists {len(names)} {'model' if len(names) == 1 else 'models'}"
    if not upstream.model or upstream.model in names:
        return Step(
            "models",
            "passed",
            f"{listed}{f', {upstream.model} among them' if upstream.model else ''}.",
            ms=ms,
        )
    return Step(
        "models",
        "passed",
        f"{listed}; {upstream.model} is not among them.",
        "Compare the name with its list.",
        ms,
    )


async def _call_step(http: aiohttp.ClientSession, upstream: Upstream) -> Step:
    began = time.monotonic()
    try:
        async with _patience(upstream):
            socket = await http.ws_connect(upstream.url, headers=_headers(upstream))
    except aiohttp.WSServerHandshakeError as error:
        advice = _KEY_ADVICE if error.status in _KEY_REFUSED else _STATUS_ADVICE
        return Step(
            "call",
            "failed",
            f"It answers {error.status} to a call with {upstream.model}.",
            advice,
            _ms(began),
            is_not_there=error.status in _NOT_THERE,
        )
    except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
        return _unreachable("call", upstream, error)
    try:
        return _judge_word(upstream, await _first_word(socket), _ms(began))
    finally:
        await socket.close()


async def _first_word(socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage | None:
    try:
        return await socket.receive(_FIRST_WORD_SECONDS)
    except TimeoutError:
        return None


def _judge_word(upstream: Upstream, word: aiohttp.WSMessage | None, ms: float) -> Step:
    """A provider refuses a call with an `error` event, a close, or by not opening it."""
    opened = f"It opened a call with {upstream.model} in {ms:,.0f} ms; the call was hung up at once."
    if word is None:
        return Step("call", "passed", f"{opened} It said nothing in {_FIRST_WORD_SECONDS:g} s.", ms=ms)
    if word.type is not aiohttp.WSMsgType.TEXT:
        reason = without_key(str(word.extra or ""), upstream.secret)
        return Step(
            "call",
            "failed",
            f"It closed the call at once ({word.data}). {reason}".strip(),
            _STATUS_ADVICE,
            ms,
        )
    event = _object(word.data.encode())
    if event.get("type") == "error":
        return Step(
            "call",
            "failed",
            f"It refused the call: {_words(upstream, word.data.encode())}",
            _STATUS_ADVICE,
            ms,
        )
    return Step("call", "passed", opened, ms=ms)


_KEY_ADVICE: Final = "Is the key right, and may it use these models? Replace it, and start Voxgate again."
_STATUS_ADVICE: Final = (
    "Is base_url right, and does the account have this model? The provider's own status page may know more."
)


def _unreachable(name: Literal["models", "call"], upstream: Upstream, error: Exception) -> Step:
    if isinstance(error, TimeoutError):
        said = f"{upstream.authority} does not answer within {upstream.connect_timeout_seconds:g} s."
    else:
        reason = without_key(_reason(error), upstream.secret)[:_SHOWN_WORDS]
        said = f"{upstream.authority} cannot be reached: {reason}."
    return Step(
        name, "failed", said, "Is base_url right, does it run, and does this machine have a way to it?"
    )


def _reason(error: Exception) -> str:
    """The system's own words, where there are some."""
    told = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return (told.strerror if isinstance(told, OSError) and told.strerror else str(told)).rstrip(".")


def _patience(upstream: Upstream) -> asyncio.Timeout:
    return asyncio.timeout(upstream.connect_timeout_seconds)


def _models_url(router: Router, upstream: Upstream) -> str | None:
    provider = router.providers[upstream.provider]
    scheme, _, rest = provider.base_url.partition("://")
    host, slash, path = rest.partition("/")
    found = facts_of(provider).models_path(f"{slash}{path}".rstrip("/"))
    return None if found is None else f"{scheme}://{host}{found}"


def _headers(upstream: Upstream) -> dict[str, str]:
    return dict(upstream.headers)


def _names(body: bytes) -> Iterable[str]:
    listed = _object(body).get("data")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            yield each["id"]


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(upstream: Upstream, body: bytes) -> str:
    """The provider's own, without the key."""
    error = _object(body).get("error")
    said = error.get("message") if isinstance(error, dict) else error
    text = said if isinstance(said, str) else body.decode(errors="replace")
    return without_key(text, upstream.secret)[:_SHOWN_WORDS].strip()


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
