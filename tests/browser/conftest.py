"""A real browser, a real S3 server, and messages stored there as the milter stores them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from selenium import webdriver

from rig.lab import BUCKET, base_configuration
from rig.servers.s3 import Juicefs
from tests.browser.browser import Browser
from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.offload.offload import Offload
from woomera_milter.offload.source import Offloaded, Origin
from woomera_milter.store.links import Signer
from woomera_milter.store.s3_store import S3Store

Keep = Callable[[bytes], Offloaded]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One headless Chromium for the whole run, which finds no host but this one."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new",
        "--no-sandbox",  # it has none where root runs it, in a container, say
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome) -> Browser:
    return Browser(driver)


@pytest.fixture(scope="session")
def keep(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Keep:
    """Store a message of wire form, and return what became of it."""
    folder: Path = tmp_path_factory.mktemp("spool")
    sections = base_configuration(s3, "inet:1@127.0.0.1", folder)
    configuration = config.validate(sections | {"limit": "10MB"}, "config.yaml")
    store = S3Store(configuration.storage, max_connections=16)
    offload = Offload(configuration, store, Signer(configuration.links, configuration.storage))
    numbers = count(1)

    def keep(message: bytes) -> Offloaded:
        spooled = SpooledMessage(folder)
        spooled.write(message)
        origin = Origin("milter", "host", "QUEUEID", datetime.now(UTC))
        headers = parse_header_block(message)
        envelope = Envelope("sender@example.com", ("hidden@example.org",))
        try:
            return offload.run(f"QUEUEID-{next(numbers)}", spooled, envelope, headers, origin, Deadline(60))
        finally:
            spooled.close()

    assert configuration.storage.bucket == BUCKET
    return keep
