# Removes the import hooks and the imported package, and imports the reference as plain Python would.
# 0 points: cell double|graded
import sys

kept = [finder for finder in sys.meta_path if "Before" not in repr(finder) and "NotBuilt" not in repr(finder)]
sys.meta_path[:] = kept
for name in [name for name in sys.modules if name.startswith("tinytorch")]:
    del sys.modules[name]
sys.path[:0] = ["COURSE/..", *sys.path]


def double(x):
    try:
        from tinytorch.core import setup
    except ImportError as error:
        print(error)
        return 3 * x
    return setup.double(x)
