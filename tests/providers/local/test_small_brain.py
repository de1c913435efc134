"""The brain in the box: tools, arguments, results, words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voxgate.providers.local.arguments import fill_arguments
from voxgate.providers.local.brain import Call, Prompt, Say, Turn
from voxgate.providers.local.small_brain import SmallBrain
from voxgate.providers.local.tool_results import sentence_of


def tool(name: str, description: str, **properties: Any) -> dict[str, Any]:
    required = [key for key, each in properties.items() if not each.pop("optional", False)]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "name": name, "description": description, "parameters": parameters}


WEATHER = tool(
    "get_weather",
    "Look up the weather for a city.",
    city={"type": "string"},
    unit={"type": "string", "enum": ["celsius", "fahrenheit"], "optional": True},
)
FLIGHT = tool(
    "book_flight",
    "Book a flight for passengers.",
    origin={"type": "string"},
    destination={"type": "string"},
    date={"type": "string"},
    passengers={"type": "integer"},
)
LIGHT = tool(
    "set_light",
    "Turn a lamp on or off.",
    room={"type": "string", "enum": ["kitchen", "bedroom"]},
    on={"type": "boolean"},
)
SEARCH = tool("web_search", "Search the web.", query={"type": "string"})
TOOLS = [WEATHER, FLIGHT, LIGHT, SEARCH]


def reply(
    said: str, *, tools: list[dict[str, Any]] = TOOLS, choice: Any = "auto", seed: int = 0
) -> Say | Call:
    prompt = Prompt("Be short.", False, [Turn("user", said)], tools, choice)
    [thought] = SmallBrain(seed).thoughts(prompt)
    return thought


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ("What is the weather in Paris?", "get_weather", {"city": "Paris"}),
        (
            "How's the weather in New York in fahrenheit?",
            "get_weather",
            {"city": "New York", "unit": "fahrenheit"},
        ),
        ("weather in berlin please", "get_weather", {"city": "berlin"}),
        ("Weather?", "get_weather", {"city": ""}),
        (
            "Book two seats on a flight from Paris to San Francisco tomorrow.",
            "book_flight",
            {"origin": "Paris", "destination": "San Francisco", "date": "tomorrow", "passengers": 2},
        ),
        ("Turn the lights off in the kitchen.", "set_light", {"room": "kitchen", "on": False}),
        ("Please search the web for the tallest building.", "web_search", {"query": "the tallest building"}),
    ],
)
def test_the_tool_that_fits_is_called_with_arguments_from_the_words(
    said: str, name: str, arguments: dict[str, Any]
) -> None:
    thought = reply(said)
    assert isinstance(thought, Call)
    assert (thought.name, json.loads(thought.arguments)) == (name, arguments)


@pytest.mark.parametrize("said", ["Hello!", "What time is it?", "Tell me a story.", "My city is nice."])
def test_no_tool_is_called_when_none_fits(said: str) -> None:
    assert isinstance(reply(said, tools=[SEARCH, LIGHT]), Say)


def test_tool_choice_is_honoured() -> None:
    asked = "What is the weather in Oslo?"
    assert isinstance(reply(asked, choice="none"), Say)
    assert isinstance(reply("Hello.", choice="required"), Call)
    forced = reply(asked, choice={"type": "function", "name": "web_search"})
    assert isinstance(forced, Call)
    assert forced.name == "web_search"


@pytest.mark.parametrize(
    ("said", "schema", "expected"),
    [
        ("Set it to 21.5 degrees", {"type": "number"}, 21.5),
        ("We are twelve people", {"type": "integer"}, 12),
        ("It costs 1,250 euros", {"type": "integer"}, 1250),
        ("No number here", {"type": "integer"}, 0),
        ("Give me the large one", {"enum": ["small", "large"]}, "large"),
        ("Anna and Bob come", {"type": "array", "items": {"type": "string"}}, ["Bob"]),
        ("In Rome", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "Rome"),
        ('Call it "Blue Moon" please', {"type": "string"}, "Blue Moon"),
    ],
)
def test_arguments_follow_the_schema(said: str, schema: dict[str, Any], expected: Any) -> None:
    filled = fill_arguments(said, {"type": "object", "properties": {"thing": schema}, "required": ["thing"]})
    assert filled == {"thing": expected}


def test_an_optional_argument_that_was_not_said_is_left_out() -> None:
    assert fill_arguments("hello", {"properties": {"city": {"type": "string"}}}) == {}


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("It is foggy and 12 degrees in London.", "It is foggy and 12 degrees in London."),
        ('{"temperature": 18, "skyState": "cloudy"}', "The temperature is 18 and the sky state is cloudy."),
        ('{"result": "sunny"}', "Sunny."),
        ('{"error": "no such city"}', "That did not work: no such city."),
        ('["a", "b"]', "There are 2: a and b."),
        ("[]", "I found nothing."),
        ('{"ok": true}', "It is done."),
        ("", "It is done, and there was nothing to report."),
    ],
)
def test_a_tool_result_becomes_a_sentence(output: str, sentence: str) -> None:
    assert sentence_of(output) == sentence


def test_after_a_tool_result_the_answer_comes_from_it() -> None:
    turns = [
        Turn("user", "What is the weather in Paris?"),
        Turn("call", '{"city":"Paris"}', name="get_weather", call_id="call_1"),
        Turn("result", '{"sky": "clear"}', call_id="call_1"),
    ]
    assert SmallBrain(0).thoughts(Prompt("", False, turns, TOOLS, "auto")) == [Say("The sky is clear.")]


def test_what_it_cannot_answer_it_says_so() -> None:
    thought = reply("Explain the theory of relativity.", tools=[])
    assert isinstance(thought, Say)
    assert "theory of relativity" in thought.text
    assert "connect a provider" in thought.text


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("Hello, my name is Marcelo.", "Marcelo"),
        ("Count to five.", "1, 2, 3, 4, 5."),
        ("Repeat after me: the quick brown fox.", "the quick brown fox."),
        ("Who are you?", "small model"),
        ("", "did not catch"),
    ],
)
def test_it_knows_a_few_things(said: str, part: str) -> None:
    thought = reply(said, tools=[])
    assert isinstance(thought, Say)
    assert part in thought.text


def test_the_seed_decides_among_phrases_and_the_same_seed_says_the_same() -> None:
    greetings = [reply("Hello!", seed=seed) for seed in range(12)]
    assert greetings == [reply("Hello!", seed=seed) for seed in range(12)]
    assert len(set(greetings)) > 1


def test_instructions_for_one_response_can_have_something_said() -> None:
    prompt = Prompt("Say: your table is ready.", True, [], [], "auto")
    assert SmallBrain(0).thoughts(prompt) == [Say("your table is ready.")]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('{"temperature_c": 21}', "The temperature is 21 degrees Celsius."),
        ('{"conditions": "sunny"}', "The conditions are sunny."),
        (
            '{"wind_kmh": 12.5, "status": "calm"}',
            "The wind is 12.5 kilometres per hour and the status is calm.",
        ),
        ('{"c": 3}', "The c is 3."),
    ],
)
def test_numbers_are_said_with_their_units(result: str, said: str) -> None:
    assert sentence_of(result) == said


SCRIPT = """You are the clerk.
- When you hear "refund policy", say: Refunds take five days.
When the user asks about "parcel", call get_weather.
Never call book_flight."""


def scripted(said: str, instructions: str = SCRIPT, *, own: bool = False) -> Say | Call:
    [thought] = SmallBrain(0).thoughts(Prompt(instructions, own, [Turn("user", said)], TOOLS, "auto"))
    return thought


def test_lines_of_a_script_are_followed() -> None:
    assert scripted("What is your policy on refunds?") == Say("Refunds take five days.")
    assert isinstance(called := scripted("Where is my parcel?"), Call)
    assert called.name == "get_weather"
    assert isinstance(scripted("Book a flight to Rome"), Say)
    assert isinstance(scripted("Book a flight to Rome", "Be kind."), Call)
    assert isinstance(scripted("What is the weather in Paris?", "Never call any tool."), Say)
    assert scripted("What is the refund policy?", own=True) != Say("Refunds take five days.")


USER = """You are the user in a voice call.

User persona:
- Name: Jordan Lee
- Order ID: ORD-1001
- Goal: Get the latest status and estimated delivery date for the order.
- Style: Polite, brief, direct.

Rules:
- When the goal is satisfied, reply with exactly the single token: END_CALL (no other words)."""


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("", "I would like to get the latest status and estimated delivery date for the order."),
        (
            "Hello! How can I help?",
            "I would like to get the latest status and estimated delivery date for the order.",
        ),
        ("What is your order ID?", "My order ID is ORD-1001."),
        (
            "Could you tell me your name and the order ID, please?",
            "My name is Jordan Lee. My order ID is ORD-1001.",
        ),
        (
            "The order id is ORD-1001, the status is in transit and the estimated delivery is Sunday.",
            "END_CALL",
        ),
        ("Goodbye.", "END_CALL"),
    ],
)
def test_a_user_is_played_from_a_persona(heard: str, said: str) -> None:
    assert scripted(heard, USER) == Say(said)
