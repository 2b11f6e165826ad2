"""Pictures of the page: each kind, what it says in words, and what a record edited by hand does to it."""

import re
import shutil
from typing import Any

import pytest

from pytest_readmit.report import render

UNDRAWN = "figures for a picture here that cannot be drawn"
STEPS = [round(n / 400, 4) for n in range(401)]
BINS = [0.05, 0.1, 0.2, 0.3]


def curve(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    """A curve of 401 points with a band; a calibration curve has four bins."""
    x = BINS if kind == "calibration" else STEPS
    found = {
        "kind": kind,
        "name": name,
        "x": x,
        "y": [round(value**0.5, 4) for value in x],
        "lower": [round(0.9 * value**0.5, 4) for value in x],
        "upper": [round(min(1.0, 1.1 * value**0.5), 4) for value in x],
        "n": [900, 400, 200, 40] if kind == "calibration" else None,
    }
    return found | fields


GROUPS = {
    "quantity": "true positive rate",
    "between": ["F", "M"],
    "table": {
        "columns": [
            "group",
            "rows",
            "true positive rate",
            "true positive rate low",
            "true positive rate high",
        ],
        "rows": [["F", 900, 0.61, 0.52, 0.7], ["M", 800, 0.48, 0.4, 0.56], ["X", None, None, None, None]],
    },
}
CONTEST = {"champion": "champion", "challenger": "<b>trees", "reference": 0.7, "current": 0.73}


def every_kind(gate_case: Any, bins: Any) -> list[dict[str, Any]]:
    """One gate of each kind of picture."""
    kinds = ("roc", "precision_recall", "calibration")
    pairs = [curve(kind, name) for kind in kinds for name in ("reference", "current")]
    levels = {"levels": ["EMERGENCY ADMISSION", "URGENT"], "reference": [0.6, 0.4], "current": [0.5, 0.5]}
    return [
        gate_case("performance", "roc_auc", details={"curves": pairs}, direction="at_least", limit=0.68),
        gate_case("calibration", "slope", details={"calibration_curve": _single()}, limit=[0.8, 1.25]),
        gate_case("fairness", "sex", details=GROUPS),
        gate_case(
            "promotion",
            "roc_auc",
            details=CONTEST,
            estimate=0.03,
            interval=[0.012, 0.047],
            limit=0.01,
            direction="at_least",
        ),
        gate_case("data_drift", "age", details={"histogram": bins(2)}),
        gate_case("data_drift", "admission", details={"histogram": levels}),
        gate_case("missing_drift", "lactate", details={"reference": 0.031, "current": 0.125}),
        gate_case("missing_drift", "glucose", details={"reference": 0.5516, "current": 0.6505}),
        gate_case("missing_drift", "age", details={"reference": 0.0, "current": 0.0}),
    ]


def _single() -> dict[str, Any]:
    found = curve("calibration", "current")
    return {"predicted": found["x"], "observed": found["y"], "lower": found["lower"], "upper": found["upper"]}


def figure(text: str, title: str) -> str:
    """The part of the page that holds the picture of this title."""
    found = [each for each in re.findall(r"<figure.*?</figure>", text, re.DOTALL) if title in each]
    assert found, title
    return str(found[-1])


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("roc_auc: ROC curve", ["false positive rate", "reference", "current", "chance alone"]),
        ("roc_auc: Precision and recall", ["recall", "precision"]),
        ("roc_auc: Calibration", ["mean predicted risk", "rows of each bin: 40 to 900"]),
        ("calibration: Calibration", ["observed share of events", "a model whose risks are right"]),
        ("sex: true positive rate by group", ["F 0.61 (0.52 to 0.7)", "too few rows to show"]),
        (
            "roc_auc: challenger against champion",
            ["difference 0.03", "least allowed 0.71", "champion; dot: challenger (&lt;b&gt;trees)"],
        ),
        ("age: reference and current", ["#k-steps"]),
        ("admission: reference and current", ["EMERGENCY ADMIS", "60%", "50%"]),
        ("lactate: reference and current", ["3.1%", "12.5%", "Share of rows without a value"]),
        (
            "missing_drift: missing values by column",
            ["lactate", "55.16% → 65.05%", "1 column has none missing"],
        ),
        ("reference: rows left after each step", ["20,000", "19,400", "14,213 patients", "left out"]),
    ],
)
def test_each_kind_is_drawn_and_says_what_it_shows(sample, gate_case, bins, title, shown) -> None:
    found = figure(render(sample(every_kind(gate_case, bins))), title)
    assert not [words for words in shown if words not in found]


def test_what_several_gates_draw_alike_is_drawn_once_with_its_bins(sample, gate_case) -> None:
    table = {"columns": ["predicted", "observed", "n"], "rows": [[0.1, 0.12, 900], [0.2, None, None]]}
    details = {"calibration_curve": _single(), "table": table}
    text = render(
        sample([gate_case("calibration", name, details=details) for name in ("slope", "ece", "ici")])
    )
    assert text.count("calibration: Calibration") == 1
    assert text.count("<td>0.12") == 1
    assert text.count("the same for several gates") == 3
    assert text.count("stands for a figure of too few rows") == 1


