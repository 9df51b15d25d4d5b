"""Names that no training file has: an open vocabulary over the same entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entityseg.data.mini.phrases import Item

# Category -> a new name and further ones; the first name of each is in no file that models train on.
_NAMES: dict[str, tuple[str, ...]] = {
    "animal_ot": ("critter", "creature"),
    "bird": ("gull", "seabird"),
    "boat": ("dinghy", "small craft"),
    "book": ("volume", "bound volume"),
    "building_ot": ("edifice", "flat-roofed block"),
    "bush": ("shrub", "hedge plant"),
    "button": ("fastener", "clothes fastener"),
    "car": ("automobile", "motorcar"),
    "cell": ("protozoan", "living cell"),
    "child": ("kid", "youngster"),
    "cloud": ("cumulus", "puff of vapour"),
    "container": ("freight box", "cargo box"),
    "court": ("playing ground", "sports pitch"),
    "cow": ("cattle", "heifer"),
    "crane": ("hoist", "lifting gear"),
    "dog": ("hound", "canine"),
    "door": ("entrance", "doorway"),
    "felt": ("fleece", "pressed wool"),
    "fence": ("railing", "palisade"),
    "field": ("cropland", "acre"),
    "floor": ("planking", "boards"),
    "flower": ("blossom", "bloom"),
    "grass": ("lawn", "turf"),
    "hills": ("upland", "ridge"),
    "house": ("cottage", "dwelling"),
    "ice": ("frost", "frozen surface"),
    "ladder": ("steps", "rungs"),
    "lamp": ("light fitting", "luminaire"),
    "leaf": ("frond", "blade of a plant"),
    "marble": ("veined rock", "polished rock"),
    "mast": ("pole", "post"),
    "material_ot": ("cloth", "fabric"),
    "moss": ("bryophyte", "green cushion"),
    "nucleus": ("karyon", "cell core"),
    "object_ot": ("odds and ends", "stray object"),
    "patch": ("scrap", "sewn-on piece"),
    "pavement": ("paving", "flagstones"),
    "person": ("pedestrian", "human being"),
    "picture": ("painting", "framed artwork"),
    "pool": ("basin", "swimming bath"),
    "ring": ("hoop", "band of metal"),
    "road": ("street", "carriageway"),
    "roof": ("tiling", "housetop"),
    "rust": ("corrosion", "iron oxide"),
    "sand": ("beach", "shore"),
    "shelf": ("bookcase", "rack"),
    "shell": ("conch", "seashell"),
    "ship": ("freighter", "cargo vessel"),
    "sky": ("heavens", "firmament"),
    "soil": ("earth", "bare ground"),
    "stone": ("pebble", "cobble"),
    "sun": ("daystar", "solar disc"),
    "table": ("desk", "dining furniture"),
    "tower": ("lighthouse", "beacon"),
    "truck": ("lorry", "heavy goods vehicle"),
    "vase": ("urn", "flower jar"),
    "wall": ("plaster", "interior side"),
    "water": ("pond", "lake or sea"),
    "window": ("pane", "casement"),
    "wire": ("cable", "cord"),
    "wood": ("timber", "lumber"),
}
# The open vocabulary is finer than the categories where shapes differ.
_FINER: dict[tuple[str, str], tuple[str, ...]] = {
    ("crane", "slender"): ("heron", "wading bird"),
    ("tree", "conifer"): ("fir", "spruce"),
    ("tree", "poplar"): ("poplar", "columnar broadleaf"),
    ("tree", "bare"): ("leafless trunk", "winter broadleaf"),
    ("tree", ""): ("broadleaf", "deciduous plant"),
    ("object_ot", "bubble"): ("air bubble", "gas pocket"),
}


@dataclass(frozen=True)
class Name:
    """A category of the open vocabulary: its own name first, then synonyms."""

    names: tuple[str, ...]
    isthing: bool


def new_name(item: Item) -> tuple[str, ...]:
    """The open vocabulary's names for an entity; none for what has no name at all."""
    finer = _FINER.get((item.category, item.shape)) or _FINER.get((item.category, ""))
    return finer or _NAMES.get(item.category, ())


def vocabulary(items: Sequence[Item]) -> list[Name]:
    """Return the names that some entities need, things first, each in alphabetical order."""
    found = {new_name(item): item.isthing for item in items if new_name(item)}
    names = [Name(one, isthing) for one, isthing in found.items()]
    return sorted(names, key=lambda name: (not name.isthing, name.names))


def label_lines(names: Sequence[Name]) -> str:
    """The vocabulary as a text file, `id:name,synonym,...` a line, ids from 1 as in the lists of ODISE."""
    first = "0:invalid_class_id\n"
    return first + "".join(f"{k}:{','.join(name.names)}\n" for k, name in enumerate(names, start=1))


# Small sets of one theme each, with names as odd as those of the real ones: folder, then category -> name.
THEMES: dict[str, dict[str, str]] = {
    "Book-Rack": {"book": "volume", "shelf": "Rack_wooden"},
    "Cell-Cores": {"nucleus": "karyon", "cell": "protozoan"},
    "Farm-Parcels": {"field": "R_cropland", "tree": "broadleaf"},
    "House-Openings": {"window": "pane", "door": "entrance"},
    "Parked-Motorcars": {"car": "automobile", "truck": "lorry"},
    "Pebbles-Conchs": {"stone": "pebble", "shell": "conch"},
    "Poles-Cables": {"mast": "pole", "wire": "cable", "fence": "railling"},
    "Sewn-Scraps": {"patch": "scrap", "button": "fastener", "ring": "hoop"},
    "Walkers": {"person": "pedestrian", "child": "kid"},
    "Water-Crafts": {"boat": "dinghy", "ship": "freighter"},
}
