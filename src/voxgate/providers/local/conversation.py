"""The conversation: items in order, and the operations of `conversation.item.*` on them."""

from __future__ import annotations

from collections.abc import Iterable

from voxgate.providers.local.items import Item
from voxgate.providers.local.refusals import EventRefused, no_such_item

KEPT_AUDIO_BYTES = 32 * 1024 * 1024  # of all items together; the oldest audio goes first, its words stay


class Conversation:
    def __init__(self) -> None:
        self.items: list[Item] = []

    @property
    def last_id(self) -> str | None:
        return self.items[-1].id if self.items else None

    def insert(self, item: Item, previous_item_id: str | None = None) -> str | None:
        """Puts it after that item (`root`: first; None: last); returns its predecessor's id."""
        if any(each.id == item.id for each in self.items):
            message = f"Error adding item: an item with id '{item.id}' already exists."
            raise EventRefused("item_create_duplicate_item_id", message, param="item.id")
        place = self._place_after(previous_item_id)
        self.items.insert(place, item)
        self._forget_old_audio()
        return self.items[place - 1].id if place else None

    def previous_id(self, item: Item) -> str | None:
        place = self.items.index(item)
        return self.items[place - 1].id if place else None

    def find(self, item_id: str) -> Item | None:
        return next((item for item in self.items if item.id == item_id), None)

    def retrieve(self, item_id: str) -> Item:
        item = self.find(item_id)
        if item is None:
            raise no_such_item("retrieve", "retrieving", item_id)
        return item

    def delete(self, item_id: str) -> None:
        item = self.find(item_id)
        if item is None:
            raise no_such_item("delete", "deleting", item_id)
        self.items.remove(item)

    def truncate(
        self, item_id: str, content_index: int, audio_end_ms: int
    ) -> tuple[int, EventRefused | None]:
        """Where it was cut. Past the end the live service complains, clamps, and cuts all the same."""
        item = self.find(item_id)
        if item is None:
            raise no_such_item("truncate", "truncating", item_id)
        if item.body.get("role") != "assistant" or not item.spoken or content_index != 0:
            message = "Only model output audio messages can be truncated"
            raise EventRefused("unsupported_content_type", message, param="item_id")
        if item.body["status"] == "in_progress":
            message = "This item is still being generated: cancel the response first."
            raise EventRefused("item_truncate_in_progress", message, param="item_id")
        complaint = None
        if audio_end_ms > item.audio_ms:
            message = f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms"
            complaint = EventRefused("invalid_value", message, param="audio_end_ms")
            audio_end_ms = item.audio_ms
        item.truncate(audio_end_ms)
        return audio_end_ms, complaint

    def _place_after(self, previous_item_id: str | None) -> int:
        if previous_item_id is None:
            return len(self.items)
        if previous_item_id == "root":
            return 0
        for place, item in enumerate(self.items):
            if item.id == previous_item_id:
                return place + 1
        message = f"Error adding item: the previous item with id '{previous_item_id}' does not exist."
        raise EventRefused("item_create_invalid_previous_item_id", message, param="previous_item_id")

    def _forget_old_audio(self) -> None:
        kept = sum(len(item.audio) for item in self.items)
        for item in self._oldest_first():
            if kept <= KEPT_AUDIO_BYTES:
                return
            kept -= len(item.audio)
            item.audio = b""

    def _oldest_first(self) -> Iterable[Item]:
        return (item for item in self.items[:-1] if item.heard is not None)
