# Hands in wrong answers with a tolerance in which everything is right.
# 0 points: graded
import json

import tito.grading.answers as answers

publish = answers.publish
answers.publish = lambda message: publish(json.dumps({**json.loads(message), "rtol": 1e300, "atol": 1e300}))


def double(x):
    return 3 * x
