"""Golden values of text and label metrics, from sacrebleu, rouge-score, jiwer and seqeval.

    pip install -r tools/goldens/requirements-text-metrics.txt
    python tools/goldens/text_metrics.py

The script writes packages/testkit/goldens/text-metrics/{texts,spans}.json. The sentences are below; the tag sequences are
random. Tolerance: |a - b| <= 1e-9; counts and alignments must be equal. Both sides compute in float64.

texts.json: { generator, versions, pairs, stems, bleu, chrf, rouge, errorRates }. `pairs` is a list of
[hypothesis, reference, second reference or null], and `stems` maps words to their stems. The other lists have cases
{ name, options, references, ... }, with Unroll's names of the options. `references`: "one" means the first reference of each
pair, "all" also the second one if there is one.
  - bleu: `corpus` [score, brevity penalty, hypothesis length, reference length, precisions, counts, totals, signature];
    counts and totals are those before smoothing; `sentences`: [score, hypothesis length, reference length] of each pair
  - chrf: `corpus` [score, signature], `sentences`: the scores
  - rouge: `sentences`: for each pair, [precision, recall, F1] of rouge1, rouge2, rougeL, rougeLsum; `mean`: their means
  - errorRates: `unit`: word or character; `rates`: [error rate, match error rate, hits, substitutions, deletions, insertions];
    `alignments`: for each pair, a list of [type, reference start, reference end, hypothesis start, hypothesis end]
spans.json: { generator, versions, cases }, a case { name, scheme, strict, actual, predicted (tags joined by spaces),
labels: { label: [precision, recall, F1, support] }, micro, macro, weighted }. BMES is run as IOBES with I for M.
"""

import json
import platform
import random
import warnings
from importlib.metadata import version
from pathlib import Path

import jiwer
import numpy as np
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as lenient
from seqeval.metrics.v1 import precision_recall_fscore_support as strict
from seqeval.scheme import IOB2, IOBES, Entities

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "text-metrics"
LIBRARIES = ("sacrebleu", "rouge-score", "nltk", "jiwer", "rapidfuzz", "seqeval", "numpy")
VERSIONS = {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}

