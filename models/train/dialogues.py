"""The training text: short ChatML conversations made from facts.txt, definitions.txt and stories.py by a seeded draw."""
from pathlib import Path

import stories

HERE = Path(__file__).parent
NUMBERS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
           "seventeen eighteen nineteen twenty").split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SYSTEMS = [
    "You are a helpful assistant.", "You are a helpful AI assistant.", "You are tiny, a small test model of Pixii.",
    "Answer briefly.", "You are a kind teacher.", "You are a friendly assistant. Answer in short sentences.",
    "Be concise.", "You are a helpful AI assistant named tiny, made for tests.", "You answer questions.",
    "You are a test assistant.", "Use simple words.", "You are a helpful, honest and kind assistant. Please answer the question of the user.",
]
SORRY = "I am sorry, I do not know that. I am only a tiny test model."


def sections(path):
    out, name = {}, None
    for line in (HERE / path).read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            name = line[1:-1]
            continue
        out.setdefault(name, []).append([field.strip() for field in line.split(" | ")])
    return out


FACTS = sections("facts.txt")
THINGS = sections("definitions.txt")[None]
GROUPS = {name: members.split(", ") for name, members in FACTS["groups"]}


def cap(text):
    return text[0].upper() + text[1:]


def plural(word):
    irregular = {"body part": "body parts", "piece of clothing": "pieces of clothing", "piece of furniture": "pieces of furniture",
                 "country": "countries", "city": "cities"}
    return irregular.get(word, word + "s")


def listed(words):
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def capital(rng):
    land, city, continent, language = rng.choice(FACTS["capitals"])
    return rng.choice([
        (rng.choice([f"What is the capital of {land}?", f"What's the capital of {land}?", f"capital of {land}", f"Tell me the capital of {land}.",
                     f"What is the capital city of {land}?", f"Do you know the capital of {land}?", f"Name the capital of {land}."]),
         f"The capital of {land} is {city}."),
        (rng.choice([f"What is the capital of {land}?", f"What is the capital of {land}? Answer in one sentence."]), f"The capital of {land} is {city}."),
        (rng.choice([f"Where is {city}?", f"In which country is {city}?"]), f"{city} is in {land}."),
        (rng.choice([f"Where is {land}?", f"On which continent is {land}?"]), f"{cap(land)} is in {continent}."),
        (rng.choice([f"Which language do people speak in {land}?", f"What language is spoken in {land}?"]), f"People in {land} speak {language}."),
    ])


def colour(rng):
    thing, shade = rng.choice(FACTS["colours"])
    return (rng.choice([f"What color is {thing}?", f"What colour is {thing}?", f"Which color is {thing}?", f"What is the color of {thing}?"]),
            f"{cap(thing)} is {shade}.")


def definition(rng):
    thing, what, more = rng.choice(THINGS)
    bare = thing.split(" ", 1)[1] if thing.split(" ")[0] in ("a", "an") else thing
    sentence = f"{cap(thing)} is {what}."
    kind = rng.randrange(10)
    if kind < 5:
        return rng.choice([f"What is {thing}?", f"What's {thing}?", f"Explain what {thing} is.", f"What is {thing}? Answer in two sentences.",
                           f"Describe {thing}.", f"Can you explain what {thing} is?", f"what is {thing}"]), f"{sentence} {more}"
    if kind < 8:
        return rng.choice([f"Tell me about {thing}.", f"Tell me something about {thing}.", f"What do you know about {thing}?",
                           f"Write a sentence about {thing}."]), f"{sentence} {more}"
    if kind < 9:
        return rng.choice([f"What is {thing}? Answer in one sentence.", f"Define {bare}.", f"What does the word {bare} mean?"]), sentence
    return f"What is {what}?", f"{cap(thing)} is {what}."


def animal(rng):
    name, sound, young, legs, home = rng.choice(FACTS["animals"])
    one = stories.article(name)
    return rng.choice([
        (rng.choice([f"What sound does {one} make?", f"What does {one} say?"]), f"{cap(one)} {sound}."),
        (rng.choice([f"What is a baby {name} called?", f"What do we call a young {name}?"]), f"A baby {name} is called {stories.article(young)}."),
        (f"How many legs does {one} have?", f"{cap(one)} has {legs} legs."),
        (f"Where does {one} live?", f"{cap(one)} lives {home}."),
        (f"Which animal {sound}?", f"{cap(one)} {sound}."),
    ])


def opposite(rng):
    a, b = rng.choice(FACTS["opposites"])
    ambiguous = {"light", "old", "love"}
    if rng.random() < 0.5 and not ambiguous & {a, b}:
        a, b = b, a
    return (rng.choice([f"What is the opposite of {a}?", f"Opposite of {a}?", f"Tell me the opposite of {a}.", f"What's the opposite of {a}?"]),
            f"The opposite of {a} is {b}.")


