"""The system's Chromium, driven by playwright. If it is missing, tests are skipped with what to install."""

import shutil

import pytest

from tito import machine

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


@pytest.fixture(scope="module")  # while playwright lives its event loop runs in this thread, and no other test can run one
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip(f"Chromium is not installed: {machine.install_advice('chromium')}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
