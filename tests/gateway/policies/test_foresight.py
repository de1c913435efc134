"""What stages say in advance of sound is what they would say of each message."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.auth.credentials import Grant
from voxgate.core.prices import PriceTable
from voxgate.gateway.account import Account
from voxgate.gateway.mediation import Translation
from voxgate.gateway.policies.allowed import Allowed, EventRule
from voxgate.gateway.policies.budget import Budget
from voxgate.gateway.policies.ruling import Foresight, SoundJudge, Stage
from voxgate.gateway.policies.session_lock import SessionLock
from voxgate.realtime.dialects import Dialect, Translator, XaiTranslator
from voxgate.realtime.peek import SOUND, SOUND_KINDS, find_sound
from voxgate.store import Spent

APPEND, GA, BETA = SOUND


def event(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, **more}, separators=(",", ":")).encode()


def sound(kind: bytes, size: int, response: str = "r1") -> bytes:
    return event(kind.decode(), response_id=response, **{SOUND[kind].decode(): "A" * (size * 4)})


def budget(**scopes: Any) -> Budget:
    return Budget(Account(Grant("temporary", "cred", **scopes), Spent()), "gpt-realtime-2.1", PriceTable())


def translation(client: Dialect | None, provider: Dialect, **more: Any) -> Translation:
    return Translation(Translator(client, provider, **more))


def lock() -> SessionLock:
    return SessionLock({"instructions": "Be kind."}, ["instructions"])


STAGES: dict[str, Callable[[], Stage]] = {
    "events allowed": lambda: Allowed([], EventRule(["input_audio_buffer.*"])),
    "no sound allowed": lambda: Allowed([], EventRule(["session.update"])),
    "models": lambda: Allowed([lambda _: None], word=b"model"),
    "lock": lock,
    "settings": lambda: SessionLock({"instructions": "Be kind."}, []),
    "tokens": lambda: budget(max_tokens=1 << 40),
    "seconds": lambda: budget(max_audio_seconds=1.0),
    "beta client": lambda: translation(Dialect.BETA, Dialect.GA),
    "unknown client": lambda: translation(None, Dialect.GA, requested_model="a", upstream_model="b"),
    "beta provider": lambda: translation(Dialect.GA, Dialect.BETA),
    "xai": lambda: Translation(XaiTranslator()),
}
UP = st.sampled_from([
    event("response.create"), event("session.update", session={"instructions": "x"}),
    event("session.update", session={"input_audio_format": "g711_ulaw", "modalities": ["text"]}), b"{",
])  # fmt: skip
DOWN = st.sampled_from([
    event("session.updated", session={"type": "realtime"}), event("error", error={"code": "x"}),
    event("response.created", response={"id": "r1"}), event("response.created", response={"id": "r2"}),
    event("response.done", response={"id": "r1", "status": "cancelled"}),
])  # fmt: skip
SIZES = st.one_of(st.integers(0, 4), st.integers(0, 10_000))
STEPS = st.one_of(
    st.tuples(st.just("up"), UP),
    st.tuples(st.just("down"), DOWN),
    st.tuples(
        st.sampled_from(["sound up", "sound down"]),
        st.lists(
            st.builds(sound, st.sampled_from([*SOUND]), SIZES, st.sampled_from(["r1", "r2"])), min_size=1
        ),
    ),
)


def judged(judge: SoundJudge, texts: Sequence[bytes]) -> list[bytes | None]:
    found = [find_sound(text) for text in texts]
    return [judge(text, *sound) for text, sound in zip(texts, found, strict=True) if sound is not None]


def foreseen(foresight: Foresight | None, texts: Sequence[bytes]) -> list[bytes | None] | None:
    """As the compiled part goes by it; None where it has to leave these to the judges."""
    said = foresight() if foresight is not None else None
    if said is None:
        return None
    sounds = [found for text in texts if (found := find_sound(text)) is not None]
    if not all(kind in said.names for kind, _ in sounds):
        return None
    if said.count is not None and not said.count(sum(size for _, size in sounds)):
        return None
    return [text.replace(kind, said.names[kind], 1) for text, (kind, _) in zip(texts, sounds, strict=True)]


def memory(value: Any, at: str = "") -> dict[str, Any]:
    """Everything that a stage remembers, by where it stands."""
    if isinstance(value, dict):
        members = {str(key): each for key, each in value.items() if not callable(each)}
    elif type(value).__module__.startswith("voxgate."):
        slots = [name for each in type(value).__mro__ for name in getattr(each, "__slots__", ())]
        members = {**getattr(value, "__dict__", {}), **{name: getattr(value, name) for name in slots}}
    else:
        return {at: value if isinstance(value, float) else repr(value)}
    return {
        place: leaf
        for name, each in members.items()
        if name not in ("_event_id", "_rules", "_asked")
        for place, leaf in memory(each, f"{at}.{name}").items()
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Sums of fractions depend on the order in which they are taken."""
    return [
        place
        for place in one.keys() | other.keys()
        if one.get(place) != other.get(place)
        and not (isinstance(one.get(place), float) and one[place] == pytest.approx(other.get(place)))
    ]


@pytest.mark.parametrize("name", [*STAGES])
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=12))
def test_what_was_foreseen_is_what_is_judged_whatever_was_said_before(
    name: str, steps: list[tuple[str, Any]]
) -> None:
    asked, spared = STAGES[name](), STAGES[name]()
    for stage in (asked, spared):
        stage.opening()
    for what, said in steps:
        if what in ("up", "down"):
            for stage in (asked, spared):
                (stage.to_provider if what == "up" else stage.to_client)(said)
            continue
        up = what == "sound up"
        judge, other = (each.sound_to_provider if up else each.sound_to_client for each in (spared, asked))
        if judge is None or other is None:
            continue
        answers = foreseen(spared.foresee_to_provider if up else spared.foresee_to_client, said)
        if answers is None:
            answers = judged(judge, said)
        assert answers == judged(other, said)
        assert not differences(memory(spared), memory(asked))


def test_a_lock_foresees_nothing_before_its_settings_are_in_force() -> None:
    stage = lock()
    stage.opening()
    assert stage.foresee_to_provider() is None
    stage.to_client(event("session.updated", session={}))
    assert stage.foresee_to_provider() is None, "whether the client spoke tells whom an error is about"
    stage.to_provider(event("response.create"))
    said = stage.foresee_to_provider()
    assert said is not None
    assert said.names.keys() == SOUND_KINDS


def test_events_that_are_not_allowed_are_never_foreseen() -> None:
    assert not Allowed([], EventRule(["response.create"])).foresee_to_provider().names
    some = Allowed([], EventRule(["input_audio_buffer.append"])).foresee_to_provider()
    assert some.names == {APPEND: APPEND}


def test_a_budget_without_sound_left_counts_no_more() -> None:
    count = budget(max_audio_seconds=1.0).foresee_to_provider().count
    assert count is not None
    assert count(47_999)
    assert not count(1)


def test_a_response_beside_another_is_counted_by_its_name() -> None:
    stage = budget(max_tokens=1000)
    count = stage.foresee_to_client().count
    assert count is not None
    for response in ("r1", "r2"):
        stage.to_client(event("response.created", response={"id": response}))
    assert not count(4800)


def test_the_type_that_a_client_of_the_beta_knows_is_foreseen() -> None:
    said = translation(Dialect.BETA, Dialect.GA).foresee_to_client()
    assert said.names[GA] == BETA
