"""A comparison as tables for the terminal: gains, regret and tests for each goal, then effort, then what they mean."""

from collections.abc import Iterator
from statistics import mean

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cimspec.report.comparison import ComparisonReport, GoalResult
from cimspec.report.standing import Standing
from cimspec.report.statistics import EXACT_PAIRS, least_p
from cimspec.report.table import rows_table


def comparison_table(report: ComparisonReport) -> RenderableType:
    """All tables, with what their figures mean below."""
    results = report.results()
    parts: list[RenderableType] = []
    for result in results:
        parts += [Text(goal_title(report, result), style="bold"), goal_table(report, result), Text()]
    parts += [Text("Effort of one run", style="bold"), effort_table(report), Text()]
    parts += [Text(note, style="dim") for note in notes(report, results)]
    return Group(*parts)


def goal_title(report: ComparisonReport, result: GoalResult) -> str:
    """What the table of one goal shows. With trade-offs a goal's name says what is made small, else the report does."""
    has_trade_offs = len({goal.weights for arena in report.arenas for goal in arena.goals}) > 1
    return f"Gain over 8/8 bits{'' if has_trade_offs else f' in {report.minimize}'}, {result.name}"


def goal_table(report: ComparisonReport, result: GoalResult) -> Table:
    """Methods down; below them the best uniform setting, and the best that is known."""
    best = _best_name(result)
    networks = (f"over {len(report.arenas)} networks",) if len(report.arenas) > 1 else ()
    headers = (
        *("method", *(f"after {count}" for count in report.readings), *networks),
        *("regret (%)", "worst (%)", f"at {best}", "within 1 %"),
        *((f"/ {report.methods[0]}", "p") if len(report.methods) > 1 else ()),
    )
    table = rows_table(headers, (_row(report, standing) for standing in result.standings))
    table.add_section()
    before = ("",) * (len(report.readings) - 1)
    table.add_row("uniform bits", *before, f"{mean(result.uniform):.2f}")
    table.add_row(best, *before, f"{mean(each.gain for each in result.best):.2f}")
    return table


def _row(report: ComparisonReport, standing: Standing) -> Iterator[str]:
    yield standing.method
    for count in report.readings:
        yield str(standing.over_runs(count))
    if len(report.arenas) > 1:
        yield str(standing.over_networks(report.budget))
    yield f"{100 * mean(standing.regrets):.2f}"
    yield f"{100 * max(standing.regrets):.2f}"
    for reached in (sum(run.is_best for run in standing.runs), sum(run.is_near for run in standing.runs)):
        yield f"{reached} of {len(standing.runs)}"
    if standing.paired:
        yield f"{standing.paired.ratio:.3f}"
        yield f"{standing.paired.p:.2g}"


def _best_name(result: GoalResult) -> str:
    proven = sum(each.is_proven for each in result.best)
    if proven == len(result.best):
        return "optimum"
    return "optimum or best known" if proven else "best known"


def effort_table(report: ComparisonReport) -> Table:
    """What a run of each method takes: means over its runs."""
    headers = ("method", "runs", "distinct evaluations", "seconds", "own ms per evaluation")
    rows = []
    for method in report.methods:
        runs = report.runs_of(method)
        spent = sorted({len(run.trials) for run in runs})
        used = f"{spent[0]}" if len(spent) == 1 else f"{spent[0]}-{spent[-1]}"
        seconds, own_ms = mean(run.seconds for run in runs), mean(run.own_ms for run in runs)
        rows.append((method, str(len(runs)), used, f"{seconds:.1f}", f"{own_ms:.1f}"))
    return rows_table(headers, rows)


def notes(report: ComparisonReport, results: tuple[GoalResult, ...]) -> Iterator[str]:
    """What the figures are, and what they cannot say."""
    networks = len(report.arenas)
    over = f"all runs of a method on {networks} trained networks" if networks > 1 else "search seeds on one network"
    yield (
        "Gain after so many distinct evaluations: objective at 8/8 bits over that of the best policy within the limit "
        f"so far, without fine-tuning. Mean over {over} ± half of Student's 95 % interval."
    )
    if networks > 1:
        yield (
            "Search seeds share one network per training seed, so runs are not independent of each other: intervals "
            "over runs speak of searches on these networks. The interval over networks (of each one's mean, at the "
            "budget) speaks of others as well."
        )
    else:
        yield "All runs share one trained network: what is found on it need not hold on others."
    yield from _regret_notes(results)
    if len(report.methods) > 1:
        yield _test_note(report, results)
    yield "Own ms: time per evaluation that the search itself takes, scoring left out. Means over runs."


def _regret_notes(results: tuple[GoalResult, ...]) -> Iterator[str]:
    best = [each for result in results for each in result.best]
    proven = "the least one, which an exhaustive search proved"
    known = "the least one known on the same network, of all runs and uniform bits"
    if all(each.is_proven for each in best):
        against = proven
    elif any(each.is_proven for each in best):
        against = f"{proven}, or, where it did not, {known}"
    else:
        against = known
    gaps = [each.gap for each in best if not each.is_proven and each.gap is not None]
    bound = f" By proven bounds that is itself at most {100 * max(gaps):.1f} % above the least." if gaps else ""
    yield f"Regret: how far a run's objective at the budget is above {against}; mean over runs.{bound}"


def _test_note(report: ComparisonReport, results: tuple[GoalResult, ...]) -> str:
    counts = {each.paired.pairs for result in results for each in result.standings if each.paired}
    least = ", ".join(f"{pairs} pairs cannot show less than {least_p(pairs):.2g}" for pairs in sorted(counts))
    kind = "exact sign-flip test" if max(counts, default=0) <= EXACT_PAIRS else "sign-flip test, signs drawn at random"
    return (
        f"/ {report.methods[0]}: geometric mean of the ratio of gains at the budget, over pairs that share both seeds. "
        f"p: two-sided {kind} on its logarithm, for searches on these networks; {least}. It is not adjusted for the "
        "number of methods and goals."
    )
