"""Labs for the tests that run the whole path: real sendmail, our milter, a real S3 server, the SES stand-in.

`trial` is what most tests want: a lab whose limit is 1 MB, so that most over-limit messages are small, an
empty bucket, and a sendmail without the milter to compare with. `make_trial` gives one of another
configuration; labs are costly, so it is for what cannot be had otherwise.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rig.lab import Configuration, Lab
from rig.promises.bucket import Bucket
from rig.servers.s3 import Juicefs
from rig.trial import Plain, Trial

SMALL_LIMIT: Configuration = {"limit": "1MB", "archive": {"min_size": 0}}
"""Laid over a configuration: over-limit messages of 1 MB, for what the size itself is no matter."""

MakeTrial = Callable[..., Trial]
"""make_trial(configuration={}, plain=None, **arguments of Lab): a trial of a lab of its own."""


@pytest.fixture(scope="session")
def plain() -> Iterator[Plain]:
    """A sendmail without the milter, else as in `lab`."""
    with Plain() as plain:
        yield plain


@pytest.fixture(scope="session")
def lab(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab of `trial`: a test that changes it or takes parts of it away makes its own."""
    with Lab(tmp_path_factory.mktemp("lab"), s3, configuration=SMALL_LIMIT) as lab:
        yield lab


@pytest.fixture(scope="session")
def full_size_lab(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with the limit that SES has, 10 MB."""
    with Lab(tmp_path_factory.mktemp("full-size-lab"), s3) as lab:
        yield lab


@pytest.fixture
def trial(lab: Lab, bucket: Bucket, plain: Plain) -> Trial:
    return Trial(lab, bucket, plain)


@pytest.fixture
def full_size_trial(full_size_lab: Lab, bucket: Bucket, plain: Plain) -> Trial:
    return Trial(full_size_lab, bucket, plain)


@pytest.fixture
def make_trial(s3: Juicefs, bucket: Bucket, tmp_path: Path) -> Iterator[MakeTrial]:
    """Makes labs that end with the test; with the limit of 1 MB unless `configuration` has another."""
    with ExitStack() as stack:

        def make(
            configuration: Configuration | None = None, plain: Plain | None = None, **lab_arguments: Any
        ) -> Trial:
            folder = tmp_path / f"lab{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            merged = SMALL_LIMIT | (configuration or {})
            lab = stack.enter_context(Lab(folder, s3, configuration=merged, **lab_arguments))
            return Trial(lab, bucket, plain)

        yield make
