"""A recorded call as a model: `replay:<session id>` plays the provider's side of it to a live client, in step
with what that client does.

    event log → cutting → Script (steps, and what each waits for) → Player ⇄ connection ⇄ the live client

Bytes or sockets? `cutting`, `script`, `matching` and `player` are pure: messages and times in, messages out.
`connection` and `server` are the sockets around them, `loading` reads the logs.
"""
