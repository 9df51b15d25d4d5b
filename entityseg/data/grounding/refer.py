"""RefCOCO, RefCOCO+ and RefCOCOg in the layout of REFER: `refs(unc).p` or `refs(umd).p` beside `instances.json`.

Read once, through the machine of `plain_pickle.py`, and kept as the normalised JSON of `expressions.py`. Layout:
Kazemzadeh et al., ReferItGame, EMNLP 2014; Yu et al., ECCV 2016; Mao et al., CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from entityseg.data.grounding.expressions import (
    Expression,
    ReferringTruth,
    checked_truth,
    write_expressions,
)
from entityseg.data.grounding.instances import Instances, read_instances
from entityseg.data.grounding.plain_pickle import read_plain_pickle
from entityseg.data.json_file import is_integer
from entityseg.errors import Findings, input_error

# Refs of each split, as the authors of ETRIS list them (issue 9 of their repository).
REF_COUNTS = {
    ("refcoco", "unc", "val"): 3811,
    ("refcoco", "unc", "testA"): 1975,
    ("refcoco", "unc", "testB"): 1810,
    ("refcoco+", "unc", "val"): 3805,
    ("refcoco+", "unc", "testA"): 1975,
    ("refcoco+", "unc", "testB"): 1798,
    ("refcocog", "umd", "val"): 2573,
    ("refcocog", "umd", "test"): 5023,
}
# Sentences of each split; from memory, so another number only warns.
SENTENCE_COUNTS = {
    ("refcoco", "unc", "val"): 10834,
    ("refcoco", "unc", "testA"): 5657,
    ("refcoco", "unc", "testB"): 5095,
    ("refcoco+", "unc", "val"): 10758,
    ("refcoco+", "unc", "testA"): 5726,
    ("refcoco+", "unc", "testB"): 4889,
    ("refcocog", "umd", "val"): 4896,
    ("refcocog", "umd", "test"): 9602,
}
USUAL = {"refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}


def read_refer(
    folder: str | Path, split: str, *, split_by: str | None = None, check_counts: bool = True
) -> ReferringTruth:
    """Read a split of a REFER dataset.

    Args:
        folder: `refcoco`, `refcoco+` or `refcocog`, whose name is the dataset's.
        split: such as `val`, `testA`.
        split_by: `unc`, `umd` or `google`; by default the one that results are reported on.
        check_counts: refuse a split with another number of refs than the published one.

    Raises:
        MissingFileError: a file is not there.
        InputError: the pickle holds anything but plain values, a ref is wrong, there is no such split, or the number
            of refs is not the split's; all problems are listed.
    """
    folder = Path(folder)
    dataset = folder.name
    by = split_by or USUAL.get(dataset, "unc")
    path = folder / f"refs({by}).p"
    return _split(
        dataset,
        by,
        split,
        read_plain_pickle(path),
        read_instances(folder / "instances.json"),
        path,
        check_counts,
    )


def convert_refer(
    folder: str | Path, out: str | Path, *, split_by: str | None = None, check_counts: bool = True
) -> list[Path]:
    """Write the normalised JSON of every split, `refcoco_unc_val.json` and so on; return their paths.

    Raises:
        MissingFileError, InputError: as `read_refer`.
    """
    folder, out = Path(folder), Path(out)
    dataset = folder.name
    by = split_by or USUAL.get(dataset, "unc")
    path = folder / f"refs({by}).p"
    refs = read_plain_pickle(path)
    instances = read_instances(folder / "instances.json")
    splits = sorted({ref["split"] for ref in _objects(refs) if isinstance(ref.get("split"), str)})
    if not splits:
        findings = Findings(str(path))
        expressions_of(refs, "", findings)
        findings.raise_errors()
        message, remedy = "the file has no refs", "Get the file again."
        raise input_error("refs.empty", message, remedy, file=str(path))
    written = []
    for truth in [_split(dataset, by, split, refs, instances, path, check_counts) for split in splits]:
        written.append(out / f"{dataset}_{by}_{truth.split}.json")
        write_expressions(truth, written[-1])
    return written


def expressions_of(refs: Any, split: str, findings: Findings) -> tuple[list[Expression], int]:
    """Return the sentences of a split and the number of its refs; of RefCOCO and gRefCOCO alike.

    Splits are compared as whole words: `test` is not `testA`.
    """
    if not isinstance(refs, list):
        message = f"the refs must be a list, not a {type(refs).__name__}"
        findings.add("refs.type", message, "Check that this is a refs file.")
        return [], 0
    found: list[Expression] = []
    number = 0
    for i, ref in enumerate(refs):
        place = f"refs[{i}]"
        if not isinstance(ref, dict):
            findings.add(
                "record.type", "the ref must be an object", "Check that this is a refs file.", record=place
            )
        elif not isinstance(ref.get("split"), str):
            findings.add(
                "key.missing", "the ref has no split", "Give it its split.", record=place, field="split"
            )
        elif ref["split"] == split:
            number += 1
            found += _sentences(ref, place, findings)
    return found, number


def check_ref_counts(
    key: tuple[str, str, str], refs: int, sentences: int, findings: Findings, *, refuse: bool
) -> None:
    """Compare a split with the published numbers: another number of refs is an error, of sentences a warning."""
    if refuse and refs != REF_COUNTS.get(key, refs):
        message = f"{'/'.join(key)} has {refs:,} refs, the published split has {REF_COUNTS[key]:,}"
        findings.add(
            "split.count",
            message,
            "Get the file again; for a part of the data, leave the check out (`--no-counts`).",
        )
    if refuse and sentences != SENTENCE_COUNTS.get(key, sentences):
        message = f"{'/'.join(key)} has {sentences:,} sentences, not {SENTENCE_COUNTS[key]:,}"
        remedy = "Check the file if the number of refs is odd too."
        findings.add("split.count", message, remedy, severity="warning")


def _split(
    dataset: str, by: str, split: str, refs: Any, instances: Instances, path: Path, check_counts: bool
) -> ReferringTruth:
    findings = Findings(str(path))
    expressions, number = expressions_of(refs, split, findings)
    if not number:
        known = sorted({ref["split"] for ref in _objects(refs) if isinstance(ref.get("split"), str)})
        message, remedy = "the file has no such split", f"It has {', '.join(known[:10]) or 'none'}."
        raise input_error("split.unknown", message, remedy, file=str(path), value=split)
    check_ref_counts((dataset, by, split), number, len(expressions), findings, refuse=check_counts)
    return checked_truth(dataset, by, split, expressions, instances, findings, path)


def _objects(refs: Any) -> Iterable[dict[str, Any]]:
    return (ref for ref in refs if isinstance(ref, dict)) if isinstance(refs, list) else ()


def _sentences(ref: dict[str, Any], place: str, findings: Findings) -> list[Expression]:
    """Return the sentences of a ref; what is wrong goes to the findings."""
    before = findings.errors

    def number(key: str, record: dict[str, Any], where: str) -> int:
        value = record.get(key)
        if is_integer(value):
            return value
        message = f"{key} must be an integer, not a {type(value).__name__}"
        findings.add("id.type", message, "Check that this is a refs file.", record=where, field=key)
        return 0

    ref_id, image_id = number("ref_id", ref, place), number("image_id", ref, place)
    ids = ref.get("ann_id")
    # gRefCOCO has a list, [-1] for no target.
    given = ids if isinstance(ids, list) else [ids]
    if not all(is_integer(one) for one in given):
        message = "ann_id must be an integer or a list of integers"
        findings.add("id.type", message, "Check that this is a refs file.", record=place, field="ann_id")
    targets = () if given == [-1] else tuple(dict.fromkeys(given)) if findings.errors == before else ()
    sentences = ref.get("sentences")
    if not isinstance(sentences, list) or not sentences:
        message = "the ref has no sentences"
        findings.add("key.missing", message, "Give it a list.", record=place, field="sentences")
        sentences = []
    found = []
    for k, sentence in enumerate(sentences):
        where = f"{place}.sentences[{k}]"
        text = sentence.get("sent") if isinstance(sentence, dict) else None
        if not isinstance(text, str) or _has_half_pairs(text):
            message = "the sentence has no text `sent`"
            findings.add("text.type", message, "Check that this is a refs file.", record=where, field="sent")
            continue
        found.append(Expression(number("sent_id", sentence, where), ref_id, image_id, targets, text))
    return found if findings.errors == before else []


def _has_half_pairs(text: str) -> bool:
    """Return whether a text cannot be written as UTF-8."""
    return any("\ud800" <= c <= "\udfff" for c in text)
