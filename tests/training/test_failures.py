"""How a trial ended: by exception, and by the way its process went."""

import errno
import os
import signal

import pytest
import torch
from ftbench import Diverged, NotApplicable
from ftbench.training.failures import CANNOT_WRITE, Exit, OutOfMemoryKills, of_exception, of_exit, out_of_memory_kills


def system_error(number):
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."), "oom", "CudaOutOfMemory"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), "oom", "CudaOutOfMemory"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            "oom",
            "CudaOutOfMemory",
        ),
        (MemoryError(), "oom", "HostOutOfMemory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "oom",
            "HostOutOfMemory",
        ),
        (system_error(errno.ENOMEM), "oom", "HostOutOfMemory"),
        (Diverged("the loss is nan at step 3"), "diverged", "Diverged"),
        (NotApplicable("has no attention"), "not-applicable", "NotApplicable"),
        (system_error(errno.ENOSPC), "infra", "DiskFull"),
        (system_error(errno.EDQUOT), "infra", "DiskFull"),
        (
            RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
            "infra",
            "DiskFull",
        ),
        (system_error(errno.EIO), "infra", "DiskFailed"),
        (system_error(errno.ESTALE), "infra", "DiskGone"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), "infra", "DeviceLost"),
        (RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"), "infra", "DeviceLost"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "error", "RuntimeError"),
        (RuntimeError("CUDA error: device-side assert triggered"), "error", "RuntimeError"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), "error", "FileNotFoundError"),
        (KeyError("label"), "error", "KeyError"),
    ],
)
def test_an_exception_is_called_what_it_is(error, status, kind):
    found = of_exception(error)
    assert (found.status, found.kind) == (status, kind)
    assert found.message
    assert "\n" not in found.message


NONE = OutOfMemoryKills(None, None)


def ended(code, *, server_gone=False, before=NONE, after=NONE, printed=""):
    found = of_exit(Exit(code, server_gone, before, after, printed))
    return found.status, found.kind


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU"])
def test_a_signal_that_somebody_sent_is_no_fault_of_the_trial(name):
    assert ended(-getattr(signal, name)) == ("infra", name)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"])
def test_a_signal_that_a_process_brings_upon_itself_is_its_error(name):
    assert ended(-getattr(signal, name)) == ("error", name)


def test_a_killed_process_ran_out_of_memory_where_the_kernel_says_that_it_killed():
    calm, group, machine = OutOfMemoryKills(3, 10), OutOfMemoryKills(4, 11), OutOfMemoryKills(3, 11)
    assert ended(-signal.SIGKILL, before=calm, after=calm) == ("infra", "SIGKILL")
    assert ended(-signal.SIGKILL, before=calm, after=group) == ("oom", "ControlGroupOutOfMemory")
    assert ended(-signal.SIGKILL, before=calm, after=machine) == ("oom", "HostOutOfMemory")
    assert ended(-signal.SIGSEGV, before=calm, after=group) == ("error", "SIGSEGV")
    assert ended(-signal.SIGKILL, before=NONE, after=group) == ("infra", "SIGKILL")


def test_last_words_tell_of_memory():
    assert ended(-signal.SIGABRT, printed="terminate called after throwing 'std::bad_alloc'") == (
        "oom",
        "HostOutOfMemory",
    )
    assert ended(1, printed="Traceback ...\nMemoryError") == ("oom", "HostOutOfMemory")
    assert ended(1, printed="MemoryError\nTraceback ...\nKeyError: 'x'") == ("error", "ProcessDied")


def test_codes():
    assert ended(0) == ended(7) == ended(255) == ("error", "ProcessDied")
    assert ended(255, server_gone=True) == ("infra", "ServerGone")
    assert ended(CANNOT_WRITE) == ("infra", "DiskFailed")


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        ("0::/job", "job/memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"),
        ("0::/../outside", "memory.events", "oom_kill 2\n"),
        ("4:cpu,memory:/job", "memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ],
)
def test_the_counters_of_both_versions_of_control_groups_are_read(line, file, text, tmp_path):
    (tmp_path / "own").write_text(f"12:pids:/x\n{line}\n")
    path = tmp_path / "groups" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (tmp_path / "vmstat").write_text("pgfault 9\noom_kill 5\n")
    assert out_of_memory_kills(tmp_path / "groups", tmp_path / "own", tmp_path / "vmstat") == OutOfMemoryKills(2, 5)
    assert out_of_memory_kills(tmp_path, tmp_path / "none", tmp_path / "none") == NONE
