from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy import fft

from entityseg.stats.dataset.duplicates import NEAR, Group, group_duplicates, near_pairs
from entityseg.stats.dataset.hashing import SIDE, hash_image, perceptual_hash

hashes = st.lists(
    st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 3, 2**63, 2**64 - 1])),
    min_size=0,
    max_size=40,
)


@given(hashes, st.integers(0, 63))
def test_near_pairs_agree_with_comparing_all(values, near):
    found = near_pairs(np.array(values, np.uint64), near)
    expected = [
        [i, j]
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if (values[i] ^ values[j]).bit_count() <= near
    ]
    assert found.tolist() == expected


def test_near_pairs_among_many():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**64, 3000, dtype=np.uint64)
    flips = [np.uint64(sum(1 << int(bit) for bit in rng.choice(64, k, replace=False))) for k in range(9)]
    values[1000:1009] = values[0:9] ^ np.array(flips)
    assert near_pairs(values).tolist() == [[k, 1000 + k] for k in range(NEAR + 1)]
    with pytest.raises(ValueError, match="0 to 63"):
        near_pairs(values, 64)


def test_groups_by_hand():
    a = 0xF0F0F0F0F0F0F0F0
    assert group_duplicates([a, None, 5, a ^ 7, None, 5]) == [Group((0, 3), (0, 3)), Group((2, 5), (0, 0))]
    # A chain of single links is one group, and the distance is that from its first member.
    chain = [0, 0b111111, 0b111111111111, 1 << 60 | 0xFFFFFF << 30]
    assert group_duplicates(chain) == [Group((0, 1, 2), (0, 6, 12))]
    assert group_duplicates([]) == group_duplicates([None, None]) == group_duplicates([1]) == []


def test_a_thousand_copies_are_one_group_at_once():
    (group,) = group_duplicates([77] * 5000)
    assert len(group.members) == 5000 and set(group.distances) == {0}


@given(st.lists(st.integers(0, 2**64 - 1), max_size=25))
def test_groups_are_disjoint_and_do_not_depend_on_the_order(values):
    groups = group_duplicates(values)
    members = [member for group in groups for member in group.members]
    assert len(members) == len(set(members))
    back = group_duplicates(values[::-1])
    last = len(values) - 1
    assert {frozenset(group.members) for group in groups} == {
        frozenset(last - member for member in group.members) for group in back
    }


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Soft random blobs, as unlike each other as photographs are."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8).astype(np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def distance(a: int | None, b: int | None) -> int:
    assert a is not None and b is not None
    return (a ^ b).bit_count()


def test_hash_is_that_of_the_cosine_transform():
    grey = np.random.default_rng(1).random((SIDE, SIDE)) * 255
    low = fft.dctn(grey, type=2)[1:9, 1:9]
    bits = "".join("1" if bit else "0" for bit in (low > np.median(low)).ravel())
    assert perceptual_hash(grey) == int(bits, 2)
    with pytest.raises(ValueError, match="32 x 32"):
        perceptual_hash(np.zeros((8, 8)))


def test_versions_of_a_picture_are_near_and_others_far(tmp_path):
    base = picture(0)
    versions = {
        "same.png": base,
        "small.png": base.resize((160, 120), Image.Resampling.LANCZOS),
        "large.png": base.resize((800, 600), Image.Resampling.BICUBIC),
        "poor.jpg": base,
        "bright.png": base.point(lambda value: min(255, value + 20)),
        "soft.png": base.filter(ImageFilter.GaussianBlur(2)),
        "grey.png": base.convert("L"),
    }
    found = {}
    for name, one in versions.items():
        one.save(tmp_path / name, **({"quality": 30} if name.endswith("jpg") else {}))
        state, found[name] = hash_image(tmp_path / name)
        assert state == "hashed"
    assert {name: distance(found["same.png"], one) <= NEAR for name, one in found.items()} == dict.fromkeys(
        found, True
    )
    others = []
    for seed in range(1, 30):
        picture(seed).save(tmp_path / "other.png")
        others.append(distance(found["same.png"], hash_image(tmp_path / "other.png")[1]))
    assert min(others) > NEAR and 25 < np.mean(others) < 39


def test_pictures_without_a_hash(tmp_path):
    assert hash_image(None) == ("missing", None)
    assert hash_image(tmp_path / "gone.jpg") == ("unreadable", None)
    Image.new("RGB", (50, 40), (9, 8, 7)).save(tmp_path / "flat.png")
    assert hash_image(tmp_path / "flat.png") == ("flat", None)
    (tmp_path / "text.jpg").write_text("not an image")
    picture(0).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 3])
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("text.jpg", "cut.jpg", "empty.png"):
        assert hash_image(tmp_path / name) == ("unreadable", None), name


def test_a_large_jpeg_is_decoded_small_and_a_huge_png_is_not_decoded(tmp_path, monkeypatch):
    from entityseg.stats.dataset import hashing

    large = picture(0, (4000, 3000))
    large.save(tmp_path / "large.jpg")
    large.save(tmp_path / "large.png")
    # An eighth of each side of the JPEG is 500 x 375 pixels.
    monkeypatch.setattr(hashing, "MAX_PIXELS", 500 * 375)
    state, found = hash_image(tmp_path / "large.jpg")
    assert state == "hashed" and hash_image(tmp_path / "large.png") == ("large", None)
    monkeypatch.undo()
    assert distance(found, hash_image(tmp_path / "large.png")[1]) <= 2


def test_strange_kinds_of_pixels(tmp_path):
    base = picture(3)
    for name, mode in (
        ("p.gif", "P"),
        ("a.png", "RGBA"),
        ("la.png", "LA"),
        ("cmyk.jpg", "CMYK"),
        ("one.png", "1"),
    ):
        base.convert(mode).save(tmp_path / name)
        assert hash_image(tmp_path / name)[0] == "hashed", name
    deep = Image.fromarray(np.asarray(base.convert("L")).astype(np.uint16) * 257)
    deep.save(tmp_path / "deep.png")
    picture(3).convert("L").save(tmp_path / "plain.png")
    assert distance(hash_image(tmp_path / "deep.png")[1], hash_image(tmp_path / "plain.png")[1]) <= 2
