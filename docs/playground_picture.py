"""Take the picture of the playground: `python docs/playground_picture.py`.

It needs Chromium, chromedriver and selenium. Two networks train for some seconds in the
page before it is taken, so no two pictures are the same.
"""

from __future__ import annotations

import base64
import io
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from fastbp.pages.playground import playground_digits, playground_page

PICTURE = Path(__file__).with_name("images") / "playground.png"
WIDTH, HEIGHT, SCALE = 1280, 1290, 1
LESSON, EPOCHS = "batch-epochs", 3
MOST_BYTES = 300_000


def browser() -> webdriver.Chrome:
    """Start a Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def photograph(driver: webdriver.Chrome, page: Path) -> bytes:
    """Return a PNG of the page while a lesson's two networks train."""
    screen = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": SCALE, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.get(page.as_uri())
    until(driver, "document.body.dataset.ready === 'true'")
    driver.execute_script("document.querySelector(`[data-lesson=${arguments[0]}]`).click()", LESSON)
    until(
        driver,
        f"Number.parseFloat(document.querySelector('[data-figure=epoch]').textContent) > {EPOCHS}",
    )
    driver.execute_script("scrollTo(0, 0)")
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {})
    return base64.b64decode(shot["data"])


def until(driver: webdriver.Chrome, condition: str) -> None:
    """Wait until a condition in JavaScript holds."""
    end = time.monotonic() + 60
    while not driver.execute_script(f"return {condition}"):
        if time.monotonic() > end:
            raise TimeoutError(condition)
        time.sleep(0.05)


def main() -> None:
    """Write the picture, with 256 colours so that it stays small."""
    with TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(playground_page(playground_digits("mnist")), encoding="utf-8")
        driver = browser()
        try:
            taken = photograph(driver, page)
        finally:
            driver.quit()
    picture = Image.open(io.BytesIO(taken)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(PICTURE, optimize=True)
    size = PICTURE.stat().st_size
    print(f"{PICTURE}: {size:,} bytes")
    if size > MOST_BYTES:
        raise SystemExit(f"larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
