"""Tiny stories and poems from templates: every draw comes from the given random source."""

NAMES = [("Anna", "she", "her"), ("Ben", "he", "his"), ("Clara", "she", "her"), ("Dan", "he", "his"),
         ("Emma", "she", "her"), ("Finn", "he", "his"), ("Lily", "she", "her"), ("Leo", "he", "his"),
         ("Mia", "she", "her"), ("Max", "he", "his"), ("Nora", "she", "her"), ("Noah", "he", "his"),
         ("Rosa", "she", "her"), ("Sam", "he", "his"), ("Sara", "she", "her"), ("Tom", "he", "his")]
KINDS = ["cat", "dog", "fox", "rabbit", "mouse", "bear", "duck", "frog", "owl", "lion", "horse", "bird", "turtle",
         "squirrel", "elephant", "hedgehog", "girl", "boy", "dragon", "robot", "king", "queen"]
FEMALE = {"girl", "queen", "hen", "cow"}
MALE = {"boy", "king"}
TRAITS = ["little", "brave", "clever", "kind", "small", "happy", "shy", "young", "old", "funny"]
PLACES = ["in the forest", "near a lake", "on a farm", "in a small village", "by the sea", "in a big city",
          "in an old house", "on a green hill", "in a castle", "near a river"]
THINGS = ["ball", "hat", "key", "book", "apple", "kite", "boat", "shell", "lamp", "cake", "drum", "map", "flower",
          "red box", "golden ring", "warm scarf", "blue stone", "bicycle", "letter", "star"]
SPOTS = ["under a tree", "behind a big stone", "in the tall grass", "near the water", "in a dark cave", "on the road",
         "under the bed", "in the snow"]
FRIENDS = ["bird", "mouse", "rabbit", "owl", "frog", "cat", "dog", "duck", "turtle", "squirrel"]
MORALS = ["From that day on, they were best friends.", "They were very happy.", "It was a good day.",
          "Then they went home and had some cake.", "That night they slept very well.", "And they all smiled."]


def article(word):
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def named_hero(rng, kind):
    """A name that fits the kind, with its pronouns."""
    options = [n for n in NAMES if not (kind in FEMALE and n[1] == "he") and not (kind in MALE and n[1] == "she")]
    return rng.choice(options)


def opening(rng, kind, name, place):
    trait = rng.choice(TRAITS)
    return rng.choice([
        f"Once upon a time there was {article(trait + ' ' + kind)} named {name} who lived {place}.",
        f"Once there was {article(trait + ' ' + kind)} named {name}. {name} lived {place}.",
        f"{name} was {article(trait + ' ' + kind)} who lived {place}.",
        f"There was {article(trait + ' ' + kind)} {place}. The name of the {kind} was {name}.",
    ])


def lost(rng, hero, thing, friend):
    name, he, his = hero
    He = he.capitalize()
    where = rng.choice(SPOTS)
    return [
        rng.choice([f"One day {name} lost {his} {thing}.", f"One morning {name} could not find {his} {thing}."]),
        rng.choice([f"{name} was very sad.", f"{He} began to cry.", f"{He} looked everywhere."]),
        rng.choice([f"Then {article(friend)} came and said, \"I will help you.\"",
                    f"\"Can I help you?\" asked {article(friend)}.",
                    f"{article(friend).capitalize()} heard {name} and came to help."]),
        f"They looked for the {thing} together.",
        rng.choice([f"At last they found it {where}.", f"The {friend} found it {where}."]),
        rng.choice([f"\"Thank you, my friend!\" said {name}.", f"{name} thanked the {friend} and smiled."]),
    ]


def found(rng, hero, thing, friend):
    name, he, his = hero
    He = he.capitalize()
    where = rng.choice(SPOTS)
    return [
        rng.choice([f"One day {name} found {article(thing)} {where}.", f"On a sunny day {name} saw {article(thing)} {where}."]),
        rng.choice([f"\"What a nice {thing}!\" said {name}.", f"{He} liked the {thing} very much."]),
        rng.choice([f"But the {thing} belonged to {article(friend)}.", f"Then {he} met a sad {friend} who had lost the {thing}."]),
        rng.choice([f"{name} gave the {thing} back.", f"So {name} gave the {thing} to the {friend}."]),
        rng.choice([f"The {friend} was very happy and thanked {name}.", f"\"You are very kind,\" said the {friend}."]),
    ]


