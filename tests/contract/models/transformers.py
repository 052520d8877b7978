"""Hugging Face: pipelines of models made from a configuration."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, pipeline

from tests.contract.models import Built, model

WORDS = ["[PAD]", "[UNK]", "[CLS]", "good", "bad", "film"]


def classifier():
    torch.manual_seed(7)
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]")
    labels = {0: "negative", 1: "positive"}
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    network = BertForSequenceClassification(
        BertConfig(vocab_size=len(WORDS), id2label=labels, label2id={name: n for n, name in labels.items()}, **sizes)
    )
    return pipeline("text-classification", model=network, tokenizer=tokenizer)


@model("transformers", "text classification pipeline, on a list of texts")
def texts():
    return Built(classifier(), ["good film", "bad film indeed"])


@model("transformers", "text classification pipeline, on one text")
def text():
    return Built(classifier(), "good film")
