"""Charts as files: Vega-Lite documents drawn by vl-convert (the extra ``charts``), without a browser or a network."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import attrs

from crmkit.cli.output import visible
from crmkit.errors import UsageError
from crmkit.values.text import shown

__all__ = ["ChartFile", "drawn"]

Kind = Literal["svg", "png"]

_KINDS: Mapping[str, Kind] = {".svg": "svg", ".png": "png"}
_SCALE = 2
"""Points of a PNG for each of the document, so that small letters can be read."""


@attrs.frozen
class ChartFile:
    """Where a chart is to go; a file that is there is replaced only if ``force`` says so."""

    path: Path
    kind: Kind
    force: bool = False

    @classmethod
    def at(cls, path: str, *, force: bool = False) -> "ChartFile":
        """The file of this name, looked at before anything is computed.

        Raises UsageError: ``bad_chart_file`` (neither .svg nor .png), ``file_exists``, ``no_chart_library``.
        """
        file = Path(path)
        kind = _KINDS.get(file.suffix.lower())
        if kind is None:
            raise UsageError(
                f"{shown(file.name)} is no picture crmkit draws", code="bad_chart_file", hint="end it in .svg or .png"
            )
        if not force and file.exists():
            raise _there(file)
        _library()
        return cls(file, kind, force)

    def save(self, document: Mapping[str, Any]) -> None:
        """Draw the document into the file.

        Raises UsageError: ``file_exists``, ``cannot_write``, and as :func:`drawn` does; then no file was touched.
        """
        picture = drawn(document, self.kind)
        try:
            with self.path.open("wb" if self.force else "xb") as file:
                file.write(picture)
        except FileExistsError:
            raise _there(self.path) from None
        except OSError as error:
            raise UsageError(
                f"{shown(str(self.path))} cannot be written: {error.strerror}",
                code="cannot_write",
                hint="name a file in a folder that is there and yours",
            ) from None


def drawn(document: Mapping[str, Any], kind: Kind) -> bytes:
    """A Vega-Lite document as a picture.

    Nothing is fetched for it. Control characters in its texts are written out: XML has no place for them, and the
    library ends the process over one.

    Raises UsageError: ``not_self_contained`` for a document that names a URL to load from, ``not_drawn`` for one that
    is no Vega-Lite, ``no_chart_library``.
    """
    # allowed_base_urls holds for data and not for image marks, so whatever loads is refused before.
    if "url" in _keys(document):
        raise UsageError("a chart that loads from a URL is not drawn", code="not_self_contained")
    library, clean = _library(), _written_out(document)
    try:
        if kind == "png":
            return bytes(library.vegalite_to_png(clean, scale=_SCALE, allowed_base_urls=[]))
        return str(library.vegalite_to_svg(clean, allowed_base_urls=[])).encode()
    except ValueError as error:
        raise UsageError(f"the chart cannot be drawn: {str(error)[:200]}", code="not_drawn") from None


def _library() -> Any:
    try:
        return import_module("vl_convert")  # a process that draws nothing does without a library of 88 megabytes
    except ImportError:
        raise UsageError(
            "charts need the library vl-convert", code="no_chart_library", hint="pip install 'crmkit[charts]'"
        ) from None


def _there(file: Path) -> UsageError:
    return UsageError(f"{shown(str(file))} is there already", code="file_exists", hint="--force replaces it")


def _keys(node: Any) -> Iterator[str]:
    """The keys of a document at any depth."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield key
            yield from _keys(value)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _keys(item)


def _written_out(node: Any) -> Any:
    if isinstance(node, str):
        return visible(node)
    if isinstance(node, Mapping):
        return {key: _written_out(value) for key, value in node.items()}
    return [_written_out(item) for item in node] if isinstance(node, list | tuple) else node
