import numpy as np
import pytest
from PIL import Image

from entityseg.errors import InputError, UsageError
from entityseg.masks import RunLengths, from_dense, from_id_map
from entityseg.report.colours import FALSE, MATCHED, MISSED, entity_colours
from entityseg.report.overlay import beside, draw, draw_triple, fits, load_picture, match, save_png

WHITE, BLUE = (255, 255, 255), np.array([[0, 0, 255]], np.uint8)


def square(size=(60, 80), top=10, left=20, side=30):
    dense = np.zeros((1, *size), bool)
    dense[0, top : top + side, left : left + side] = True
    return from_dense(dense)


def test_inside_is_mixed_outside_is_untouched_and_the_outline_is_one_pixel():
    image = Image.new("RGB", (80, 60), WHITE)
    pixels = np.asarray(draw(image, square(), colours=BLUE, opacity=0.5))
    assert (pixels[:9] == 255).all() and (pixels[:, :19] == 255).all()
    assert pixels[25, 35].tolist() == [128, 128, 255]
    line = pixels[10, 20:50]
    assert (line == line[0]).all() and line[0].tolist() not in ([128, 128, 255], [255, 255, 255])
    assert pixels[11, 21].tolist() == [128, 128, 255]


def test_zero_opacity_leaves_only_outlines():
    pixels = np.asarray(draw(Image.new("RGB", (80, 60), WHITE), square(), colours=BLUE, opacity=0.0))
    changed = (pixels != 255).any(axis=2)
    dense = np.zeros((60, 80), bool)
    dense[10:40, 20:50] = True
    dense[11:39, 21:49] = False
    np.testing.assert_array_equal(changed, dense)


def test_large_images_are_drawn_small_and_small_ones_as_they_are():
    masks = RunLengths((9000, 12000), [0, 9000 * 6000], [0, 2])
    picture = draw(None, masks, colours=BLUE, max_side=400)
    assert picture.size == (400, 300)
    pixels = np.asarray(picture)
    assert pixels[150, 100].tolist() == [75, 75, 202] and pixels[150, 300].tolist() == [150, 150, 150]
    assert draw(None, square(), max_side=400).size == (80, 60)


def test_the_smaller_of_two_masks_is_seen():
    masks = RunLengths.concatenate([square(side=10), square(side=40)])
    colours = np.array([[255, 0, 0], [0, 255, 0]], np.uint8)
    pixels = np.asarray(draw(None, masks, colours=colours, opacity=1.0))
    assert pixels[15, 25].tolist() == [255, 0, 0] and pixels[45, 45].tolist() == [0, 255, 0]


def test_labels_change_the_picture_inside_their_mask_only_and_the_same_way_each_time():
    masks = square(size=(200, 300), top=20, left=40, side=150)
    plain = np.asarray(draw(None, masks))
    first = draw(None, masks, labels=["house"], numbers=[7])
    second = draw(None, masks, labels=["house"], numbers=[7])
    assert first.tobytes() == second.tobytes()
    changed = (np.asarray(first) != plain).any(axis=2)
    assert changed.any() and not changed[:, :40].any() and not changed[:20].any()


def test_labels_without_room_and_empty_masks_are_left_out():
    masks = RunLengths.concatenate([RunLengths.empty((60, 80), 1), square(side=3)])
    assert draw(None, masks, labels=["a", "b"]).tobytes() == draw(None, masks).tobytes()
    assert draw(None, RunLengths.empty((60, 80), 0), labels=[]).size == (80, 60)


def test_wrong_numbers_of_labels_and_wrong_images_are_refused():
    with pytest.raises(InputError, match=r"1 masks need as many labels, not 2"):
        draw(None, square(), labels=["a", "b"])
    with pytest.raises(InputError, match=r"60 x 80 pixels, its masks 80 x 60"):
        draw(Image.new("RGB", (60, 80)), square())
    with pytest.raises(UsageError):
        draw(None, square(), max_side=0)


def test_match_takes_the_best_free_mask_in_the_order_of_scores():
    _, gt = from_id_map(np.repeat([[1, 1, 1, 1, 2, 2, 2, 2]], 4, axis=0))
    pred = RunLengths.concatenate([gt[0], gt[0], RunLengths.empty(gt.size, 1)])
    outcome = match(gt, pred, np.array([0.2, 0.9, 0.5]))
    assert outcome.pred_of_gt.tolist() == [1, -1] and outcome.gt_of_pred.tolist() == [-1, 0, -1]
    assert match(gt[[]], pred, np.ones(3)).gt_of_pred.tolist() == [-1, -1, -1]
    assert match(gt, pred[[]], np.empty(0)).pred_of_gt.tolist() == [-1, -1]


def test_triple_shows_found_missed_and_false():
    dense = np.zeros((4, 100, 100), bool)
    dense[0, :40, :40] = True  # found
    dense[1, 60:, 60:] = True  # missed
    dense[2, :40, :40] = True
    dense[3, 60:, :30] = True  # false
    masks = from_dense(dense)
    image = Image.new("RGB", (100, 100), WHITE)
    first, second, errors = draw_triple(image, masks[:2], masks[2:], np.array([0.9, 0.8]))
    pixels = np.asarray(errors)
    mixed = (np.array([MATCHED, MISSED]) + 255) / 2
    assert np.abs(pixels[20, 20] - mixed[0]).max() <= 1 and np.abs(pixels[80, 80] - mixed[1]).max() <= 1
    assert pixels[50, 50].tolist() == [255, 255, 255]
    hatched = (pixels[60:, :30] == FALSE).all(axis=2).mean()
    assert 0.2 < hatched < 0.9 and not (pixels[:60] == FALSE).all(axis=2).any()
    # The prediction that found a mask has that mask's colour, the other one does not.
    np.testing.assert_array_equal(np.asarray(first)[20, 20], np.asarray(second)[20, 20])
    own = np.round((entity_colours(4)[3].astype(float) + 255) / 2)
    assert np.abs(np.asarray(second)[80, 10] - own).max() <= 1


def test_pictures_stand_beside_or_below_each_other():
    tall, wide = Image.new("RGB", (30, 50)), Image.new("RGB", (100, 20))
    assert beside([tall, tall, tall], gap=5).size == (100, 50)
    assert beside([wide, wide], gap=5).size == (100, 45)


def test_load_picture_shrinks_and_turns_only_what_needs_turning(tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), (10, 200, 30)).save(path, exif=exif)
    assert load_picture(path, max_side=100).size == (100, 50)
    assert load_picture(path, size=(200, 400)).size == (400, 200)
    assert load_picture(path, size=(400, 200)).size == (200, 400)
    assert fits((100, 50), (200, 400)) and not fits((100, 50), (400, 200))


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_unreadable_images_are_named(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.png: the image cannot be read"):
        load_picture(path)


def test_png_is_the_same_each_time(tmp_path):
    for name in ("a.png", "b.png"):
        save_png(draw(None, square(), labels=["x"]), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
