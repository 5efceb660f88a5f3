"""Page HTML to Markdown: `curate ingest` beside FastChat's `clean_sharegpt`, the same pages, in turns, on one core.

    python benchmarks/pages.py [--conversations 2000] [--runs 3] [--seed 1] [--folder bench] [--json]

The pages are made up, as ShareGPT saved them: paragraphs with names such as `snake_case` and `List<int>`, lists,
tables, code with coloured words, a head with its language and the button "Copy code". What they were made from is
known, so quality can be counted: code blocks that come out letter for letter with their language, sentences that come
out as they were, answers in which a button is left.

FastChat 0.2.36 runs in an environment of its own with the markdownify it names; its `main` is called, JSON in and out.
The jobs differ: FastChat also drops copies of the first exchange and whatever says "openai" or "chatgpt" (nothing here
does); `curate ingest` also finds the format, tells pages from texts about HTML, names every edit, hashes, and writes
Parquet. Imports and a first small file are in nobody's time.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import peers
import polars as pl

OURS = """
import curate
few, many, out = sys.argv[1:]
told(lambda: curate.ingest([few], f"{out}/few", quiet=True), lambda: curate.ingest([many], f"{out}/many", quiet=True))
"""
THEIRS = """
from fastchat.data import clean_sharegpt
few, many, out = sys.argv[1:]
def main(path, name):
    clean_sharegpt.main({"in_file": path, "out_file": f"{out}/{name}.json", "begin": None, "end": None})
