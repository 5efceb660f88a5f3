"""distilabel's own way to ask a model about many rows: a pipeline of one step, at its defaults.

Run by judge_throughput.py in an environment of its own: `judge_distilabel.py BASE_URL RESPONSES`. Prints JSON: seconds
of the pipeline, its start left out, and rows that have a generation.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

IN_FLIGHT = 64


def run(base_url: str, responses: int) -> int:
    rows = [{"instruction": f"Grade answer {number}."} for number in range(responses)]
    with Pipeline(f"judge-{responses}") as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=IN_FLIGHT)
        judge = TextGeneration(llm=OpenAILLM(model="m", base_url=base_url, api_key="x"), input_batch_size=IN_FLIGHT)
        load >> judge
    generations = pipeline.run(use_cache=False)["default"]["train"]["generation"]
    return sum(text is not None for text in generations)


def main() -> None:
    base_url, responses = sys.argv[1], int(sys.argv[2])
    begun = perf_counter()
    run(base_url, 1)
    start = perf_counter() - begun
    begun = perf_counter()
    done = run(base_url, responses)
    print(json.dumps({"seconds": max(perf_counter() - begun - start, 1e-9), "done": done}))


if __name__ == "__main__":
    main()
