"""pytest's own ways to choose and to show, applied to gates."""

import pytest


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    return {name: count for name, count in result.parseoutcomes().items() if name != "seconds"}


@pytest.fixture
def failing(project):
    project.suite("- moved: {far: [bmi, sex]}")
    return project


def test_k_chooses_by_name_and_leaves_the_record_incomplete(failing) -> None:
    result = failing.run("-k", "age or los", "--readmit-json=record.json")
    assert outcomes(result) == {"passed": 2, "deselected": 2}
    made = failing.read()
    assert (made["planned"], made["deselected"], made["complete"]) == (4, 2, False)
    assert (made["verdict"], made["blocked"], made["exit_code"]) == ("inconclusive", False, 0)
    assert "incomplete" in result.outlines[-1]


def test_a_selection_does_not_change_a_verdict(failing) -> None:
    whole = {case["id"]: case for case in failing.record()["cases"]}
    part = failing.record("-k", "bmi")["cases"]
    assert [{**case, "seconds": 0} for case in part] == [{**whole[part[0]["id"]], "seconds": 0}]


def test_a_selection_that_leaves_nothing_exits_5(failing) -> None:
    result = failing.run("-k", "nobody", "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    made = failing.read()
    assert (made["verdict"], made["exit_code"], made["deselected"]) == ("error", 5, 4)
    assert result.outlines[-1].startswith("readmit: no gate decided")


def test_tags_are_markers_also_where_markers_are_strict(project) -> None:
    project.suite("- moved: {tags: [nightly]}\n- moved: {id: other, columns: [age]}")
    assert outcomes(project.run("-m", "nightly", "--strict-markers")) == {"passed": 4, "deselected": 1}


def test_lf_runs_the_failed_gates_alone(failing) -> None:
    failing.run()
    assert outcomes(failing.run("--lf")) == {"failed": 2, "deselected": 2}


def test_ff_runs_the_failed_gates_first(failing) -> None:
    failing.run()
    ran = [line for line in failing.run("--ff", "-v").outlines if line.startswith("suites/drift.yml::")]
    assert [line.split()[0].rpartition("::")[2] for line in ran] == ["bmi", "sex", "age", "los"]


def test_the_record_keeps_the_order_of_the_suite_under_ff(failing) -> None:
    failing.run()
    assert [case["subject"] for case in failing.record("--ff")["cases"]] == ["age", "bmi", "los", "sex"]


def test_sw_goes_on_from_the_gate_that_failed(failing) -> None:
    assert outcomes(failing.run("--sw")) == {"passed": 1, "failed": 1}
    failing.suite("- moved: {far: [sex]}")
    assert outcomes(failing.run("--sw")) == {"passed": 2, "failed": 1, "deselected": 1}


def test_x_stops_at_the_first_gate_and_leaves_the_record_incomplete(failing) -> None:
    result = failing.run("-x", "--readmit-json=record.json")
    assert outcomes(result) == {"passed": 1, "failed": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = failing.read()
    assert (made["verdict"], made["complete"], made["deselected"]) == ("fail", False, 0)
    assert result.outlines[-1] == (
        "readmit: blocked by fail (1) (1 pass, 1 fail, 0 undecided, 0 error; 2 of 4 not run)"
    )


@pytest.mark.parametrize(
    ("argument", "count"),
    [
        ("suites/drift.yml::moved::age", {"passed": 1}),
        ("suites/drift.yml::moved", {"passed": 2, "failed": 2}),
        ("suites/drift.yml", {"passed": 2, "failed": 2}),
    ],
)
def test_a_path_or_a_node_id_needs_no_option(failing, argument, count) -> None:
    result = failing.run(argument, "--readmit-json=record.json", suite=None)
    assert outcomes(result) == count
    made = failing.read()
    assert made["planned"] == 4
    assert made["deselected"] == 4 - sum(count.values())
    assert made["complete"] is (sum(count.values()) == 4)


def test_a_node_id_of_the_named_suite_narrows_it(failing) -> None:
    assert outcomes(failing.run("suites/drift.yml::moved::age")) == {"passed": 1}


def test_a_node_id_that_does_not_exist_is_a_usage_error(failing) -> None:
    assert failing.run("suites/drift.yml::moved::nobody", suite=None).ret == pytest.ExitCode.USAGE_ERROR


def test_segments_and_checks_without_columns_have_ids_of_their_own(project) -> None:
    project.suite("- moved: {columns: [age], segments: sex}\n- unique: {columns: [age, bmi, los], max: 1}")
    result = project.run("--collect-only", "-q")
    assert result.outlines[:3] == [
        "suites/drift.yml::moved::age::f",
        "suites/drift.yml::moved::age::m",
        "suites/drift.yml::unique",
    ]
    assert outcomes(project.run("suites/drift.yml::moved::age::m", suite=None)) == {"passed": 1}
    assert outcomes(project.run("suites/drift.yml::unique", suite=None)) == {"passed": 1}


def test_collect_only_reads_no_rows_and_prints_no_verdict(failing) -> None:
    result = failing.run("--collect-only")
    result.stdout.fnmatch_lines(["*<SuiteFile drift.yml>", "*<CheckGroup moved>", "*<CheckItem age>"])
    assert result.ret == pytest.ExitCode.OK
    assert not any(line.startswith("readmit: no gate") for line in result.outlines)


def test_v_shows_a_line_for_each_gate(failing) -> None:
    failing.run("-v").stdout.fnmatch_lines(["suites/drift.yml::moved::age PASSED*"])


@pytest.mark.parametrize("plugin", ["no:cacheprovider", "no:terminal", "no:warnings", "no:junitxml"])
def test_it_works_without_the_plugins_of_pytest(failing, plugin) -> None:
    result = failing.run("-p", plugin, "--readmit-json=record.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert failing.read()["counts"] == {"pass": 2, "fail": 2, "inconclusive": 0, "error": 0}


def test_junit_holds_verdict_estimate_and_limit(failing) -> None:
    import xml.etree.ElementTree as ET

    failing.run("--junitxml=junit.xml")
    suite = ET.parse(failing.path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "0")
    age, bmi = suite.findall("testcase")[:2]
    assert (age.get("classname"), age.get("name")) == ("suites.drift.yml.moved", "age")
    found = {each.get("name"): each.get("value") for each in bmi.iter("property")}
    assert found == {"verdict": "fail", "estimate": "0.5", "limit": "0.1"}
    assert bmi.find("failure").text.startswith("fail: bmi moved by 0.5")


STRANGE = [
    "a[1]",
    "b::c",
    "<script>alert(1)</script>",
    "back\\slash",
    "\u00e4\u4e2d",
    "x" * 200,
    "new\nline",
    "a]b",
]


def test_columns_with_strange_names_have_ids_that_work_everywhere(project) -> None:
    import xml.etree.ElementTree as ET

    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table({name: list(range(30)) for name in STRANGE})
    parquet.write_table(table, project.path / "suites" / "current.parquet")
    path = project.suite("- moved: {far: ['a[1]', 'b::c', 'a]b']}")
    path.write_text(path.read_text().replace("current.csv", "current.parquet"))
    made = project.record("--junitxml=junit.xml", "--readmit-report=report.html")
    assert [case["subject"] for case in made["cases"]] == STRANGE
    assert made["counts"] == {"pass": 5, "fail": 3, "inconclusive": 0, "error": 0}
    assert len(ET.parse(project.path / "junit.xml").getroot()[0].findall("testcase")) == len(STRANGE)
    assert "<script>alert(1)" not in (project.path / "report.html").read_text(encoding="utf-8")
    assert outcomes(project.run("--lf")) == {"failed": 3, "deselected": 5}
    for case in made["cases"]:
        assert outcomes(project.run(case["id"], suite=None)) == {
            "passed" if case["verdict"] == "pass" else "failed": 1
        }
