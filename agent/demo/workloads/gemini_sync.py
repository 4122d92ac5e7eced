"""Google's Gen AI Python SDK, synchronous: ``gemini_sync.py ROUNDS STEP...``"""

import json
import sys
from typing import Any

from google import genai

client = genai.Client()


def tell(answer: Any) -> None:
    usage = answer.usage_metadata.model_dump(mode="json", exclude_none=True)
    print(json.dumps({"model": answer.model_version, "usage": usage}), flush=True)


def generate() -> None:
    tell(client.models.generate_content(model="gemini-2.5-flash", contents="Tomorrow's demand for umbrellas?"))


def stream() -> None:
    last = None
    for chunk in client.models.generate_content_stream(model="gemini-2.5-pro", contents="Next week's demand?"):
        last = chunk
    tell(last)


STEPS = {step.__name__: step for step in (generate, stream)}

for _ in range(int(sys.argv[1])):
    for name in sys.argv[2:]:
        STEPS[name]()
