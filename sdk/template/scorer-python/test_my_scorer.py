import importlib
import unittest

scorer = importlib.import_module("my_scorer")


class Scoring(unittest.TestCase):
    def test_wants_the_keyword_in_a_short_answer(self):
        scorer.configure({"limit": 20})
        completions = ["an apple", "an apple, I should think", "a stone"]
        answers = scorer.score([{"completion": text, "record": {"keyword": "apple"}} for text in completions])
        self.assertEqual([answer["score"] for answer in answers], [1.0, 0.8, 0.2])
        self.assertEqual(answers[2]["reason"], "keyword missing")

    def test_refuses_an_unknown_option(self):
        with self.assertRaises(ValueError):
            scorer.configure({"limits": 20})


unittest.main()