def test_a_fairness_gate_against_the_champion_shows_both_models_by_group(sample, gate_case) -> None:
    columns = ["group", "rows", "true positive rate, champion", "true positive rate, challenger"]
    rows = [["F", 900, 0.818, 0.822], ["M", 800, 0.713, 0.7], ["X", None, None, None]]
    details = {
        **CONTEST,
        "reference": 0.105,
        "current": 0.122,
        "table": {"columns": columns, "rows": rows},
    }
    case = gate_case(
        "fairness", "tpr_difference:sex", details=details, estimate=0.017, interval=[-0.01, 0.04]
    )
    text = render(sample([case]))
    assert "largest gap between groups" in figure(text, "challenger against champion")
    found = figure(text, "by group, champion and challenger")
    assert "F 0.818 to 0.822; M 0.713 to 0.7." in found
    assert "1 more group in the table" in found


def test_an_estimate_near_its_limit_has_its_figure_beside_the_line(sample, gate_case) -> None:
    text = render(sample([gate_case("performance", "alert_rate", estimate=0.325, limit=0.3)]))
    (limit, estimate) = (
        float(re.search(rf'<text x="([\d.]+)" y="\d+" class="{kind}"', text)[1]) for kind in ("limt", "est")
    )
    assert estimate - limit > 3.5 * len("0.325")


@pytest.mark.parametrize(
    "title", ["ROC curve", "Precision and recall", "Calibration", "age: ref", "admission: ref", "by column"]
)
def test_what_is_drawn_stands_in_a_table_too(sample, gate_case, bins, title) -> None:
    found = figure(render(sample(every_kind(gate_case, bins))), title)
    assert "<table>" in found
    assert 3 <= found.count("<tr>") <= 15


def test_segments_of_an_entry_stand_below_each_other_against_their_limit(sample) -> None:
    found = figure(render(sample()), "age-by-sex: age by group")
    assert "F 0.02 (0.002 to 0.029); M 0.02 (0.002 to 0.029); (missing) 0.02 (0.002 to 0.029)." in found
    assert "limit 0.1</text>" in found


def test_a_curve_of_hundreds_of_points_is_small(sample, gate_case) -> None:
    case = gate_case("performance", "roc_auc", details={"curves": [curve("roc", "current")]})
    picture = re.search(r"<svg.*?</svg>", figure(render(sample([case])), "ROC curve"), re.DOTALL)
    assert picture
    assert len(picture[0]) <= 3000
    assert max(len(path) for path in re.findall(r' d="([^"]*)"', picture[0])) <= 1000


def test_two_curves_differ_in_stroke_and_are_named(sample, gate_case, hostile) -> None:
    curves = [curve("roc", "champion"), curve("roc", hostile)]
    found = figure(
        render(sample([gate_case("promotion", "roc_auc", details={"curves": curves})])), "ROC curve"
    )
    assert 'class="curve c1"' in found
    assert 'class="curve c0"' in found
    assert "<script" not in found
    assert ">champion</text>" in found


@pytest.mark.parametrize(
    ("direction", "estimate", "limit", "current", "forbidden"),
    [
        ("at_least", 0.03, 0.01, 0.73, "least"),
        ("at_most", -0.03, 0.01, 0.67, "most"),
        ("at_most", 0.03, 0.01, 0.67, "least"),  # a drop of a metric whose more is better
        ("at_least", 0.03, 0.01, 0.67, "most"),  # an improvement of a loss
    ],
)
def test_the_forbidden_side_of_a_contest_is_where_the_challenger_may_not_be(
    sample, gate_case, direction, estimate, limit, current, forbidden
) -> None:
    case = gate_case(
        "promotion",
        "roc_auc",
        details={**CONTEST, "current": current},
        estimate=estimate,
        interval=[estimate - 0.01, estimate + 0.01],
        limit=limit,
        direction=direction,
    )
    assert f">{forbidden} allowed " in figure(render(sample([case])), "challenger against champion")


@pytest.mark.parametrize(
    "details",
    [
        {"histogram": "bins"},
        {"histogram": {"edges": [1, "x", 3], "reference": [0.5, 0.5], "current": [0.5, 0.5]}},
        {"curves": {"kind": "roc"}},
        {"curves": [curve("roc", "a", x="abc")]},
        {"curves": [curve("roc", "a", y=[2.0] * 401)]},
        {"curves": [curve("roc", "a", x=[0.1], y=[0.1])]},
        {"curves": [curve("sparkles", "a")]},
        {"curves": [None, curve("roc", "a")]},
    ],
)
def test_a_picture_that_cannot_be_drawn_is_left_out_and_said(sample, gate_case, details) -> None:
    assert UNDRAWN in render(sample([gate_case("performance", "roc_auc", details=details)]))


