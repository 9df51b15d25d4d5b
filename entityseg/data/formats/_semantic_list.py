"""The list file of semantic maps: a line `image_name png_name` for each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from entityseg.data.formats._png_files import unsafe
from entityseg.data.json_file import map_file
from entityseg.errors import Findings, input_error

_PEEKED = 1 << 16
_REMEDY = "Write the image's name, a space and the name of its label PNG."


@dataclass(frozen=True, slots=True)
class Line:
    """One image of the list: names of image and map, and the line for messages."""

    image: str
    map: str
    place: str


def split_line(text: str) -> tuple[str, str] | None:
    """Return the names of image and map, None if there are no two.

    Names may have spaces: the split is where both have the same stem, else at the last space.

    >>> split_line("a.jpg a.png"), split_line("my cat.jpg my cat.png"), split_line("a.jpg")
    (('a.jpg', 'a.png'), ('my cat.jpg', 'my cat.png'), None)
    """
    places = [at for at, character in enumerate(text) if character in " \t"]
    pairs = [(text[:at].strip(), text[at + 1 :].strip()) for at in places]
    pairs = [(image, name) for image, name in pairs if image and name.lower().endswith(".png")]
    if not pairs:
        return None
    for image, name in pairs:
        if PurePosixPath(image).stem == PurePosixPath(name).stem:
            return image, name
    return pairs[-1]


def is_list(file: Path) -> bool:
    """Return whether the first line of a text file is one of a list."""
    with open(file, "rb") as opened:
        head = opened.read(_PEEKED)
    first = head.lstrip().split(b"\n", 1)[0]
    try:
        return split_line(first.decode("utf-8").strip()) is not None
    except UnicodeDecodeError:
        return False


def read_lines(file: Path) -> list[Line]:
    """Read a list file.

    Raises:
        MissingFileError: there is no such file.
        InputError: not UTF-8, or a line is wrong; all of them are listed.
    """
    mapped, _ = map_file(file)
    try:
        text = mapped[:].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the list is not UTF-8: byte {error.start}"
        raise input_error("list.utf8", message, "Write the list as UTF-8.", file=str(file)) from None
    findings = Findings(str(file))
    lines: list[Line] = []
    first_of: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        place = f"line {number}"
        names = split_line(raw.strip())
        if names is None:
            findings.add(
                "list.line", "the line is not `image_name png_name`", _REMEDY, record=place, value=raw
            )
            continue
        image, name = names
        if unsafe(name):
            message = "the name of the map is absolute or has `..` or control characters"
            findings.add(
                "file.name", message, "Write it relative to the folder of the maps.", record=place, value=raw
            )
        elif image in first_of:
            message = f"the image stands in {first_of[image]} too"
            findings.add("list.duplicate", message, "Keep one line an image.", record=place, value=image)
        else:
            first_of[image] = place
            lines.append(Line(image, name, place))
    findings.raise_errors()
    return lines
