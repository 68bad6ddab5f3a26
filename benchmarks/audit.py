"""Checks the public pages with axe-core, the Nu HTML checker and Lighthouse: `make audit`.

Starts the site as production serves it, with the demo's articles, opens every kind of page in
every language in Chromium, and prints what each of the three found:

- axe-core, with all its rules and WCAG 2.2's size of targets, in light and dark mode, on a phone of
  320 pixels and on a desktop;
- the Nu HTML checker on the same pages, errors and warnings alike, and on the style sheets;
- Lighthouse on the home page and on an article.

Exits with 1 if anything is wrong or a grade is below 100. Needs Node 20, npm, Java 11 and Chromium;
what npm fetches goes into var/audit/ without running its install scripts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.http_observatory import serving  # noqa: E402
from demo import process_manager  # noqa: E402
from tests.chromium import running_chromium  # noqa: E402
from tests.services import ServiceNotInstalled, program  # noqa: E402

PACKAGES = {"axe-core": "4.14.1", "vnu-jar": "26.9.27", "lighthouse": "12.8.2"}
INSTALLED = ROOT / "var" / "audit"
LANGUAGES = ("en", "be", "ru")
THEMES = ("light", "dark")
WIDTHS = {320: 640, 1280: 900}
"""Of a window, and its height."""
WITHDRAWN = "3"
"""The number of the withdrawn article."""
KINDS = (
    *("/", "/weeks/", "/topics/elite/", "/topics/none/", "/authors/marta-zubr/", "/about/"),
    *("/privacy/", "/barometer/", "/search/", "/search/?q=2026", "/search/?q=xyzzy"),
    *("/subscribe/", "/subscribe/done/", "/letter/nonsense/", f"/{WITHDRAWN}/"),
)
"""One of each kind, below a language; an article and a week come from the first page."""
UNKNOWN_TO_CHECKER = ("“paint-order”",)
"""CSS that is younger than the checker's list: CSS Fill and Stroke, level 3."""
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
ATTEMPTS = 3
"""Of a grade below 100: a machine that is busy with something else takes points from speed."""
AXE = """() => axe.run(document, {
  resultTypes: ["violations"], rules: {"target-size": {enabled: true}}
})"""


@dataclass
class Findings:
    """Problems, and how many checks were made."""

    checked_count: int = 0
    problems: list[str] = field(default_factory=list)


def main() -> None:
    """The entry."""
    for name in ("node", "npm", "java"):
        if shutil.which(name) is None:
            sys.exit(f"{name} is not installed. The audit needs Node 20, npm and Java 11.")
    install()
    with (
        tempfile.TemporaryDirectory(prefix="audit-") as name,
        serving(Path(name), ("withdraw_article", WITHDRAWN)) as host,
        running_chromium() as browser,
    ):
        site, folder = f"https://{host}", Path(name) / "pages"
        paths = addresses(browser, site)
        wrong = report("axe-core", with_axe(browser, site, paths))
        wrong += report("HTML checker", with_checker(browser, site, paths, folder))
        wrong += report("Lighthouse", with_lighthouse(site, paths))
    sys.exit(1 if wrong else 0)


def report(tool: str, found: Findings) -> int:
    """Prints the problems at once, since the next tool may fail; returns their number."""
    print(f"{tool}: {found.checked_count} looked at, {len(found.problems)} wrong")
    for line, times in Counter(found.problems).most_common():
        print(f"  {line}" + (f" ({times} times)" if times > 1 else ""))
    sys.stdout.flush()
    return len(found.problems)


def install() -> None:
    """What is not there yet."""
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    marker = INSTALLED / "installed"
    if marker.exists() and marker.read_text() == " ".join(wanted):
        return
    print("Installing axe-core, the HTML checker and Lighthouse into var/audit/", flush=True)
    INSTALLED.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run([*command, "--prefix", str(INSTALLED), *wanted], check=True)
    marker.write_text(" ".join(wanted))


def addresses(browser: Browser, site: str) -> dict[str, str]:
    """One address of each kind in each language, by what it is called here."""
    found = {}
    with browser.new_context(ignore_https_errors=True) as context:
        page = context.new_page()
        for language in LANGUAGES:
            found |= {f"/{language}{kind}": f"/{language}{kind}" for kind in KINDS}
            page.goto(f"{site}/{language}/")
            for kind, link in (("article", ".item h2 a"), ("week", ".this-week > .more-link a")):
                href = page.locator(link).first.get_attribute("href") or ""
                found[f"/{language}/ {kind}"] = href
    return found


