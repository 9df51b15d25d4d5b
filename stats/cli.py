"""`entityseg stats ...`: statistics of datasets, calibration, agreement, reports."""

from __future__ import annotations

from entityseg.cli import common
from entityseg.stats import cli_agreement, cli_calibrate, cli_compute, cli_report

app = common.new_app(
    "Statistics of datasets, agreement of annotators.",
    [
        "entityseg data mini mini && entityseg stats compute mini --split val -o statistics",
        "entityseg stats report statistics",
        "entityseg stats calibrate panoptic_val2017.json",
        "entityseg stats agreement first.json second.json",
    ],
)

app.command("compute", epilog=common.epilog(*cli_compute.EXAMPLES))(cli_compute.compute)
app.command("calibrate", epilog=common.epilog(*cli_calibrate.EXAMPLES))(cli_calibrate.calibrate)
app.command("agreement", epilog=common.epilog(*cli_agreement.EXAMPLES))(cli_agreement.agreement)
app.command("report", epilog=common.epilog(*cli_report.EXAMPLES))(cli_report.report)
