"""The clients of the matrix: which package, which program, and the lines that a user changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

GA_MODEL: Final = "gpt-realtime"
BETA_MODEL: Final = "gpt-4o-realtime-preview-2024-10-01"
_WSS: Final = {"plain": "connects by `wss` whatever the URL says"}


@dataclass(frozen=True)
class Client:
    id: str
    title: str
    environment: str
    """Of packages; none for what a browser has by itself."""
    package: str
    program: tuple[str, ...]
    """A file of `python/` or of the environment's folder in `javascript/`, and its arguments."""
    lines: str
    """What a user writes: the URL and the key are all there is to change."""
    model: str = GA_MODEL
    runs_in: str = "python"
    """Or `node`, or `browser`."""
    remark: str = ""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Steps that are known not to pass, and why: a run that finds otherwise fails."""


CLIENTS: Final = (
    Client(
        "openai-python",
        "`openai` for Python, `AsyncOpenAI().realtime`",
        "openai-3",
        "openai",
        ("openai_events.py", "ga"),
        'AsyncOpenAI(base_url="https://HOST/v1", api_key=KEY)',
    ),
    Client(
        "openai-python-sync",
        "`openai` for Python, `OpenAI().realtime`",
        "openai-3",
        "openai",
        ("openai_events.py", "sync"),
        'OpenAI(base_url="https://HOST/v1", api_key=KEY)',
    ),
    Client(
        "openai-python-beta",
        "`openai` for Python, `AsyncOpenAI().beta.realtime`",
        "openai-3",
        "openai",
        ("openai_events.py", "beta"),
        'AsyncOpenAI(base_url="https://HOST/v1", api_key=KEY)',
        BETA_MODEL,
        cannot=_WSS,
    ),
    Client(
        "openai-python-azure",
        "`openai` for Python, `AsyncAzureOpenAI().realtime`",
        "openai-3",
        "openai",
        ("openai_events.py", "azure"),
        'AsyncAzureOpenAI(azure_endpoint="https://HOST", api_key=KEY, api_version=…)',
        cannot=_WSS,
    ),
    Client(
        "openai-python-azure-beta",
        "`openai` for Python, `AsyncAzureOpenAI().beta.realtime`",
        "openai-3",
        "openai",
        ("openai_events.py", "azure-beta"),
        'AsyncAzureOpenAI(azure_endpoint="https://HOST", api_key=KEY, api_version=…)',
        BETA_MODEL,
        cannot=_WSS,
    ),
    Client(
        "openai-python-1",
        "`openai` for Python 1.x, `AsyncOpenAI().realtime`",
        "openai-1",
        "openai",
        ("openai_events.py", "ga"),
        'AsyncOpenAI(base_url="https://HOST/v1", api_key=KEY)',
        cannot=_WSS,
    ),
    Client(
        "openai-python-1-beta",
        "`openai` for Python 1.x, `AsyncOpenAI().beta.realtime`",
        "openai-1",
        "openai",
        ("openai_events.py", "beta"),
        'AsyncOpenAI(base_url="https://HOST/v1", api_key=KEY)',
        BETA_MODEL,
        cannot=_WSS,
    ),
    Client(
        "openai-node",
        "`openai` for Node, `OpenAIRealtimeWS`",
        "openai-7",
        "openai",
        ("events.mjs", "ws"),
        'new OpenAI({ baseURL: "https://HOST/v1", apiKey: KEY })',
        runs_in="node",
        cannot=_WSS,
    ),
    Client(
        "openai-node-native",
        "`openai` for Node, `OpenAIRealtimeWebSocket`",
        "openai-7",
        "openai",
        ("events.mjs", "native"),
        'new OpenAI({ baseURL: "https://HOST/v1", apiKey: KEY })',
        runs_in="node",
        cannot=_WSS,
    ),
    Client(
        "openai-browser",
        "`openai` in a browser, `OpenAIRealtimeWebSocket`",
        "openai-7",
        "openai",
        ("events.mjs", "native"),
        'new OpenAI({ baseURL: "https://HOST/v1", apiKey: KEY })',
        runs_in="browser",
        cannot=_WSS,
    ),
    Client(
        "openai-node-4-beta",
        "`openai` for Node 4.x, beta `OpenAIRealtimeWS`",
        "openai-4",
        "openai",
        ("events.mjs", "ws"),
        'new OpenAI({ baseURL: "https://HOST/v1", apiKey: KEY })',
        BETA_MODEL,
        runs_in="node",
        cannot=_WSS,
    ),
    Client(
        "openai-node-4-beta-native",
        "`openai` for Node 4.x, beta `OpenAIRealtimeWebSocket`",
        "openai-4",
        "openai",
        ("events.mjs", "native"),
        'new OpenAI({ baseURL: "https://HOST/v1", apiKey: KEY })',
        BETA_MODEL,
        runs_in="node",
        cannot=_WSS,
    ),
    Client(
        "openai-agents-python",
        "Agents SDK for Python",
        "agents",
        "openai-agents",
        ("agents_session.py",),
        'runner.run(model_config={"url": "wss://HOST/v1/realtime?model=…", "api_key": KEY})',
    ),
    Client(
        "openai-agents-node",
        "Agents SDK for JavaScript in Node",
        "openai-agents",
        "@openai/agents-realtime",
        ("session.mjs",),
        'new OpenAIRealtimeWebSocket({ url: "wss://HOST/v1/realtime?model=…" }); connect({ apiKey: KEY })',
        runs_in="node",
    ),
    Client(
        "openai-agents-browser",
        "Agents SDK for JavaScript in a browser",
        "openai-agents",
        "@openai/agents-realtime",
        ("session.mjs",),
        'new OpenAIRealtimeWebSocket({ url: "wss://HOST/v1/realtime?model=…" }); connect({ apiKey: KEY })',
        runs_in="browser",
    ),
    Client(
        "livekit",
        "LiveKit Agents, `openai.realtime.RealtimeModel`",
        "livekit",
        "livekit-plugins-openai",
        ("livekit_session.py",),
        'openai.realtime.RealtimeModel(base_url="https://HOST/v1", api_key=KEY)',
    ),
    Client(
        "pipecat",
        "Pipecat, `OpenAIRealtimeLLMService`",
        "pipecat",
        "pipecat-ai",
        ("pipecat_pipeline.py",),
        'OpenAIRealtimeLLMService(base_url="wss://HOST/v1/realtime", api_key=KEY)',
    ),
    Client(
        "realtime-client-browser",
        "`RealtimeClient` of the beta in a browser",
        "realtime-client",
        "openai-realtime-api",
        ("client.mjs",),
        'new RealtimeClient({ url: "wss://HOST/v1/realtime", apiKey: KEY, … })',
        BETA_MODEL,
        runs_in="browser",
        remark="`openai-realtime-api` of npm, a port of `openai-realtime-api-beta`, which is in no registry",
    ),
    Client(
        "browser",
        "WebSocket of a browser (Chromium)",
        "",
        "",
        ("raw.mjs", "ga"),
        'new WebSocket("wss://HOST/v1/realtime?model=…", ["realtime", "openai-insecure-api-key." + KEY])',
        runs_in="browser",
    ),
    Client(
        "browser-beta",
        "WebSocket of a browser (Chromium), beta",
        "",
        "",
        ("raw.mjs", "beta"),
        'new WebSocket("wss://HOST/v1/realtime?model=…", '
        '["realtime", "openai-insecure-api-key." + KEY, "openai-beta.realtime-v1"])',
        BETA_MODEL,
        runs_in="browser",
    ),
)
