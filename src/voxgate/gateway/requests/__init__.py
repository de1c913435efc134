"""Every model call that is no Realtime session: `POST /v1/chat/completions` and its like, one request and one
answer, which goes on as it comes.

    request → key → grant → body → model → targets → answer → client
                              └──────── logged ───────┘
"""
