"""The beta and the GA protocol and the translation between them: messages in, messages out, nothing else."""

from voxgate.realtime.dialects.detection import detect, detect_from_update
from voxgate.realtime.dialects.table import REFUSED_BY_VOICE_LIVE, Dialect
from voxgate.realtime.dialects.translator import Translated, Translator

__all__ = ["REFUSED_BY_VOICE_LIVE", "Dialect", "Translated", "Translator", "detect", "detect_from_update"]
