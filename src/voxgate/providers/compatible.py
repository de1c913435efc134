"""Facts about an endpoint that only promises to be like OpenAI's: the URL's form, and the key as Bearer."""

from __future__ import annotations

from voxgate.providers.facts import Facts, Form, files_below


def form(base: str, api_version: str | None) -> Form:
    return Form(f"{base}/realtime", parameters=(("api-version", api_version),) if api_version else ())


FACTS = Facts(form=form, files=files_below, not_forwarded=frozenset())
