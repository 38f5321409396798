#!/usr/bin/env python3
"""Writes text_similarity_vectors.json: pairs of texts and what published implementations say of them, for
tests/plugins/text_similarity_test.cpp.

    fuzzy_match  rapidfuzz.fuzz.ratio / 100
    bleu         sacrebleu.sentence_bleu / 100, and where each order matches also nltk's sentence_bleu
    gleu         nltk's sentence_gleu of sacrebleu's "13a" tokens
    meteor       nltk's meteor_score of those tokens, with a WordNet that knows no synonyms
    rouge_*      rouge-score's F-measure, without stemming

and the stems of nltk's PorterStemmer. Needs Python with the packages below and nothing else:

    pip install rapidfuzz==3.14.6 sacrebleu==2.6.0 nltk==3.10.4 rouge-score==0.1.2
    python3 tests/data/make_text_similarity_vectors.py > tests/data/text_similarity_vectors.json
"""

import json
import random
import re
import sys

import sacrebleu
from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import sentence_bleu
from nltk.translate.gleu_score import sentence_gleu
from nltk.translate.meteor_score import single_meteor_score
from rapidfuzz import fuzz
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a


class NoSynonyms:
    @staticmethod
    def synsets(_):
        return []


ROUGE = {**{f"rouge_{n}": f"rouge{n}" for n in range(1, 6)}, "rouge_l": "rougeL"}
scorer = RougeScorer(list(ROUGE.values()), use_stemmer=False)
tokenize = Tokenizer13a()


def metrics(text, reference):
    words, reference_words = tokenize(text.rstrip()).split(), tokenize(reference.rstrip()).split()
    bleu = sacrebleu.sentence_bleu(text, [reference])
    if all(bleu.counts):
        assert abs(sentence_bleu([reference_words], words) - bleu.score / 100) < 1e-9, (text, reference)
    rouge = scorer.score(reference, text)
    return {
        "fuzzy_match": fuzz.ratio(text, reference) / 100,
        "bleu": bleu.score / 100,
        "gleu": sentence_gleu([reference_words], words),
        "meteor": single_meteor_score(reference_words, words, wordnet=NoSynonyms),
        **{ours: rouge[theirs].fmeasure for ours, theirs in ROUGE.items()},
    }


PAIRS = [
    ("", ""),
    ("", "a reference"),
    ("a text", ""),
    (" \n\t", "word"),
    ("a", "a"),
    ("a", "b"),
    ("ab", "ba"),
    ("yes", "Yes"),
    ("one two", "one two"),
    ("one two three", "one two three"),
    ("the cat sat on the mat", "the cat sat on the mat"),
    ("the the the the the the the", "the cat is on the mat"),
    ("the cat is on the mat", "the the the the"),
    ("It is a guide to action which ensures that the military always obeys the commands of the party",
     "It is a guide to action that ensures that the military will forever heed Party commands"),
    ("It is to insure the troops forever hearing the activity guidebook that party direct",
     "It is a guide to action that ensures that the military will forever heed Party commands"),
    ("He was running and jumped over the fences happily.", "He runs, jumping over a fence; happiness!"),
    ("connections connected connecting", "connection connect connects"),
    ("b a b a b a", "a b a b"),
    ("Mr. Smith's dog-house cost $1,234.56 (about 10% more) in 1999-2000.",
     "Mr. Smith's dog house cost 1,234.56 dollars, about 10 % more, in 1999-2000"),
    ("a,b.c d..e ,,f 3.4 .5 6, 7.", "a , b . c d . . e , , f 3.4 .5 6 , 7 ."),
    ("AT&amp;T said &quot;no&quot; to <skipped> x &lt; y", 'AT&T said "no" to x < y'),
    ("hyphen-\nated line\nbreaks", "hyphenated line breaks"),
    ("trailing space \u3000\n", "trailing space"),
    ("Größe Äpfel über straße", "GRÖSSE äpfel ÜBER Straße"),
    ("ΟΔΥΣΣΕΥΣ ΣΑΣ Σ", "οδυσσευς σας σ"),
    ("İstanbul DİYARBAKIR", "istanbul diyarbakir"),
    ("Kelvin 300 K", "kelvin 300 k"),
    ("答案是四十二。", "答案是四十三。"),
    ("Ответ: сорок два", "ответ — сорок два!"),
    ("مرحبا بالعالم", "مرحبا يا عالم"),
    ("naïve café", "nai\u0308ve cafe\u0301"),
    ("😀😁👩‍👩‍👧 family", "😀 👩‍👩‍👧 family"),
    ("no\u00a0break\u2009thin\u200bzero", "no break thin zero"),
    ("x" * 200, "x" * 130 + "y" * 70),
    ("ab" * 100, "ba" * 100),
    ("word " * 70, "word " * 65),
]
WORDS = ("the a cat cats running runs ran happily happy happiness connect connected connection relational "
         "3.14 2,000 , . ! dog-house it's Über naïve THE Cat").split()
STEMS = ("caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping "
         "tanned falling hissing fizzed failing filing happy sky enjoy spy relational conditional rational valenci "
         "hesitanci digitizer conformabli radicalli differentli vileli analogousli vietnamization predication operator "
         "feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti triplicate formative "
         "formalize electriciti electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable "
         "defensible irritant replacement adjustment dependent adoption homologou communism activate angulariti "
         "homologous effective bowdlerize probate rate cease controll roll skies dying lying tying news innings outings "
         "cannings howe proceed exceed succeed dies died spied flies tries cried geology theology archaeology geologi "
         "yyyy syzygy toying by is as ion ions nation tion logi alli ally generically fulli carefully beautifully "
         "eed ed ing ied ies sses ss s é über naïvely straße οδυσσεύς cafés ионы running 3rd 1990s i'll dog-houses "
         "organization organizations organizing universal university meetings thoroughly national nationally").split()


def random_pairs(count):
    """A reference, and a text made from it by leaving out, doubling, exchanging and adding words."""
    rng = random.Random(20240607)
    for _ in range(count):
        reference = [rng.choice(WORDS) for _ in range(rng.randint(1, 25))]
        text = []
        for word in reference:
            text += rng.choice([[word]] * 5 + [[], [word, word], [rng.choice(WORDS)], [word, rng.choice(WORDS)]])
        if rng.random() < 0.3:
            rng.shuffle(text)
        yield " ".join(text), " ".join(reference)


def random_words(count):
    rng = random.Random(7)
    endings = re.findall(r"\w+", "ational tional enci izer bli alli entli eli ousli ization ation ator alism iveness "
                         "fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance "
                         "ence er ic able ible ant ement ment ent sion tion xion ou ism ate iti ous ive ize ed ing eed "
                         "ied ies s sses y e ll lle")
    for _ in range(count):
        yield "".join(rng.choice("aeioubcdlstyz") for _ in range(rng.randint(0, 5))) + rng.choice(endings)


stemmer = PorterStemmer()
words = list(dict.fromkeys(STEMS + list(random_words(1500))))
pairs = PAIRS + list(random_pairs(150))
json.dump(
    {
        "pairs": [{"text": t, "reference": r, **metrics(t, r)} for t, r in pairs],
        "stems": {word: stemmer.stem(word) for word in words},
    },
    sys.stdout, ensure_ascii=False, indent=0)
print()
