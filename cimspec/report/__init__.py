"""Results as data, as JSON, as tables, as a timeline and as a page."""

from cimspec.report.chart import timeline_svg
from cimspec.report.comparison import Arena, ComparisonReport, Optimum, SearchRun
from cimspec.report.comparison_page import write_comparison
from cimspec.report.comparison_plot import save_comparison_plot
from cimspec.report.comparison_table import comparison_table
from cimspec.report.outcomes import run_table
from cimspec.report.page import render_page
from cimspec.report.run_report import Outcome, RunReport
from cimspec.report.seeds import SeedsReport, seeds_table
from cimspec.report.statistics import Interval
from cimspec.report.sweep import points_table, runs_as_json, runs_table
from cimspec.report.table import cost_table, rows_table
from cimspec.report.timeline import trace, write_timeline

__all__ = [
    "Arena",
    "ComparisonReport",
    "Interval",
    "Optimum",
    "Outcome",
    "RunReport",
    "SearchRun",
    "SeedsReport",
    "comparison_table",
    "cost_table",
    "points_table",
    "render_page",
    "rows_table",
    "run_table",
    "runs_as_json",
    "runs_table",
    "save_comparison_plot",
    "seeds_table",
    "timeline_svg",
    "trace",
    "write_comparison",
    "write_timeline",
]
