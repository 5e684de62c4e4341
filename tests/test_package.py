"""The package as a whole: names, import cost, and what an import must not drag in."""

import subprocess
import sys

import bitlaw.theory

CODE = """
import time
start = time.process_time()
import bitlaw.theory
print(time.process_time() - start)
import sys
print(*(m for m in ("torch", "matplotlib", "sympy", "scipy.stats", "transformers") if m in sys.modules))
"""


def fresh_import():
    """Processor seconds of the import in a new process, and the heavy modules that came with it."""
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    seconds, _, modules = out.partition("\n")
    return float(seconds), modules.split()


def test_importing_the_theory_takes_less_than_a_processor_second_and_nothing_heavy():
    runs = [fresh_import() for _ in range(3)]
    assert runs[0][1] == []
    assert min(seconds for seconds, _ in runs) < 1.0


def test_every_public_name_exists_and_is_documented():
    for name in bitlaw.theory.__all__:
        assert getattr(bitlaw.theory, name).__doc__, name


def test_public_names_are_listed_in_order():
    names = bitlaw.theory.__all__
    assert sorted(set(names)) == sorted(names)


def test_the_namespace_has_no_module_of_its_own():
    import bitlaw

    assert bitlaw.__file__ is None