def with_axe(browser: Browser, site: str, paths: dict[str, str]) -> Findings:
    """Every page in both themes and widths. No page may be wider than its window either."""
    source = (INSTALLED / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
    found = Findings()
    for theme in THEMES:
        # The site's policy lets no script run, axe's neither.
        with browser.new_context(
            bypass_csp=True, ignore_https_errors=True, color_scheme=theme
        ) as context:
            page = context.new_page()
            for name, path in paths.items():
                page.goto(site + path)
                page.evaluate(source)
                for width, height in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": height})
                    found.checked_count += 1
                    found.problems += axe_says(page, f"{name}, {theme}, {width} px")
    return found


def axe_says(page: Page, where: str) -> list[str]:
    """The rules that are broken, each with the first place."""
    result: dict[str, Any] = page.evaluate(AXE)
    wrong = [
        f"{rule['id']} at {rule['nodes'][0]['target']}: {where}" for rule in result["violations"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append(f"wider than the window: {where}")
    return wrong


def with_checker(browser: Browser, site: str, paths: dict[str, str], folder: Path) -> Findings:
    """Each page as the server sends it; the browser has mended what it shows."""
    folder.mkdir()
    with browser.new_context(ignore_https_errors=True) as context:
        asked = {name: context.request.get(site + path) for name, path in paths.items()}
        for language in LANGUAGES:
            path = f"/{language}/weeks/"
            asked[f"{path} refusing"] = context.request.post(site + path)
        for number, answer in enumerate(asked.values()):
            (folder / f"{number}.html").write_bytes(answer.body())
    jar = INSTALLED / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    styles = [ROOT / "static" / name for name in ("site.css", "barometer.css")]
    wrong, checked = [], [*folder.glob("*.html"), *styles]
    for also, files in (([], [folder]), (["--css"], styles)):
        command = ["java", "-jar", str(jar), "--format", "json", *also]
        done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
        # What is neither error nor warning only explains one.
        wrong += [
            one
            for one in json.loads(done.stderr)["messages"]
            if (one["type"] == "error" or one.get("subType") == "warning")
            and not any(words in one["message"] for words in UNKNOWN_TO_CHECKER)
        ]
    names = list(asked)
    return Findings(len(checked), [checker_says(one, names) for one in wrong])


def checker_says(message: dict[str, Any], names: list[str]) -> str:
    """One line for a message, with the page's name for that of its file."""
    file = Path(message["url"]).stem
    name = names[int(file)] if file.isdecimal() else f"{file}.css"
    return f"{message['type']}: {message['message']} {message.get('extract', '')!r} in {name}"


def with_lighthouse(site: str, paths: dict[str, str]) -> Findings:
    """The four grades of the first page and an article, as a phone of the middle class has them."""
    found = Findings()
    for name in ("/en/", "/en/ article", "/be/", "/be/ article"):
        found.checked_count += 1
        result = best_result(site + paths[name], name)
        if result is None:
            found.problems.append(f"no grades on {name}")
            continue
        for category, grade in scores_of(result).items():
            if grade < 100:
                found.problems.append(
                    f"{category} {grade} on {name}: {failed_audits(result, category)}"
                )
    return found


def best_result(address: str, name: str) -> dict[str, Any] | None:
    """The last answer, or the first with full grades; None where there was none at all."""
    result = None
    for _attempt in range(ATTEMPTS):
        try:
            result = run_lighthouse(address)
        except subprocess.CalledProcessError as error:
            # It waits so long for a page, and no longer.
            print(f"Lighthouse, {name}: {error.stderr.strip().splitlines()[-1:]}", flush=True)
            continue
        print(f"Lighthouse, {name}: {scores_of(result)}", flush=True)
        if min(scores_of(result).values()) == 100:
            break
    return result


def scores_of(result: dict[str, Any]) -> dict[str, int]:
    """By category, up to 100."""
    return {one: round(100 * result["categories"][one]["score"]) for one in CATEGORIES}


def run_lighthouse(address: str) -> dict[str, Any]:
    """Lighthouse's whole answer."""
    command = ["node", str(INSTALLED / "node_modules" / "lighthouse" / "cli" / "index.js")]
    command += [address, "--output=json", "--quiet", "--no-enable-error-reporting"]
    command += [f"--only-categories={','.join(CATEGORIES)}"]
    command += ["--chrome-flags=--headless=new --no-sandbox --ignore-certificate-errors"]
    chromium = os.environ | {"CHROME_PATH": str(program("chromium"))}
    done = subprocess.run(command, env=chromium, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def failed_audits(result: dict[str, Any], category: str) -> str:
    """Which audits took the points."""
    parts = result["categories"][category]["auditRefs"]
    audits = [result["audits"][part["id"]] for part in parts if part["weight"]]
    lost = [one for one in audits if one["score"] is not None and one["score"] < 1]
    return ", ".join(
        f"{one['id']} {one.get('explanation') or one.get('displayValue', '')}".strip()
        for one in lost
    )


if __name__ == "__main__":
    try:
        main()
    except (process_manager.ProcessError, ServiceNotInstalled) as error:
        sys.exit(str(error))
