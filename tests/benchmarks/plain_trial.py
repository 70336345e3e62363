"""One trial as a script of its own: transformers' Trainer, peft, and none of ftbench. Reads a table from stdin, prints the accuracy."""

import json
import sys
import tempfile
import warnings

import torch

from tests.support.independent_trainer import Words, arguments, model_for


def main(table):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer

    tokenizer = AutoTokenizer.from_pretrained(table["folder"])
    model = model_for(table["folder"], table["strategy"] == "lora", table["seed"])
    if table["strategy"] == "frozen":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = "pooler" in name or "classifier" in name
    with tempfile.TemporaryDirectory() as output:
        settings = arguments(output, lora=table["strategy"] == "lora", epochs=table["epochs"], seed=table["seed"])
        settings.learning_rate = table["lr"]
        trainer = Trainer(
            model=model,
            args=settings,
            train_dataset=Words(tokenizer, *table["train"]),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
        found = trainer.predict(Words(tokenizer, *table["test"])).predictions.argmax(1)
    print((found == table["test"][1]).mean())


if __name__ == "__main__":
    main(json.load(sys.stdin))
