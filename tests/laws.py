"""Laws that hypothesis draws, shared by the tests of designers."""

from hypothesis import strategies as st

from bitlaw.theory import GeneralisedNormal, Laplace, Logistic, Normal, StudentT, Uniform

stds = st.floats(-3, 3).map(lambda e: float(10**e))

LOG_CONCAVE = {
    "Normal": lambda std, shape: Normal(std),
    "Laplace": lambda std, shape: Laplace(std),
    "Logistic": lambda std, shape: Logistic(std),
    "Uniform": lambda std, shape: Uniform(std),
    "GeneralisedNormal": lambda std, shape: GeneralisedNormal(1 + 5 * shape, std),
}
HEAVY = {
    "StudentT": lambda std, shape: StudentT(2.5 + 20 * shape, std),
    "GeneralisedNormal": lambda std, shape: GeneralisedNormal(0.5 + 0.49 * shape, std),
}


@st.composite
def log_concave(draw):
    """Any log-concave family, at any scale."""
    return LOG_CONCAVE[draw(st.sampled_from(sorted(LOG_CONCAVE)))](draw(stds), draw(st.floats(0, 1)))


@st.composite
def heavy(draw):
    """A law that is not log-concave, at any scale."""
    return HEAVY[draw(st.sampled_from(sorted(HEAVY)))](draw(stds), draw(st.floats(0, 1)))


symmetric = log_concave() | heavy()


@st.composite
def unbounded(draw):
    """Laws with tails at least as heavy as the Gaussian's: every rate has one best quantiser."""
    kind = draw(st.sampled_from(["Normal", "Laplace", "Logistic", "StudentT"]))
    std = draw(stds)
    return StudentT(draw(st.floats(7, 30)), std) if kind == "StudentT" else LOG_CONCAVE[kind](std, 0.0)


def rescaled(source, factor):
    """The same law at another scale."""
    import dataclasses

    return dataclasses.replace(source, std=source.std * factor)
