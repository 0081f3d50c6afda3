"""What the helpers of several files assert is told in full, as what a test asserts is."""

import pytest

pytest.register_assert_rewrite(
    "tests.unit.header_change_cases",
    "tests.unit.notice_cases",
    "tests.unit.report.documents",
    "tests.unit.store.stores",
)