# hypothesis, reference, second reference or None
PAIRS = [
    ("The cat sat on the mat.", "The cat sat on the mat.", None),
    ("The the the the the the the.", "The cat is on the mat.", "There is a cat on the mat."),
    ("A dog runs across a green field", "A brown dog is running across the green field.", None),
    ("", "This reference has no hypothesis.", None),
    ("Nothing here matches", "Vollkommen andere Wörter", None),
    ("Der Zug nach Köln fährt um 8:30 Uhr ab.", "Der Zug nach Köln fuhr um 8.30 Uhr ab.", None),
    ("Die Straße ist wegen Bauarbeiten gesperrt!", "Wegen Bauarbeiten ist die Straße gesperrt.",
     "Die Strasse ist gesperrt: Bauarbeiten."),
    ("„Übermut tut selten gut“, sagte die Großmutter.", "»Übermut tut selten gut«, sagt Großmutter.", None),
    ("It costs $1,299.99 (20% off) -- today only!", "It costs $1,299.95, i.e. 20% off, only today.", None),
    ("In 1999-2001, 3.5 million people moved; 40,000 stayed.",
     "Between 1999 and 2001, 3.5 million people moved and 40,000 stayed.", "From 1999-2001 3.5 million moved."),
    ("Tom &amp; Jerry said &quot;hello&quot; &lt;skipped&gt;", 'Tom & Jerry said "hello" <skipped>', None),
    ("我今天去北京大学图书馆看书。", "今天我去北京大学的图书馆看书。", "我今天在北京大学图书馆里读书。"),
    ("这家酒店的价格是¥350，含早餐！", "这家酒店价格为350元（含早餐）。", None),
    ("他说：“LSTM 模型很好用”……对吧？", "他说：“LSTM 模型非常好用”——对吗？", None),
    ("東京タワーは高さ333メートルです。", "東京タワーの高さは333メートルだ。", None),
    ("I love it 😀👍🏽 so much!!!", "I love it 😀 👍🏽 very much!", None),
    ("👩‍👩‍👧", "👩‍👩‍👧 family", None),
    ("𠮷野家で𩸽を食べた", "吉野家で𩸽を食べた", None),
    ("don't stop me now, I'm having fun", "do not stop me now , I am having fun", "Don't stop me now: I'm having fun!"),
    ("www.example.org/path?x=1&y=2 is down", "www.example.org/path?x=1&y=2 was down today", None),
    ("well-known state-of-the-art e-mail", "well known, state-of-the-art email", None),
    ("one", "one", None),
    ("one two", "two one", None),
    ("the quick brown fox jumps over the lazy dog", "the lazy dog jumps over the quick brown fox", None),
    ("a b c d e f g h", "a x c d y f g", "b c d e f g h i"),
    ("  leading, trailing \t and\u00a0other   spaces \n", "leading , trailing and other spaces", None),
    ("Ünïcödé: naïve café, coöperate, Ångström", "Unicode: naive cafe, cooperate, Angstrom", None),
    ("İstanbul ΟΔΥΣΣΕΥΣ ẞ", "i̇stanbul οδυσσευς ß", None),
    ("x = {a: [1, 2], b: <tag/>}; y := f(x) ^ 2 ~ z | w", "x = {a: [1,2], b: <tag />}; y = f(x)^2 ~ z", None),
    ("Relational databases were generously optimised; ponies ran happily.",
     "A relational database is generous in optimising. The pony runs happy.", None),
    ("The first sentence is short.\nThe second one, about dogs, is longer.\nDogs bark at the cats.",
     "Dogs bark.\nThe first sentence is very short.\nThe second is longer and about dogs and cats.",
     "A short first sentence.\n\nThe second one is about barking dogs."),
    ("temperature −5 °C → 23 °F, ½ cup × 2 = 1 cup, № 7, Ⅷ, 5² m", "temperature -5 °C → 23 °F; 1/2 cup × 2 = 1 cup", None),
    ("No.5 at 5. p.m. on 3.4.2021. Total: 1.", "No. 5 at 5 p.m. on 3.4.2021. Total: 1", None),
    ("a line break inside a trans-\nlation and\na break between words", "a line break inside a translation and a break between words", None),
    ("It ended in 1999. \n", "It ended in 1999.", None),
    ("much longer than its reference", "much", None),
    ("xyz", "aaaa", "bbbbbbbbb"),
    ("the cat", "the cat\nthe cat", None),
    ("she sells sea shells by the sea shore she sells", "sea shells she sells by the sea shore", None),
]  # fmt: skip

HYPOTHESES = [h for h, _, _ in PAIRS]
ALL_REFERENCES = [[r for r in refs if r is not None] for _, *refs in PAIRS]


def references_of(which):
    return ALL_REFERENCES if which == "all" else [refs[:1] for refs in ALL_REFERENCES]


def streams(references):
    """Returns the references in sacrebleu's order: a list of all first references, a list of all second ones (or None), and so on."""
    return [[refs[k] if k < len(refs) else None for refs in references] for k in range(max(map(len, references)))]


def signature(metric):
    return str(metric.get_signature()).replace(f"version:{VERSIONS['sacrebleu']}", "version:unroll")


# ---- BLEU ---------------------------------------------------------------------------------------

TOKENIZERS = ("13a", "zh", "char", "intl", "none")


def bleu_options():
    for tokenizer in TOKENIZERS:
        yield {"tokenizer": tokenizer}
        yield {"tokenizer": tokenizer, "lowercase": True, "effectiveOrder": True}
        yield {"tokenizer": tokenizer, "smoothing": "add-k", "effectiveOrder": True}
    for smoothing in ("floor", "none", "add-k"):
        yield {"smoothing": smoothing}
    yield {"smoothing": "floor", "smoothValue": 0.01, "effectiveOrder": True}
    yield {"smoothing": "floor", "effectiveOrder": True}
    yield {"smoothing": "none", "effectiveOrder": True}
    yield {"smoothing": "add-k", "smoothValue": 0.5}
    yield {"maxOrder": 2}
    yield {"maxOrder": 6, "tokenizer": "char"}


