"""The paper's statements and their judges, which read the numbers that `evae-evaluate` has written.

statements    id, section, sentence, rule and the paper's value of each statement
registry      the judge of each, by the id
claim         what a judge gives, and what it reads
judge_*       the judges, functions of numbers
"""
