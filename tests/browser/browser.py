"""What the tests ask of a browser: to open a page, and to tell what happened on it."""

import base64
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE, DESK = (390, 844), (1280, 900)
ZOOMED = (320, 256)  # what is left of 1280 x 1024 at 400 % (WCAG 2.2, 1.4.10)
_AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0]}).then(found => done(found.violations));
"""


class Browser:
    """A headless Chromium."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver

    def open(self, url: str, *, size: tuple[int, int] = DESK, dark: bool = False) -> None:
        """Open a page and wait until its pictures are there; what was requested before is forgotten."""
        width, height = size
        self._driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._driver.get("about:blank")
        self._log("performance")
        self._log("browser")
        self._driver.get(url)
        self.wait_for("return [...document.images].every(image => image.complete || image.loading == 'lazy')")

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script from outside the page, and return what it returns."""
        return self._driver.execute_script(script, *arguments)

    def wait_for(self, condition: str) -> None:
        WebDriverWait(self._driver, 10).until(lambda driver: driver.execute_script(condition))

    @property
    def text(self) -> str:
        """What a person sees."""
        return self._driver.find_element(By.TAG_NAME, "body").text

    @property
    def links(self) -> list[str]:
        return [str(link.get_attribute("href")) for link in self._driver.find_elements(By.TAG_NAME, "a")]

    def requested_hosts(self) -> set[str]:
        """The hosts and ports asked for anything since the page was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        urls = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return {
            urlsplit(url).netloc for url in urls if urlsplit(url).scheme in ("http", "https", "ws", "wss")
        }

    def complaints(self) -> list[str]:
        """What the console holds: errors, and what the Content-Security-Policy stopped."""
        return [entry["message"] for entry in self._log("browser")]

    def accessibility_violations(self) -> list[str]:
        """What axe-core finds wrong, WCAG A and AA and its own best practices."""
        self._driver.execute_script(_AXE)
        found = self._driver.execute_async_script(_RUN_AXE, WCAG_AA)
        return [f"{it['id']}: {[node['html'][:120] for node in it['nodes'][:3]]}" for it in found]

    def press_tab(self) -> None:
        """Go on with the keyboard."""
        for kind in ("rawKeyDown", "keyUp"):
            key = {"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
            self._driver.execute_cdp_cmd("Input.dispatchKeyEvent", key)

    def accessibility_tree(self) -> str:
        """What a screen reader is given: a line for each thing that it tells, indented as it stands."""
        nodes = self._driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        by_id = {it["nodeId"]: it for it in nodes}

        def lines(node: dict[str, Any], depth: int) -> Iterator[str]:
            role = node["role"]["value"]
            is_told = not node["ignored"] and role not in ("none", "generic", "InlineTextBox")
            if is_told:
                level = [f" {it['value']['value']}" for it in node["properties"] if it["name"] == "level"]
                name = node.get("name", {}).get("value", "")
                yield f"{'  ' * depth}{role}{''.join(level)} {name!r}" if name else f"{'  ' * depth}{role}"
            for child in node.get("childIds", []):
                if child in by_id:
                    yield from lines(by_id[child], depth + is_told)

        return "\n".join(lines(nodes[0], 0))

    def screenshot(self, path: Path) -> None:
        """The whole page, however long."""
        height = self._driver.execute_script("return document.documentElement.scrollHeight")
        picture = self._driver.execute_cdp_cmd(
            "Page.captureScreenshot",
            {
                "captureBeyondViewport": True,
                "clip": {
                    "x": 0,
                    "y": 0,
                    "width": self._driver.execute_script("return document.documentElement.clientWidth"),
                    "height": height,
                    "scale": 1,
                },
            },
        )
        path.write_bytes(base64.b64decode(picture["data"]))

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._driver.get_log(kind)  # type: ignore[no-untyped-call]  # selenium's
        return entries
