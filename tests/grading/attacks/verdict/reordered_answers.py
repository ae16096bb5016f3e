# Sends the answers in another order.
# 60 points: graded
import atexit

import tito.grading
import tito.grading.answers as answers

kept = []


def later(message):
    kept.append(message)
    if len(kept) == 2:
        publish(kept[1])
        publish(kept[0])


publish, answers.publish = answers.publish, later


def double(x):
    return 2 * x
