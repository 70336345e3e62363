"""Lets trials compute on the CPU while, seen from outside, they use the card they were given; a plugin for tests with `-p`."""

import dataclasses
import os
import time
from pathlib import Path

from ftbench import hookimpl
from ftbench.training import trial as execution

STATE = Path(os.environ["FAKE_NVML"])
MIB = 2**20


def told(name, otherwise=""):
    """Read what the test wants of the trials."""
    path = STATE / name
    return path.read_text() if path.exists() else otherwise


def on_the_cpu(carry_out):
    """Register with the card as CUDA would, by process id, and train on the CPU."""

    def carry_out_there(spec, catalog, folder, emit, began=None):
        card = os.environ["CUDA_VISIBLE_DEVICES"].rpartition("-")[2]
        assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
        own = STATE / card / "processes" / str(os.getpid())
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(str(100 * MIB))
        (STATE / f"ran-{card}-{os.getpid()}").write_text(f"{spec.trial.seed}")

        def emit_and_act(event):
            emit(event)
            if event.get("phase") == "warm-up" and event["event"] == "enter":
                own.write_text(str((1000 + 1000 * int(card)) * MIB))
                time.sleep(float(told("seconds", "0.5")))
                if told("vanish"):
                    (STATE / "fail").mkdir(exist_ok=True)
                    (STATE / "fail" / "all").write_text(told("vanish"))
                    time.sleep(0.3)
                if told("die"):
                    os.abort()
            elif event.get("phase") == "evaluate" and event["event"] == "enter":
                own.write_text(str(7000 * MIB))
                time.sleep(0.2)

        return carry_out(dataclasses.replace(spec, device="cpu"), catalog, folder, emit_and_act, began)

    return carry_out_there


execution.carry_out = on_the_cpu(execution.carry_out)


@hookimpl
def ftbench_strategies():
    return {}
