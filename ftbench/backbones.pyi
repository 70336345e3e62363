from .api.hub import Remote, Repository, Snapshot, is_hub_id

__all__ = [
    "Remote",
    "Repository",
    "Snapshot",
    "is_hub_id",
]
