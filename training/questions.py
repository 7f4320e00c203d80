"""How a question may be put: listed phrasings, composed ones, and names dropped among any words.

A model that has seen a few dozen phrasings learns the phrasings; one that has met names among arbitrary words learns to
look for the name. The evaluation's phrasings (phrasings.json, "test") are never produced.
"""

import random

OPENINGS = (
    "hi,|hello,|ok,|okay,|so|and|now|well,|hm,|quick question:|question:|I'm new here,|sorry,|please,|excuse me,|one more:|"
    "I wonder,|just curious,|in this repository,|in this code,|in this project,|for a review,|before I refactor:|tell me,|"
    "do you know,|can you say|could you say|would you tell me|help me:|I need to know|I want to know|say,|next,|again:|also,"
).split("|")
CLOSINGS = (
    "please|thanks|for me|now|exactly|in this code|in this repository|in the code base|in this project|here|right now|"
    "in the sources|if you can|quickly|at all|actually|in the end|once more|, please|, thank you|somewhere|originally|today"
).split("|")
VERBS = (
    "defined|declared|implemented|located|written|introduced first|coming from|created|set up|kept|stored|made|found|specified|"
    "placed|hidden|given|spelled out|to be found|initialised|sitting|added|registered|stated|provided|exposed"
).split("|")
PLACES = (
    "file|line|module|source|header|place|part|folder and file|source code|spot|package|script|position|class or file|code|"
    "location|file and line|path and line|line number|unit"
).split("|")
IMPERATIVES = (
    "find|locate|search|get|fetch|give me|bring up|pull up|point to|navigate to|go to|jump to|reveal|show|display|list|print|"
    "hunt down|track down|identify|spot|see|view|check|pin down|discover|open|seek|name|cite|link"
).split("|")
THINGS = (
    "the definition of|the declaration of|the code for|the source of|the implementation of|the line with|the file with|the place of|"
    "where we have|the place that has|the beginning of|the start of|the function|the class|the method|the type|the macro|"
    "the constant|the variable|the struct|the interface|the module with|the one called|something named|what is called|"
).split("|")
DOC_FORMS = (
    "what does {x} do {c}|what is {x} used for {c}|explain {x} {c}|describe what {x} does|tell me what {x} does|what is the use of {x}|"
    "why do we have {x}|what is the meaning of {x}|what is {x} good for|what do the comments say about {x}|"
    "what does the code say about {x}|give me the documentation of {x}|read me the doc comment of {x}|how does the comment explain {x}|"
    "what is written about {x}|purpose of {x}|meaning of {x}|what is documented for {x}|what would {x} do|explain to me the point of {x}|"
    "what is the job of {x}|what is the role of {x}|what should {x} do|what is {x} supposed to do|help for {x}|about {x}|"
    "the documentation says what of {x}|comment of {x}|what do the authors say about {x}|in words, what is {x}|what happens in {x}|"
    "docstring for {x}|what is the description of {x}|how do the comments describe {x}|summary of {x}"
).split("|")
SIGNATURE_FORMS = (
    "what does {x} take {c}|arguments of {x}|which arguments does {x} accept|how is {x} called|show how {x} is declared|"
    "what is the declaration of {x}|parameters of {x}|quote the line that declares {x}|what is the prototype of {x}|"
    "quote the declaration of {x}|what inputs does {x} take|how do I invoke {x}|what is the exact form of {x}|"
    "quote how {x} begins|what are the types of {x}|give me {x} as it is declared|header of {x}|the signature of {x} {c}|"
    "quote {x}|what do I pass to {x}|how would I call {x}|copy the definition line of {x}"
).split("|")
FILE_FORMS = (
    "what is {x} about {c}|what is inside {x}|what lives in {x}|what does {x} hold|what can I find in {x}|why do we have {x}|"
    "summary of {x}|purpose of {x}|what is the job of {x}|what is the role of {x}|what is the file {x} good for|about {x}|"
    "explain {x} {c}|describe {x} {c}|what does the file {x} say it is|what is the point of the file {x}|overview of {x}|"
    "what is the module {x} for|what is {x} there for {c}|in a few words, what is {x}|what is the header of {x}"
).split("|")
FORMS = {"doc": DOC_FORMS, "signature": SIGNATURE_FORMS, "file": FILE_FORMS}


def compose_where(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return f"{rng.choice(('where is', 'where was', 'where are', 'where has', 'where gets'))} {{x}} {rng.choice(VERBS)} {{c}}"
    if kind == 1:
        where = f"{rng.choice(('in', 'on', 'at', ''))} {rng.choice(('which', 'what'))} {rng.choice(PLACES)}"
        return f"{where} {rng.choice(('is', 'was', 'do we have', 'can I find', 'should I look for', 'do I find'))} {{x}} {rng.choice(VERBS + [''] * 8)}"
    if kind == 2:
        return f"{rng.choice(IMPERATIVES)} {rng.choice(THINGS)} {{x}} {{c}}"
    return f"{rng.choice(('which', 'what'))} {rng.choice(PLACES)} {rng.choice(('defines', 'declares', 'has', 'contains', 'holds', 'implements', 'introduces', 'provides', 'exports', 'creates'))} {{x}} {{c}}"


def phrase(rng: random.Random, kind: str, phrasings: dict, words: list[str], varied: bool) -> str:
    """A question with "{x}" for the name. `varied` composes some; otherwise only listed phrasings are used."""
    listed = rng.choice(phrasings[kind])
    if not varied:
        return listed
    roll = rng.random()
    if roll < 0.3:
        text = listed
    elif kind == "where" and roll < 0.55:
        before = " ".join(rng.choice(words) for _ in range(rng.randrange(8)))
        after = " ".join(rng.choice(words) for _ in range(rng.randrange(6)))
        text = f"{before} {{x}} {after}"
    else:
        text = compose_where(rng) if kind == "where" else rng.choice(FORMS[kind])
    if rng.random() < 0.25:
        text = f"{rng.choice(OPENINGS)} {text}"
    if "{c}" not in text and rng.random() < 0.15:
        text = f"{text.rstrip('?.')} {{c}}"
    text = text.replace("{c}", rng.choice(CLOSINGS) if rng.random() < 0.4 else "")
    text = " ".join(text.split()).rstrip("?. ").replace(" ,", ",")
    return text + rng.choice(("?", "?", "", ".", "?"))
