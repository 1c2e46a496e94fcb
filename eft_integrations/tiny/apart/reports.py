"""Texts with slots, and questions about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eft_integrations.tiny.apart.draws import (
    Draw,
    between,
    one_of,
)


@dataclass(frozen=True)
class Report:
    """A text with slots, and questions about them; ``unknown`` are questions it cannot answer."""

    text: str
    slots: Mapping[str, Draw]
    questions: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


_NAMES = one_of("Ingrid", "Mr Okafor", "Benedikt", "Ms Duarte", "Yuki", "Anselm", "Farida")
_TOWNS = one_of("Marlow", "Kesterhof", "Villa Nueva", "Tarn", "Osterby", "Pelham", "Dunmore")

REPORTS = (
    Report(
        "The ferry to {island} leaves from {town} every morning at {hour}. Passengers with "
        "bicycles "
        "board first, then everyone else. A single journey takes {minutes} minutes in calm "
        "weather, "
        "and the captain, {captain}, is known for waiting a little when someone runs along the "
        "pier. "
        "Tickets are sold in a hut beside the fish market for {price} crowns; children under six "
        "travel free of charge. In winter the boat stays in the harbour and a smaller vessel takes "
        "over, whose skipper is {skipper}. It carries no more than {seats} passengers. On the "
        "island "
        "a single café is open all year. Its owner, {owner}, also rents out two rooms, and whoever "
        "stays overnight gets a breakfast of {food} and coffee. The lighthouse, painted {colour}, "
        "can be visited on Sundays, but the key has to be fetched from the schoolteacher, "
        "{teacher}.",
        {
            "island": one_of("Hollow Isle", "Skarv", "Little Ronas", "Mewsey"),
            "town": _TOWNS,
            "hour": one_of("6:40", "7:15", "8:05", "9:50"),
            "minutes": between(25, 95),
            "captain": one_of("Astrid Lund", "Pol Ferrer", "Captain Brandt"),
            "price": between(11, 99),
            "skipper": one_of("young Matti", "Sofie Dahl", "old Ruben"),
            "seats": between(8, 24),
            "owner": one_of("Gerda", "Thiago", "Nell"),
            "food": one_of("oat cakes", "smoked eel", "rye rolls"),
            "colour": one_of("turquoise", "scarlet", "amber"),
            "teacher": one_of("Mr Quist", "Mrs Abara", "Ms Lindqvist"),
        },
        (
            ("From which harbour does the ferry depart?", "town"),
            ("At what hour does the boat set off?", "hour"),
            ("How many minutes is the crossing?", "minutes"),
            ("What is the captain's name?", "captain"),
            ("What is the fare in crowns?", "price"),
            ("Who runs the café on the island?", "owner"),
            ("What do overnight guests eat in the morning?", "food"),
            ("What colour is the lighthouse?", "colour"),
            ("From whom do I get the key of the lighthouse?", "teacher"),
            ("Who steers the smaller vessel in winter?", "skipper"),
        ),
        (
            "How deep is the water at the pier?",
            "What is the name of the captain's dog?",
            "In which year was the lighthouse built?",
        ),
    ),
    Report(
        "Minutes of the residents' meeting. Present were fourteen households; {chair} took the "
        "chair and {clerk} kept the minutes. First, the lift: the company {company} has offered to "
        "replace the motor for {sum} francs, and the work would last {days} days. The meeting "
        "agreed, with two voices against. Second, the cellar: the flat of {tenant} has had water "
        "on "
        "the floor since {month}, and the pipe behind the {room} is suspected. {plumber} will look "
        "at it next week. Third, the garden: the old {tree} by the gate will be felled, since it "
        "leans towards the street. In its place the children asked for a {wish}, which was met "
        "with "
        "applause. Last, noise: the rehearsals of {musician}, who plays the {instrument}, must end "
        "by {hour} in the evening. The next meeting will be held in the {place}.",
        {
            "chair": one_of("Mrs Halloran", "Mr Petrov", "Ms Eze"),
            "clerk": one_of("Jun Mori", "Klara Wirth", "Idris"),
            "company": one_of("Hebewerk", "Aufzug Nord", "Liftomat"),
            "sum": between(2100, 9800),
            "days": between(3, 19),
            "tenant": one_of("the Moreaus", "Mr Adeyemi", "Mrs Szabo"),
            "month": one_of("late autumn", "Whitsun", "mid-January"),
            "room": one_of("laundry", "boiler", "wine rack"),
            "plumber": one_of("Otto Kranz", "Mr Pipe", "Wanda Reis"),
            "tree": one_of("chestnut", "poplar", "walnut"),
            "wish": one_of("sandpit", "trampoline", "tree house"),
            "musician": one_of("Leopold", "Miss Chandra", "Ewa"),
            "instrument": one_of("tuba", "cello", "oboe"),
            "hour": one_of("eight", "nine", "half past seven"),
            "place": one_of("gymnasium", "chapel", "tea room"),
        },
        (
            ("Who chaired the meeting?", "chair"),
            ("Who wrote the minutes?", "clerk"),
            ("Which firm would repair the lift?", "company"),
            ("How many francs does the new motor cost?", "sum"),
            ("How many days will the work on the lift take?", "days"),
            ("Which tree is going to be felled?", "tree"),
            ("What did the children ask for?", "wish"),
            ("Which instrument is played at the rehearsals?", "instrument"),
            ("Where will they meet next time?", "place"),
            ("Who will look at the pipe?", "plumber"),
        ),
        (
            "How high is the rent of the house?",
            "Who voted against the lift?",
            "What is the telephone number of the caretaker?",
        ),
    ),
    Report(
        "Field notes from the valley. Day one: we set up camp near {town} and counted {count} "
        "herons on the lower pond, more than in any earlier year. {botanist} found a patch of "
        "{flower} on the north slope, which nobody had reported before. Day two brought fog. Our "
        "driver {driver} lost the way and we reached the ruined mill only by {hour}. Under its "
        "roof "
        "lives a colony of {animal}, and the farmer's wife told us that they have been there since "
        "{since}. Day three: {leader} measured the old oak, whose trunk is {girth} centimetres "
        "around. In the evening a bear was said to have been seen by {witness}, but the tracks we "
        "were shown came from a large dog. The guest house served {food}, and its cook would not "
        "say what was in it. We left the key with {keeper} and took the bus home on {day}.",
        {
            "town": _TOWNS,
            "count": between(31, 260),
            "botanist": one_of("Rosalind", "Emre", "Dr Vance"),
            "flower": one_of("bee orchid", "white gentian", "sea holly"),
            "driver": one_of("Tibor", "Agnes", "big Sam"),
            "hour": one_of("dusk", "four o'clock", "lunchtime"),
            "animal": one_of("barn swallows", "dormice", "horseshoe bats"),
            "since": one_of("the war", "her childhood", "the great flood"),
            "leader": one_of("Professor Ito", "Maud", "Cornelius"),
            "girth": between(310, 890),
            "witness": one_of("a beekeeper", "two hikers", "the postman"),
            "food": one_of("nettle stew", "pickled turnips", "goat pie"),
            "keeper": one_of("the sexton", "Aunt Berta", "Joachim"),
            "day": one_of("a Thursday", "All Saints' Day", "the ninth"),
        },
        (
            ("How many herons were counted?", "count"),
            ("Which flower grew on the north slope?", "flower"),
            ("Who discovered the flowers?", "botanist"),
            ("Who drove the car in the fog?", "driver"),
            ("What animals live under the roof of the mill?", "animal"),
            ("What is the girth of the oak in centimetres?", "girth"),
            ("Who claimed to have seen a bear?", "witness"),
            ("Which dish was served at the guest house?", "food"),
            ("With whom did they leave the key?", "keeper"),
            ("Near which place was the camp?", "town"),
        ),
        (
            "How many people took part in the trip?",
            "What was the name of the farmer?",
            "How cold was it on the second night?",
        ),
    ),
    Report(
        "Release notes. Version {version} of the tracker brings long awaited changes. The team "
        "under {lead} rewrote the importer, which now reads files in the {format} format and is "
        "{times} times faster on the usual test set. Searching has moved to a panel on the {side}; "
        "it opens with the key {key}. A crash that {reporter} reported when the list was empty has "
        "been fixed by {fixer}. The colour scheme called {scheme} is gone, since hardly anyone "
        "used "
        "it, and the new default is {default}. Administrators should know that backups are kept "
        "for "
        "{days} days from now on, and are stored in {place}. The next release will be prepared by "
        "{next}, and is planned for the week after the {event}. Those who want to try it early may "
        "join the test group, which has room for {room} more people. Thanks go to all translators.",
        {
            "version": one_of("4.2.1", "0.19", "11.0", "2.7.30"),
            "lead": one_of("Henrike", "Tunde", "Salma"),
            "format": one_of("parquet", "msgpack", "ledger"),
            "times": between(3, 40),
            "side": one_of("left edge", "lower right", "title bar"),
            "key": one_of("F9", "Ctrl-K", "Insert"),
            "reporter": one_of("user kobold77", "the archive in Ghent", "M. Prieto"),
            "fixer": one_of("Lorcan", "Hye-jin", "Bogdan"),
            "scheme": one_of("Papyrus", "Midnight", "Sorbet"),
            "default": one_of("Slate", "Linen", "Moss"),
            "days": between(14, 400),
            "place": one_of("a second data centre", "the vault", "cold storage"),
            "next": one_of("Ayumi", "the Lagos office", "Radek"),
            "event": one_of("summer school", "hackathon", "audit"),
            "room": between(5, 60),
        },
        (
            ("Which version do these notes describe?", "version"),
            ("Who leads the team?", "lead"),
            ("Which file format can be imported now?", "format"),
            ("Which key opens the search panel?", "key"),
            ("Who fixed the crash?", "fixer"),
            ("Which colour scheme was removed?", "scheme"),
            ("What is the default colour scheme now?", "default"),
            ("For how many days are backups kept?", "days"),
            ("Who will prepare the next release?", "next"),
            ("How many more people can join the test group?", "room"),
        ),
        (
            "How much does a licence cost?",
            "Which operating systems are supported?",
            "Who designed the logo?",
        ),
    ),
    Report(
        "From the parish chronicle. In the year {year} a fire broke out in the bakery of {baker}, "
        "and by morning {houses} houses had burnt down. The bells were saved by {hero}, who "
        "carried "
        "the small one out on her back. For the rebuilding the bishop sent {money} gold pieces, "
        "and "
        "the masons came from {town}, for the local ones had fled. The new tower was finished "
        "after "
        "{years} summers and given a roof of {roof}. Its clock, a gift of {giver}, never kept time "
        "well; people said that it was homesick. The street where the fire had begun was renamed "
        "after {saint}. When the old school was pulled down, workers found a chest that held "
        "{find}, "
        "and it can be seen today at the {museum}. The last who had seen the fire with her own "
        "eyes, {last}, died at a great age and had it told to the chronicler, {writer}.",
        {
            "year": between(1411, 1899),
            "baker": one_of("Hans Ruprecht", "the widow Cole", "Master Tobias"),
            "houses": between(12, 180),
            "hero": one_of("the ropemaker's daughter", "Sister Clemence", "Tall Margit"),
            "money": between(40, 900),
            "town": _TOWNS,
            "years": between(2, 17),
            "roof": one_of("copper", "shingles", "black slate"),
            "giver": one_of("a Swiss pedlar", "Countess Amalie", "the guild of tanners"),
            "saint": one_of("Saint Florian", "Saint Agatha", "Saint Columba"),
            "find": one_of("silver spoons", "a love letter", "two muskets"),
            "museum": one_of("town hall", "castle", "old pharmacy"),
            "last": one_of("Ottilie Brenn", "Grandmother Vask", "Jane Pell"),
            "writer": one_of("Pastor Engel", "the sexton's son", "Brother Anselm"),
        },
        (
            ("In what year was the great fire?", "year"),
            ("In whose bakery did it start?", "baker"),
            ("How many houses were lost?", "houses"),
            ("Who rescued the bells?", "hero"),
            ("How many gold pieces came from the bishop?", "money"),
            ("From where did the masons come?", "town"),
            ("What is the roof of the tower made of?", "roof"),
            ("Who gave the clock?", "giver"),
            ("What was in the chest?", "find"),
            ("Where can the chest be seen?", "museum"),
        ),
        (
            "How tall is the tower?",
            "What did the baker say to the judge?",
            "Who was mayor at that time?",
        ),
    ),
    Report(
        "Handbook of the greenhouse, page nine. The {plant} stands in bay {bay} and wants {light}. "
        "It is watered every {days} days, never at midday, with rain from the barrel that {person} "
        "fills. The citrus trees were bought from {seller} and have cost {cost} pounds in all; "
        "whoever breaks one pays for the cakes at the next feast. Seeds are kept in tins with a "
        "{colour} label, in the cupboard under the {where}. Against greenfly we use nothing but "
        "{remedy}, as {expert} taught us. On the first of the month the windows are cleaned by "
        "{cleaner}, and the heating, which is older than any of us, is checked by {engineer}. If "
        "it "
        "fails at night, call {phone} and speak slowly. Visitors are welcome on {open}, and may "
        "touch everything except the {except}, which bites.",
        {
            "plant": one_of("giant aloe", "ghost orchid", "tree fern"),
            "bay": one_of("C4", "seven", "the last row"),
            "light": one_of("half shade", "morning sun", "as much light as it can get"),
            "days": between(2, 21),
            "person": _NAMES,
            "seller": one_of("Limonaia Rossi", "a nursery in Kent", "Frau Holler"),
            "cost": between(120, 990),
            "colour": one_of("mauve", "checkered", "lemon"),
            "where": one_of("stairs", "sink", "workbench"),
            "remedy": one_of("soapy water", "ladybirds", "garlic tea"),
            "expert": one_of("old Harriet", "Brother Gall", "Min-jun"),
            "cleaner": one_of("the apprentices", "Zlatko", "class 5b"),
            "engineer": one_of("Mrs Boyle", "Karim", "Ludger"),
            "phone": one_of("4417", "0200-55", "the porter"),
            "open": one_of("Wednesdays", "rainy days", "public holidays"),
            "except": one_of("flytrap", "parrot", "nettle tree"),
        },
        (
            ("In which bay is the plant?", "bay"),
            ("How many days lie between two waterings?", "days"),
            ("Who sold the citrus trees?", "seller"),
            ("How many pounds were paid for the citrus trees?", "cost"),
            ("What colour are the labels of the tins?", "colour"),
            ("What helps against greenfly?", "remedy"),
            ("Who cleans the windows?", "cleaner"),
            ("Who checks the heating?", "engineer"),
            ("When may visitors come?", "open"),
            ("What must visitors not touch?", "except"),
        ),
        (
            "What is the salary of the head gardener?",
            "How large is the greenhouse?",
            "When was the handbook printed?",
        ),
    ),
)
# How an application might hand over a text and a question, unlike the frames of training.
TEXT_FRAMES = (
    "I will give you a document and ask you something about it.\n\nDocument:\n{c}\n\n"
    "What I want to know: {q}",
    "Passage\n*******\n{c}\n*******\n\nBased on the passage alone, respond to this: {q}\nResponse:",
    "{q}\nFind it in here, and if it is not there, say so.\n\n{c}",
    "Facts you may rely on are given between the lines.\n~~~~~~\n{c}\n~~~~~~\nWithout prior "
    "knowledge, reply to the query.\nQuery: {q}\nReply: ",
)
