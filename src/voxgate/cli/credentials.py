"""`voxgate credentials create|list|show|revoke`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from voxgate.cli.table import Column, moment, print_table
from voxgate.client.http import Client
from voxgate.core.clock import iso_utc, unix_seconds
from voxgate.core.errors import InvalidRequest

app = typer.Typer(help="Temporary credentials: make, list, show, revoke.", no_args_is_help=True)


_EXAMPLES: Final = (
    "Examples:  voxgate credentials create --model local --project support --ttl 60   ·   "
    "voxgate credentials create --model local --instructions 'You sell flowers.' --lock locked "
    "--allowed-events 'input_audio_buffer.*' --allowed-tools none   ·   "
    "voxgate credentials create --model local --session @session.json --lock instructions --lock tools"
)
_NONE: Final = "none"
"""Where a flag takes a list: an empty one."""

Names = list[str] | None
Models = Annotated[Names, typer.Option(help="Allowed model; may be repeated (any).")]
Ttl = Annotated[int, typer.Option(help="Seconds in which a call may start, 1 to 86400.")]
Project = Annotated[str | None, typer.Option(help="Record the calls in this project.")]
User = Annotated[str | None, typer.Option(help="Your user's id; it goes on the trace.")]
Metadata = Annotated[
    Names, typer.Option(help="KEY=VALUE for the trace; may be repeated. tags=a,b sets its tags.")
]
Settings = Annotated[str | None, typer.Option(help="Settings that calls begin with: JSON, or @FILE with it.")]
Instructions = Annotated[str | None, typer.Option(help="Of these settings, the instructions.")]
Voice = Annotated[str | None, typer.Option(help="Of these settings, the voice.")]
Locks = Annotated[
    Names,
    typer.Option(
        help="'locked': the client may change nothing that is set; or a field such as instructions or "
        "audio.output.voice, may be repeated (the client may change all)."
    ),
]
Events = Annotated[
    Names,
    typer.Option(help="Client event that may be sent, as 'response.*'; may be repeated; 'none' (any)."),
]
Tools = Annotated[Names, typer.Option(help="Tool that the client may bring; may be repeated; 'none' (any).")]
Origins = Annotated[
    Names,
    typer.Option(
        "--allowed-origins", "--origin", help="Origin of a page that may use it; may be repeated (any)."
    ),
]
Addresses = Annotated[
    Names,
    typer.Option("--allowed-ips", "--ip", help="Address or network that may use it; may be repeated (any)."),
]
Concurrent = Annotated[int | None, typer.Option(help="Calls at once (any).")]
SessionSeconds = Annotated[int | None, typer.Option(help="Duration of each call (any).")]
ExpiresHard = Annotated[bool, typer.Option(help="End running calls, too, when it expires.")]
Uses = Annotated[int | None, typer.Option(help="Calls that may be made with it (any).")]
Tokens = Annotated[int | None, typer.Option(help="Tokens of all its calls (any).")]
SoundSeconds = Annotated[float | None, typer.Option(help="Sound of all its calls, both ways (any).")]
Dollars = Annotated[float | None, typer.Option(help="US dollars for all its calls (any).")]
Requests = Annotated[int | None, typer.Option(help="Requests and openings of calls in a minute (any).")]
TokensPerMinute = Annotated[int | None, typer.Option(help="Tokens of its requests in a minute (any).")]
Audio = Annotated[bool, typer.Option(help="With --project: record the sound.")]
Words = Annotated[bool, typer.Option(help="With --project: record the words.")]
Retention = Annotated[int | None, typer.Option(help="With --project: delete recordings after so many days.")]
SoundRetention = Annotated[
    int | None, typer.Option(help="With --project: delete the sound alone after so many days.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print all that was made, not only the key.")]


@app.command(epilog=_EXAMPLES)
def create(
    model: Models = None,
    ttl: Ttl = 600,
    project: Project = None,
    user: User = None,
    metadata: Metadata = None,
    session: Settings = None,
    instructions: Instructions = None,
    voice: Voice = None,
    lock: Locks = None,
    allowed_events: Events = None,
    allowed_tools: Tools = None,
    origin: Origins = None,
    ip: Addresses = None,
    max_concurrent: Concurrent = None,
    max_session_seconds: SessionSeconds = None,
    expires_hard: ExpiresHard = False,
    max_uses: Uses = None,
    max_tokens: Tokens = None,
    max_audio_seconds: SoundSeconds = None,
    max_cost_usd: Dollars = None,
    max_requests_per_minute: Requests = None,
    max_tokens_per_minute: TokensPerMinute = None,
    audio: Audio = True,
    text: Words = True,
    retention_days: Retention = None,
    audio_retention_days: SoundRetention = None,
    as_json: AsJson = False,
) -> None:
    """Make a temporary credential and print its key."""
    if project is None and not (audio and text and retention_days is audio_retention_days is None):
        raise InvalidRequest(
            "--no-audio, --no-text and the days of retention are about recordings, and without --project "
            "nothing is recorded. Leave them out, or add --project NAME."
        )
    logging = {"project_name": project, "audio": audio, "text": text, "retention_days": retention_days}
    logging |= {} if audio_retention_days is None else {"audio_retention_days": audio_retention_days}
    body = {
        "model": model[0] if model and len(model) == 1 else model,
        "ttl_seconds": ttl,
        "logging": logging if project else None,
        "metadata": _metadata(metadata or []) | ({"user_id": user} if user else {}),
        "session": _session(session, instructions, voice, lock or []),
        "allowed_events": _list(allowed_events),
        "allowed_tools": _list(allowed_tools),
        "allowed_origins": origin or None,
        "allowed_ips": ip or None,
        "max_concurrent": max_concurrent,
        "max_session_seconds": max_session_seconds,
        "expires_hard": expires_hard,
        "max_uses": max_uses,
        "max_tokens": max_tokens,
        "max_audio_seconds": max_audio_seconds,
        "max_cost_usd": max_cost_usd,
        "max_requests_per_minute": max_requests_per_minute,
        "max_tokens_per_minute": max_tokens_per_minute,
    }
    made = Client().call("POST", "/v1/credentials", body)
    typer.echo(json.dumps(made, indent=2) if as_json else made["key"])


@app.command(epilog="Example:  voxgate credentials show cred_…")
def show(credential_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show what a temporary credential allows, as JSON (never its key)."""
    typer.echo(json.dumps(Client().call("GET", f"/v1/credentials/{credential_id}"), indent=2))


