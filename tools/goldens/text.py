"""Golden values for text: merges learned by Hugging Face tokenizers, and files of word vectors written by gensim.

    pip install -r tools/goldens/requirements-text.txt
    python tools/goldens/text.py

The script writes packages/testkit/goldens/text/*.json. The tests require equality: merges and tokens are strings, and vectors
are float32.

`byte-pairs.json`: the texts, the merges, and the tokens of further texts. The texts are split as in
packages/data/src/text/pre-tokens.ts. Each text occurs twice, so that every character reaches the minimum count. There are no byte
tokens, because all characters of the encoded texts occur in the training texts.

`vectors.json`: tokens, values, and the files as base64, written by save_word2vec_format: `word2vec`, `word2vecBinary`, and `glove`
(without a header).
"""

import base64
import json
import platform
import tempfile
from pathlib import Path

import gensim
import numpy as np
import tokenizers
from gensim.models import KeyedVectors
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "text"
VERSIONS = {
    "tokenizers": tokenizers.__version__,
    "gensim": gensim.__version__,
    "numpy": np.__version__,
    "python": platform.python_version(),
}

TEXTS = [
    "The network reads the sequence step by step, and the state of the network depends on all earlier steps.",
    "A recurrent network can't see later steps; a bidirectional network reads the sequence twice (forwards, backwards).",
    "Steps 10, 11 and 12 are masked: the masked steps don't change the state, don't they?",
    "今天天气很好，我们去公园散步。公园里的天气很好，今天公园里有很多人。",
    "我们今天去北京大学，北京大学在北京。",
    "banana bandana ananas, aaaa aaa aa a -- --- ...",
]
ENCODED = ["the bandana can't see 12 networks", "今天我们去公园", "stepwise (backwards), aaaaa", "  a\nb --..--"]
PATTERN = (
    r"▁?\p{L}[\p{L}\p{M}]*(?:['’]\p{L}[\p{L}\p{M}]*)*|▁?\p{N}+|▁?[^\s▁\p{L}\p{N}]+|[\s▁]+(?=▁[^\s▁])|[\s▁]+"
)


def byte_pairs():
    texts = TEXTS * 2
    size = 260
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(" ", "▁"), normalizers.Prepend("▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [" ".join(pair) for pair in model["merges"]]
    known = {char for text in TEXTS for char in text}
    encodable = [text for text in ENCODED if set(text) <= known]
    encoded = [{"text": text, "tokens": tokenizer.encode(text).tokens} for text in encodable]
    assert len(encoded) >= 3
    return {"texts": texts, "size": size, "minCount": 2, "merges": merges, "encoded": encoded}


def vectors():
    tokens = ["the", "don't", "好", "b", "1", "é,"]
    values = np.random.default_rng(7).normal(size=(len(tokens), 5)).astype(np.float32)
    keyed = KeyedVectors(5)
    keyed.add_vectors(tokens, values)
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors"
        for name, options in {
            "word2vec": {},
            "word2vecBinary": {"binary": True},
            "glove": {"write_header": False},
        }.items():
            keyed.save_word2vec_format(str(path), **options)
            files[name] = base64.b64encode(path.read_bytes()).decode()
    data = base64.b64encode(values.astype("<f4").tobytes()).decode()
    return {"tokens": tokens, "width": 5, "values": data, "files": files}


def write(name, content):
    golden = {"generator": "tools/goldens/text.py", "versions": VERSIONS, **content}
    (OUT / name).write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    write("byte-pairs.json", byte_pairs())
    write("vectors.json", vectors())
