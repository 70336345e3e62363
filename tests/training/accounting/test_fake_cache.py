"""Fake tensors that remember: what they give is what torch's own give."""

import pytest
import torch
from ftbench import NotApplicable
from ftbench.training.accounting.fake_cache import CachedFakeMode

from tests.support.tiny_models import KINDS
from tests.training.accounting.test_accounting import accounted, built


def described(made):
    """Return the known properties of an operation's output."""
    if isinstance(made, (tuple, list)):
        return [described(one) for one in made]
    if not isinstance(made, torch.Tensor):
        return made
    size = made.untyped_storage().nbytes()
    return tuple(made.shape), made.stride(), made.storage_offset(), made.dtype, str(made.device), size


OPERATIONS = {
    "a sum": lambda x: x + 1,
    "a sum with a fraction": lambda x: x + 1.0,
    "a comparison": lambda x: x > 0,
    "a product": lambda x: x @ x.mT,
    "a view": lambda x: x[1:, ::2],
    "a transposed copy": lambda x: x.mT.contiguous(),
    "several views": lambda x: x.split(2),
    "several new ones": lambda x: x.max(dim=0),
    "a new one with a hole": lambda x: x.new_empty_strided((2, 2), (8, 1)),
    "none of anything": lambda x: x[:0],
    "another kind": lambda x: x.to(torch.float16),
    "what is made of nothing": lambda x: torch.arange(5),
    "a list of them": lambda x: torch._foreach_norm([x, x.mT]),
    "a norm of a layer": lambda x: torch.nn.functional.layer_norm(x.float(), (6,)),
    "picked by numbers": lambda x: x[torch.zeros(3, dtype=torch.long)],
}


@pytest.mark.parametrize("what", OPERATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_the_second_time_gives_what_the_first_gave(what, dtype):
    if dtype == torch.int64 and what in ("a product", "a list of them"):
        pytest.skip("whole numbers have none")
    with CachedFakeMode():
        first, second = (described(OPERATIONS[what](torch.empty(4, 6, dtype=dtype))) for _ in range(2))
        other = described(OPERATIONS[what](torch.empty(6, 6, dtype=dtype)[:4]))
    assert first == second
    assert str(first)[:6] == str(other)[:6]


def test_what_was_done_before_is_not_worked_out_again(monkeypatch):
    done = []
    dispatch = CachedFakeMode.dispatch
    monkeypatch.setattr(
        CachedFakeMode, "dispatch", lambda mode, func, *rest: done.append(str(func)) or dispatch(mode, func, *rest)
    )
    with CachedFakeMode():
        x = torch.empty(4, 6)
        for _ in range(5):
            x @ x.mT
    assert done.count("aten.mm.default") == 1


def test_numbers_that_are_equal_and_of_other_kinds_are_told_apart():
    with CachedFakeMode():
        x = torch.empty(3, dtype=torch.int64)
        assert [(x * number).dtype for number in (1, 1.0, True, 1, 1.0)] == [
            torch.int64,
            torch.float32,
            torch.int64,
            torch.int64,
            torch.float32,
        ]


def test_a_view_lives_in_what_it_is_a_view_of_and_a_change_in_place_gives_the_same():
    with CachedFakeMode():
        for _ in range(2):
            x = torch.empty(4, 6)
            assert x[1:].untyped_storage()._cdata == x.untyped_storage()._cdata
            assert x.add_(1) is x
            assert (x + 1).untyped_storage()._cdata != x.untyped_storage()._cdata
            x.unsqueeze_(0)
            assert x.shape == (1, 4, 6)


def test_what_depends_on_values_is_refused_each_time():
    from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

    with CachedFakeMode():
        for _ in range(2):
            with pytest.raises((DataDependentOutputException, DynamicOutputShapeException)):
                torch.empty(3).nonzero()
            with pytest.raises(DataDependentOutputException):
                torch.empty(3).sum().item()


def test_constants_keep_their_values():
    with CachedFakeMode():
        for _ in range(2):
            assert torch.tensor(3).item() == 3
            assert torch.tensor(4).item() == 4


def test_gradients_are_those_of_the_operations():
    with CachedFakeMode():
        for rows in (4, 5, 4):
            layer, x = torch.nn.Linear(6, 2), torch.empty(rows, 6, requires_grad=True)
            layer(x).sum().backward()
            assert (x.grad.shape, layer.weight.grad.shape) == ((rows, 6), (2, 6))


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.thorough) for kind in KINDS if kind != "t5"), "t5"]
)
@pytest.mark.parametrize("use", ["full", "lora", "adapter", "distillation"])
def test_accounts_are_those_of_torchs_own_fake_tensors(kind, use, catalog, model_folder, monkeypatch):
    length = {"vision": 32, "text": 16}.get(built(catalog, model_folder(kind))[0].outline_card().modality)
    how = {"length": length, "target": "cuda" if use == "lora" else "cpu", "growth": use == "adapter"}
    try:
        quick = accounted(catalog, model_folder(kind), use, **how)
    except NotApplicable as error:
        pytest.skip(str(error))
    monkeypatch.setattr(
        CachedFakeMode, "_run", lambda mode, func, types, args, kwargs: mode.dispatch(func, types, args, kwargs)
    )
    assert accounted(catalog, model_folder(kind), use, **how) == quick
