"""The report in a real browser: Debian's Chromium, driven by playwright."""

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pytest_readmit.report import render

pytestmark = pytest.mark.browser

WIDTHS = (400, 800, 1280, 1600)


def absent(hint: str) -> NoReturn:
    """Skip on a machine without a tool; in CI its absence is an error."""
    if os.environ.get("CI") == "true":
        pytest.fail(hint)
    pytest.skip(hint)


@pytest.fixture(scope="module")
def axe() -> Path:
    path = os.environ.get("READMIT_AXE")
    if path is None or not Path(path).is_file():
        absent("needs axe-core: READMIT_AXE=package/axe.min.js from npm pack axe-core")
    return Path(path)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        absent("needs Chromium: apt-get install chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


class Visit:
    """One page, with every request and every complaint it made."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.requests: list[str] = []
        self.refused: dict[str, str] = {}
        self.complaints: list[str] = []
        self.page = browser.new_page(**options)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.refused.update({request.url: request.failure}))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.url = file.as_uri()
        self.page.goto(self.url)


def curve(kind: str) -> dict[str, Any]:
    places = [n / 10 for n in range(11)]
    rise = {"x": places, "y": [x**0.5 for x in places], "n": [100] * 11}
    return {"kind": kind, "name": "current", "lower": [x * 0.9 for x in places], "upper": [1.0] * 11, **rise}


@pytest.fixture
def file(tmp_path: Path, sample: Any, gate_case: Any) -> Path:
    """The sample, and gates that have other pictures and wide tables."""
    columns = ["group", "rows", "true positive rate", "true positive rate low", "true positive rate high"]
    groups = {"columns": columns, "rows": [["F", 900, 0.41, 0.38, 0.44], ["M", 800, 0.37, 0.34, 0.4]]}
    models = [
        gate_case("performance", "auc", details={"curves": [curve("roc"), curve("precision_recall")]}),
        gate_case("concept_drift", "slope", details={"curves": [curve("calibration")]}),
        gate_case("fairness", "equalised_odds:sex", details={"table": groups}),
    ]
    path = tmp_path / "report.html"
    path.write_text(render(sample([*sample()["cases"], *models])), encoding="utf-8")
    return path


def open_all(page: Any) -> None:
    page.click("#open-all")
    page.evaluate("document.querySelectorAll('.data').forEach(e => e.open = true)")


def shown(page: Any) -> list[str]:
    """The verdicts of the gates that can be seen, folded or not."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('#gates .g')].filter(e => e.getClientRects().length)"
        ".map(e => e.querySelector('.badge').textContent)"
    )
    return found


def too_wide(page: Any) -> list[str]:
    """What sticks out to the right, apart from what its own box scrolls or cuts with an ellipsis."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => !e.closest('.scroll') && !e.closest('svg') && !e.closest('.vh')
                         && !e.closest('.overview a > *')
                         && e.getBoundingClientRect().right > innerWidth + 0.5)
            .map(e => e.tagName + '.' + e.className)"""
    )
    return found


def test_no_request_leaves_the_page_and_nothing_is_complained_of(chromium: Any, file: Path) -> None:
    visit = Visit(chromium, file)
    open_all(visit.page)
    assert visit.requests == [visit.url]
    assert visit.complaints == []


