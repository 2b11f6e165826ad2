"""The report in a real browser: Debian's Chromium, driven by playwright."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_readmit.report import render

pytestmark = pytest.mark.browser

WIDTHS = (400, 640, 960, 1280, 1600)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        hint = "needs Chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(hint)
        pytest.skip(hint)
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


@pytest.fixture
def file(tmp_path: Path, sample: Any) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render(sample()), encoding="utf-8")
    return path


def open_all(page: Any) -> None:
    for summary in page.query_selector_all("summary"):
        summary.click()


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


def test_the_style_passes_the_policy_and_scripts_do_not_run(chromium: Any, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace(
            "</main>", "<script>document.title='ran'</script><img src='https://example.org/x.png'></main>"
        ),
        encoding="utf-8",
    )
    visit = Visit(chromium, file)
    assert visit.page.title().startswith("Blocked")
    assert visit.refused == {"https://example.org/x.png": "csp"}
    color = visit.page.evaluate("getComputedStyle(document.querySelector('.stamp')).textTransform")
    assert color == "uppercase"


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
    summary = page.query_selector("summary")
    assert page.evaluate("document.querySelector('details').open") is False
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("e => document.activeElement === e", summary):
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open") is True


def test_a_link_to_a_gate_opens_it(chromium: Any, file: Path) -> None:
    visit = Visit(chromium, file)
    link = visit.page.query_selector("#blocking a")
    target = link.get_attribute("href")
    link.click()
    assert visit.page.evaluate("id => document.querySelector(id).closest('details').open", target) is True
    visit.page.goto("about:blank")
    visit.page.goto(visit.url + target)
    assert visit.page.evaluate("id => document.querySelector(id).closest('details').open", target) is True


def test_paper_shows_what_the_screen_folds_away(chromium: Any, file: Path) -> None:
    page = Visit(chromium, file).page
    page.emulate_media(media="print")
    heights = page.evaluate(
        "[...document.querySelectorAll('.body')].map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) == 35
    assert min(heights) > 20


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
