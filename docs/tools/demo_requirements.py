"""Generate `demo-requirements.txt`, the hashes of all that the demo installs: `python -m docs.tools.demo_requirements`.

Needs `uv` on the path, and the package index. torch is left out, with the CUDA packages that it brings on Linux: its
archives differ between machines without, and with, an accelerator. Its version is that of `constraints.txt`.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "demo-requirements.txt"
BUILD = "hatchling"
_LEFT_OUT = re.compile(r"(torch|triton|cuda-\w+|nvidia-(?!ml-py\b)[\w-]+)==")
_COMPILE = (
    "uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 "
    "--constraint constraints.txt --extra embedded pyproject.toml -"
)


def main():
    done = subprocess.run(_COMPILE.split(), cwd=ROOT, input=BUILD, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    packages = re.split(r"\n(?=\S)", done.stdout.strip())
    REQUIREMENTS.write_text("\n".join(one for one in packages if not _LEFT_OUT.match(one)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
