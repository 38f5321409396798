"""What both of TRL's sides of iteration_vs_trl.py share: a trainer that runs one iteration for each line on stdin and
answers with one line of JSON, its seconds, on stdout."""

import json
import os
import sys
import time

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast, TrainerCallback

# stdout carries the answers alone; what the libraries print goes to stderr.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class OneIterationPerLine(TrainerCallback):
    """Waits for a line before each iteration and reports its wall time after it."""

    def wait(self):
        if not sys.stdin.readline():
            os._exit(0)  # the trainer has no way to be told to stop
        self.start = time.perf_counter()

    def on_train_begin(self, args, state, control, **kwargs):
        print(json.dumps({"ready": True}), file=answers, flush=True)
        self.wait()

    def on_step_end(self, args, state, control, **kwargs):
        print(json.dumps({"seconds": time.perf_counter() - self.start}), file=answers, flush=True)
        self.wait()


def read_workload():
    with open(sys.argv[1]) as file:
        return json.load(file)


def llama(kind, shape, **more):
    torch.manual_seed(0)
    config = LlamaConfig(**shape, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None, pad_token_id=0, **more)
    return kind(config)


def word_tokenizer(vocab_size):
    """Token 7 is the word w7."""
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(vocab_size)}, unk_token="w1"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="w0", eos_token="w2", padding_side="left")
