"""What rules of each kind may ask about, and what they say."""

from __future__ import annotations

# The flat columns a rule may ask about, per kind of file, and what they mean.
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "labels": {
        "model": ("str", "model as the message states it, else as its conversation does"),
        "name": ("str", "name of the speaker: the role where it was one (chatgpt, bing, bard), else the message's own"),
        "source": ("str", "name of the data set"),
        "source_file": ("str", "file it came from"),
        "source_id": ("str", "id as written in the record"),
        "created_at": ("str", "when the conversation took place: 2023-03-14T09:30:00Z, always in UTC"),
        "marks": ("str", "what the record says of itself, with a comma between: `toxic,verified`; empty = nothing"),
    },
    "impossible": {
        "model": ("str", "model as the message states it, else as its conversation does"),
        "source": ("str", "name of the data set"),
        "source_file": ("str", "file it came from"),
        "created_at": ("str", "when the conversation took place: 2023-03-14T09:30:00Z, always in UTC"),
    },
    "claims": {
        "saying": ("str", "what a response says of itself, from `I am`, `as`, `my name is` … to the sentence's end"),
    },
    "clean": {
        "messages": ("int", "number of messages"),
        "prompts": ("int", "number of user messages"),
        "responses": ("int", "number of responses"),
        "chars": ("int", "characters in all messages"),
        "first_role": ("str", "role of the first message that is not a system message"),
        "last_role": ("str", "role of the last message"),
        "empty_prompts": ("int", "user messages without a visible character"),
        "empty_responses": ("int", "responses without a visible character"),
        "repeated_roles": ("int", "neighbours with the same role, system messages aside"),
        "system_text": ("str", "the system messages; empty = none"),
        "prompt_text": ("str", "the user messages, one after the other"),
        "response_text": ("str", "the responses, one after the other, each begun by \\x1e"),
        "late_systems": ("int", "system messages behind a message of another role"),
        "marks": ("str", "what the record says of itself, with a comma between: `toxic,verified`; empty = nothing"),
        "letters": ("int", "letters in the first 1,000 characters of the responses' prose"),
        "language": ("str", "language of that prose, ISO 639; null = not sure"),
        "prompt_language": ("str", "language of the user messages' prose, ISO 639; null = not sure"),
        "language_asked": ("bool", "whether a user or system message names a language or speaks of translating"),
        "scripts": ("int", "writing systems that make a fifth or more of `letters`; Chinese and Japanese are one"),
        "emails": ("int", "e-mail addresses in all messages; placeholders aside, as in the four below"),
        "phones": ("int", "telephone numbers"),
        "cards": ("int", "numbers of payment cards"),
        "ibans": ("int", "international bank account numbers"),
        "secrets": ("int", "keys, tokens and passwords"),
    },
    "clean-messages": {
        "text": ("str", "the message"),
        "prompt": ("str", "the user message that a response answers; null = there is none, or this is one"),
        "opening": ("str", "its first 400 characters, outer white space aside"),
        "ending": ("str", "the end of its last line, up to 300 characters"),
        "chars": ("int", "characters of the message"),
        "fences": ("int", "lines of the message that begin with a code fence"),
        "fences_before": ("int", "those of the message of that side before it; null = it is the first"),
        "repeated_lines": ("float", "share of its prose lines of 20+ characters that stand in it already; "
        "null = as in `compression`"),
        "sentence_lines": ("float", "share of such lines, the last aside, that end like a sentence; null = under two, "
        "or the message does not end in a letter"),
        "compression": ("float", "characters per compressed byte of its last 4,000; null = under 400 characters, or no "
        "piece of it comes again"),
        "next_prompt": ("str", "the user message right behind it; null = there is none"),
        "last": ("bool", "whether it is the last message"),
        "calls_tool": ("bool", "whether it calls a tool"),
        "marks": ("str", "what the record says of itself, with a comma between"),
    },
    "defects": {
        "response": ("str", "the response"),
        "prompt": ("str", "the user message it answers; null = there is none"),
        "opening": ("str", "its first 400 characters, outer white space aside"),
        "ending": ("str", "the end of its last line, up to 300 characters"),
        "chars": ("int", "characters of the response"),
        "words": ("int", "words of the response"),
        "fences": ("int", "lines of the response that begin with a code fence"),
        "fences_before": ("int", "those of the response before it; null = it is the first"),
        "prose_share": ("float", "share of the response outside of code fences"),
        "garbled": ("int", "replacement characters, and UTF-8 read as another encoding"),
        "echo": ("bool", "whether it repeats a prompt of 40+ characters, case, space and punctuation aside"),
        "repeated_lines": ("float", "share of its prose lines of 20+ characters that stand in it already"),
        "sentence_lines": ("float", "share of such lines, the last aside, that end like a sentence; null = under two"),
        "compression": ("float", "characters per compressed byte of its last 4,000; null = under 400 characters"),
        "shared_words": ("int", "different words of 5+ Latin letters that prompt and response share"),
        "prompt_words": ("int", "different words of 5+ Latin letters in the prompt"),
        "language": ("str", "language of the response, ISO 639; null = not sure"),
        "prompt_language": ("str", "language of the prompt, ISO 639; null = not sure"),
        "language_asked": ("bool", "the conversation so far names a language, or another prompt is in the response's"),
        "last": ("bool", "whether the response is the last message"),
        "calls_tool": ("bool", "whether the response calls a tool"),
    },
    "tasks": {
        "prompt": ("str", "the first user message with a visible character, up to 2,000 characters; null = none"),
        "beginning": ("str", "its first 400 characters"),
        "ending": ("str", "its last 400 characters"),
        "prompts": ("str", "the first 300 characters of every user message, one after the other"),
        "system": ("str", "the first 1,000 characters of the system messages; null = none"),
        "turns": ("int", "number of user messages"),
        "numbers": ("int", "numbers in `prompt`, in digits or in English words (two, half, twice, percent)"),
        "responses": ("int", "number of responses"),
        "code_responses": ("int", "responses with a code fence that names a programming language"),
        "maths_responses": ("int", "responses whose first 4,000 characters hold a LaTeX formula"),
        "stated": ("str", "category as the record states it"),
        "source": ("str", "name of the data set"),
    },
    "conditions": {
        "class": ("str", "class of the response"),
        "task": ("str", "task of the conversation"),
        "source": ("str", "name of the data set"),
        "model": ("str", "model as written"),
        "reward": ("float", "reward of the response, 0 to 1"),
        "verified": ("bool", "whether the record says that people checked it"),
    },
}
COLUMNS["weights"] = COLUMNS["conditions"]

# What a cleaning rule judges. Rules about single messages ask about the columns of `clean-messages`.
UNITS = ("conversation", "response", "prompt")

# What a rule of each kind says beside `name`, `why`, `when` and its cases.
VERDICTS: dict[str, tuple[str, type | tuple[type, ...], str]] = {
    "labels": ("class", str, "the class, such as `gpt-4`"),
    "impossible": ("class", str, "the class that such a response cannot have"),
    "claims": ("against", list, "the classes that it speaks against"),
    "clean": ("export", str, "`drop`, `keep` or, for a response, `mask`: what `curate export` does by default"),
    "defects": ("severity", (int, float), "0 to 1: how much of the reward the defect takes away"),
    "tasks": ("task", str, "the task, such as `maths`"),
    "conditions": ("condition", str, "the text that the prompt carries, such as `GPT4`"),
    "weights": ("weight", (int, float), "what the response weighs in place of its class"),
}
