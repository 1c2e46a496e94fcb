"""What the phases of a pre-training run read more or less of: factors on the shares of styles."""

from __future__ import annotations

ALL = {
    "statements": 2.5,
    "profile": 2.5,
    "almanac": 1.5,
    "quiz": 3.0,
    "tool_drill": 2.0,
    "recall": 1.5,
    "record": 1.5,
}

# Longer texts, more tools and material written by hand, each asked much; then all at their shares.
MUCH = {
    "quiz": 60.0,
    "tool_drill": 30.0,
    "tool_errand": 10.0,
    "tool_call": 4.0,
    "tool_calls": 5.0,
    "record": 12.0,
    "noted_record": 10.0,
    "text_and_question": 10.0,
    "text_and_questions": 6.0,
    "recall": 5.0,
    "statements": 3.0,
    "profile": 3.0,
    "almanac": 3.0,
}
MORE = {
    "statements": 2.5,
    "profile": 2.5,
    "almanac": 1.5,
    "quiz": 10.0,
    "tool_drill": 8.0,
    "tool_errand": 3.0,
    "record": 4.0,
    "noted_record": 4.0,
    "recall": 1.5,
    "text_and_question": 3.0,
    "text_and_questions": 3.0,
}
# Once more, with facts and conversation beside the texts and tools, which had pushed them aside.
ROUND = {
    "quiz": 35.0,
    "tool_drill": 22.0,
    "tool_errand": 14.0,
    "tool_call": 4.0,
    "tool_calls": 8.0,
    "record": 10.0,
    "noted_record": 10.0,
    "text_and_question": 16.0,
    "text_and_questions": 10.0,
    "recall": 3.0,
    "statements": 4.0,
    "profile": 4.0,
    "almanac": 4.0,
    "dialogue": 2.0,
    "follow_up": 3.0,
}
ROUNDED = MORE | {
    "text_and_question": 5.0,
    "tool_calls": 4.0,
    "tool_unneeded": 2.0,
    "dialogue": 2.0,
    "follow_up": 3.0,
    "briefly": 3.0,
}
# A small model keeps its facts few: they are what up-scaling takes from the large one.
MUCH_OF_SMALL = {
    "quiz": 30.0,
    "tool_drill": 16.0,
    "tool_errand": 6.0,
    "tool_call": 3.0,
    "tool_calls": 4.0,
    "record": 8.0,
    "noted_record": 6.0,
    "text_and_question": 6.0,
    "text_and_questions": 4.0,
    "recall": 5.0,
    "statements": 1.5,
    "profile": 1.5,
    "dialogue": 1.5,
}
MORE_OF_SMALL = {
    "statements": 1.5,
    "profile": 1.5,
    "quiz": 8.0,
    "tool_drill": 6.0,
    "tool_errand": 3.0,
    "record": 4.0,
    "noted_record": 4.0,
    "text_and_question": 3.0,
    "text_and_questions": 3.0,
    "dialogue": 1.5,
}

# Today's material, dense: mostly what is looked up, in the forms that applications have; then more
# of everything that a member must keep.
DENSE = {
    "quiz": 9.0,
    "text_and_questions": 3.0,
    "text_and_question": 1.2,
    "recall": 2.0,
    "tool_drill": 3.0,
    "tool_errand": 3.0,
    "tool_call": 1.0,
    "tool_calls": 3.0,
    "tool_session": 0.8,
    "tool_unneeded": 1.2,
    "tool_result": 1.5,
    "record": 3.0,
    "noted_record": 4.0,
    "condensing": 1.5,
    "dividing": 1.5,
    "refining": 1.5,
    "gleaning": 1.5,
    "choosing": 1.5,
    "judging": 1.5,
    "reasoning": 1.0,
    "statements": 0.45,
    "profile": 0.5,
    "almanac": 0.9,
    "dialogue": 0.9,
    "follow_up": 1.8,
    "briefly": 2.0,
    "small_talk": 1.5,
    "misdeed": 1.5,
    "plain_dialogue": 0.6,
    "story": 0.25,
    "manual": 0.25,
    "ledger": 0.25,
    "copies": 0.6,
}
BROAD = {
    "quiz": 6.0,
    "text_and_questions": 3.0,
    "text_and_question": 1.5,
    "recall": 1.0,
    "tool_drill": 2.0,
    "tool_errand": 3.0,
    "tool_call": 1.2,
    "tool_calls": 3.0,
    "tool_session": 0.9,
    "tool_unneeded": 2.0,
    "tool_result": 2.5,
    "record": 2.0,
    "noted_record": 3.0,
    "condensing": 3.0,
    "dividing": 3.0,
    "refining": 3.0,
    "gleaning": 3.0,
    "choosing": 3.0,
    "judging": 3.0,
    "reasoning": 2.0,
    "statements": 1.1,
    "profile": 1.2,
    "almanac": 1.2,
    "dialogue": 2.0,
    "follow_up": 4.0,
    "briefly": 4.0,
    "small_talk": 3.0,
    "misdeed": 3.0,
    "plain_dialogue": 1.0,
    "story": 0.3,
    "manual": 0.3,
    "ledger": 0.3,
    "copies": 0.5,
}
LAST = BROAD | {
    "quiz": 8.0,
    "text_and_questions": 4.0,
    "text_and_question": 2.0,
    "record": 4.0,
    "noted_record": 3.5,
    "tool_calls": 5.0,
    "statements": 0.8,
    "profile": 0.9,
    "almanac": 0.9,
}
# At last with results of tools that are texts.
RESULTS = LAST | {"tool_result": 14.0, "tool_session": 1.5}
# Which of several tools is meant.
TOOLS = RESULTS | {"tool_call": 5.0, "tool_drill": 6.0, "tool_errand": 6.0, "tool_result": 8.0}
# All of that, and time to get down from its peak.
WHOLE = LAST | {
    "text_and_question": 3.0,
    "tool_call": 3.0,
    "tool_drill": 4.0,
    "tool_errand": 4.5,
    "tool_result": 8.0,
    "tool_session": 1.5,
    "statements": 1.0,
    "profile": 1.1,
    "almanac": 1.1,
}
# The same in rows of every length: the longest are half texts that fill the context.
FILLING = {"long_text_and_questions": 750.0}
FULL = WHOLE | FILLING | {"record": 5.0, "noted_record": 5.0}
# What applications ask, which a fiftieth of the text each had not taught.
APPLIED = FULL | {
    "choosing": 12.0,
    "judging": 14.0,
    "dividing": 10.0,
    "refining": 12.0,
    "reasoning": 8.0,
    "gleaning": 6.0,
    "condensing": 5.0,
}
DENSE_OF_SMALL = DENSE | {
    "statements": 0.3,
    "profile": 0.3,
    "almanac": 0.4,
    "dialogue": 2.0,
    "follow_up": 3.0,
    "briefly": 3.0,
    "misdeed": 3.0,
    "small_talk": 3.0,
}
BROAD_OF_SMALL = BROAD | {"statements": 0.4, "profile": 0.4, "almanac": 0.5}
RESULTS_OF_SMALL = BROAD_OF_SMALL | {"tool_result": 14.0}
FULL_OF_SMALL = BROAD_OF_SMALL | FILLING | {"tool_result": 8.0}
