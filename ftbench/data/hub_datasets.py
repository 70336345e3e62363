"""Data sets of the Hub: find the files of every split of a configuration, from the dataset card or from file names."""

from __future__ import annotations

import re
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ..errors import UserError, suggestion
from .locations import USUAL_NAMES
from .table_files import is_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

CARD = "README.md"
_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\..*)")


def read_card(path: Path) -> dict[str, Any]:
    """Read the YAML header of a dataset card; empty if there is no card.

    Raises:
        UserError: the header is not YAML.
    """
    if not path.exists():
        return {}
    import yaml
    from huggingface_hub.repocard import metadata_load

    try:
        return metadata_load(path) or {}
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: its YAML header cannot be read: {str(error).splitlines()[0]}") from None


def split_files(card: Mapping[str, Any], names: Sequence[str], config: str) -> dict[str, list[str]]:
    """Return the table files of every split of a configuration; empty if the repository has no tables.

    Args:
        card: the header of the dataset card.
        names: all files of the repository.
        config: name of the configuration; empty for the only one or the default.

    Raises:
        UserError: the configuration does not exist, or is not given although there are several.
    """
    tables = [name for name in sorted(names) if is_table(name) and not PurePosixPath(name).name.startswith((".", "_"))]
    configs = {
        str(entry.get("config_name", "default")): entry for entry in card.get("configs") or () if "data_files" in entry
    }
    if configs:
        entry = configs[_chosen_config(configs, config)]
        matched = {split: [name for name in tables if _matches(name, patterns)] for split, patterns in _patterns(entry)}
        return {split: found for split, found in matched.items() if found or split in USUAL_NAMES}
    folders = sorted({PurePosixPath(name).parts[0] for name in tables if "/" in name})
    if config and config not in folders:
        raise UserError(f"config: there is no configuration {config!r}{suggestion(config, folders)}")
    found: dict[str, list[str]] = defaultdict(list)
    for name in tables:
        inside = name.removeprefix(f"{config}/")
        if not config or inside != name:
            found[_split_of(inside)].append(name)
    return dict(found)


def _chosen_config(configs: Mapping[str, Mapping[str, Any]], config: str) -> str:
    if config in configs:
        return config
    if config:
        raise UserError(f"config: there is no configuration {config!r}{suggestion(config, configs)}")
    default = [name for name, entry in configs.items() if entry.get("default") or name == "default"]
    if len(configs) > 1 and not default:
        raise UserError(f"config: is missing; the configurations are {', '.join(configs)}")
    return (default or list(configs))[0]


def _patterns(entry: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield each split of a configuration with the patterns of its files."""
    files, inside = entry["data_files"], str(entry.get("data_dir") or "").strip("/")
    listed: list[Any] = [files] if isinstance(files, str | dict) else list(files)
    if all(isinstance(one, str) for one in listed):
        listed = [{"split": "train", "path": listed}]
    for one in listed:
        paths = [one["path"]] if isinstance(one["path"], str) else one["path"]
        yield str(one.get("split", "train")), [f"{inside}/{path}" if inside else path for path in paths]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, form) for pattern in patterns for form in (pattern, pattern.replace("**/", "")))


def _split_of(name: str) -> str:
    """Return the split named by a word of a file's path, or training if there is none."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split, usual in USUAL_NAMES.items() if set(usual) & set(words)), "train")


def missing_part(splits: Mapping[str, Sequence[str]]) -> str:
    """Describe missing files: those of a whole split, or a part of a split in several files; empty if complete."""
    for split, files in splits.items():
        if not files:
            return f"the files of its split {split!r}"
        parts: dict[tuple[str, str, str], int] = defaultdict(int)
        for name in files:
            match = _PART.fullmatch(name)
            if match:
                parts[match[1], match[3], match[4]] += 1
        if any(count < int(total) for (_, total, _), count in parts.items()):
            return f"some of the files of its split {split!r}"
    return ""


def features(card: Mapping[str, Any], config: str) -> Any:
    """Return the `datasets.Features` that a dataset card declares for a configuration, or None if it declares none."""
    declared = card.get("dataset_info")
    entries = declared if isinstance(declared, list) else [declared] if declared else []
    if not entries:
        return None
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    infos = DatasetInfosDict.from_dataset_card_data(DatasetCardData(dataset_info=entries))
    found = infos.get(config) or (next(iter(infos.values())) if len(infos) == 1 else None)
    return found.features if found is not None else None
