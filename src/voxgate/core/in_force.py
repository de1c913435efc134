"""The settings that are in force in this process: those that its parent gave it, else those of the
environment and of the current folder. For what is made far from where settings are handed around, such as
a judge that a rule names.
"""

from __future__ import annotations

import os

from voxgate.core.settings import Settings, load_settings

_held: Settings | None = None


def hold_settings(settings: Settings | None) -> None:
    """Of a child of `voxgate serve`: its parent read them, from whatever file it was told to."""
    global _held
    _held = settings


def settings_in_force() -> Settings:
    """SettingsError where something in them is wrong."""
    return load_settings({}, os.environ) if _held is None else _held
