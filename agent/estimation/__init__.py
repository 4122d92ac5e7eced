"""
What a call used where its provider does not say: counted from what was asked and from what arrived, and never called anything else.

``prompts.py`` takes the text out of a request, ``answers.py`` out of an answer, a ``Tokenizer`` counts it (``counting.py``), ``seen.py``
puts it together and knows how far off such counts are.
"""
