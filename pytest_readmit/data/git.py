"""Read files as they are at a revision of a Git repository; its work tree is not touched."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pytest_readmit.data.versions import git_blob_id
from pytest_readmit.errors import DataError, did_you_mean

SECONDS = 900
_MOST_NAMES = 5_000
# Nothing that a repository configures may run, and a bare one that lies in a work tree is not trusted.
_OPTIONS = (
    "--no-optional-locks",
    "--no-replace-objects",
    "--literal-pathspecs",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "safe.bareRepository=explicit",
)
# What a hook or an outer Git command sets to point at its own repository.
_OUTER = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_LFS_SKIP_SMUDGE",
)
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|[\w.-]+@[\w.-]+:")
_PROTOCOLS = ("file", "https", "ssh")


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What a commit holds at a path.

    Args:
        mode: Git's file mode: ``100644``, ``120000`` for a link, ``160000`` for a submodule.
        kind: ``blob``, ``tree`` or ``commit``.
        oid: The hash of its content.
        path: From the top of the repository.
    """

    mode: str
    kind: str
    oid: str
    path: str


class Repository:
    """
    A Git repository.

    Args:
        folder: Its work tree's top, or the folder of a bare clone.
        shown: How messages name it.
        bare: Whether it is a clone of our own without work tree.
    """

    def __init__(self, folder: Path, shown: str, *, bare: bool = False) -> None:
        self.folder = folder
        self.shown = shown
        self.bare = bare

    @classmethod
    def around(cls, folder: Path, shown: str) -> "Repository":
        """
        Return the repository that a folder lies in.

        Raises:
            DataError: It lies in none, or Git is not installed.
        """
        if not folder.is_dir():
            raise DataError(f"there is no folder {shown}")
        found = run(folder, ("rev-parse", "--show-toplevel"))
        if found.returncode:
            raise DataError(_no_repository(folder, shown, found.stderr))
        return cls(Path(os.fsdecode(found.stdout).rstrip("\n")), shown)

    @classmethod
    def cloned(cls, address: str, into: Path) -> "Repository":
        """
        Return a bare clone of the repository at an address.

        Raises:
            DataError: It cannot be had.
        """
        shown = plain_address(address)
        found = _ADDRESS.match(address)
        protocol = (found[1] if found else None) or "ssh"
        if protocol.lower() not in _PROTOCOLS:
            raise DataError(
                f"{shown}: a repository is fetched by {', '.join(_PROTOCOLS)}, not by {protocol!r}"
            )
        arguments = ("clone", "--quiet", "--bare", "--filter=blob:none", "--template=", "--", address)
        cloned = run(into.parent, (*arguments, str(into)))
        if cloned.returncode:
            raise DataError(f"{shown} could not be fetched; is the address right, and may this user read it?")
        return cls(into, shown, bare=True)

    def run(self, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
        """Run a Git command in the repository."""
        where = (f"--git-dir={self.folder}",) if self.bare else ()
        return run(self.folder, (*where, *arguments), **more)

    def commit(self, rev: str) -> str:
        """
        Return the hash of the commit that a revision names now.

        Raises:
            DataError: There is no such commit; names the nearest tag or branch.
        """
        _refuse_controls(rev)
        found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        if found.returncode:
            raise DataError(f"{self.shown} has no revision {rev!r}{self._known_revisions(rev)}")
        return found.stdout.decode().strip()

    def _known_revisions(self, rev: str) -> str:
        listed = self.run(
            "for-each-ref", "--sort=-creatordate", "--format=%(refname:lstrip=2)", "refs/tags", "refs/heads"
        )
        names = listed.stdout.decode(errors="replace").split()
        hint = did_you_mean(rev, names)
        if hint:
            return hint
        if self.run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
            return "; this clone is shallow: run `git fetch --unshallow --tags`"
        tags = self.run("tag", "--sort=-creatordate").stdout.decode(errors="replace").split()[:3]
        return (
            f" (its latest tags: {', '.join(tags)})" if tags else "; it has no tags: run `git fetch --tags`"
        )

    def entry(self, commit: str, path: str) -> Entry | None:
        """Return what a commit holds at a path, or None."""
        if path in ("", "."):
            return Entry("040000", "tree", f"{commit}^{{tree}}", "")
        return next((entry for entry in self._listed(commit, path) if entry.path == path), None)

    def inside(self, commit: str, folder: str) -> list[Entry]:
        """Return what lies directly in a folder."""
        return self._listed(commit, f"{folder}/" if folder not in ("", ".") else "")

    def _listed(self, commit: str, path: str) -> list[Entry]:
        chosen = ("--", path) if path else ()
        found = self.run("ls-tree", "-z", "--full-tree", commit, *chosen)
        if found.returncode:
            raise DataError(f"{self.shown}: commit {commit[:12]} could not be read; run `git fsck`")
        entries = []
        for line in found.stdout.split(b"\0")[:-1]:
            facts, _, name = line.partition(b"\t")
            mode, kind, oid = facts.decode().split()
            entries.append(Entry(mode, kind, oid, os.fsdecode(name)))
        return entries

    def names(self, commit: str) -> list[str]:
        """Return the paths of a commit, at most a few thousand."""
        found = self.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
        return [os.fsdecode(name) for name in found.stdout.split(b"\0")[:_MOST_NAMES] if name]

    def save(self, entry: Entry, target: Path) -> None:
        """
        Write the content of a file, checked against its hash.

        Raises:
            DataError: The object is missing or damaged.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            found = self.run("cat-file", "blob", entry.oid, output=stream)
        if found.returncode or git_blob_id(target, len(entry.oid)) != entry.oid:
            raise DataError(
                f"{entry.path}: Git's object {entry.oid[:12]} is missing or damaged; "
                "run `git fsck`, then fetch it again"
            )

    def read(self, entry: Entry) -> bytes:
        """Return the content of a small file."""
        found = self.run("cat-file", "blob", entry.oid)
        if found.returncode:
            raise DataError(f"{entry.path}: Git's object {entry.oid[:12]} is missing or damaged")
        return found.stdout

    def common_folder(self) -> Path:
        """Return where objects are kept, shared by every work tree."""
        if self.bare:
            return self.folder
        found = self.run("rev-parse", "--path-format=absolute", "--git-common-dir")
        return Path(os.fsdecode(found.stdout).rstrip("\n"))


def run(
    folder: Path,
    arguments: Sequence[str],
    *,
    given: bytes | None = None,
    output: IO[bytes] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """
    Run Git in a folder, with nothing in it that asks, locks or runs code.

    Raises:
        DataError: Git is not installed, or does not answer.
    """
    git = shutil.which("git")
    if git is None:
        raise DataError("Git is not installed; install git, or give the file with `path`")
    environ = {name: value for name, value in os.environ.items() if name not in _OUTER}
    environ |= {
        "GIT_ALLOW_PROTOCOL": ":".join(_PROTOCOLS),
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    environ.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    fed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    try:
        return subprocess.run(  # noqa: S603 - fixed program, no shell
            [git, *_OPTIONS, *arguments],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE if output is None else output,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
            **fed,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"Git gave no answer within {SECONDS} seconds") from None
    except OSError:
        raise DataError("Git could not be run") from None


@dataclass(frozen=True, slots=True)
class Place:
    """
    A path in a repository, and the folder that its writer counts from.

    Args:
        repository: Where it is.
        path: From the repository's top, with forward slashes; empty for the top itself.
        start: The folder that the written path starts from, from the top.
    """

    repository: Repository
    path: str
    start: str

    def written(self, path: str) -> str:
        """Return a path of the repository as the writer would write it."""
        return os.path.relpath(path, self.start or ".").replace(os.sep, "/")


def place_of(value: str, repo: str | None, base: Path, clone: Path) -> Place:
    """
    Return where a path is: in the repository that its suite lies in, or in another one.

    Args:
        value: The path, from the suite's folder; from the repository's top where `repo` is given.
        repo: A folder or address, or None.
        base: The suite's folder.
        clone: Where a repository that has an address is cloned to.

    Raises:
        DataError: There is no such repository, or the path leads out of it.
    """
    _refuse_controls(value)
    if repo is None:
        around = Repository.around(base, "the suite's folder")
        start = Path(os.path.realpath(base))
        top = Repository(around.folder, "the repository")
        return Place(top, _within(top, start / value, value), start.relative_to(top.folder).as_posix())
    _refuse_controls(repo)
    top = Repository.cloned(repo, clone) if is_address(repo) else Repository.around(base / repo, repo)
    return Place(top, _within(top, top.folder / value, value), "")


def is_address(repo: str) -> bool:
    """Whether a repository is named by an address rather than as a folder."""
    return _ADDRESS.match(repo) is not None


def plain_address(address: str) -> str:
    """Return an address without user, password, query and fragment."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/]*)(.*)", address, re.DOTALL)
    if found is None:
        return address.rpartition("@")[2]
    return found[1] + found[2].rpartition("@")[2] + re.split(r"[?#]", found[3])[0]


