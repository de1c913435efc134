"""Connections to a PostgreSQL server, with times after which one that does not answer counts as away."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine

_DRIVER: Final = "postgresql+psycopg"
_CONNECTION: Final = {
    # In seconds, of each of the server's addresses.
    "connect_timeout": 5,
    # A server that is cut off is noticed by what it does not confirm, and not only when TCP gives up.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "application_name": "voxgate",
}
# Of each process: a server takes a hundred connections unless it was told otherwise.
_POOL: Final = {"pool_size": 4, "max_overflow": 12, "pool_timeout": 10.0}


def postgres_engine(url: URL, **options: Any) -> Engine:
    """What the URL says of the connection comes before our own."""
    own = {key: value for key, value in _CONNECTION.items() if key not in url.query}
    return create_engine(
        url.set(drivername=_DRIVER),
        connect_args=own,
        # A connection that the server has ended is replaced before anything is asked through it.
        pool_pre_ping=True,
        **_POOL,
        **options,
    )
