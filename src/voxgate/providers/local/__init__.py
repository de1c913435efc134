"""The embedded provider `local`: a Realtime endpoint in the box, made of small parts that need no download.

Bytes or sockets? `session.py` and all it imports are pure: client events in, server events and commands out.
`connection.py` and `server.py` are the sockets and threads around it.
"""
