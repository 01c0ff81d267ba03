"""What all backends share: how a library is loaded, what is said where it is not, and the one spelling of a PCI address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.backends import calling
from tests.backends.talk import request, talk
from tests.doubles import compile_double, cuda_driver, described

UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
CARD = described(uuid=UUID, pci="0000:01:00.0")


def refused(*candidates: object) -> dict[str, Any]:
    failed = talk(request("", candidates=[str(candidate) for candidate in candidates])).failed
    assert failed is not None
    return failed


def test_a_library_that_is_not_there_is_told_in_the_loaders_words() -> None:
    failed = refused("libcuda-of-nobody.so.1")

    assert (failed["status"], failed["code"]) == ("not_loadable", None)
    assert "libcuda-of-nobody.so.1: cannot open shared object file: No such file or directory" in failed["message"]


def test_the_first_candidate_that_loads_is_taken() -> None:
    asked = request("", candidates=["libcuda-of-nobody.so.1", str(cuda_driver())])

    answer = talk(asked, {"FAKE_CUDA": CARD})

    assert [card["uuid"] for card in answer.devices] == [UUID]


def test_a_library_is_found_where_the_loader_is_told_to_look() -> None:
    answer = talk(request("libcuda.so.1"), {"FAKE_CUDA": CARD, "LD_LIBRARY_PATH": str(cuda_driver().parent)})

    assert answer.all("loaded") == [str(cuda_driver().resolve())]


def test_the_real_file_behind_a_link_is_told(tmp_path: Path) -> None:
    link = tmp_path / "libcuda.so.1"
    link.symlink_to(cuda_driver())

    answer = talk(request(link), {"FAKE_CUDA": CARD})

    assert answer.all("loaded") == [str(cuda_driver().resolve())]


def test_of_several_candidates_the_words_about_the_one_that_is_there_are_kept(tmp_path: Path) -> None:
    broken = tmp_path / "libcuda.so.1"
    broken.write_bytes(b"not a library, but long enough that the loader reads a header in it" * 10)

    message = refused("libcuda-of-nobody.so.1", broken)["message"]

    assert "of-nobody" not in message
    assert f"`{broken}` did not load: {broken}: invalid ELF header" in message


def test_a_library_that_needs_another_one_names_the_missing_one(tmp_path: Path) -> None:
    (tmp_path / "empty.c").write_text("int nothing;\n")
    (tmp_path / "needy.c").write_text("extern int nothing; int cuInit(unsigned flags) { return nothing + (int)flags; }\n")
    needed = compile_double(tmp_path / "empty.c", tmp_path, "libneeded.so.1", soname="libneeded.so.1")
    needy = compile_double(tmp_path / "needy.c", tmp_path, "libcuda.so.1", links=(needed,))
    needed.unlink()

    message = refused(needy)["message"]

    assert "libneeded.so.1: cannot open shared object file" in message
    assert "libneeded.so.1: cannot open shared object file" in message


def test_a_library_of_another_release_than_its_neighbour_is_told_apart(tmp_path: Path) -> None:
    """The child binds every name at once, so that a function that is missing shows when the library is loaded."""
    source = tmp_path / "mixed.c"
    source.write_text("int newer(void); int cuInit(unsigned flags) { return newer() + (int)flags; }\n")

    message = refused(compile_double(source, tmp_path, "libcuda.so.1"))["message"]

    assert "undefined symbol: newer" in message
    assert "different releases are mixed" in message


def test_a_library_without_the_start_function_is_not_nvidias() -> None:
    failed = refused(cuda_driver("WITHOUT_INIT"))

    assert failed["status"] == "not_loadable"
    assert "has no function `cuInit`" in failed["message"]


@given(
    domain=st.integers(0, 0xFFFFFFFF),
    bus=st.integers(0, 0xFF),
    device=st.integers(0, 0x1F),
    function=st.integers(0, 7),
    width=st.integers(1, 8),
    upper=st.booleans(),
)
def test_one_pci_address_has_one_spelling(domain: int, bus: int, device: int, function: int, width: int, upper: bool) -> None:
    address = f"{domain:0{width}x}:{bus:02x}:{device:02x}.{function}"

    normal = calling.pci_id(address.upper() if upper else address)

    expected = f"{domain:04x}:{bus:02x}:{device:02x}.{function}"
    assert normal == (expected if any((domain, bus, device, function)) else None)


@given(st.text() | st.from_regex(r"[0-9a-fA-F:.xX ]{0,24}"))
def test_any_text_is_a_pci_address_in_its_one_spelling_or_none(text: str) -> None:
    normal = calling.pci_id(text)

    assert normal is None or calling.pci_id(normal) == normal


@pytest.mark.parametrize(
    "text", ["", "01:00", "0000:01:00.8", "0000:01:20.0", "0000:100:00.0", "1:2:3:4:5", "0x1:01:00.0", "٣:01:00.0"]
)
def test_what_is_no_pci_address_is_unknown(text: str) -> None:
    assert calling.pci_id(text) is None


def test_a_pci_address_without_domain_or_function_is_completed() -> None:
    assert calling.pci_id("1:0") is None
    assert calling.pci_id("01:00.1") == "0000:01:00.1"
    assert calling.pci_id("0000:01:00") == "0000:01:00.0"
