import importlib
import unittest

adapter = importlib.import_module("my_adapter")


class Adapting(unittest.TestCase):
    def test_puts_the_instruction_before_the_question(self):
        adapter.configure({"instruction": "Briefly:"})
        example = adapter.adapt({"question": "Which fruit?", "answer": "apple"})
        self.assertEqual(example, {"prompt": "Briefly:\nWhich fruit?\n", "output": "apple"})

    def test_leaves_out_what_asks_nothing(self):
        self.assertIsNone(adapter.adapt({"question": " "}))

    def test_refuses_an_unknown_option(self):
        with self.assertRaises(ValueError):
            adapter.configure({"instructions": "Briefly:"})


unittest.main()
