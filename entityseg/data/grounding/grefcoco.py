"""gRefCOCO (Liu et al., GRES, CVPR 2023): `grefs(unc).json` beside `instances.json`.

Refs are those of RefCOCO but for `ann_id`, a list: several annotations are meant together, and `[-1]` is no target.
"""

from __future__ import annotations

from pathlib import Path

from entityseg.data.grounding.expressions import ReferringTruth, checked_truth
from entityseg.data.grounding.instances import read_instances
from entityseg.data.grounding.refer import expressions_of
from entityseg.data.json_file import parse_json_file
from entityseg.errors import Findings, input_error


def read_grefcoco(folder: str | Path, split: str, *, split_by: str = "unc") -> ReferringTruth:
    """Read a split of gRefCOCO.

    Args:
        folder: the folder of `grefs(unc).json` and `instances.json`.
        split: such as `val`, `testA`, `testB`.
        split_by: the word in the file's name.

    Raises:
        MissingFileError: a file is not there.
        InputError: a ref is wrong, or there is no such split; all problems are listed.
    """
    folder = Path(folder)
    path = folder / f"grefs({split_by}).json"
    findings = Findings(str(path))
    expressions, number = expressions_of(parse_json_file(path), split, findings)
    if not number and not findings.errors:
        message, remedy = "the file has no such split", "It has val, testA and testB; train is not scored."
        raise input_error("split.unknown", message, remedy, file=str(path), value=split)
    instances = read_instances(folder / "instances.json")
    return checked_truth("grefcoco", split_by, split, expressions, instances, findings, path)