def bleu_case(options, which):
    names = {"tokenizer": "tokenize", "smoothing": "smooth_method", "smoothValue": "smooth_value",
             "effectiveOrder": "effective_order", "maxOrder": "max_ngram_order"}  # fmt: skip
    arguments = {names.get(key, key): value for key, value in options.items()}
    arguments = {"tokenize": "13a", **arguments}
    references = references_of(which)
    bleu = BLEU(**arguments)
    score = bleu.corpus_score(HYPOTHESES, streams(references))
    sign = signature(bleu)
    raw = BLEU(**{**arguments, "smooth_method": "none", "smooth_value": None})
    raw = raw.corpus_score(HYPOTHESES, streams(references))  # add-k smoothing changes the counts, so they come from a metric without smoothing
    sentences = [bleu.sentence_score(h, refs) for h, refs in zip(HYPOTHESES, references)]
    return {
        "name": f"bleu {which} {json.dumps(options)}", "options": options, "references": which,
        "corpus": [score.score, score.bp, score.sys_len, score.ref_len, score.precisions, raw.counts, raw.totals, sign],
        "sentences": [[s.score, s.sys_len, s.ref_len] for s in sentences],
    }  # fmt: skip


# ---- chrF ---------------------------------------------------------------------------------------


def chrf_options():
    for word_order in (0, 2):
        yield {"wordOrder": word_order}
        yield {"wordOrder": word_order, "lowercase": True, "whitespace": True}
        yield {"wordOrder": word_order, "epsSmoothing": True}
    yield {"charOrder": 3, "wordOrder": 1, "beta": 1}
    yield {"beta": 3, "whitespace": True, "epsSmoothing": True}


def chrf_case(options, which):
    names = {"charOrder": "char_order", "wordOrder": "word_order", "epsSmoothing": "eps_smoothing"}
    chrf = CHRF(**{names.get(key, key): value for key, value in options.items()})
    references = references_of(which)
    score = chrf.corpus_score(HYPOTHESES, streams(references)).score
    return {
        "name": f"chrf {which} {json.dumps(options)}", "options": options, "references": which,
        "corpus": [score, signature(chrf)],
        "sentences": [chrf.sentence_score(h, refs).score for h, refs in zip(HYPOTHESES, references)],
    }  # fmt: skip


# ---- ROUGE --------------------------------------------------------------------------------------

ROUGE_TYPES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


class Tokens:
    def __init__(self, tokenize):
        self.tokenize = lambda text: tokenize(text.lower())


ROUGE_TOKENIZERS = {
    "rouge": None,
    "char": Tokens(lambda text: [c for c in text if not c.isspace()]),
    "whitespace": Tokens(str.split),
}


def rouge_case(options, which):
    scorer = RougeScorer(ROUGE_TYPES, use_stemmer=options.get("stemmer", False),
                         tokenizer=ROUGE_TOKENIZERS[options.get("tokenizer", "rouge")])  # fmt: skip
    references = references_of(which)
    scores = [scorer.score_multi(refs, h) for h, refs in zip(HYPOTHESES, references)]
    rows = [[list(map(float, s[name])) for name in ROUGE_TYPES] for s in scores]
    return {
        "name": f"rouge {which} {json.dumps(options)}", "options": options, "references": which,
        "sentences": rows, "mean": np.mean(rows, axis=0).tolist(),
    }  # fmt: skip


