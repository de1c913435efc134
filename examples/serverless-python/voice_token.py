"""A serverless function that gives a signed-in user of your site a temporary credential for one voice call.

    browser ── POST /api/voice-token ──> this function ── POST /v1/credentials ──> Voxgate
    browser <── {key, url, expires_at} ──┘

It needs nothing but the standard library: upload this file to AWS Lambda (Python 3.11 or later, handler
`voice_token.handler`) behind an HTTP API or a function URL. `python voice_token.py` runs the same function on
your machine, next to the page in ../browser.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Long enough to open a connection, too short to be worth stealing. A call that has begun goes on after it.
TTL_SECONDS = 60
PAGE = Path(__file__).resolve().parent.parent / "browser"


class NotSignedIn(Exception):
    pass


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """AWS Lambda, payload format 2.0 (HTTP APIs and function URLs)."""
    if event["requestContext"]["http"]["method"] != "POST":
        return _answer(405, {"error": "Use POST."})
    try:
        return _answer(200, mint(signed_in_user(event)))
    except NotSignedIn as error:
        return _answer(401, {"error": str(error)})
    except OSError as error:  # urllib's errors, an unreachable Voxgate and a timeout are all OSErrors
        # The details belong into your log, not to whoever asks.
        print(f"Voxgate gave no credential: {_reason(error)}")
        return _answer(502, {"error": "The voice service is not available."})


def signed_in_user(event: dict[str, Any]) -> str:
    """Who asks. THIS IS YOURS TO ADAPT: whoever gets past it can talk at your expense.

    As it is, it trusts the JWT authorizer of an API Gateway HTTP API, which has checked the token before the
    function runs, and nobody else. Without one, check your own session cookie or token here.
    """
    if os.environ.get("VOICE_TOKEN_ALLOW_ANYONE") == "1":  # for trying it on your own machine
        return "anyone"
    try:
        subject = event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"]
    except KeyError:
        raise NotSignedIn("Sign in first.") from None
    return str(subject)


def mint(user_id: str) -> dict[str, Any]:
    """One HTTPS call with the API key, which never leaves the server. OSError when there is no answer."""
    base_url = os.environ["VOXGATE_URL"].rstrip("/")
    model = os.environ.get("VOXGATE_MODEL", "local")
    wanted = {
        # The credential opens calls to this model and no other, …
        "model": model,
        "ttl_seconds": TTL_SECONDS,
        # … and every one of them is recorded in this project, with the user's id to find it by.
        "logging": {"project_name": os.environ.get("VOXGATE_PROJECT", "voice-app")},
        "metadata": {"user_id": user_id},
    }
    request = urllib.request.Request(
        f"{base_url}/v1/credentials",
        data=json.dumps(wanted).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['VOXGATE_API_KEY']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        credential = json.load(response)
    return {
        "key": credential["key"],
        "url": base_url.replace("http", "ws", 1) + f"/v1/realtime?model={model}",
        "expires_at": credential["expires_at"],
    }


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    # A credential must not stay in any cache on the way.
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


def _reason(error: OSError) -> str:
    """Voxgate's own words, where it has said some."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.read(2000).decode(errors='replace')}"
    return str(error)


class LocalServer(SimpleHTTPRequestHandler):
    """Stands in for the cloud on your own machine: the page, and the function at its address."""

    def do_POST(self) -> None:
        if self.path != "/api/voice-token":
            self.send_error(404)
            return
        result = handler({"requestContext": {"http": {"method": "POST"}}}, None)
        body = result["body"].encode()
        self.send_response(result["statusCode"])
        for name, value in result["headers"].items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve ../browser and the function on this machine.")
    parser.add_argument("--port", type=int, default=3000)
    # Only this machine: localhost is also the one place where browsers give a microphone without https.
    address = ("127.0.0.1", parser.parse_args().port)
    with ThreadingHTTPServer(address, partial(LocalServer, directory=PAGE)) as server:
        print(f"Open http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