told(lambda: main(few, "few"), lambda: main(many, "many"))
"""
NAMES = ("snake_case", "__init__", "2*3*4", "List<int>", "a & b", "max_len", "#1", "C#", "x[0]", "~/data", "50%")
HEAD = (
    '<div class="flex items-center relative text-gray-200 bg-gray-800 px-4 py-2 text-xs font-sans"><span>{}</span>'
    '<button class="flex ml-auto gap-2"><svg stroke="currentColor" viewBox="0 0 24 24" class="h-4 w-4">'
    '<path d="M16 4h2"></path></svg>Copy code</button></div>'
)
COLOURED = (
    '    {word}_{n} = a[<span class="hljs-number">{n}</span>] * <span class="hljs-number">2</span> &lt; '
    '<span class="hljs-string">\'{word}\'</span>'
)
PAGE = '<div class="markdown prose w-full break-words dark:prose-invert light">{}</div>'


@dataclass
class Answer:
    """HTML of a page, and what has to be found in its Markdown."""

    blocks: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


def answer(source: random.Random, words: list[str]) -> Answer:
    """Some blocks of every kind."""
    made = Answer()

    def sentence() -> str:
        said = [source.choice(NAMES) if source.random() < 0.1 else source.choice(words) for _ in range(12)]
        made.sentences.append(" ".join(said).capitalize() + ".")
        return html.escape(made.sentences[-1], quote=False)

    def paragraph() -> str:
        return f"<p>{sentence()} Run <code>{source.choice(words)}_x</code> <strong>now</strong>. {sentence()}</p>"

    def code() -> str:
        language = source.choice(("python", "rust", "bash"))
        lines = [(source.choice(words), n) for n in range(source.randint(2, 12))]
        told = [f"    {word}_{n} = a[{n}] * 2 < '{word}'" for word, n in lines]
        made.code.append(f"```{language}\n" + "\n".join(["def f_x(a):", *told, "", "    return a"]) + "\n```")
        define = '<span class="hljs-keyword">def</span> <span class="hljs-title function_">f_x</span>(a):'
        coloured = [define, *(COLOURED.format(n=n, word=word) for word, n in lines)]
        coloured += ["", '    <span class="hljs-keyword">return</span> a', ""]
        body = f'<code class="!whitespace-pre hljs language-{language}">' + "\n".join(coloured) + "</code>"
        boxed = f'{HEAD.format(language)}<div class="p-4 overflow-y-auto">{body}</div>'
        return f'<pre><div class="bg-black rounded-md mb-4">{boxed}</div></pre>'

    def items() -> str:
        return "<ol>" + "".join(f"<li><p>{sentence()}</p></li>" for _ in range(source.randint(2, 5))) + "</ol>"

    def table() -> str:
        rows = "".join(f"<tr><td>{source.choice(words)}</td><td>{n}</td></tr>" for n in range(3))
        return f"<table><thead><tr><th>name</th><th>n</th></tr></thead><tbody>{rows}</tbody></table>"

    kinds = source.choices((paragraph, code, items, table), (5, 3, 2, 0.5), k=source.randint(3, 8))
    made.blocks = [kind() for kind in (paragraph, *kinds)]
    return made


def write(path: Path, conversations: int, seed: int) -> list[Answer]:
    """A ShareGPT array of pages; two answers each."""
    source = random.Random(seed)
    words = ["".join(source.choices("etaoinshrdlu", k=source.randint(2, 9))) for _ in range(5000)]
    answers, records = [], []
    for number in range(conversations):
        turns = []
        for _ in range(2):
            answers.append(answer(source, words))
            asked = " ".join(source.choices(words, k=15)).capitalize() + "?"
            page = PAGE.format("".join(answers[-1].blocks))
            turns += [{"from": "human", "value": asked}, {"from": "gpt", "value": page}]
        records.append({"id": f"page{number}", "conversations": turns})
    path.write_text(json.dumps(records), "utf-8")
    return answers


def quality(answers: list[Answer], texts: dict[tuple[int, int], str]) -> dict[str, float]:
    """Shares of code blocks and sentences as they were, and of answers with a button left; what is missing is lost."""
    code = sentences = buttons = 0
    for number, made in enumerate(answers):
        text = texts.get(divmod(number, 2), "")
        code += sum(block in text for block in made.code)
        sentences += sum(sentence in text for sentence in made.sentences)
        buttons += "Copy code" in text
    return {
        "code": code / sum(len(made.code) for made in answers),
        "sentences": sentences / sum(len(made.sentences) for made in answers),
        "buttons": buttons / len(answers),
    }


def ours(folder: Path) -> dict[tuple[int, int], str]:
    """Conversation and number of the answer in it to its Markdown."""
    rows = pl.read_parquet(folder / "many" / "conversations" / "*.parquet", columns=["source_row", "messages"])
    return {
        (row, turn // 2): messages[turn]["content"]
        for row, messages in rows.iter_rows()
        for turn in range(1, len(messages), 2)
    }


def theirs(folder: Path) -> dict[tuple[int, int], str]:
    records = json.loads((folder / "many.json").read_text("utf-8"))
    return {
        (int(record["id"].removeprefix("page")), turn // 2): record["conversations"][turn]["value"]
        for record in records
        for turn in range(1, len(record["conversations"]), 2)
    }


def measure(conversations: int, runs: int, seed: int, python: Path) -> dict[str, object]:
    """CPU seconds and quality of both, and their ratio."""
    tools = {"curate": (sys.executable, OURS, ours), "FastChat": (python, THEIRS, theirs)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in tools}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "few.json", 20, seed + 1)
        answers = write(folder / "many.json", conversations, seed)
        for run in range(runs):
            for tool, (interpreter, script, read) in tools.items():
                out = folder / f"{tool}{run}"
                out.mkdir()
                took = peers.clocked(interpreter, script, folder / "few.json", folder / "many.json", out)
                found[tool].append({**took, **quality(answers, read(out))})
        size = (folder / "many.json").stat().st_size / 1e6
    medians = {tool: {key: median(one[key] for one in told) for key in told[0]} for tool, told in found.items()}
    ratios = [peer["cpu"] / our["cpu"] for our, peer in zip(found["curate"], found["FastChat"], strict=True)]
    return {"megabytes": size, "conversations": conversations, "ratio": median(ratios), "tools": medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=peers.FOLDER, help="FastChat's environment is kept here")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    told = parser.parse_args()
    found = measure(told.conversations, told.runs, told.seed, peers.python(peers.FASTCHAT, told.folder))
    if told.json:
        print(json.dumps(found))
        return
    print(f"{found['conversations']:,} conversations, {found['megabytes']:.1f} MB of pages, medians of {told.runs}")
    for tool, one in found["tools"].items():  # type: ignore[attr-defined]
        print(
            f"{tool:<9} {one['cpu']:6.2f} CPU s  {one['wall']:6.2f} s  {one['peak']:5.0f} MiB   code {one['code']:.4f}"
            f"  sentences {one['sentences']:.4f}  buttons left {one['buttons']:.4f}"
        )
    print(f"FastChat takes {found['ratio']:.1f} times our CPU seconds")


if __name__ == "__main__":
    main()
