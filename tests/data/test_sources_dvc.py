import hashlib
import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit import run_suite

IN_CI = os.environ.get("CI") == "true"
DVC = os.environ.get("READMIT_DVC", "dvc")
SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "DVC_NO_ANALYTICS": "1",
}


def table(first: int, rows: int = 60) -> str:
    return "x,ward\n" + "".join(f"{first + i % 7},{'ab'[i % 2]}\n" for i in range(rows))


def md5(text: str | bytes) -> str:
    return hashlib.md5(text if isinstance(text, bytes) else text.encode()).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Project:
    """A repository whose data DVC tracks, in two revisions; its remote is the folder `store` beside it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.store = top.parent / "store"

    def command(self, *words: str) -> str:
        done = subprocess.run(
            words,
            cwd=self.top,
            env={**os.environ, **SETTINGS},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, tag: str) -> str:
        self.command("git", "add", "-A")
        self.command("git", "commit", "-q", "-m", tag)
        self.command("git", "tag", tag)
        return self.command("git", "rev-parse", "HEAD")

    def begin(self) -> None:
        for folder in ("suites", "data/parts/deep"):
            (self.top / folder).mkdir(parents=True)
        (self.top / "suites" / "keep").write_text("")
        self.command("git", "init", "-q", "-b", "main")

    def write(self, first: int) -> None:
        (self.top / "data" / "visits.csv").write_text(table(first))
        for part in ("a", "b", "deep/c"):
            (self.top / "data" / "parts" / f"{part}.csv").write_text(table(first, 30))

    def cached(self, digest: str) -> Path:
        return self.top / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]

    def stored(self, digest: str) -> Path:
        return self.store / "files" / "md5" / digest[:2] / digest[2:]

    def lose_cache(self) -> None:
        shutil.rmtree(self.top / ".dvc" / "cache")
        for name in ("visits.csv", "made.csv"):
            (self.top / "data" / name).unlink(missing_ok=True)
        shutil.rmtree(self.top / "data" / "parts", ignore_errors=True)

    def run(self, source: str, **more: Any) -> Any:
        path = self.top / "suites" / "s.yml"
        check = "{unique: {on: current, columns: [x], max: 1}}"
        path.write_text(f"data: {{current: {source}}}\nchecks: [{check}]\n")
        return run_suite(path, **more)

    def facts(self, source: str, **more: Any) -> dict[str, Any]:
        found = self.run(source, **more)
        assert [one.verdict for one in found.findings] == ["pass"], found.findings[0].message
        facts: dict[str, Any] = found.record["provenance"]["datasets"]["current"]
        return facts

    def refused(self, source: str, **more: Any) -> str:
        (found,) = self.run(source, **more).findings
        assert found.verdict == "error"
        assert str(self.top) not in found.message
        return str(found.message)


def by_hand(project: Project) -> None:
    """Lay files out as DVC does."""
    project.begin()
    (project.top / ".dvc").mkdir()
    (project.top / ".dvc" / "config").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n"
    )
    (project.top / ".dvc" / ".gitignore").write_text("/cache\n/tmp\n/config.local\n")
    (project.top / ".gitignore").write_text("*.csv\n")

    def keep(content: str, ending: str = "") -> str:
        digest = md5(content) + ending
        for place in (project.cached(digest), project.stored(digest)):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        return digest

    for tag, first in (("v1", 0), ("v2", 100)):
        project.write(first)
        whole, part = keep(table(first)), keep(table(first, 30))
        listing = json.dumps([{"md5": part, "relpath": f"{name}.csv"} for name in ("a", "b", "deep/c")])
        folder = keep(listing, ".dir")
        data = project.top / "data"
        (data / "visits.csv.dvc").write_text(
            f"outs:\n- md5: {whole}\n  size: 1\n  hash: md5\n  path: visits.csv\n"
        )
        (data / "parts.dvc").write_text(f"outs:\n- md5: {folder}\n  nfiles: 3\n  hash: md5\n  path: parts\n")
        (project.top / "dvc.lock").write_text(
            "schema: '2.0'\nstages:\n  make:\n    cmd: cp a b\n    outs:\n"
            f"    - path: data/made.csv\n      hash: md5\n      md5: {whole}\n      size: 1\n"
        )
        project.commit(tag)


def by_dvc(project: Project) -> None:
    """Let DVC itself do it: add, a stage, push, tag."""
    if shutil.which(DVC) is None:
        (pytest.fail if IN_CI else pytest.skip)(
            "dvc is not installed: pip install dvc in a venv of its own and name its dvc by READMIT_DVC"
        )
    project.begin()
    project.command(DVC, "init", "-q")
    project.command(DVC, "remote", "add", "-q", "-d", "store", "../store")
    for tag, first in (("v1", 0), ("v2", 100)):
        project.write(first)
        project.command(DVC, "add", "-q", "data/visits.csv", "data/parts")
        if tag == "v1":
            make = "cp data/visits.csv data/made.csv"
            project.command(
                DVC, "stage", "add", "-q", "-n", "make", "-d", "data/visits.csv", "-o", "data/made.csv", make
            )
        project.command(DVC, "repro", "-q")
        project.commit(tag)
        project.command(DVC, "push", "-q")


BUILDERS = {"by_hand": by_hand, "by_dvc": by_dvc}
MADE_BY = ["by_hand", pytest.param("by_dvc", marks=pytest.mark.real)]


@pytest.fixture(scope="session")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        config = tmp_path_factory.mktemp("config")
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
            patch.setenv(name, str(config))
        folder = tmp_path_factory.mktemp("made")
        BUILDERS[request.param](Project(folder / "repo"))
        return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "none"))
    for name in ("repo", "store"):
        shutil.copytree(made / name, tmp_path / name, symlinks=True)
    return Project(tmp_path / "repo")


everywhere = pytest.mark.parametrize("made", MADE_BY, indirect=True)
handmade = pytest.mark.parametrize("made", ["by_hand"], indirect=True)


@everywhere
@pytest.mark.parametrize("lost", [False, True])
def test_a_tracked_file_is_read_by_its_md5_from_the_cache_or_the_remote(project: Project, lost: bool) -> None:
    if lost:
        project.lose_cache()
    facts = project.facts("{dvc: ../data/visits.csv}")
    assert (facts["version"], facts["sha256"]) == (md5(table(100)), sha256(table(100)))
    assert facts["source"] == "dvc:../data/visits.csv"
    facts = project.facts("{dvc: ../data/visits.csv, rev: v1}")
    assert (facts["version"], facts["sha256"]) == (md5(table(0)), sha256(table(0)))
    assert project.facts("{dvc: ../data/visits.csv.dvc, rev: v1}")["version"] == md5(table(0))


@everywhere
@pytest.mark.parametrize("lost", [False, True])
def test_the_output_of_a_stage_and_folders_are_found(project: Project, lost: bool) -> None:
    if lost:
        project.lose_cache()
    assert project.facts("{dvc: ../data/made.csv, rev: v1}")["version"] == md5(table(0))
    facts = project.facts("{dvc: ../data/parts, rev: v1}")
    assert facts["version"].endswith(".dir")
    assert facts["flow"]["read"] == 60
    part = sha256(table(0, 30))
    assert facts["sha256"] == sha256(f"a.csv {part}\nb.csv {part}\n")
    assert project.facts("{dvc: ../data/parts/b.csv}")["version"] == md5(table(100, 30))
    assert project.facts("{dvc: ../data/parts/deep, rev: v1}")["flow"]["read"] == 30


@everywhere
def test_another_repository_is_named_by_folder_or_address(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "suites").mkdir(parents=True)
    project.top, mine = other, project.top
    assert project.facts("{dvc: data/visits.csv, repo: ../../repo}")["version"] == md5(table(100))
    assert project.facts("{dvc: data/visits.csv, repo: ../../repo, rev: v1}")["version"] == md5(table(0))
    assert "its object" in project.refused(f"{{dvc: data/visits.csv, repo: 'file://{mine}', rev: v1}}")
    assert "lies in no DVC repository" in project.refused("{dvc: ../../repo/x.csv, repo: ..}")


@everywhere
def test_an_object_that_is_nowhere_is_an_error(project: Project) -> None:
    project.lose_cache()
    project.stored(md5(table(100))).unlink()
    message = project.refused("{dvc: ../data/visits.csv}")
    assert "is neither in the cache nor at the remote 'store'; run `dvc push`" in message
    assert project.facts("{dvc: ../data/visits.csv, rev: v1}")["version"] == md5(table(0))
    assert "run `dvc pull`" in project.refused("../data/visits.csv")


@everywhere
def test_a_damaged_object_is_an_error_wherever_it_lies(project: Project) -> None:
    def damage(path: Path) -> None:
        path.chmod(0o644)
        path.write_text(table(3))

    damage(project.cached(md5(table(100))))
    message = project.refused("{dvc: ../data/visits.csv}")
    assert "its object in the cache is damaged: the bytes do not match md5" in message
    assert "delete files/md5/" in message
    project.lose_cache()
    damage(project.stored(md5(table(100))))
    assert "in the remote 'store' is damaged" in project.refused("{dvc: ../data/visits.csv}")
    (listing,) = [path for path in project.store.rglob("*.dir") if md5(table(0, 30)) in path.read_text()]
    listing.chmod(0o644)
    listing.write_text(listing.read_text() + " ")
    assert "is damaged" in project.refused("{dvc: ../data/parts, rev: v1}")


@handmade
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{dvc: ../data/visit.csv}", "DVC tracks no ../data/visit.csv, did you mean '../data/visits.csv'?"),
        ("{dvc: ../data/visits.csv, rev: v3}", "no revision 'v3' (its latest tags: v"),
        ("{dvc: ../data/parts/z.csv}", "the folder data/parts that DVC tracks holds no z.csv, did you mean"),
        ("{dvc: ../suites/keep}", "DVC does not track ../suites/keep; write `git` or `path`"),
        ("{dvc: ../suites/keep, rev: v1}", "DVC does not track ../suites/keep; write `git` or `path`"),
        ("{dvc: ../../store/x.csv}", "lies in no DVC repository"),
        ("{dvc: ../../x.csv, rev: v1}", "leads out of the repository"),
        ("{dvc: x.csv, repo: ../none}", "there is no folder ../none"),
        ("../data/visits.csv.dvc", "is a DVC pointer, not the data: run `dvc pull`"),
        ("{git: ../data/visits.csv}", "visits.csv.dvc is there: write `dvc` in place of `git`"),
        ("{git: ../data/visits.csv.dvc}", "is a DVC pointer, not the data"),
    ],
)
def test_what_cannot_be_had_is_told(project: Project, source: str, said: str) -> None:
    assert said in project.refused(source)


@handmade
def test_outside_of_any_dvc_repository_it_is_said(project: Project) -> None:
    shutil.rmtree(project.top / ".dvc")
    assert "lies in no DVC repository" in project.refused("{dvc: ../data/visits.csv}")
    project.commit("bare")
    assert "lies in no DVC repository" in project.refused("{dvc: ../data/visits.csv, rev: bare}")


@handmade
def test_a_pointer_that_leads_elsewhere_is_refused(project: Project) -> None:
    pointer = project.top / "data" / "visits.csv.dvc"
    for bad in ("outs: [", "outs: 3", "outs:\n- md5: x\n", "&a [*a]"):
        pointer.write_text(bad)
        assert "is no sound DVC file" in project.refused("{dvc: ../data/visits.csv}")
    for bad in ("../../../../etc/passwd", "", "0" * 31, "A" * 32):
        pointer.write_text(f"outs:\n- md5: '{bad}'\n  hash: md5\n  path: visits.csv\n")
        assert "names no md5 for data/visits.csv" in project.refused("{dvc: ../data/visits.csv}")
    listing = json.dumps([{"md5": md5(table(0)), "relpath": "../../../evil.csv"}])
    folder = project.cached(md5(listing) + ".dir")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text(listing)
    (project.top / "data" / "parts.dvc").write_text(
        f"outs:\n- md5: {md5(listing)}.dir\n  hash: md5\n  path: parts\n"
    )
    assert "names a file outside of it" in project.refused("{dvc: ../data/parts}")


@handmade
def test_a_pointer_of_dvc_2_is_read_from_where_dvc_2_kept_it(project: Project) -> None:
    windows = table(5).replace("\n", "\r\n")
    digest = md5(table(5))
    kept = project.top / ".dvc" / "cache" / digest[:2] / digest[2:]
    kept.parent.mkdir()
    kept.write_bytes(windows.encode())
    (project.top / "data" / "visits.csv.dvc").write_text(f"outs:\n- md5: {digest}\n  path: visits.csv\n")
    facts = project.facts("{dvc: ../data/visits.csv}")
    assert (facts["version"], facts["sha256"]) == (digest, sha256(windows))


@handmade
def test_the_cache_and_the_remote_are_where_the_configuration_says(project: Project, tmp_path: Path) -> None:
    shutil.move(project.top / ".dvc" / "cache", tmp_path / "shared")
    shutil.rmtree(project.store)
    local = project.top / ".dvc" / "config.local"
    local.write_text("[cache]\n    dir = ../../shared\n")
    assert project.facts("{dvc: ../data/visits.csv}")["version"] == md5(table(100))
    local.write_text(f"['remote \"other\"']\n    url = {tmp_path / 'shared'}\n[core]\n    remote = other\n")
    assert project.facts("{dvc: ../data/visits.csv}")["version"] == md5(table(100))
    local.write_text("[core]\n    remote = nowhere\n")
    assert "there is no remote 'nowhere'; run `dvc pull`" in project.refused("{dvc: ../data/visits.csv}")


@handmade
def test_a_remote_elsewhere_without_dvc_names_the_extra_and_no_password(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.lose_cache()
    (project.top / ".dvc" / "config").write_text(
        "[core]\n    remote = far\n['remote \"far\"']\n    url = https://user:CANARY@127.0.0.1:9/x\n"
    )
    monkeypatch.setitem(__import__("sys").modules, "dvc", None)
    message = project.refused("{dvc: ../data/visits.csv}")
    assert "from the DVC remote 'far' needs an extra: pip install 'pytest-readmit[dvc]'" in message
    assert "CANARY" not in message


@pytest.fixture
def served(project: Project) -> Iterator[str]:
    """The remote behind HTTP, as a company would serve it."""
    handler = partial(Quiet, directory=str(project.store))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.real
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("made", ["by_dvc"], indirect=True)
def test_dvc_itself_fetches_from_a_remote_that_is_no_folder(project: Project, served: str) -> None:
    if importlib.util.find_spec("dvc") is None:
        (pytest.fail if IN_CI else pytest.skip)("run it in a venv that has pytest-readmit[dvc]")
    project.lose_cache()
    (project.top / ".dvc" / "config").write_text(
        f"[core]\n    remote = far\n['remote \"far\"']\n    url = http://user:CANARY@{served}\n"
    )
    facts = project.facts("{dvc: ../data/visits.csv, rev: v1}")
    assert (facts["version"], facts["sha256"]) == (md5(table(0)), sha256(table(0)))
    assert project.facts("{dvc: ../data/parts, rev: v1}")["flow"]["read"] == 60
    project.stored(md5(table(0))).chmod(0o644)
    project.stored(md5(table(0))).write_text(table(1))
    assert "in the remote 'far' is damaged" in project.refused("{dvc: ../data/visits.csv, rev: v1}")
    project.stored(md5(table(0))).unlink()
    message = project.refused("{dvc: ../data/visits.csv, rev: v1}")
    assert "could not be fetched from the remote 'far' (" in message
    assert "CANARY" not in message


@handmade
def test_a_model_that_dvc_tracks_is_refused_until_it_is_trusted(project: Project) -> None:
    content = b"not a pickle"
    digest = md5(content)
    kept = project.cached(digest)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    (project.top / "m.joblib.dvc").write_text(f"outs:\n- md5: {digest}\n  hash: md5\n  path: m.joblib\n")
    path = project.top / "suites" / "s.yml"
    path.write_text(
        "data: {current: {dvc: ../data/visits.csv}}\n"
        "columns: {target: ward, positive_label: a}\n"
        "models: {challenger: {dvc: ../m.joblib}}\n"
        "checks:\n  - performance: {metrics: {roc_auc: {min: 0.5}}}\n"
    )
    found = run_suite(path)
    assert "--readmit-trust=dvc:../m.joblib" in found.findings[0].message
    assert found.record["provenance"]["models"]["challenger"]["version"] == digest
    assert "is truncated or no pickle" in run_suite(path, trust=["dvc:../m.joblib"]).findings[0].message
