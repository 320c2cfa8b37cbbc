"""Results as data, as JSON, as tables, as a timeline and as a page."""

from cimspec.report.chart import timeline_svg
from cimspec.report.comparison import ComparisonReport, Interval, comparison_table
from cimspec.report.page import render_page
from cimspec.report.run_report import Outcome, RunReport
from cimspec.report.table import cost_table, rows_table, run_table
from cimspec.report.timeline import trace, write_timeline

__all__ = [
    "ComparisonReport",
    "Interval",
    "Outcome",
    "RunReport",
    "comparison_table",
    "cost_table",
    "render_page",
    "rows_table",
    "run_table",
    "timeline_svg",
    "trace",
    "write_timeline",
]
