"""A headless Chromium, driven over the system's chromedriver."""

import shutil

import pytest

import fastbp
from paper import Page, write_page

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("there is no browser: Debian's packages are chromium and chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = browser
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With a path, selenium looks for no driver of its own to download.
    service = Service(executable_path=driver)
    chromium = selenium.Chrome(options=options, service=service)
    yield chromium
    chromium.quit()


@pytest.fixture
def page(chromium):
    page = Page(chromium)
    yield page
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert page.complaints() == []


@pytest.fixture(scope="session")
def trained(chromium):  # noqa: ARG001 (without a browser, nothing is trained)
    return fastbp.train("mnist", hidden=(100,), epochs=4, augment="affine", seed=3).network


@pytest.fixture(scope="session")
def trained_page(trained, tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("page"), {"runs/affine": trained})


@pytest.fixture
def opened(page, trained_page):
    page.open(trained_page)
    return page
