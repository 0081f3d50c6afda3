"""How browsers treat what the bucket holds."""

from urllib.parse import quote

import pytest

from rig.servers.s3 import Juicefs
from tests.unit.store.stores import keys_of, put, store_at, stored
from woomera_milter.message.spool import SpooledMessage


@pytest.mark.parametrize(
    ("file_name", "ascii_name"),
    [
        pytest.param("figures.eml", "figures.eml", id="plain"),
        pytest.param("Zürich €.eml", "Z_rich _.eml", id="not ASCII"),
        pytest.param("日本語.eml", "___.eml", id="nothing ASCII"),
        pytest.param('a"; filename="b.exe', "a_; filename=_b.exe", id="a quote"),
        pytest.param("back\\slash %41.eml", "back_slash _41.eml", id="backslash and percent"),
        pytest.param("a\r\nX-Injected: 1", "a__X-Injected: 1", id="line end"),
    ],
)
def test_file_name_is_what_a_browser_saves_whatever_it_holds(
    file_name: str, ascii_name: str, juicefs: Juicefs, spooled: SpooledMessage
) -> None:
    put(store_at(juicefs.endpoint_url, keys_of(juicefs)), spooled, file_name=file_name)

    # RFC 6266 Appendix D: filename for old browsers, then filename* (RFC 8187) for the others.
    encoded = quote(file_name, safe="")
    found = stored(juicefs)["ContentDisposition"]
    assert found == f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{encoded}"
