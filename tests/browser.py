"""Pages opened in a real headless browser: what they wrote to the console, and what a script finds in them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, Dict, List

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip

_LISTEN = """<script>
window.troubles = [];
window.addEventListener("error", event => troubles.push(String(event.message || event.target.tagName)), true);
window.addEventListener("unhandledrejection", event => troubles.push(String(event.reason)));
for (const kind of ["error", "warn"]) {
  const plain = console[kind];
  console[kind] = (...said) => { troubles.push(said.join(" ")); plain(...said); };
}
</script>"""

_ASK = """<script>
(async function () {
  const wait = ms => new Promise(done => setTimeout(done, ms));
  let found = null;
  try {
    found = await (async () => { %s })();
  } catch (error) {
    troubles.push(String(error.stack || error));
  }
  const written = document.createElement("pre");
  written.id = "findings";
  written.textContent = JSON.stringify({found: found, troubles: troubles});
  document.body.appendChild(written);
})();
</script>"""


@dataclass(frozen=True)
class Findings:
    """What was seen in a page.

    Attributes:
        found: What the script returned.
        troubles: Errors and warnings, of the page and of its console.
        text: The page's visible text and markup after the script.
    """

    found: Any
    troubles: List[str]
    document: str


def needs_browser() -> str:
    """The browser's path; skips the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium or Chrome is installed here (Debian: apt install chromium)")
    return CHROMIUM


def ask(page: Path, script: str, folder: Path, budget_ms: int = 12000, size: str = "1200,900") -> Findings:
    """Open a copy of a page, run a script in it and see what it returns.

    Args:
        page: The HTML file.
        script: The body of an async JavaScript function; ``await wait(ms)`` waits.
        folder: Where the copy and the browser's profile go.
        budget_ms: Virtual time the page is given.
        size: Of the window.
    """
    document = page.read_text(encoding="utf-8")
    copy = folder / f"asked-{page.name}"
    listened = document.replace("<head>", "<head>" + _LISTEN, 1)
    head, _, tail = listened.rpartition("</body>")
    copy.write_text(head + _ASK % script + "</body>" + tail, encoding="utf-8")
    dumped = _browse(copy, folder, [f"--virtual-time-budget={budget_ms}", f"--window-size={size}", "--dump-dom"])
    told = re.search(r'<pre id="findings">(.*?)</pre>', dumped, re.DOTALL)
    assert told is not None, "the script did not come to its end"
    answer: Dict[str, Any] = json.loads(unescape(told[1]))
    return Findings(answer["found"], answer["troubles"], dumped)


def _browse(page: Path, folder: Path, options: List[str]) -> str:
    profile = folder / "profile"
    command = [needs_browser(), *SWITCHES, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=400)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return done.stdout.decode("utf-8", errors="replace")
