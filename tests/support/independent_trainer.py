"""Fine-tuning with the Trainer of transformers and with peft, without ftbench's training code, for comparison."""

from __future__ import annotations

import numpy as np
import torch
from peft import LoraConfig, TaskType, get_peft_model
from torch.utils.data import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


class Words(Dataset):
    """Dataset of tokenized words with labels."""

    def __init__(self, tokenizer, texts, labels):
        self.rows = tokenizer(list(texts), truncation=True, max_length=12)["input_ids"]
        self.labels = list(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        return {"input_ids": self.rows[row], "labels": self.labels[row]}


def model_for(folder, lora, seed):
    """Load the weights, initialise classifier and pooler, and add LoRA to query and value if `lora`."""
    set_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    torch.nn.init.normal_(model.bert.pooler.dense.weight, std=0.02)
    torch.nn.init.zeros_(model.bert.pooler.dense.bias)
    if lora:
        model = get_peft_model(
            model,
            LoraConfig(
                TaskType.SEQ_CLS,
                r=8,
                lora_alpha=16,
                target_modules=["query", "value"],
                modules_to_save=["classifier", "pooler"],
            ),
        )
    return model


def arguments(output, *, lora, epochs, seed, **more):
    """Return the training arguments of the suite: AdamW, linear schedule, 10 % warm-up, batch 16."""
    return TrainingArguments(
        output_dir=str(output),
        num_train_epochs=epochs,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=128,
        learning_rate=1e-3 if lora else 1e-4,
        lr_scheduler_type="linear",
        warmup_steps=0.1,
        weight_decay=0.01,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        seed=seed,
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        **more,
    )


def accuracy(folder, output, train, test, *, lora, epochs, seed):
    """Train a model; return its accuracy on the test words."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    trainer = Trainer(
        model=model_for(folder, lora, seed),
        args=arguments(output, lora=lora, epochs=epochs, seed=seed),
        train_dataset=Words(tokenizer, *train),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.train()
    found = trainer.predict(Words(tokenizer, *test))
    return float(np.mean(found.predictions.argmax(1) == np.array(test[1])))
