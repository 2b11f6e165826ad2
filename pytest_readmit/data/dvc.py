"""Read files that DVC tracks: identity from its pointers, bytes from its cache or remote, md5 checked."""

import configparser
import json
import os
import posixpath
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pytest_readmit.data.git import Place, Repository, is_address, place_of
from pytest_readmit.data.versions import md5_file
from pytest_readmit.errors import DataError, MissingExtra, did_you_mean, nearest

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_REMOTE = re.compile(r"'?remote \"(.+)\"'?")
_LARGEST_POINTER = 5_000_000


@dataclass(frozen=True, slots=True)
class Out:
    """
    One output that DVC tracks.

    Args:
        path: From the top of the tree.
        md5: Its hash; that of a folder ends in ``.dir``.
        legacy: Whether DVC 2 or older wrote it.
        remote: The remote it is kept at, if its pointer names one.
        pointer: The file that says so.
    """

    path: str
    md5: str
    legacy: bool
    remote: str | None
    pointer: str


class Tree(Protocol):
    """Small files by path, in a work tree or a commit."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None if there is no such file."""

    def inside(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder."""


@dataclass(frozen=True, slots=True)
class WorkTree:
    """Files on disk."""

    top: Path

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None if there is no such file."""
        file = self.top / path
        try:
            return file.read_bytes() if file.is_file() else None
        except OSError:
            raise DataError(f"{path} could not be read") from None

    def inside(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder."""
        where = self.top / folder
        return sorted(path.name for path in where.iterdir()) if where.is_dir() else []


@dataclass(frozen=True, slots=True)
class CommitTree:
    """Files of a commit."""

    repository: Repository
    commit: str

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None if there is no such file."""
        entry = self.repository.entry(self.commit, path)
        return self.repository.read(entry) if entry is not None and entry.kind == "blob" else None

    def inside(self, folder: str) -> list[str]:
        """Return the names of the files directly in a folder."""
        return [posixpath.basename(entry.path) for entry in self.repository.inside(self.commit, folder)]


def fetch_dvc(value: str, options: Mapping[str, Any], base: Path, into: Path) -> tuple[str, str]:
    """
    Write the bytes that DVC's pointers name for a path.

    Args:
        value: The path; that of its ``.dvc`` file will do.
        options: `rev` and `repo`.
        base: The folder that relative paths start from.
        into: Where to write.

    Returns:
        The path below `into`, and the md5.

    Raises:
        DataError: No such path is tracked, or its bytes are missing or damaged.
        MissingExtra: They lie at a remote that only dvc itself can read.
    """
    named = value.removesuffix(".dvc")
    tree, path, local = _tree(named, options, base, into.parent / "clone")
    root = _root(tree, path, value)
    out = _tracked(tree, path, root, value)
    objects = Objects(tree, root, local, out)
    target = into / posixpath.basename(path)
    if not out.md5.endswith(".dir"):
        objects.save(out.md5, target, value)
        return target.name, out.md5
    return target.name, _save_folder(objects, out, path, target, value)


def _save_folder(objects: "Objects", out: Out, path: str, target: Path, value: str) -> str:
    """Write a tracked folder's direct parts, or the file or subfolder of it that is asked for."""
    listing = target.with_name(".listing")
    objects.save(out.md5, listing, value)
    parts = _parts(listing.read_bytes(), value)
    listing.unlink()
    inner = posixpath.relpath(path, out.path)
    if inner in parts:
        objects.save(parts[inner], target, value)
        return parts[inner]
    below = "" if inner == "." else f"{inner}/"
    direct = {
        name.removeprefix(below): md5
        for name, md5 in parts.items()
        if name.startswith(below) and "/" not in name.removeprefix(below)
    }
    if not direct:
        raise DataError(f"the folder {out.path} that DVC tracks holds no {inner}{did_you_mean(inner, parts)}")
    for name, md5 in direct.items():
        if not name.startswith((".", "_")):
            objects.save(md5, target / name, f"{value}/{name}")
    return out.md5


def _parts(listing: bytes, value: str) -> dict[str, str]:
    """Return relative path → md5 of a folder's listing."""
    try:
        parts = {str(item["relpath"]): str(item["md5"]) for item in json.loads(listing)}
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{value}: DVC's listing of the folder is damaged; run `dvc pull`") from None
    for name, md5 in parts.items():
        inside = not name.startswith("/") and ".." not in name.split("/") and "\\" not in name
        if not inside or not _MD5.fullmatch(md5):
            raise DataError(f"{value}: DVC's listing of the folder names a file outside of it")
    return parts


def _tree(value: str, options: Mapping[str, Any], base: Path, clone: Path) -> tuple[Tree, str, Path | None]:
    """Return where pointers are read, the path in it, and the same tree's top on disk if it has one."""
    rev, repo = options.get("rev"), options.get("repo")
    if rev is not None or (repo is not None and is_address(repo)):
        place: Place = place_of(value, repo, base, clone)
        commit = place.repository.commit(str(rev or "HEAD"))
        top = None if place.repository.bare else place.repository.folder
        return CommitTree(place.repository, commit), place.path, top
    start = Path(os.path.abspath(base if repo is None else base / repo))
    if not start.is_dir():
        raise DataError(f"there is no folder {repo}")
    target = Path(os.path.normpath(start / value))
    above = target.parent if repo is None else start
    top = next((each for each in (above, *above.parents) if (each / ".dvc").is_dir()), None)
    if top is None:
        raise DataError(f"{value} lies in no DVC repository: no folder above it holds .dvc; see `dvc init`")
    if repo is not None:
        target = Path(os.path.normpath(top / value))
    if not target.is_relative_to(top):
        raise DataError(f"{value} leads out of the DVC repository")
    return WorkTree(top), target.relative_to(top).as_posix(), top


def _root(tree: Tree, path: str, value: str) -> str:
    """Return the folder of the DVC repository that a path lies in, from the top of the tree."""
    for folder in _upwards(posixpath.dirname(path), ""):
        if "config" in tree.inside(posixpath.join(folder, ".dvc")):
            return folder
    raise DataError(f"{value} lies in no DVC repository: no folder above it holds .dvc; see `dvc init`")


def _upwards(folder: str, last: str) -> Iterator[str]:
    yield folder
    while folder not in (last, ""):
        folder = posixpath.dirname(folder)
        yield folder


def _tracked(tree: Tree, path: str, root: str, value: str) -> Out:
    """Return the output that a path is, or lies in."""
    seen: list[str] = []
    for folder in _upwards(posixpath.dirname(path), root):
        for name in tree.inside(folder):
            if not name.endswith(".dvc") and name != "dvc.lock":
                continue
            for out in _outs(tree, posixpath.join(folder, name)):
                if out.path == path or (out.md5.endswith(".dir") and path.startswith(f"{out.path}/")):
                    return out
                seen.append(out.path)
    if tree.read(path) is not None:
        raise DataError(f"DVC does not track {value}; write `git` or `path` in place of `dvc`")
    start = posixpath.dirname(path)
    prefix = value.removesuffix(".dvc").removesuffix(posixpath.basename(path))
    near = nearest(posixpath.basename(path), (posixpath.relpath(each, start or ".") for each in seen))
    raise DataError(f"DVC tracks no {value}" + (f", did you mean {prefix + near!r}?" if near else ""))


def _outs(tree: Tree, pointer: str) -> Iterator[Out]:
    """Yield the outputs of a ``.dvc`` file or a ``dvc.lock``."""
    import yaml

    content = tree.read(pointer) or b""
    try:
        if len(content) > _LARGEST_POINTER:
            raise ValueError
        # Every scalar stays text: an md5 of digits alone would else be a number.
        said = yaml.load(content, Loader=yaml.BaseLoader) or {}  # noqa: S506 - builds plain values only
        stages = said.get("stages", {}).values() if pointer.endswith("dvc.lock") else (said,)
        listed = [(stage.get("wdir", "."), item) for stage in stages for item in stage.get("outs", ())]
        for wdir, item in listed:
            folder = posixpath.join(posixpath.dirname(pointer), wdir)
            md5 = str(item.get("md5", ""))
            yield Out(
                path=posixpath.normpath(posixpath.join(folder, item["path"])),
                md5=md5,
                legacy=item.get("hash") != "md5",
                remote=item.get("remote"),
                pointer=pointer,
            )
    except (yaml.YAMLError, ValueError, AttributeError, KeyError, TypeError):
        raise DataError(f"{pointer} is no sound DVC file; restore it from Git") from None


class Objects:
    """
    Where the bytes behind an md5 may be: the cache, a remote that is a folder, then dvc itself.

    Args:
        tree: Where DVC's configuration is, if there is no work tree.
        root: The DVC repository's folder in it.
        top: The tree's top on disk, or None.
        out: What is wanted.
    """

    def __init__(self, tree: Tree, root: str, top: Path | None, out: Out) -> None:
        self._out = out
        self._home = None if top is None else top / root
        self._config = _config(tree, root, self._home)
        if not _MD5.fullmatch(out.md5):
            raise DataError(
                f"{out.pointer} names no md5 for {out.path}: it is tracked by another hash or by a cloud's "
                "versions, which this version does not read"
            )

    def save(self, md5: str, target: Path, shown: str) -> None:
        """
        Write the bytes behind an md5.

        Raises:
            DataError: They are missing or damaged.
            MissingExtra: They lie at a remote that only dvc itself can read.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        for name, folder in self._folders():
            kept = folder / self._relative(md5)
            if not kept.is_file():
                continue
            try:
                shutil.copyfile(kept, target)
            except OSError:
                raise DataError(f"{shown}: its object {md5} in {name} could not be read") from None
            self._check(md5, target, shown, name)
            return
        self._with_dvc(md5, target, shown)
        self._check(md5, target, shown, f"the remote {self._remote!r}")

    def _relative(self, md5: str) -> str:
        place = f"{md5[:2]}/{md5[2:]}"
        return place if self._out.legacy else f"files/md5/{place}"

    def _folders(self) -> Iterator[tuple[str, Path]]:
        cache = self._config.get("cache.dir")
        if cache is not None:
            yield "the cache", Path(cache)
        elif self._home is not None:
            yield "the cache", self._home / ".dvc" / "cache"
        url = self._url
        if url is not None and "://" not in url:
            yield f"the remote {self._remote!r}", Path(url)

    @property
    def _remote(self) -> str | None:
        return self._out.remote or self._config.get("core.remote")

    @property
    def _url(self) -> str | None:
        return self._config.get(f"remote.{self._remote}.url")

    def _check(self, md5: str, target: Path, shown: str, where: str) -> None:
        wanted = md5.removesuffix(".dir")
        if md5_file(target) == wanted or (self._out.legacy and _unix_md5(target) == wanted):
            return
        mend = "run `dvc push` again from where it is whole" if "remote" in where else "run `dvc pull`"
        raise DataError(
            f"{shown}: its object in {where} is damaged: the bytes do not match md5 {md5}; "
            f"delete {self._relative(md5)} there and {mend}"
        )

    def _with_dvc(self, md5: str, target: Path, shown: str) -> None:
        """Fetch from a remote that is no folder of this machine."""
        if self._remote is None or self._url is None:
            why = (
                "no remote is configured" if self._remote is None else f"there is no remote {self._remote!r}"
            )
            raise DataError(
                f"{shown}: its object {md5} is not in the cache and {why}; run `dvc pull` where one is"
            )
        if "://" not in self._url:
            raise DataError(
                f"{shown}: its object {md5} is neither in the cache nor at the remote {self._remote!r}; "
                "run `dvc push` where the data is, then `dvc pull`"
            )
        if self._home is None:
            raise DataError(
                f"{shown}: its object lies at the remote {self._remote!r}; clone the repository and name "
                "the folder with repo:"
            )
        try:
            from dvc.repo import Repo
        except ImportError:
            raise MissingExtra(f"fetching {shown} from the DVC remote {self._remote!r}", "dvc") from None
        try:
            with Repo(str(self._home)) as repo:
                store = repo.cloud.get_remote_odb(
                    self._remote, "fetch", "md5-dos2unix" if self._out.legacy else "md5"
                )
                store.fs.get_file(store.oid_to_path(md5), str(target))
        except Exception as error:  # any of dvc's backends; its text could hold an address with a password
            raise DataError(
                f"{shown}: its object {md5} could not be fetched from the remote {self._remote!r} "
                f"({type(error).__name__}); run `dvc pull` to see why"
            ) from None


def _config(tree: Tree, root: str, home: Path | None) -> dict[str, str]:
    """Return DVC's settings as ``section.key``; paths in them start from the file that says so."""
    found: dict[str, str] = {}
    if home is None:
        said = tree.read(posixpath.join(root, ".dvc", "config")) or b""
        return _settings(said.decode(errors="replace"), None)
    wide = Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or Path.home() / ".config" / "dvc")
    for path in (wide / "config", home / ".dvc" / "config", home / ".dvc" / "config.local"):
        if path.is_file():
            found |= _settings(path.read_text(encoding="utf-8", errors="replace"), path.parent)
    return found


def _settings(text: str, folder: Path | None) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        raise DataError("DVC's configuration is not sound; see `dvc config --list`") from None
    found: dict[str, str] = {}
    for section in parser.sections():
        remote = _REMOTE.fullmatch(section)
        name = f"remote.{remote[1]}" if remote else section
        for key, value in parser[section].items():
            path = f"{name}.{key}" == "cache.dir" or (remote is not None and key == "url")
            if path and "://" not in value and folder is not None:
                found[f"{name}.{key}"] = str(folder / value)
            elif not path or "://" in value or Path(value).is_absolute():
                found[f"{name}.{key}"] = value
    return found


def _unix_md5(path: Path) -> str:
    """Return the md5 that DVC 2 gave to a text file: over its lines as Unix ends them."""
    import hashlib

    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block.replace(b"\r\n", b"\n"))
    return digest.hexdigest()
