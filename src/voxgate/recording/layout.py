"""How the spool's memory is laid out, and what the worker and its writer tell each other: all that both know,
so that the writer, of which there is one for each worker, loads nothing that only the worker needs.
"""

from __future__ import annotations

import struct
from typing import Final

SEGMENT: Final = 2 << 20
ENTRY: Final = struct.Struct("<IIQQBI")
"""Before each record in the spool: call, fill of the segment, place in the call's file, and the file's own
`RECORD`, so that the writer copies nothing either."""
OPEN: Final = 0x10
"""A kind of entry that is in no file: its bytes are the call's file name."""
CLOSE: Final = 0x11

ANNOUNCEMENT: Final = struct.Struct("<IIII")
"""To the writer: segment, fill, end of what is in it, whether it is full. Fill 0, nothing is in it: "full"
says that it is used next and to be touched, otherwise its memory is to be given back to the system."""
REPORT: Final = struct.Struct("<BIIQ")
"""From the writer: what it is about, and three numbers."""
WRITTEN: Final = 0
"""Segment, fill, how far it is in files."""
GIVEN_BACK: Final = 1
"""Segment, 0, 0: its memory."""
LOST: Final = 2
"""Records, 0, bytes: of files that were given up."""
ON_DISK: Final = 3
"""Logs, 0, bytes: what all workers' folders hold for the recorder."""
