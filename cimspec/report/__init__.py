"""Results as data, as JSON and as tables."""

from cimspec.report.comparison import ComparisonReport, Interval, comparison_table
from cimspec.report.run_report import Outcome, RunReport
from cimspec.report.table import cost_table, rows_table, run_table

__all__ = [
    "ComparisonReport",
    "Interval",
    "Outcome",
    "RunReport",
    "comparison_table",
    "cost_table",
    "rows_table",
    "run_table",
]