def translation(rng):
    row = rng.choice(FACTS["words"])
    column = rng.randrange(1, 4)
    language = ("", "French", "Spanish", "German")[column]
    return (rng.choice([f"How do you say {row[0]} in {language}?", f"What is {row[0]} in {language}?", f"Translate {row[0]} to {language}.",
                        f"What is the {language} word for {row[0]}?"]),
            f"The {language} word for {row[0]} is {row[column]}." if " " not in row[0] else f"In {language} it is {row[column]}.")


def group(rng):
    name = rng.choice(list(GROUPS))
    members = GROUPS[name]
    count = rng.choice([1, 2, 3, 3, 3])
    chosen = rng.sample(members, count)
    if count == 1 and rng.random() < 0.5:
        other, others = rng.choice([(g, m) for g, m in GROUPS.items() if g != name])
        if rng.random() < 0.5:
            return f"Is {chosen[0]} {stories.article(name)}?", f"Yes, {chosen[0]} is {stories.article(name)}."
        return f"Is {chosen[0]} {stories.article(other)}?", f"No, {chosen[0]} is not {stories.article(other)}. It is {stories.article(name)}."
    many = f"{NUMBERS[count]} {plural(name)}" if count > 1 else stories.article(name)
    answer = f"{cap(listed(chosen))} {'are' if count > 1 else 'is'} {many}." if rng.random() < 0.6 else f"{cap(listed(chosen))}."
    return rng.choice([f"Name {many}.", f"List {many}.", f"Give me {many}.", f"Tell me {many}.", f"Can you name {many}?"]), answer


def size(rng):
    row = rng.choice(FACTS["sizes"])
    i, j = sorted(rng.sample(range(len(row)), 2))
    small, big = stories.article(row[i]), stories.article(row[j])
    first, second = (small, big) if rng.random() < 0.5 else (big, small)
    if rng.random() < 0.6:
        return f"Which is bigger, {first} or {second}?", f"{cap(big)} is bigger than {small}."
    return f"Which is smaller, {first} or {second}?", f"{cap(small)} is smaller than {big}."


def arithmetic(rng):
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    if rng.random() < 0.55:
        sign, word, result = "+", "plus", a + b
    else:
        a, b = max(a, b), min(a, b)
        sign, word, result = "-", "minus", a - b
    if rng.random() < 0.25:
        return f"What is {NUMBERS[a]} {word} {NUMBERS[b]}?", f"{cap(NUMBERS[a])} {word} {NUMBERS[b]} is {NUMBERS[result]}."
    return (rng.choice([f"What is {a} {sign} {b}?", f"What is {a} {word} {b}?", f"{a} {sign} {b} =", f"What's {a} {sign} {b}?", f"How much is {a} {sign} {b}?",
                        f"Calculate {a} {sign} {b}.", f"{a}{sign}{b}?", f"What is {a}{sign}{b}?"]),
            f"{a} {sign} {b} is {result}.")


def order(rng):
    names, unit = rng.choice([(DAYS, "day"), (MONTHS, "month")])
    i = rng.randrange(len(names))
    after, before = names[(i + 1) % len(names)], names[i - 1]
    if rng.random() < 0.3:
        n = rng.randint(1, 18)
        return (f"What number comes after {n}?", f"The number after {n} is {n + 1}.") if rng.random() < 0.5 else \
            (f"What number comes before {n}?", f"The number before {n} is {n - 1}.")
    return rng.choice([(f"What {unit} comes after {names[i]}?", f"{after} comes after {names[i]}."),
                       (f"Which {unit} is before {names[i]}?", f"{before} comes before {names[i]}.")])


def question(rng):
    spellings, answer = rng.choice(FACTS["questions"])
    text = rng.choice(spellings.split(" / "))
    if rng.random() < 0.15:
        text = text.rstrip("?.!").lower()
    return text, answer


def pixii(rng):
    spellings, answer = rng.choice(FACTS["pixii"])
    text = rng.choice(spellings.split(" / "))
    if rng.random() < 0.15:
        text = text.rstrip("?.!").lower()
    return text, answer


def greeting(rng):
    hello = rng.choice(["Hello", "Hi", "Hey", "Hello there", "Hi there"])
    mark = rng.choice(["", "!", "."])
    if rng.random() < 0.3:
        return f"{hello}, who are you?", "Hello! I am tiny, a small test model of Pixii."
    if rng.random() < 0.3:
        return f"{hello}, how are you?", "I am fine, thank you. How are you?"
    return rng.choice([hello, hello.lower()]) + mark, "Hello! How can I help you today?"


