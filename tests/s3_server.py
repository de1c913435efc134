"""An S3 server as a program of its own: `python -m tests.s3_server`. It says where it is and with which keys
as one line of JSON, and ends when its standard input ends. Signatures are checked. `PUT /-/faults` with a
status lets every request fail with that until `DELETE /-/faults`; `GET /-/requests` lists what was asked.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"  # read when moto is loaded

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "voxgate-test"
_USER = "voxgate"
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Faulty:
    """Moto's application, which fails when it is told to."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._fault = ""
        self._requests: list[str] = []

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/-/requests":
            return _answer(start, "200 OK", json.dumps(self._requests))
        if path == "/-/faults":
            size = int(environ.get("CONTENT_LENGTH") or 0)
            self._fault = environ["wsgi.input"].read(size).decode() if method == "PUT" else ""
            return _answer(start, "200 OK", "")
        self._requests.append(f"{method} {path} {environ.get('HTTP_RANGE', '')} {self._fault}".strip())
        if self._fault:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return _answer(start, f"{self._fault} Out of order", "<Error><Code>InternalError</Code></Error>")
        answer: Iterable[bytes] = self._app(environ, start)
        return answer


def _answer(start: StartResponse, status: str, body: str) -> list[bytes]:
    start(status, [("content-type", "application/xml"), ("content-length", str(len(body)))])
    return [body.encode()]


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


def _make_user() -> tuple[str, str]:
    users = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    users.create_user("us-east-1", _USER)
    users.put_user_policy(_USER, "all", json.dumps(_POLICY))
    key = users.create_access_key(_USER)
    return key.access_key_id, key.secret_access_key


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    key_id, secret = _make_user()
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(BUCKET, "us-east-1")
    app = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {"url": f"http://127.0.0.1:{server.server_port}", "key_id": key_id, "secret": secret}
    print(json.dumps({**where, "bucket": BUCKET}), flush=True)
    sys.stdin.read()
    os._exit(0)  # no matter who still has a connection


if __name__ == "__main__":
    main()
