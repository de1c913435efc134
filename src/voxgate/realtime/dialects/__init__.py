"""The beta and the GA protocol and the translation between them: messages in, messages out, nothing else."""

from voxgate.realtime.dialects.detection import detect, detect_from_update
from voxgate.realtime.dialects.table import REFUSED_BY_VOICE_LIVE, Dialect, Refused
from voxgate.realtime.dialects.translator import MessageTranslator, Translated, Translator
from voxgate.realtime.dialects.xai import XaiTranslator

__all__ = [
    "REFUSED_BY_VOICE_LIVE",
    "Dialect",
    "MessageTranslator",
    "Refused",
    "Translated",
    "Translator",
    "XaiTranslator",
    "detect",
    "detect_from_update",
]