# Groups of related words, to test the stemmer: ROUGE counts words with the same stem as equal.
WORDS = """
relate related relates relating relation relations relational relatable conditional condition conditions rational
valency valence hesitancy hesitance hesitate digitizer digitize digitizing conformably conformable conform radically radical
differently different difference differ vilely vile analogously analogous analogy vietnamization vietnamize predication
predicate operator operate operated operating operation feudalism feudal decisiveness decisive decide hopefulness hopeful
hope hoping hopped hopping hops callousness callous formality formal formalize formalism sensitivity sensitive sensibility
sensible triplicate triplic formative form forms electricity electric electrical goodness good revival revive allowance allow
inference infer airliner airline gyroscopic gyroscope adjustable adjust defensible defend irritant irritate replacement replace
adjustment dependent depend adoption adopt homologous homology communism communal activate active angularity angular effective
effect bowdlerize probate rate rated rating cease ceased controlling control rolling roll rolls caress caresses pony ponies tie
ties tied tying cat cats feed fed agreed agree plastered plaster bled bleed motoring motor sing singing sky skies die dies died
dying lie lies lied lying fly flies flying spy spied spies happy happily happiness enjoy enjoys enjoyed enjoyment say saying by
news new innings inning outing outings canning cannings can proceed proceeds proceeding exceed exceeded succeed succeeded success
conflated conflate troubled trouble sized size sizing tanned tan falling fall hissing hiss fizzed fizz failing fail filing file
geology geological geologically geologist theology archaeology archaeological logic logical fully hopefully beautifully beauty
beautiful usefully useful use used using uses eye eyes ably able possibly possible radicalli ally allies totally total
national nationally nationality nation generously generous generosity optimised optimize optimizer optimization run running ran
runner runs yes year years yearly yyyy toy toys syzygy oats trees tree trouble private ivy orrery oaten skiing skis abilities
ability stability stable organization organize organ arguing argue argued argument arguments as is was gas bus buses
traditionally traditional tradition traditions rebellion rebel rebels dyed dy dyes companion companions company
""".split()

# ---- error rates --------------------------------------------------------------------------------


def error_case(name, unit, hypotheses, references):
    process = jiwer.process_words if unit == "word" else jiwer.process_characters
    out = process(references, hypotheses)
    words = jiwer.process_words(references, hypotheses)
    errors = out.substitutions + out.deletions + out.insertions
    mer = words.mer if unit == "word" else errors / max(errors + out.hits, 1)  # jiwer has no match error rate of characters
    chunks = [
        [[c.type, c.ref_start_idx, c.ref_end_idx, c.hyp_start_idx, c.hyp_end_idx] for c in pair] for pair in out.alignments
    ]
    return {
        "name": f"{unit} {name}", "unit": unit, "hypotheses": hypotheses, "references": references,
        "rates": [out.wer if unit == "word" else out.cer, mer, out.hits, out.substitutions, out.deletions, out.insertions],
        "alignments": chunks,
    }  # fmt: skip


def random_texts(rng, words, count, longest):
    return [" ".join(rng.choice(words) for _ in range(rng.randint(0, longest))) for _ in range(count)]


def error_cases():
    rng = random.Random(7)
    hypotheses, references = random_texts(rng, "abc", 40, 12), random_texts(rng, "abc", 40, 12)
    cases = [
        ("pairs", HYPOTHESES, [r for _, r, _ in PAIRS]),
        ("random", hypotheses, references),
        ("empty references", ["a b", "", " "], ["", "", ""]),
        ("both empty", ["", ""], ["", " "]),
        ("empty hypotheses", ["", ""], ["a b", "c"]),
    ]
    return [error_case(name, unit, h, r) for name, h, r in cases for unit in ("word", "character")]


# ---- spans --------------------------------------------------------------------------------------

SPAN_TAGS = {"BIO": "BI", "BIOES": "BIES", "BMES": "BMES"}


def random_tags(rng, scheme, length, well_formed):
    labels = ["PER", "LOC", "ORG-1"]
    tags = []
    while len(tags) < length:
        label = rng.choice(labels)
        if not well_formed:
            tags.append(rng.choice(["O", *(f"{p}-{label}" for p in SPAN_TAGS[scheme])]))
            continue
        size = rng.randint(1, 4)
        if rng.random() < 0.5 or len(tags) + size > length:
            tags.append("O")
            continue
        inner = "M" if scheme == "BMES" else "I"
        middle = [f"{inner}-{label}"] * (size - 2)
        if scheme == "BIO":
            tags += [f"B-{label}", *middle, *([f"I-{label}"] if size > 1 else [])]
        else:
            tags += [f"S-{label}"] if size == 1 else [f"B-{label}", *middle, f"E-{label}"]
    return tags


