"""Write and read `leaderboard.json`: every number of a leaderboard, as types that its JSON Schema is generated from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..api.strategy import Family  # noqa: TC001 - pydantic reads the types
from ..errors import RunError
from ..files import check_version, parse_json
from ..stats.estimates import Estimate, Interval, NewItems, Verdict  # noqa: TC001 - pydantic reads the types
from .entry import families_in
from .reruns import Rerun  # noqa: TC001 - pydantic reads the types

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import TypeAdapter

    from ..analysis.contender import Contender
    from ..analysis.task_column import TaskColumn
    from .leaderboard import Group, Leaderboard, PublishedRun, Series

T = TypeVar("T", bound="DataclassInstance")

SCHEMA: Literal["ftbench.leaderboard/1"] = "ftbench.leaderboard/1"


@dataclass(frozen=True)
class Run:
    """A run, and the bundle its numbers were computed from."""

    name: str
    suite: str
    """Name of the suite."""
    bundle: str
    """Path of the bundle, relative to the folder of `leaderboard.json`."""
    sha256: str
    bytes: int
    finished: str | None
    """When its last trial ended, in UTC."""
    harness: str | None
    """Version of ftbench that ran it."""
    environment: str
    hardware: dict[str, Any]
    software: dict[str, str]
    seeds: list[int]
    statuses: dict[str, int]
    """Status → number of trials."""
    group: str
    """Key of the group that it is ranked in."""
    families: dict[str, Family] = field(default_factory=dict)
    """Label of each strategy → its family, which its plugin names."""
    absent_seeds: list[int] = field(default_factory=list)
    """Numbers below its largest seed that are not among its seeds."""
    twins: list[str] = field(default_factory=list)
    """Runs on other machines or software whose trials predict exactly the same."""
    rerun: Rerun | None = None
    """Who trained some of its trials again; null if nobody has."""


@dataclass(frozen=True)
class Value:
    """A measurement over seeds: an estimate, or the reason why there is none."""

    estimate: Estimate | None
    reason: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """Unit, direction and methods of a measurement, the same for all contenders."""

    unit: str
    direction: str
    methods: list[str]


@dataclass(frozen=True)
class Against:
    """Paired difference of the primary score to the baseline."""

    estimate: Estimate
    verdict: Verdict
    p: float | None
    """p-value, Holm-corrected over all contenders that are compared with the baseline."""
    new_items: NewItems | None


@dataclass(frozen=True)
class Row:
    """A contender in a task column."""

    label: str
    strategy: str
    backbone: str
    run: str
    """Name of the run."""
    statuses: dict[str, int]
    places: tuple[int, int] | None
    """Best and worst possible rank; null if there are too few seeds for a claim."""
    by_seed: dict[str, float]
    """Seed → primary score."""
    new_items: Interval | None
    """Interval of the primary score over new seeds and new test items."""
    against: Against | None
    values: dict[str, Value]
    """Name → measurement of the whole trial, including the primary score."""
    family: Family = "other"
    """Family of the strategy, which its plugin names."""


@dataclass(frozen=True)
class Lost:
    """A trial without a score."""

    label: str
    seed: int
    status: str
    kind: str
    message: str


@dataclass(frozen=True)
class Board:
    """A task column of a group, the best contender first."""

    target: str
    modality: str
    primary: str
    baseline: str | None
    margin: float
    verdict: list[str]
    ties: list[list[str]]
    """Groups of statistically tied contenders."""
    measurements: dict[str, Measured]
    rows: list[Row]
    lost: list[Lost]
    pick: str = ""
    """Contender to take: of those that could be the best, the cheapest."""
    possible: list[str] = field(default_factory=list)
    """Contenders that could be the best, with 95 % confidence, best mean first."""
    cost: str = ""
    """Measurement of the cost that chose the pick; empty if none was measured."""


@dataclass(frozen=True)
class Ranked:
    """A strategy over all task columns of a group."""

    strategy: str
    rank: float
    interval: Interval
    scored: int


@dataclass(frozen=True)
class RankedGroup:
    """A group of rows that may be ranked together."""

    key: str
    suite: str
    """Hash of the suite."""
    name: str
    """Name of the suite."""
    measuring: int | None
    device: str
    software: dict[str, str]
    runs: list[str]
    sources: dict[str, str]
    """Label of a strategy → the run its rows come from."""
    boards: list[Board]
    ranking: list[Ranked]
    """Best first; if it is empty, `unranked` gives the reason."""
    unranked: str
    data: list[str] = field(default_factory=list)
    """Flaws that the data check found before the runs."""


@dataclass(frozen=True)
class Step:
    """One run of a series."""

    run: str
    estimate: Estimate | None
    statuses: dict[str, int]
    current: bool


@dataclass(frozen=True)
class History:
    """A strategy in a task column, run after run; not ranked."""

    suite: str
    measuring: int | None
    device: str
    target: str
    contender: str
    steps: list[Step]


@dataclass(frozen=True)
class Published:
    """A leaderboard."""

    harness: str
    """Version of ftbench that computed it."""
    drift: list[str]
    runs: list[Run]
    groups: list[RankedGroup]
    series: list[History]
    schema: Literal["ftbench.leaderboard/1"] = SCHEMA


@cache
def published_adapter() -> TypeAdapter[Published]:
    """Return pydantic's validator for leaderboards; cached because building it is slow."""
    from pydantic import ConfigDict, TypeAdapter, with_config

    return TypeAdapter(with_config(ConfigDict(extra="forbid"))(Published))


