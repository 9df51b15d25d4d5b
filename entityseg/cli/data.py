"""`entityseg data`: look at, convert, check, draw and make datasets."""

from __future__ import annotations

from entityseg.cli import data_convert, data_info, data_mini, data_refs, data_show
from entityseg.cli.common import epilog, new_app

app = new_app(
    "Look at, check, convert and make datasets.",
    [
        "entityseg data mini mini",
        "entityseg data info mini --split val",
        "entityseg data convert mini panoptic --split val --to coco-panoptic",
        "entityseg data show mini 1 --split val -o overlay.png --labels",
    ],
)

app.command("info", epilog=epilog(*data_info.INFO_EXAMPLES))(data_info.info)
app.command("convert", epilog=epilog(*data_convert.EXAMPLES))(data_convert.convert)
app.command("doctor", epilog=epilog(*data_info.DOCTOR_EXAMPLES))(data_info.doctor)
app.command("show", epilog=epilog(*data_show.EXAMPLES))(data_show.show)
app.command("mini", epilog=epilog(*data_mini.EXAMPLES))(data_mini.mini)
app.command("refs", epilog=epilog(*data_refs.EXAMPLES))(data_refs.refs)
