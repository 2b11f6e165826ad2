"""Find the files of a dataset, and say what is wrong with one before an engine sees it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_readmit.data.versions import pointer_advice
from pytest_readmit.errors import DataError, did_you_mean

Format = Literal["csv", "tsv", "parquet", "feather", "jsonl"]
FORMATS: tuple[Format, ...] = ("csv", "tsv", "parquet", "feather", "jsonl")
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".ipc": "feather",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_SYNONYMS: dict[str, Format] = {"arrow": "feather", "json": "jsonl", "json lines": "jsonl", "ndjson": "jsonl"}
_SQUEEZED = (".gz", ".zst")
_HEAD = 1024


@dataclass(frozen=True, slots=True)
class Files:
    """
    The files of one dataset.

    Args:
        paths: The files, sorted by name.
        root: The folder that parts are named relative to; None for a single file.
        format: How they are written.
        shown: How the dataset is named in messages.
        version: The immutable version that they are, if their source has versions.
        discard: Removes them when they are no longer needed, if they are copies.
    """

    paths: tuple[Path, ...]
    root: Path | None
    format: Format
    shown: str
    version: str | None = None
    discard: Callable[[], None] | None = None


def find_files(value: str, base: Path, wanted: str | None = None) -> Files:
    """
    Return the files that a path, glob or folder names.

    Args:
        value: As the suite wrote it.
        base: The folder that relative paths start from.
        wanted: The format, if `read: {format: ...}` says so.

    Raises:
        DataError: Nothing is there, or what is there cannot be data.
    """
    if not value.strip():
        raise DataError("the path of a dataset is empty")
    if "://" in value:
        raise DataError("a dataset's path names a file of this machine; fetch the address first")
    target = Path(value) if Path(value).is_absolute() else base / value
    paths, root = _expand(target, value)
    asked = _wanted_format(wanted, value)
    formats = {asked or _format_of(path, _shown(path, root, value)) for path in paths}
    if len(formats) > 1:
        kinds = " and ".join(sorted(formats))
        raise DataError(f"{value} mixes {kinds} files; name one kind with a glob such as {value}/*.parquet")
    chosen = formats.pop()
    for path in paths:
        inspect_file(path, chosen, _shown(path, root, value))
    return Files(tuple(paths), root, chosen, value)


def _shown(path: Path, root: Path | None, value: str) -> str:
    return value if root is None else f"{value} ({path.name})"


def _expand(target: Path, value: str) -> tuple[list[Path], Path | None]:
    try:
        if target.is_file():
            return [target], None
        if target.is_dir():
            return _parts(target, value), target
        if any(sign in value for sign in "*?["):
            return _matches(target, value)
    except PermissionError:
        raise DataError(f"{value} may not be read: permission denied") from None
    except (OSError, ValueError):
        raise DataError(f"{value} is not a path that can be read") from None
    raise DataError(_not_there(target, value))


def _parts(folder: Path, value: str) -> list[Path]:
    found = sorted(
        (path for path in folder.iterdir() if path.is_file() and _format_by_name(path) is not None),
        key=lambda path: path.name,
    )
    found = [path for path in found if not path.name.startswith((".", "_"))]
    if not found:
        pointers = any(path.suffix == ".dvc" for path in folder.iterdir())
        advice = "; run `dvc pull`" if pointers else ""
        raise DataError(f"the folder {value} holds no data files (CSV, Parquet, Arrow, JSON Lines){advice}")
    return found


def _matches(target: Path, value: str) -> tuple[list[Path], Path]:
    parts = target.parts
    first = next(i for i, part in enumerate(parts) if any(sign in part for sign in "*?["))
    root = Path(*parts[:first])
    found = sorted(path for path in root.glob("/".join(parts[first:])) if path.is_file())
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise DataError(f"no file matches {value}")
    return found, root


def _not_there(target: Path, value: str) -> str:
    if target.with_name(target.name + ".dvc").is_file():
        return f"{value} is not here but {target.name}.dvc is: run `dvc pull`"
    folder = target.parent
    if Path(value).is_file() and not Path(value).is_absolute():
        return (
            f"there is no file {value}: a path in a suite starts at its folder; the current folder has such "
            "a file, so write its path in full"
        )
    if "\\" in value and os.sep == "/":
        return f"there is no file {value}; between folders write / on every system"
    if not folder.is_dir():
        return f"there is no file {value}: its folder does not exist"
    return f"there is no file {value}{did_you_mean(target.name, (path.name for path in folder.iterdir()))}"


def _wanted_format(wanted: str | None, value: str) -> Format | None:
    if wanted is None:
        return None
    name = _SYNONYMS.get(wanted.lower(), wanted.lower())
    for known in FORMATS:
        if known == name:
            return known
    raise DataError(
        f"{value}: unknown format {wanted!r}{did_you_mean(wanted, FORMATS)} (known: {', '.join(FORMATS)})"
    )


def _format_by_name(path: Path) -> Format | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _SQUEEZED:
        suffixes.pop()
    return _ENDINGS.get(suffixes[-1]) if suffixes else None


def _format_of(path: Path, shown: str) -> Format:
    by_name = _format_by_name(path)
    if by_name is not None:
        return by_name
    head = _head(path, shown)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "feather"
    advice = pointer_advice(head)
    if advice is not None or path.suffix == ".dvc":
        raise DataError(f"{shown} {advice or 'is a DVC pointer: name the file it stands for'}")
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xls", ".ods"):
        raise DataError(f"{shown} is a spreadsheet, which is not read: save its sheet as CSV or Parquet")
    raise DataError(f"{shown}: its name does not tell the format; add read: {{format: csv}}")


def _head(path: Path, shown: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD)
    except PermissionError:
        raise DataError(f"{shown} may not be read: permission denied") from None
    except OSError:
        raise DataError(f"{shown} could not be read") from None


def inspect_file(path: Path, kind: Format, shown: str) -> None:
    """
    Refuse what is not data of the kind it claims to be.

    Raises:
        DataError: Naming the file and what to do.
    """
    head = _head(path, shown)
    if not head:
        raise DataError(f"{shown} is empty (0 bytes)")
    advice = pointer_advice(head)
    if advice is not None:
        raise DataError(f"{shown} {advice}")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataError(f"{shown} is a web page, not data: the download or its login failed")
    if kind == "parquet":
        _inspect_ends(path, shown, head, b"PAR1", "Parquet")
    elif kind in ("csv", "tsv", "jsonl"):
        _inspect_text(path, shown, head)


def _inspect_ends(path: Path, shown: str, head: bytes, magic: bytes, name: str) -> None:
    if not head.startswith(magic):
        raise DataError(f"{shown} is not a {name} file; if it is another kind, add read: {{format: ...}}")
    with path.open("rb") as stream:
        stream.seek(-min(len(magic), path.stat().st_size), 2)
        tail = stream.read()
    if tail != magic or path.stat().st_size < 12:
        raise DataError(f"{shown} is a truncated {name} file: its end is missing; fetch it again")


def _inspect_text(path: Path, shown: str, head: bytes) -> None:
    squeezed = path.suffix.lower() in _SQUEEZED
    if head.startswith((b"PAR1", b"ARROW1")):
        kind = "parquet" if head.startswith(b"PAR1") else "feather"
        raise DataError(f"{shown} is not text; add read: {{format: {kind}}}")
    if squeezed and not head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        raise DataError(f"{shown} is not compressed as its name says; fetch or rename it")
    if not squeezed and head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")):
        raise DataError(f"{shown} is compressed, which its name must say (.gz, .zst); rename it")


def unique_names(names: Sequence[str], shown: str) -> tuple[str, ...]:
    """
    Return the names as they are.

    Raises:
        DataError: Two columns share a name, or one has none.
    """
    repeated = (
        sorted({name for name in names if list(names).count(name) > 1})
        if len(set(names)) < len(names)
        else []
    )
    if repeated:
        raise DataError(f"{shown}: two columns are named {repeated[0]!r}; rename one in the file")
    return tuple(names)