def nearest_path(place: Place, commit: str) -> str:
    """Return what a message adds about a path that a commit lacks."""
    names = place.repository.names(commit)
    if f"{place.path}.dvc" in names:
        return f"; {PurePosixPath(place.path).name}.dvc is there: write `dvc` in place of `git`"
    twin = [name for name in names if PurePosixPath(name).name == PurePosixPath(place.path).name]
    if twin:
        return f", did you mean {place.written(twin[0])!r}?"
    return did_you_mean(place.written(place.path), (place.written(name) for name in names))


def _within(repository: Repository, target: Path, value: str) -> str:
    path = Path(os.path.normpath(target))
    if not path.is_relative_to(repository.folder):
        raise DataError(f"{value} leads out of {repository.shown}")
    inner = path.relative_to(repository.folder).as_posix()
    return "" if inner == "." else inner


def _refuse_controls(text: str) -> None:
    if any(ord(sign) < 32 for sign in text):
        raise DataError("a revision, repository or path of Git may hold no control characters")


def _no_repository(folder: Path, shown: str, said: bytes) -> str:
    if b"dubious ownership" in said:
        return f"Git does not trust {shown}: another user owns it; see `git help config`, safe.directory"
    if b"bareRepository" in said or (folder / "HEAD").is_file():
        return f"{shown} is a bare repository: name it as repo: file:///…"
    return f"{shown} lies in no Git repository; name one with repo:"
