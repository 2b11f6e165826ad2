"""`--readmit-history`: the same page from pytest and from `readmit report`."""

import shutil

import pytest

from pytest_readmit import cli

MOVED = "- moved: {columns: [age, bmi], far: [bmi]}"


def test_pytest_and_the_command_draw_the_same_trend_of_records_in_one_folder(
    project, monkeypatch, capsys
) -> None:
    project.suite(MOVED)
    for name in ("first", "second"):
        project.run(
            f"--readmit-json=runs/{name}.json",
            "--readmit-attestation=runs/statement.json",
            "--readmit-report=page.html",
            "--readmit-history=runs",
        )
    monkeypatch.chdir(project.path)
    # The record may be read from anywhere: it is known by its digest.
    shutil.copy("runs/second.json", "elsewhere.json")
    assert cli.main(["report", "elsewhere.json", "--history", "runs", "-o", "again.html"]) == 0
    page = (project.path / "page.html").read_text()
    assert (project.path / "again.html").read_text() == page
    assert "1 earlier record of the same suite" in page
    assert page.count("trend over earlier runs") == 2
    assert "2 runs since" in page
    capsys.readouterr()
    assert cli.main(["report", "elsewhere.json", "--history", "runs", "--format", "md"]) == 4
    assert cli.main(["report", "elsewhere.json", "--history", "page.html", "-o", "a.html"]) == 4
    said = capsys.readouterr().err
    assert "--history is drawn on the HTML page only" in said
    assert "page.html: no folder of records" in said


@pytest.mark.parametrize("folder", ["absent", "page.html"])
def test_a_folder_that_is_not_there_is_no_history_and_a_file_is_refused(project, folder) -> None:
    project.suite(MOVED)
    (project.path / "page.html").write_text("")
    result = project.run("--readmit-report=out.html", f"--readmit-history={folder}")
    if folder == "absent":
        assert result.ret == 1
        assert "No earlier record" in (project.path / "out.html").read_text()
    else:
        assert result.ret == 4
        result.stderr.fnmatch_lines(["*--readmit-history page.html: a file, not a folder*"])
