"""However an address is written, it is found."""

import pytest

from woomera_milter.text.address_forms import folded, is_part_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@example.com", "A@EXAMPLE.COM"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "a@XN--BCHER-KVA.example"),
        ("jörg@example.com", "jo\u0308rg@example.com"),
        ("用户@例子.公司", "用户@xn--fsqu00a.xn--55qx5d"),
        ("用户@例子。公司", "用户@例子.公司"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("मेल@उदाहरण.भारत", "मेल@xn--p1b6ci4b4b3a.xn--h2brj9c"),
    ],
)
def test_forms_of_one_address_are_the_same(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@straße.example", "a@strasse.example"),  # two domains since IDNA 2008 (RFC 5894 section 7.2)
        ("jörg@example.com", "jorg@example.com"),
        ("a@example.com", "b@example.com"),
    ],
)
def test_addresses_of_two_people_are_not(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize(
    "label", ["xn--", "xn--\u00fc", "xn--99999999", "xn--a", "xn---", "xn--" + "a" * 100]
)
def test_label_that_is_none_stays(label: str) -> None:
    assert folded(f"a@{label}.example") == f"a@{label}.example"


@pytest.mark.parametrize("sought", ["", "bücher", "BÜCHER.example", "xn--bcher-kva.example", "a@b"])
@pytest.mark.parametrize("written", ["<a@bücher.example>", "<a@xn--bcher-kva.example>"])
def test_part_of_an_address_is_found_in_either_form(sought: str, written: str) -> None:
    assert is_part_of(sought, written)
    assert not is_part_of(f"z{sought}", written)


def test_half_a_label_is_found_as_it_is_written() -> None:
    assert is_part_of("xn--bch", "<a@xn--bcher-kva.example>")