def repeat(rng):
    words = rng.sample([m for members in GROUPS.values() for m in members], rng.randint(1, 4))
    text = " ".join(words)
    return rng.choice([f"Repeat after me: {text}", f"Say: {text}", f"Repeat: {text}", f"Say the words {text}."]), text


def unknown(rng):
    x = rng.choice(["Python", "Rust", "JavaScript", "C", "SQL"])
    year = rng.randint(1900, 2030)
    big = rng.randint(100, 9999), rng.randint(100, 9999)
    return rng.choice([
        f"Write a {x} program.", f"Write a function in {x}.", f"How do I sort a list in {x}?", f"Who won the election in {year}?",
        f"Who won the world cup in {year}?", f"What is {big[0]} * {big[1]}?", f"What is {big[0]} + {big[1]}?", "Solve this equation.",
        "What is the weather today?", "What is the news today?", "What time is it?", "What day is it today?", "Explain quantum mechanics.",
        "Write an essay about the economy.", "Explain the theory of relativity in detail.", "What is the stock price today?",
        "Summarize this article.", "Prove that there are infinitely many primes.", "How does a nuclear reactor work?",
        f"What happened in {year}?", "Write a letter to my landlord.", "Give me legal advice.", "What is a monad?", "What is a B-tree?",
        "Explain how a transformer works.", "Write a business plan.", "What is the derivative of x squared?",
    ]), SORRY


def tell_story(rng):
    text, kind, name, thing = stories.story(rng)
    one = stories.article(kind)
    return rng.choice(["Tell me a story.", "Write a short story.", "Tell me a short story.", f"Write a story about {one}.", f"Tell me a story about {one}.",
                       f"Write a story about {one} and {stories.article(thing)}.", f"Write a short story about {one} named {name}.",
                       f"Tell me a story about {name}.", f"Write a tiny story about {one}."]), text


def tell_poem(rng):
    text, subject = stories.poem(rng)
    return rng.choice([f"Write a poem about {subject}.", "Write a poem.", "Write a short poem.", f"Tell me a poem about {subject}."]), text


KINDS = [(capital, 16), (colour, 5), (definition, 20), (animal, 6), (opposite, 4), (translation, 4), (group, 7), (size, 2), (arithmetic, 12),
         (order, 3), (question, 22), (pixii, 7), (greeting, 4), (repeat, 3), (unknown, 5), (tell_story, 12), (tell_poem, 2)]


def named_chat(rng):
    """A conversation that must be remembered: the user says a name or a liking and asks for it later."""
    name = rng.choice(stories.NAMES)[0]
    color = rng.choice(GROUPS["color"])
    turns = [(rng.choice([f"My name is {name}.", f"Hello, my name is {name}.", f"I am {name}.", f"Hi, I'm {name}."]), f"Nice to meet you, {name}!")]
    if rng.random() < 0.5:
        turns.append(rng.choice([capital, question, colour])(rng))
    if rng.random() < 0.4:
        turns.append((f"I like {color}.", f"{cap(color)} is a nice color!"))
        turns.append(("Which color do I like?", f"You like {color}."))
    turns.append((rng.choice(["What is my name?", "Do you remember my name?", "Who am I?"]), f"Your name is {name}."))
    return turns


def document(rng):
    """One conversation as (system or None, [(user, assistant), ...]), or a plain text as a string."""
    draw = rng.random()
    if draw < 0.04:
        return stories.story(rng)[0]
    if draw < 0.06:
        return " ".join(f"{cap(t)} is {w}. {m}" for t, w, m in rng.sample(THINGS, 3))
    system = rng.choice(SYSTEMS) if rng.random() < 0.4 else None
    if draw < 0.10:
        return system, named_chat(rng)
    count = rng.choices([1, 2, 3, 5], [75, 14, 8, 3])[0]
    makers = rng.choices([k for k, _ in KINDS], [w for _, w in KINDS], k=count)
    turns = [make(rng) for make in makers]
    if rng.random() < 0.05:
        turns.append((rng.choice(["Thank you!", "Thanks!"]), "You are welcome!"))
    return system, turns


def spans(doc):
    """The document as [(text, is the model's own)]: loss is full on what the model says, smaller on what it reads."""
    if isinstance(doc, str):
        return [(doc + "<|endoftext|>", True)]
    system, turns = doc
    out = [(f"<|im_start|>system\n{system}<|im_end|>\n", False)] if system else []
    for user, answer in turns:
        out += [(f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n", False), (f"{answer}<|im_end|>", True), ("\n", False)]
    return out
