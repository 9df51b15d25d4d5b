"""Tables and pages of statistics."""

from entityseg.stats.reports.examples import Example, choose_examples
from entityseg.stats.reports.report import Report, write_report

__all__ = ["Example", "Report", "choose_examples", "write_report"]
