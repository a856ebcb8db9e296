"""Reads the page as a browser would: its tags, its texts, its buttons, and what it would load."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "br"}
_LOADS = {"src", "href", "srcset", "data", "poster", "background", "action", "formaction"}


class Page(HTMLParser):
    """A parsed page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[str] = []
        self.loads: list[tuple[str, str | None]] = []
        """Attributes through which something could be loaded or sent."""
        self.handlers: list[str] = []
        """Attributes that would run a script."""
        self.form: dict[str, str | None] | None = None
        self.buttons: list[tuple[dict[str, str | None], str]] = []
        """Attributes and text of each button."""
        self.texts: dict[str, list[str]] = {}
        """The texts inside each kind of tag."""
        self.html: dict[str, str | None] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append(tag)
        self.loads += [(name, value) for name, value in attrs if name in _LOADS]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        match tag:
            case "form":
                self.form = dict(attrs)
            case "button":
                self.buttons.append((dict(attrs), ""))
            case "html":
                self.html = dict(attrs)
            case _:
                pass
        if tag not in _VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        """Tags close in order."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the text, for every tag around it."""
        for tag in set(self._open):
            self.texts[tag][-1] += data
        if "button" in self._open:
            attrs, text = self.buttons.pop()
            self.buttons.append((attrs, text + data))

    @property
    def labels(self) -> list[str]:
        """What stands on the buttons."""
        return [text for _, text in self.buttons]