def read_published(text: str, source: str) -> dict[str, Any]:
    """Parse a leaderboard and validate it against these types; return its JSON values.

    Raises:
        RunError: the text is not a leaderboard, or is one of another version.
    """
    from pydantic import ValidationError

    table = parse_json(text, source)
    check_version(table.get("schema") if isinstance(table, dict) else None, SCHEMA, source)
    try:
        published_adapter().validate_python(table)
    except ValidationError as error:
        raise RunError(
            *(f"{source}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
        ) from None
    assert isinstance(table, dict)
    return table


def to_json(board: Leaderboard) -> str:
    """Return a leaderboard as JSON; the same leaderboard gives the same bytes."""
    return json.dumps(table_of(board), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def table_of(board: Leaderboard) -> dict[str, Any]:
    """Return a leaderboard as JSON values."""
    found = _derived(
        Published,
        board,
        drift=list(board.drift),
        runs=[_run(run) for run in board.runs],
        groups=[_group(group) for group in board.groups],
        series=[_history(one) for one in board.series],
        schema=SCHEMA,
    )
    # Through text: tuples become lists and keys become text, as in a leaderboard that was read.
    table: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **asdict(found)}, allow_nan=False))
    return table


def iso(seconds: float) -> str | None:
    """Format a time in UTC; None for 0, an unknown time."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else None


def _derived(kind: type[T], source: object, **others: Any) -> T:
    """Return a `kind` with the equally named fields of `source`, and with `others`."""
    shared = {one.name: getattr(source, one.name) for one in fields(kind) if one.name not in others}
    return kind(**shared, **others)


def _run(run: PublishedRun) -> Run:
    return _derived(
        Run,
        run,
        bytes=run.size,
        finished=iso(run.finished),
        harness=run.harness or None,
        seeds=list(run.summary.seeds),
        statuses=dict(sorted(run.summary.statuses.items())),
        group=run.fingerprint.key,
        families=families_in(run.summary),
        absent_seeds=list(run.absent_seeds),
        twins=list(run.twins),
    )


def _group(group: Group) -> RankedGroup:
    ranking = group.summary.ranking
    return _derived(
        RankedGroup,
        group.fingerprint,
        name=group.suite,
        runs=list(group.runs),
        sources=dict(group.sources),
        boards=[_board(column, group) for column in group.summary.targets],
        ranking=[_derived(Ranked, one) for one in ranking.entries],
        unranked=ranking.reason,
        data=[f"{one.task}: {flaw.severity}: {flaw.text}" for one in group.summary.data for flaw in one.flaws],
    )


def _board(column: TaskColumn, group: Group) -> Board:
    quantities = [quantity for contender in column.contenders for quantity in contender.quantities.values()]
    measured: dict[str, Measured] = {}
    for one in quantities:
        known = measured.setdefault(one.name, Measured(one.unit, one.direction, []))
        if one.method not in known.methods:
            known.methods.append(one.method)
    return _derived(
        Board,
        column,
        target=column.label,
        verdict=list(column.verdict),
        ties=[list(tied) for tied in column.ties],
        measurements=measured,
        rows=[_row(contender, column, group) for contender in column.contenders],
        lost=[_derived(Lost, one, label=one.contender) for one in column.missing],
        pick=column.answer.pick,
        possible=list(column.answer.possible),
        cost=column.answer.cost,
    )


def _row(contender: Contender, column: TaskColumn, group: Group) -> Row:
    score, difference = contender.quantities.get(column.primary), contender.against_baseline
    return _derived(
        Row,
        contender,
        run=group.sources[contender.strategy],
        statuses=dict(sorted(contender.statuses.items())),
        places=group.places[column.label].get(contender.label),
        by_seed={str(seed): value for seed, value in score.by_seed.items()} if score else {},
        new_items=score.new_items if score else None,
        against=_derived(Against, difference, p=contender.p_adjusted) if difference else None,
        values={name: _derived(Value, quantity) for name, quantity in contender.quantities.items()},
    )


def _history(series: Series) -> History:
    steps = [
        _derived(
            Step,
            point,
            estimate=point.score.estimate if point.score else None,
            statuses=dict(sorted(point.statuses.items())),
        )
        for point in series.points
    ]
    return _derived(History, series, steps=steps)
