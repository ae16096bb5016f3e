# Hands every answer in twice, one of them wrong.
# 0 points: tampered
import tito.grading.answers as answers

publish = answers.publish
answers.publish = lambda message: (publish(message), publish(message))


def double(x):
    return 2 * x
