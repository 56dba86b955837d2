"""Checks of a page in a browser, as expressions whose value is what is wrong; and waiting."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Elements to use without a name; text of too little contrast; parts that are wider than the page.
NAMES = """() => [...document.querySelectorAll("button, input, select, canvas, progress")]
  .filter((one) => one.checkVisibility() && !one.closest("[aria-hidden=true]")
      && !(one.ariaLabel || one.textContent.trim() || one.labels?.length))
  .map((one) => one.outerHTML)"""
CONTRAST = """() => {
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045
    ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (one) => { for (; one; one = one.parentElement) {
    const c = parts(getComputedStyle(one).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; }
    return [255, 255, 255]; };
  return [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility()
      && !one.disabled && [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((one) => { const [a, b] = [light(parts(getComputedStyle(one).color)), light(ground(one))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 120)]; })
    .filter(([ratio]) => ratio < 4.5);
}"""
WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


def until(page: "Page", expression: str) -> None:
    """Wait until an expression is true; a page's policy forbids Playwright's own way."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise TimeoutError(f"{expression}: {page.inner_text('[role=status]')}")
