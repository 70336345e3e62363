"""Tiny random models of every supported architecture, saved with `save_pretrained`."""

from __future__ import annotations

import json

TEXT = ("bert", "roberta", "distilbert", "modernbert", "gpt2", "llama", "t5", "bart")
VISION = ("vit", "deit", "swin", "resnet", "convnext", "efficientnet")
SPEECH = ("wav2vec2", "hubert", "whisper", "audio-spectrogram-transformer")
KINDS = (*TEXT, *VISION, *SPEECH)

_SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_CONV = {"conv_dim": (16, 16, 16), "conv_kernel": (8, 8, 8), "conv_stride": (8, 8, 8), "num_feat_extract_layers": 3}
_CONV |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 16}


def config(kind):
    """Return the configuration of a tiny model."""
    import transformers as t

    words = {"vocab_size": 100, "max_position_embeddings": 64}
    makers = {
        "bert": lambda: t.BertConfig(**_SIZE, **words),
        "roberta": lambda: t.RobertaConfig(
            **_SIZE, **{**words, "max_position_embeddings": 66}, type_vocab_size=1, pad_token_id=0
        ),
        "distilbert": lambda: t.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=64, **words),
        "gpt2": lambda: t.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=100, pad_token_id=0),
        "modernbert": lambda: t.ModernBertConfig(
            **_SIZE,
            **words,
            pad_token_id=0,
            cls_token_id=2,
            sep_token_id=3,
            bos_token_id=2,
            eos_token_id=3,
            global_attn_every_n_layers=2,
            local_attention=16,
        ),
        "llama": lambda: t.LlamaConfig(**_SIZE, **words, num_key_value_heads=2, pad_token_id=0),
        "t5": lambda: t.T5Config(
            vocab_size=100,
            d_model=32,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_heads=4,
            pad_token_id=0,
            eos_token_id=3,
            decoder_start_token_id=0,
            initializer_factor=0.3,
        ),
        "bart": lambda: t.BartConfig(
            vocab_size=100,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=64,
            pad_token_id=0,
            bos_token_id=2,
            eos_token_id=3,
            forced_eos_token_id=3,
            decoder_start_token_id=3,
        ),
        "convnext": lambda: t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, patch_size=4),
        "efficientnet": lambda: t.EfficientNetConfig(
            image_size=32,
            width_coefficient=0.25,
            depth_coefficient=0.25,
            hidden_dim=320,
            initializer_range=0.6,
            drop_connect_rate=0.0,
            dropout_rate=0.0,
        ),
        "vit": lambda: t.ViTConfig(**_SIZE, image_size=32, patch_size=8),
        "deit": lambda: t.DeiTConfig(**_SIZE, image_size=32, patch_size=8),
        "swin": lambda: t.SwinConfig(
            image_size=32,
            patch_size=4,
            embed_dim=16,
            depths=[2, 2],
            num_heads=[2, 4],
            window_size=4,
            drop_path_rate=0.0,
        ),
        "whisper": lambda: t.WhisperConfig(
            d_model=32,
            encoder_layers=2,
            encoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_layers=1,
            decoder_ffn_dim=64,
            decoder_attention_heads=4,
            num_mel_bins=16,
            max_source_positions=50,
            vocab_size=200,
            classifier_proj_size=16,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        ),
        "resnet": lambda: t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
        "wav2vec2": lambda: t.Wav2Vec2Config(**_SIZE, **_CONV),
        "hubert": lambda: t.HubertConfig(**_SIZE, **_CONV),
        "audio-spectrogram-transformer": lambda: t.ASTConfig(
            **_SIZE, max_length=64, num_mel_bins=16, patch_size=8, frequency_stride=8, time_stride=8
        ),
    }
    return makers[kind]()


def build(kind, labels=2):
    """Return a tiny classifier with random weights."""
    import transformers as t

    auto = {
        TEXT: t.AutoModelForSequenceClassification,
        VISION: t.AutoModelForImageClassification,
        SPEECH: t.AutoModelForAudioClassification,
    }
    made = config(kind)
    made.num_labels = labels
    if kind == "deit":  # transformers has two DeiT classifiers and chooses by this field
        made.architectures = ["DeiTForImageClassification"]
    return next(cls for kinds, cls in auto.items() if kind in kinds).from_config(made)


def save(kind, folder):
    """Save a tiny model with its tokenizer or processor; return the folder."""
    import torch

    torch.manual_seed(0)
    build(kind).save_pretrained(folder)
    if kind in TEXT:
        _save_tokenizer(folder)
    elif kind in VISION:
        name = "DeiTImageProcessor" if kind == "deit" else "ViTImageProcessor"
        processor = {"image_processor_type": name, "size": {"height": 32, "width": 32}, "do_center_crop": False}
        processor |= {
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
            "do_resize": True,
            "do_rescale": True,
            "do_normalize": True,
        }
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    else:
        _save_feature_extractor(kind, folder)
    return folder


def _save_tokenizer(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({token: code for code, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)


def _save_feature_extractor(kind, folder):
    from transformers import ASTFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

    if kind == "audio-spectrogram-transformer":
        ASTFeatureExtractor(num_mel_bins=16, max_length=64).save_pretrained(folder)
    elif kind == "whisper":
        WhisperFeatureExtractor(feature_size=16, chunk_length=1).save_pretrained(folder)
    else:
        Wav2Vec2FeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
