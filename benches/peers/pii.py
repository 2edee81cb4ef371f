"""Measures and scores for pii.sh: pii.py EXAMPLES_FOLDER CORPUS.jsonl WORK_FOLDER ROUNDS.

Each round runs all sides in turn over the same documents; the best pass of each in processor time counts (Linux: the clock of another process).
Presidio has its default English recognizers without a language model, and only finds; the engine finds and writes the redacted text.
"""

import collections
import json
import logging
import os
import pathlib
import platform
import subprocess
import sys
import time
from importlib.metadata import version

import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine

DOCUMENTS = 5000  # a corpus is thinned out evenly to about this many, so that Presidio's rounds stay short
PASSES = 30  # of the fast sides, per round
THRESHOLD = 0.35  # Presidio's least score
ENTITIES = "EMAIL_ADDRESS PHONE_NUMBER CREDIT_CARD IBAN_CODE US_SSN IP_ADDRESS MAC_ADDRESS CRYPTO".split()


def score(documents, found):
    """Precision, recall and F1 over ENTITIES: right type and at least half of the gold span. Spans marked optional or hard do not count."""
    hits = gold = false = 0
    for document, findings in zip(documents, found):
        used = set()
        for span in document.get("spans", []):
            a, b = span["bstart"], span["bend"]
            same = {f for f in findings if f[0] == span["label"] and min(b, f[2]) - max(a, f[1]) >= (b - a) / 2}
            if span.get("optional") or span.get("hard"):
                used |= {f for f in findings if f[1] < b and a < f[2]}
            elif span["label"] in ENTITIES:
                gold, hits, used = gold + 1, hits + bool(same), used | same
        false += sum(f[0] in ENTITIES and f not in used for f in findings)
    p, r = hits / max(hits + false, 1), hits / max(gold, 1)
    return {"p": round(p, 3), "r": round(r, 3), "f1": round(2 * p * r / max(p + r, 1e-9), 3)} if gold else None


def main():
    examples, corpus, work, rounds = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4])
    with open(corpus, encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    documents = documents[:: max(1, len(documents) // DOCUMENTS)]
    texts = [document["text"] for document in documents]
    size = sum(len(text.encode()) for text in texts)
    same = work / "documents.jsonl"
    same.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(texts)))

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    tldextract.extract = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())  # its own list of domains: nothing is fetched
    nlp = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(nlp_engine=nlp)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=nlp)
    recognizers = registry.get_recognizers(language="en", all_fields=True)
    entities = analyzer.get_supported_entities("en")
    artifacts = nlp.process_text("", "en")

    def presidio():
        """The way its manual has it: recognizers, scores, duplicates."""
        return [analyzer.analyze(text, language="en", score_threshold=THRESHOLD) for text in texts]

    def presidio_recognizers():
        """Each recognizer by itself and nothing after them."""
        return [recognizer.analyze(text, entities, artifacts) for text in texts for recognizer in recognizers]

    ours = subprocess.Popen([examples / "pii_peers", same], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    clock = (~ours.pid << 3) | 2  # CPUCLOCK_SCHED of that process, see clock_getcpuclockid(3)
    best = collections.defaultdict(float)

    def passes(what, count):
        for _ in range(count):
            start = time.clock_gettime(clock)
            ours.stdin.write(what + "\n")
            given = int(ours.stdout.readline())
            best[what] = max(best[what], given / (time.clock_gettime(clock) - start) / 1e6)

    for text in texts[:200]:  # first use compiles patterns and reads lists
        analyzer.analyze(text, language="en")
    for _ in range(rounds):
        for what in ("text", "json", "serde"):
            passes(what, PASSES)
        for side in (presidio, presidio_recognizers):
            start = time.process_time()
            results = side()
            best[side.__name__] = max(best[side.__name__], size / (time.process_time() - start) / 1e6)
            if side is presidio:
                found = results
        for what in ("serde", "json", "text"):
            passes(what, PASSES)
    ours.stdin.close()
    ours.wait()

    def in_bytes(text, finding):
        return finding.entity_type, len(text[: finding.start].encode()), len(text[: finding.end].encode())

    with open(same, "rb") as stdin:
        report = subprocess.run([examples / "pii_report"], stdin=stdin, capture_output=True, check=True).stdout
    reports = [json.loads(line)["findings"] for line in report.splitlines()]
    scores = {
        "engine": score(documents, [[(f["entity"], f["start"], f["end"]) for f in line] for line in reports]),
        "presidio": score(documents, [[in_bytes(t, f) for f in line] for t, line in zip(texts, found)]),
    }
    names = {
        "text": "engine: text in, findings and redacted text out",
        "json": "engine: JSON in, redacted JSON out",
        "serde": "serde_json: parse and serialize",
        "presidio": f"Presidio: analyze, {len(recognizers)} recognizers",
        "presidio_recognizers": "Presidio: the recognizers alone",
    }
    print(f"{'':50} {'MB/s':>9} {'x serde':>9} {'x Presidio':>11}")
    for what, name in names.items():
        print(f"{name:50} {best[what]:9.3f} {best[what] / best['serde']:9.4f} {best[what] / best['presidio']:11.2f}")
    print(json.dumps({
        "documents": len(texts), "bytes": size, "rounds": rounds, "mb_per_s": {k: round(v, 4) for k, v in best.items()}, "found": scores,
        "presidio": version("presidio-analyzer"), "python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.platform(),
    }))


main()