@pytest.mark.parametrize(
    "fields",
    [
        {
            "details": {
                "table": {"columns": ["group", "q", "q low", "q high"], "rows": [1, [], ["a", {}, [], "x"]]}
            }
        },
        {"details": {"table": {"columns": "group", "rows": None}, "between": 7, "quantity": []}},
        {"details": {**CONTEST, "champion": ["a"], "reference": "0.7"}},
        {"details": CONTEST, "estimate": "much", "interval": [3, 2, 1], "limit": {}, "direction": 4},
        {"details": {"reference": 1e300, "current": -1e300}, "limit": [1e300, -1e300]},
        {"details": {"calibration_curve": [1, 2]}},
        {"details": {"curves": [curve("calibration", "a", n=["x"] * 4, lower=3)]}},
        {"decide_by": "p_value", "p_value": 0.0, "alpha": 0.0},
        {"decide_by": "p_value", "p_value": -3, "alpha": 7},
    ],
)
def test_values_of_the_wrong_type_cost_no_page(sample, gate_case, fields) -> None:
    assert "</html>" in render(
        sample([gate_case("performance", "roc_auc", **fields), gate_case("schema", None)])
    )


@pytest.mark.parametrize(
    "flow", [None, [], {"read": "many"}, {"read": -5, "where": 3}, {"read": 0}, {"x": {}}]
)
def test_a_flow_of_the_wrong_types_costs_no_page(sample, flow) -> None:
    record = sample()
    record["provenance"]["datasets"] = {"current": {"flow": flow}, "reference": 7}
    assert "rows left after" not in render(record)


def test_a_step_with_too_few_rows_to_show_says_so(sample) -> None:
    record = sample()
    record["provenance"]["datasets"]["current"]["flow"] = {
        "read": 400,
        "where": 300,
        "matured": "fewer than 11",
    }
    found = figure(render(record), "current: rows left after each step")
    assert "not shown" in found
    assert "outcome can be known not shown" in found


def test_gates_of_every_kind_stand_in_one_order_by_how_near_their_limits_they_are(sample, gate_case) -> None:
    cases = [
        gate_case("performance", "far", estimate=0.9, limit=0.45, direction="at_least"),
        gate_case("performance", "near", estimate=0.5, limit=0.49, direction="at_least"),
        gate_case("performance", "none", estimate=0.0, limit=0.2, direction="at_least", interval=None),
        gate_case("promotion", "better", estimate=-0.02, limit=0.002, direction="at_most"),
        gate_case("guard", "worse", estimate=-0.03, limit=-0.02, direction="at_least"),
        gate_case("calibration", "slope", estimate=1.0, limit=[0.8, 1.25], direction="within"),
        gate_case("unique", "keys", estimate=0.0, limit=0.0, decide_by="estimate", interval=None),
        gate_case("ks", "chance", decide_by="p_value", p_value=0.3, alpha=0.05, limit=None, direction=None),
        gate_case("brier", "told", limit=None),
    ]
    text = render(sample(cases))
    overview = text[text.index('class="overview"') : text.index("</ol>")]
    order = [one.split(" · ")[1] for one in re.findall(r"<bdi>(.*?)</bdi>", overview)]
    assert order == ["none", "worse", "near", "far", "chance", "slope", "better", "keys"]


OVERLAPS = """() => {
  const found = [], label = (svg) => svg.getAttribute("aria-label").slice(0, 60);
  for (const svg of document.querySelectorAll("figure svg")) {
    const texts = [...svg.querySelectorAll("text")].filter((one) => one.textContent.trim());
    const boxes = texts.map((one) => one.getBoundingClientRect());
    for (let a = 0; a < boxes.length; a++) for (let b = 0; b < a; b++) {
      const wide = Math.min(boxes[a].right, boxes[b].right) - Math.max(boxes[a].left, boxes[b].left);
      const high = Math.min(boxes[a].bottom, boxes[b].bottom) - Math.max(boxes[a].top, boxes[b].top);
      if (wide > 1 && high > 3)
        found.push(`${label(svg)}: ${texts[a].textContent} | ${texts[b].textContent}`);
    }
    const frame = svg.getBoundingClientRect();
    boxes.forEach((box, at) => {
      if (box.left < frame.left - 12 || box.right > frame.right + 12)
        found.push(`${label(svg)}: ${texts[at].textContent} sticks out`);
    });
  }
  return found;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1280])
def test_labels_of_pictures_neither_overlap_nor_stick_out(sample, gate_case, bins, tmp_path, width) -> None:
    path = shutil.which("chromium")
    driver = pytest.importorskip("playwright.sync_api")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    cases = sample()["cases"] + every_kind(gate_case, bins)
    (tmp_path / "page.html").write_text(render(sample(cases)), encoding="utf-8")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto((tmp_path / "page.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = page.evaluate(OVERLAPS)
        browser.close()
    assert found == []
