"""Trains the bundled model's tokenizer: byte-level BPE of 16,384 ids on code, with the prompt's special tokens.

Words are cut at camel-case humps, digits in groups of up to three, line ends and indentation stand alone, so that an
identifier is spelled alike wherever it follows a space, and a quoted line without its indentation has the tokens that
it has in the file.
"""

import argparse
import json
import lzma
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 16384
DIGITS = 128
CONTROL = ["<|pad|>", "<|bos|>", "<|eos|>", "<|file|>", "<|text|>", "<|question|>", "<|answer|>", "<|absent|>"]
ANCHORS = [f"<|{kind}{i}|>" for kind in "FfLl" for i in range(DIGITS)]
WORDS = r"\n|^[ \t]+| ?[A-Z]+(?![a-z])| ?[A-Z]?[a-z]+| ?[0-9]{1,3}| ?[^\sA-Za-z0-9]+|[^\S\n]+"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}<|bos|>{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}<|question|>{{ message['content'] }}"
    "{% else %}<|answer|>{{ message['content'] }}<|eos|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|answer|>{% endif %}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--out", required=True, help="model folder")
    parser.add_argument("--megabytes", type=float, default=24)
    arguments = parser.parse_args()
    with lzma.open(arguments.corpus, "rt") as lines:
        texts = [json.loads(line)[2] for line in lines]
    random.Random(7).shuffle(texts)
    total, sample = 0, []
    for text in texts:
        sample.append(text)
        total += len(text)
        if total > arguments.megabytes * 1e6:
            break
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORDS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = CONTROL + ANCHORS
    tokenizer.train_from_iterator(
        sample,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    assert tokenizer.get_vocab_size() == VOCABULARY, tokenizer.get_vocab_size()
    os.makedirs(arguments.out, exist_ok=True)
    tokenizer.save(os.path.join(arguments.out, "tokenizer.json"))
    with open(os.path.join(arguments.out, "tokenizer_config.json"), "w") as out:
        json.dump(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": "<|bos|>",
                "eos_token": "<|eos|>",
                "pad_token": "<|pad|>",
                "clean_up_tokenization_spaces": False,
                "chat_template": TEMPLATE,
            },
            out,
            indent=2,
        )
        out.write("\n")
    text = "".join(sample[:200])
    print(f"{len(text) / len(tokenizer.encode(text).ids):.2f} characters a token")


if __name__ == "__main__":
    main()