def test_our_style_and_script_pass_the_policy_and_no_others(chromium: Any, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    foreign = "<script>document.title='ran'</script><img src='https://example.org/x.png' onerror='alert(1)'>"
    file.write_text(text.replace("</main>", f"{foreign}</main>"), encoding="utf-8")
    visit = Visit(chromium, file)
    assert visit.page.title().startswith("Blocked")
    assert visit.refused == {"https://example.org/x.png": "csp"}
    color = visit.page.evaluate("getComputedStyle(document.querySelector('.stamp')).textTransform")
    assert color == "uppercase"
    assert visit.page.is_visible("#search")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_at_any_width(chromium: Any, file: Path, width: int) -> None:
    page = Visit(chromium, file, viewport={"width": width, "height": 900}).page
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert too_wide(page) == []


def test_text_in_pictures_stays_legible_on_a_phone(chromium: Any, file: Path) -> None:
    page = Visit(chromium, file, viewport={"width": 400, "height": 900}).page
    open_all(page)
    smallest = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll('figure svg')].filter(e => e.clientWidth)
            .map(e => 11 * e.getBoundingClientRect().width / 360))"""
    )
    assert smallest >= 9.5


def test_a_gate_opens_by_keyboard_alone(chromium: Any, file: Path) -> None:
    page = Visit(chromium, file).page
    summary = page.query_selector("details.g > summary")
    assert page.evaluate("document.querySelector('details.g').open") is False
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("e => document.activeElement === e", summary):
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details.g').open") is True


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_to_a_gate_opens_it(chromium: Any, file: Path, scripts: bool) -> None:
    visit = Visit(chromium, file, java_script_enabled=scripts)
    link = visit.page.locator("#blocking a").first
    target = link.get_attribute("href") or ""
    body = visit.page.locator(target)
    assert not body.is_visible()
    link.click()
    body.wait_for(state="visible", timeout=3000)
    body.locator(".id a").click()
    assert visit.page.url == visit.url + target
    visit.page.goto("about:blank")
    visit.page.goto(visit.url + target)
    body.wait_for(state="visible", timeout=3000)


def test_a_link_to_a_gate_shows_it_though_filter_and_search_hid_it(chromium: Any, file: Path) -> None:
    visit = Visit(chromium, file)
    target = visit.page.locator("#blocking a").first.get_attribute("href") or ""
    visit.page.check("#show-pass", force=True)
    visit.page.fill("#search", "nothing has this name")
    assert shown(visit.page) == []
    visit.page.locator("#blocking a").first.click()
    visit.page.locator(target).wait_for(state="visible", timeout=3000)


@pytest.mark.parametrize("scripts", [True, False])
def test_the_filter_shows_one_verdict_with_scripts_on_and_off(
    chromium: Any, file: Path, scripts: bool
) -> None:
    page = Visit(chromium, file, java_script_enabled=scripts).page
    assert page.is_visible("#search") is scripts

    counts = {"Fail": 7, "Undecided": 3, "Pass": 25, "Reported": 2, "Error": 1}
    ids = {
        "Fail": "fail",
        "Undecided": "inconclusive",
        "Pass": "pass",
        "Reported": "reported",
        "Error": "error",
    }
    for verdict, number in counts.items():
        page.locator(f"label:has(#show-{ids[verdict]})").click()
        assert shown(page) == [verdict] * number
    page.locator("label:has(#show-blocks)").click()
    assert sorted(shown(page)) == ["Error", "Fail", "Fail", "Fail"]
    page.locator("label:has(#show-all)").click()
    assert Counter(shown(page)) == counts


def test_search_finds_names_checks_and_words_of_messages(chromium: Any, file: Path) -> None:
    page = Visit(chromium, file).page
    page.fill("#search", "GLUCOSE")
    assert sorted(shown(page)) == ["Fail", "Undecided"]
    page.fill("#search", "glucose unit_change")
    assert shown(page) == ["Fail"]
    assert page.inner_text("#found") == "1 of 38 gates match"
    page.fill("#search", "multiplied by 18")
    assert shown(page) == ["Fail"]
    page.fill("#search", "")
    assert len(shown(page)) == 38


def test_paper_shows_what_the_screen_folds_away_and_filters(chromium: Any, file: Path) -> None:
    page = Visit(chromium, file).page
    page.check("#show-fail", force=True)
    page.fill("#search", "age")
    page.emulate_media(media="print")
    heights = page.evaluate(
        "[...document.querySelectorAll('.g:not(.v-pass,.v-reported) .body')]"
        ".map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) == 11
    assert min(heights) > 20
    rows = page.evaluate(
        "[...document.querySelectorAll('.g.v-pass')].map(e => e.getBoundingClientRect().height)"
    )
    assert len(rows) == 25
    assert 10 < min(rows) <= max(rows) < 80


def test_the_pdf_holds_every_gate_and_cuts_no_picture(chromium: Any, file: Path, tmp_path: Path) -> None:
    page = Visit(chromium, file, java_script_enabled=False).page
    pdf = page.pdf(format="A4", print_background=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 5 <= pages <= 20
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 990})  # the text width of A4 at the page's own margins
    wide = page.evaluate(
        "[...document.querySelectorAll('figure svg, .figures, table')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
    )
    assert wide == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_an_accessibility_audit_finds_nothing(
    chromium: Any, file: Path, axe: Path, width: int, scheme: str
) -> None:
    visit = Visit(
        chromium, file, color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    open_all(visit.page)
    visit.page.add_script_tag(content=axe.read_text(encoding="utf-8"))
    found = visit.page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)]))"
    )
    assert found == []


def test_five_thousand_gates_stay_usable(
    chromium: Any, tmp_path: Path, sample: Any, gate_case: Any, bins: Any
) -> None:
    kinds = ({}, {"verdict": "fail", "outcome": "failed"}, {"verdict": "inconclusive"}, {})
    details = {"histogram": bins(1)}
    cases = [gate_case("data_drift", f"f{n:04}", details=details, **kinds[n % 4]) for n in range(5000)]
    path = tmp_path / "report.html"
    path.write_text(render(sample(cases)), encoding="utf-8")
    assert path.stat().st_size < 4_000_000
    start = time.perf_counter()
    visit = Visit(chromium, path)
    visit.page.locator("label:has(#show-fail)").click()
    assert visit.page.locator(".g.v-fail").first.is_visible()
    visit.page.fill("#search", "f4321")
    assert visit.page.inner_text("#found") == "1 of 5000 gates match"
    assert time.perf_counter() - start < 10
    assert visit.complaints == []


CONTRAST = """() => {
  const channel = c => (c /= 255, c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
  const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
  const parse = s => s.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  return [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => { const both = [parse(getComputedStyle(e).color), ground(e)].map(light);
      const [a, b] = both.sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 30)]; })
    .filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(chromium: Any, file: Path, scheme: str) -> None:
    page = Visit(chromium, file, color_scheme=scheme).page
    open_all(page)
    assert page.evaluate(CONTRAST) == []
