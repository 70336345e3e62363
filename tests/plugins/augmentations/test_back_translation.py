"""Back-translation by real tiny models: once per text and draw, cached on disk, independent of other texts."""

import json

import numpy as np
import pytest
import torch
from ftbench import UserError

from ftbench_plugins.text.augmentations.back_translation import BackTranslation
from ftbench_plugins.text.augmentations.translation import Translator
from tests.support.tiny_models import config, save


def marian():
    import transformers as t

    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes |= {
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "d_model": 16,
        "vocab_size": 100,
        "max_position_embeddings": 64,
    }
    return t.MarianConfig(
        **sizes, pad_token_id=0, bos_token_id=2, eos_token_id=3, forced_eos_token_id=3, decoder_start_token_id=0
    )


def saved(kind, folder, seed):
    """Write a tiny translator as save_pretrained does, with random weights and a tokenizer of letters."""
    import transformers as t

    save("bert", folder)
    (folder / "model.safetensors").unlink()
    torch.manual_seed(seed)
    t.AutoModelForSeq2SeqLM.from_config(marian() if kind == "marian" else config(kind)).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        f"{kind}-{seed}": saved(kind, tmp_path_factory.mktemp(f"{kind}-{seed}"), seed)
        for kind in ("marian", "t5", "bart")
        for seed in (0, 1)
    }


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def translations(monkeypatch):
    """Count the translations that are really made."""
    calls = []
    original = Translator.sample
    monkeypatch.setattr(Translator, "sample", lambda self, text, **k: calls.append(text) or original(self, text, **k))
    return calls


def made(folders, kind="marian", **options):
    return BackTranslation(forward=folders[f"{kind}-0"], back=folders[f"{kind}-1"], **{"longest": 12, **options})


@pytest.mark.parametrize("kind", ["marian", "t5", "bart"])
def test_a_text_goes_through_both_models_and_comes_back_as_text(kind, folders, cache, translations):
    found = made(folders, kind, prefixes=("to x: ", "to y: ")).rewrite("a good day", np.random.default_rng(0))
    assert isinstance(found, str)
    assert translations[0] == "to x: a good day"
    assert len(translations) == 2
    assert translations[1].startswith("to y: ")


def test_each_paraphrase_is_made_once_for_all_epochs_and_trials(folders, cache, translations):
    texts = [("a good day",), ("one more",)]
    signs = []
    first = made(folders, paraphrases=3)
    first.prepare(texts, lambda: signs.append(1))
    assert len(signs) == 6
    made_first = len(translations)
    assert 6 < made_first <= 12, "what became empty is not translated back"
    drawn = {first.change(text, np.random.default_rng(seed)) for text in texts for seed in range(30)}
    assert len(drawn) == 6
    again = made(folders, paraphrases=3)
    assert {again.change(text, np.random.default_rng(seed)) for text in texts for seed in range(30)} == drawn
    assert len(translations) == made_first
    assert len(list((cache / "paraphrases").iterdir())) == 6


def test_what_is_kept_is_known_by_models_and_options(folders, cache, translations):
    rng = np.random.default_rng
    made(folders, paraphrases=1).rewrite("a good day", rng(0))
    for other in ({"temperature": 2.0}, {"longest": 11}, {"prefixes": ("x", "")}):
        before = len(translations)
        made(folders, paraphrases=1, **other).rewrite("a good day", rng(0))
        assert len(translations) > before
    before = len(translations)
    made(folders, "bart", paraphrases=1).rewrite("a good day", rng(0))
    assert len(translations) > before


def test_a_paraphrase_depends_on_its_text_and_number_alone_and_draws_nothing_from_the_training(
    folders, tmp_path, monkeypatch
):
    texts = ["a good day", "one more", "the end"]
    found = []
    for name, order in (("one", texts), ("other", texts[::-1])):
        monkeypatch.setenv("FTBENCH_CACHE", str(tmp_path / name))
        torch.manual_seed(len(found))
        state = torch.random.get_rng_state()
        translator = made(folders)
        translator.prepare([(text,) for text in order], lambda: None)
        assert torch.equal(torch.random.get_rng_state(), state)
        found.append({text: [translator._paraphrase(text, number) for number in range(3)] for text in texts})
    assert found[0] == found[1]
    assert all(len(set(paraphrases)) == 3 for paraphrases in found[0].values())


def test_an_empty_text_stays_empty(folders, cache, translations):
    assert made(folders).rewrite("", np.random.default_rng(0)) == ""
    assert not translations


def test_a_directory_that_is_no_translator_is_one_line_for_each_model(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    for wrong, message in (("nowhere", "no such folder"), ("empty", "has no config.json"), ("half", "has no weights")):
        with pytest.raises(UserError) as raised:
            BackTranslation(forward=str(tmp_path / wrong), back=folders["t5-0"]).fingerprint()
        (line,) = raised.value.mistakes
        assert line.startswith(f"forward: {tmp_path / wrong}: {message}")
    known = BackTranslation(forward=folders["t5-0"], back=folders["t5-1"]).fingerprint()
    assert json.dumps(known)
    assert known["forward"]["model.safetensors"] != known["back"]["model.safetensors"]


def test_a_model_that_does_not_translate_is_named(model_folder, cache):
    folder = str(model_folder("bert"))
    with pytest.raises(UserError, match=f"{folder}: cannot be loaded as a translator: "):
        BackTranslation(forward=folder, back=folder).rewrite("a good day", np.random.default_rng(0))