def storm(rng, hero, thing, friend):
    name, he, his = hero
    He = he.capitalize()
    return [
        rng.choice([f"One evening there was a big storm.", f"One night it began to rain and the wind was loud."]),
        rng.choice([f"{name} was afraid.", f"{He} could not sleep."]),
        rng.choice([f"Then {he} heard someone at the door. It was {article(friend)}, cold and wet.",
                    f"Outside {he} saw a little {friend} in the rain."]),
        rng.choice([f"\"Come in,\" said {name}.", f"{name} opened the door and let the {friend} in."]),
        rng.choice([f"{He} gave the {friend} some warm soup and showed {his} {thing}.",
                    f"They drank hot milk and played with the {thing}."]),
        rng.choice(["In the morning the sun was shining again.", "Soon the storm was over."]),
    ]


def wish(rng, hero, thing, friend):
    name, he, his = hero
    He = he.capitalize()
    goal, steps = rng.choice([("fly", "the sky"), ("swim", "the lake"), ("sing", "the trees"), ("dance", "the moon"),
                              ("read", "the library"), ("paint", "the garden")])
    return [
        rng.choice([f"{name} wanted to learn to {goal}.", f"{He} had one big wish: {he} wanted to {goal}."]),
        rng.choice([f"Every day {he} tried and tried, but it was too hard.", f"At first it was very hard."]),
        rng.choice([f"A wise {friend} said, \"Do not give up.\"", f"\"You only need time,\" said {article(friend)}."]),
        rng.choice([f"So {name} tried again near {steps}.", f"{name} listened and worked every day."]),
        rng.choice([f"At last {name} could {goal}!", f"And one day {he} could {goal} very well."]),
        rng.choice([f"The {friend} gave {name} {article(thing)} as a gift.", f"Everyone was proud of {name}."]),
    ]


def share(rng, hero, thing, friend):
    name, he, his = hero
    He = he.capitalize()
    return [
        rng.choice([f"{name} had {article(thing)} and did not want to share it.", f"{name} loved {his} {thing} more than anything."]),
        rng.choice([f"One day {article(friend)} asked, \"May I play with you?\"", f"{article(friend).capitalize()} sat alone and looked sad."]),
        rng.choice([f"{name} thought for a moment.", f"First {he} said no. Then {he} felt bad."]),
        rng.choice([f"\"Yes, let us share,\" said {name}.", f"So {he} let the {friend} have the {thing} for a while."]),
        rng.choice([f"They played all day with the {thing}.", f"The {friend} laughed, and {name} laughed too."]),
    ]


PLOTS = [lost, found, storm, wish, share]


def story(rng, kind=None, thing=None, name=None):
    """One story of five to nine sentences. Gives (text, kind, name, thing)."""
    kind = kind or rng.choice(KINDS)
    hero = named_hero(rng, kind)
    if name:
        hero = next(n for n in NAMES if n[0] == name)
    thing = thing or rng.choice(THINGS)
    friend = rng.choice([f for f in FRIENDS if f != kind])
    middle = rng.choice(PLOTS)(rng, hero, thing, friend)
    text = " ".join([opening(rng, kind, hero[0], rng.choice(PLACES)), *middle, rng.choice(MORALS)])
    return text, kind, hero[0], thing


RHYMES = [(["the cat", "the bat"], "on a mat", "with a hat"), (["the moon", "the star"], "shines so bright", "in the night"),
          (["the bee", "the bird"], "sits in the tree", "wild and free"), (["the sun", "the day"], "is warm and new", "the sky is blue"),
          (["the snow", "the rain"], "falls on the town", "softly down"), (["a friend", "a song"], "is good to me", "near the sea"),
          (["the dog", "the fox"], "runs all day", "likes to play"), (["the rose", "the tree"], "grows in the sun", "the spring has begun")]


def poem(rng, subject=None):
    """Two rhymed lines on a subject (drawn where there is none), then two more. Gives (text, subject)."""
    subjects, first, second = rng.choice(RHYMES)
    subject = subject or rng.choice(subjects)
    lines = [f"{subject.capitalize()} {first},", f"{second}.", ]
    _, third, fourth = rng.choice([r for r in RHYMES if r[1] != first])
    lines += [f"It {third},", f"{fourth}."]
    return "\n".join(lines), subject
