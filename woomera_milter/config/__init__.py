"""config.yaml -> a validated Config, or every error at once, each with key, value and remedy."""

from pathlib import Path

from woomera_milter.config.doubts import examples as examples
from woomera_milter.config.doubts import warnings as warnings
from woomera_milter.config.models import Archive as Archive
from woomera_milter.config.models import CloudFront as CloudFront
from woomera_milter.config.models import Config as Config
from woomera_milter.config.models import Links as Links
from woomera_milter.config.models import Mail as Mail
from woomera_milter.config.models import Milter as Milter
from woomera_milter.config.models import Notice as Notice
from woomera_milter.config.models import Report as Report
from woomera_milter.config.models import Section as Section
from woomera_milter.config.models import Storage as Storage
from woomera_milter.config.models import Sweep as Sweep
from woomera_milter.config.validation import validate as validate
from woomera_milter.config.yaml_file import read
from woomera_milter.errors import ConfigError


def load(path: Path) -> Config:
    """The configuration at `path`. Raise ConfigError with all that is wrong with it."""
    data, problems = read(path)
    try:
        config = validate(data, str(path))
    except ConfigError as error:
        problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return config