@app.command("list", epilog="Example:  voxgate credentials list --limit 20 --json")
def list_(
    limit: Annotated[int, typer.Option(help="How many, 1 to 500.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List the newest temporary credentials (never their keys)."""
    items = Client().call("GET", "/v1/credentials", query={"limit": limit})["items"]
    if as_json:
        for item in items:
            typer.echo(json.dumps(item))
        return
    print_table(items, _COLUMNS, empty="There is no credential yet: voxgate credentials create makes one.")


def _models(model: str | list[str] | None) -> str:
    return model if isinstance(model, str) else ", ".join(model or ["any"])


@app.command(epilog="Example:  voxgate credentials revoke cred_… --end-sessions")
def revoke(
    credential_id: Annotated[str, typer.Argument(metavar="ID")],
    end_sessions: Annotated[bool, typer.Option(help="Also end its running calls.")] = False,
) -> None:
    """Revoke a temporary credential: it starts no call any more, in any worker, a second later at most."""
    query: dict[str, str | int | None] = {"end_sessions": "true" if end_sessions else None}
    Client().call("DELETE", f"/v1/credentials/{credential_id}", query=query)
    typer.echo(f"{credential_id} is revoked")


def _list(values: Names) -> list[str] | None:
    """None where the flag was not given, which allows all."""
    return None if not values else [value for value in values if value != _NONE]


def _session(
    given: str | None, instructions: str | None, voice: str | None, lock: list[str]
) -> dict[str, Any] | None:
    settings = _settings(given) if given else {}
    if instructions is not None:
        settings["instructions"] = instructions
    if voice is not None:
        settings = _with_voice(settings, voice)
    if lock:
        settings["lock"] = lock[0] if lock in (["locked"], ["defaults"]) else lock
    return settings or None


def _with_voice(settings: dict[str, Any], voice: str) -> dict[str, Any]:
    """What stands around it and is no object is left to the server to refuse."""
    audio = settings.get("audio") or {}
    output = audio.get("output") or {} if isinstance(audio, dict) else None
    if not isinstance(output, dict):
        return settings
    return {**settings, "audio": {**audio, "output": {**output, "voice": voice}}}


def _settings(given: str) -> dict[str, Any]:
    try:
        settings = json.loads(Path(given[1:]).read_text("utf-8") if given.startswith("@") else given)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"--session cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise InvalidRequest(
            '--session must be a JSON object, for example \'{"instructions": "Be brief."}\'.'
        )
    return settings


def _metadata(pairs: list[str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InvalidRequest(f"--metadata takes KEY=VALUE, not {pair!r}.")
        metadata[key] = value.split(",") if key == "tags" else value
    return metadata


def _used(row: Mapping[str, Any]) -> str:
    """Empty when nothing is counted."""
    used = row["used"]
    if used is None:
        return ""
    parts = [f"{used['uses']:,} {'call' if used['uses'] == 1 else 'calls'}"]
    if used["tokens"] is not None:
        dollars = "unknown cost" if used["cost_usd"] is None else f"${used['cost_usd']:,.4f}"
        parts += [f"{used['tokens']:,} tokens", f"{used['audio_seconds']:,.0f} s", dollars]
    return ", ".join(parts)


def _state(row: Mapping[str, Any]) -> str:
    if row.get("revoked_at"):
        return "revoked"
    return "expired" if row["expires_at"] <= unix_seconds() else ""


def _moment(unix_seconds: int) -> str:
    return moment(iso_utc(datetime.fromtimestamp(unix_seconds, UTC)))


_COLUMNS: Final = (
    Column("id", lambda row: row["id"]),
    Column("state", _state, weight=8),
    Column("model", lambda row: _models(row["model"]), weight=6, shortest=10),
    Column("project", lambda row: row["project"] or "not recorded", weight=5, shortest=8),
    Column("may start until", lambda row: _moment(row["expires_at"]), weight=7),
    Column("used", _used, weight=3, shortest=12),
    Column("made", lambda row: _moment(row["created_at"]), weight=2),
)
