"""What `leaderboard.json` holds: every number of a leaderboard, for other programs; its JSON Schema is made from these types."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from ..errors import RunError
from ..files import check_version, parse_json
from ..stats.estimates import Estimate, Interval, NewItems, Verdict  # noqa: TC001 - pydantic resolves the field types at run time

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from ..analysis.contender import Contender, Quantity
    from ..analysis.task_column import TaskColumn
    from .leaderboard import Fingerprint, Group, Leaderboard, PublishedRun, Series

SCHEMA: Literal["ftbench.leaderboard/1"] = "ftbench.leaderboard/1"


@dataclass(frozen=True)
class Run:
    """A run and the bundle that everything about it was computed from."""

    name: str
    suite: str
    """Name of the suite."""
    bundle: str
    """Where the bundle is, from the folder of `leaderboard.json`."""
    sha256: str
    bytes: int
    finished: str | None
    """When its last trial ended, in UTC."""
    harness: str | None
    """Version of ftbench it was run with."""
    environment: str
    hardware: dict[str, Any]
    software: dict[str, str]
    seeds: list[int]
    statuses: dict[str, int]
    """Status → number of trials."""
    group: str
    """Key of the group it is ranked in."""


@dataclass(frozen=True)
class Value:
    """One measurement over seeds: an estimate, or why there is none."""

    estimate: Estimate | None
    reason: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What a measurement is, whoever it is of."""

    unit: str
    direction: str
    methods: list[str]


@dataclass(frozen=True)
class Against:
    """The paired difference of the primary score to the baseline."""

    estimate: Estimate
    verdict: Verdict
    p: float | None
    """Holm-corrected over everyone who is compared with the baseline."""
    new_items: NewItems | None


@dataclass(frozen=True)
class Row:
    """A contender on a target."""

    label: str
    strategy: str
    backbone: str
    run: str
    """Name of the run it is of."""
    statuses: dict[str, int]
    places: tuple[int, int] | None
    """The best and the worst place it may hold; null where there are too few seeds for a claim."""
    by_seed: dict[str, float]
    """Seed → primary score."""
    new_items: Interval | None
    """Interval of the primary score over seeds and test items."""
    against: Against | None
    values: dict[str, Value]
    """Name → measurement of the whole trial, the primary score among them."""


@dataclass(frozen=True)
class Lost:
    """A trial that left no score."""

    label: str
    seed: int
    status: str
    kind: str
    message: str


@dataclass(frozen=True)
class Board:
    """One target of a group, best first."""

    target: str
    modality: str
    primary: str
    baseline: str | None
    margin: float
    verdict: list[str]
    ties: list[list[str]]
    """Groups within which nobody is told apart."""
    measurements: dict[str, Measured]
    rows: list[Row]
    lost: list[Lost]


@dataclass(frozen=True)
class Ranked:
    """A strategy over the targets of a group."""

    strategy: str
    rank: float
    interval: Interval
    scored: int


@dataclass(frozen=True)
class RankedGroup:
    """Rows that may be ranked."""

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
    """Label of a strategy → the run its rows are of."""
    boards: list[Board]
    ranking: list[Ranked]
    """Best first; empty where `unranked` says why."""
    unranked: str


@dataclass(frozen=True)
class Step:
    """What a series came to in one run."""

    run: str
    estimate: Estimate | None
    statuses: dict[str, int]
    current: bool


@dataclass(frozen=True)
class History:
    """One strategy on one target, run after run; nothing in it is ranked."""

    suite: str
    measuring: int | None
    device: str
    target: str
    contender: str
    steps: list[Step]


@dataclass(frozen=True)
class Published:
    """A whole leaderboard."""

    harness: str
    """Version of ftbench that computed it."""
    drift: list[str]
    runs: list[Run]
    groups: list[RankedGroup]
    series: list[History]
    schema: Literal["ftbench.leaderboard/1"] = SCHEMA


@cache
def published_adapter() -> TypeAdapter[Published]:
    """Give pydantic's reading of a leaderboard."""
    from pydantic import ConfigDict, TypeAdapter, with_config

    return TypeAdapter(with_config(ConfigDict(extra="forbid"))(Published))


def read_published(text: str, source: str) -> dict[str, Any]:
    """Read a leaderboard as JSON values, checked against its types.

    Raises:
        RunError: it is none, or one of another version.
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


def written(board: Leaderboard) -> str:
    """Write a leaderboard as JSON; the same leaderboard gives the same bytes."""
    return json.dumps(table_of(board), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def table_of(board: Leaderboard) -> dict[str, Any]:
    """Give a leaderboard as JSON values."""
    found = Published(
        board.harness,
        list(board.drift),
        [_run(run) for run in board.runs],
        [_group(group) for group in board.groups],
        [_history(one) for one in board.series],
    )
    # Through text, so that tuples are lists and keys are text, as they are when it is read again.
    table: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **asdict(found)}, allow_nan=False))
    return table


def iso(seconds: float) -> str | None:
    """Write a time in UTC; None for 0, which stands for an unknown one."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else None


def _run(run: PublishedRun) -> Run:
    return Run(
        run.name,
        run.suite,
        run.bundle,
        run.sha256,
        run.size,
        iso(run.finished),
        run.harness or None,
        run.environment,
        dict(run.hardware),
        dict(run.software),
        list(run.summary.seeds),
        dict(sorted(run.summary.statuses.items())),
        run.fingerprint.key,
    )


def _group(group: Group) -> RankedGroup:
    found: Fingerprint = group.fingerprint
    ranking = group.summary.ranking
    return RankedGroup(
        found.key,
        found.suite,
        group.suite,
        found.measuring,
        found.device,
        dict(found.software),
        list(group.runs),
        dict(group.sources),
        [_board(target, group) for target in group.summary.targets],
        [Ranked(one.strategy, one.rank, one.interval, one.scored) for one in ranking.entries],
        ranking.reason,
    )


def _board(target: TaskColumn, group: Group) -> Board:
    quantities = [quantity for contender in target.contenders for quantity in contender.quantities.values()]
    measured: dict[str, Measured] = {}
    for one in quantities:
        known = measured.setdefault(one.name, Measured(one.unit, one.direction, []))
        if one.method not in known.methods:
            known.methods.append(one.method)
    return Board(
        target.label,
        target.modality,
        target.primary,
        target.baseline,
        target.margin,
        list(target.verdict),
        [list(tied) for tied in target.ties],
        measured,
        [_row(c, target, group) for c in target.contenders],
        [Lost(one.contender, one.seed, one.status, one.kind, one.message) for one in target.missing],
    )


def _row(contender: Contender, target: TaskColumn, group: Group) -> Row:
    score, found = contender.quantities.get(target.primary), contender.against_baseline
    return Row(
        contender.label,
        contender.strategy,
        contender.backbone,
        group.sources[contender.strategy],
        dict(sorted(contender.statuses.items())),
        group.places[target.label].get(contender.label),
        {str(seed): value for seed, value in score.by_seed.items()} if score else {},
        score.new_items if score else None,
        Against(found.estimate, found.verdict, contender.p_adjusted, found.new_items) if found else None,
        {name: _value(quantity) for name, quantity in contender.quantities.items()},
    )


def _value(quantity: Quantity) -> Value:
    return Value(quantity.estimate, quantity.reason, quantity.flags)


def _history(series: Series) -> History:
    steps = [
        Step(
            point.run,
            point.score.estimate if point.score else None,
            dict(sorted(point.statuses.items())),
            point.current,
        )
        for point in series.points
    ]
    return History(series.suite, series.measuring, series.device, series.target, series.contender, steps)