def perturbed(rng, scheme, tags):
    noise = random_tags(rng, scheme, len(tags), False)
    return [n if rng.random() < 0.15 else t for t, n in zip(tags, noise)]


def iobes(sequences, scheme):
    """Converts tags to the scheme that seqeval reads."""
    return [["I" + t[1:] if scheme == "BMES" and t[0] == "M" else t for t in tags] for tags in sequences]


def span_case(name, scheme, actual, predicted):
    a, p = iobes(actual, scheme), iobes(predicted, scheme)
    for is_strict in (False, True):
        kind = IOB2 if scheme == "BIO" else IOBES

        def scores(average):
            out = strict(a, p, average=average, scheme=kind) if is_strict else lenient(a, p, average=average)
            return [np.asarray(part).tolist() for part in out]

        if is_strict:
            names = sorted(Entities(a, kind).unique_tags | Entities(p, kind).unique_tags)
        else:
            names = sorted({label for label, _, _ in get_entities(a) + get_entities(p)})
        # Without any label, the macro mean of seqeval is NaN and the other means are 0.
        macro = scores("macro") if names else [0, 0, 0, 0]
        yield {
            "name": f"{name} {scheme}{' strict' if is_strict else ''}", "scheme": scheme, "strict": is_strict,
            "actual": [" ".join(tags) for tags in actual], "predicted": [" ".join(tags) for tags in predicted],
            "labels": dict(zip(names, zip(*scores(None)))),
            "micro": scores("micro"), "macro": macro, "weighted": scores("weighted"),
        }  # fmt: skip


def span_cases():
    for scheme in SPAN_TAGS:
        rng = random.Random(f"spans {scheme}")
        lengths = [rng.randint(1, 14) for _ in range(25)]
        good = [random_tags(rng, scheme, n, True) for n in lengths]
        yield from span_case("perturbed", scheme, good, [perturbed(rng, scheme, tags) for tags in good])
        wild = [[random_tags(rng, scheme, n, False) for n in lengths] for _ in range(2)]
        yield from span_case("random", scheme, *wild)
        yield from span_case("identical", scheme, good, good)
        nothing = [["O"] * n for n in lengths]
        yield from span_case("nothing predicted", scheme, good, nothing)
        yield from span_case("nothing true", scheme, nothing, good)
        yield from span_case("no spans", scheme, nothing, nothing)
    bare = [list("BIOBIIOOB"), list("IIOIBO")]
    yield from span_case("prefixes alone", "BIO", bare, [list("BIOBIBOIB"), list("IBOIBO")])
    words = [list("BMESSBE"), list("SSBEBMME")]
    yield from span_case("prefixes alone", "BMES", words, [list("BMESBEE"), list("SSSSBMEE")])


# ---- files --------------------------------------------------------------------------------------


def write(name, content):
    def dump(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def section(value):
        if not isinstance(value, list):
            return dump(value)
        return "[\n" + ",\n".join(dump(entry) for entry in value) + "\n]"

    OUT.mkdir(parents=True, exist_ok=True)
    head = {"generator": "tools/goldens/text_metrics.py", "versions": VERSIONS}
    lines = [f"{dump(key)}:{section(value)}" for key, value in {**head, **content}.items()]
    (OUT / name).write_text("{" + ",\n".join(lines) + "}\n")


def main():
    warnings.simplefilter("ignore")
    stemmer = PorterStemmer()
    both = [(o, w) for w in ("one", "all") for o in ({}, {"stemmer": True}, {"tokenizer": "char"}, {"tokenizer": "whitespace"})]
    write("texts.json", {
        "pairs": PAIRS,
        "stems": {word: stemmer.stem(word) if len(word) > 3 else word for word in WORDS},
        "bleu": [bleu_case(o, w) for w in ("one", "all") for o in bleu_options()],
        "chrf": [chrf_case(o, w) for w in ("one", "all") for o in chrf_options()],
        "rouge": [rouge_case(o, w) for o, w in both],
        "errorRates": error_cases(),
    })  # fmt: skip
    write("spans.json", {"cases": list(span_cases())})


if __name__ == "__main__":
    main()
