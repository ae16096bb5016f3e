# Puts scripts and remote pictures into its essay, its output, its errors and their names.
# 0 points: graded
CODE = """
from IPython.display import HTML, Image, Markdown, Javascript, display
evil = '<script>alert(1)</script><img src=http://evil.example/a.png onerror=alert(2)>'
display(HTML(evil), Markdown(evil), Javascript('alert(3)'), Image(url='http://evil.example/b.png'))
display({'image/png': '"onerror="alert(4)', 'image/svg+xml': f'<svg onload=alert(5)>{evil}</svg>'}, raw=True)
print(evil)
class Script(Exception): pass
Script.__name__ = evil
def double(x):
    raise Script(evil + '$\\\\href{javascript:alert(6)}{x}$')
"""
ESSAY = """<script>alert(1)</script> ![a](http://evil.example/a.png) [x](javascript:alert(4)) [y](data:text/html,evil)
<style>p {background: url(http://evil.example/c)}</style> <iframe src=http://evil.example></iframe>
<a href=" java&#10;script:alert(1)">z</a> <p style="background:url(http://evil.example)" onclick=alert(1)>w</p> <svg><script>alert(1)</script></svg>
"""


def hand_in(notebook):
    texts = {"double": CODE, "half_reflect": ESSAY}
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = texts.get(name, cell["source"])
    return notebook
