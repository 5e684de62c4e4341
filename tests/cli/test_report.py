"""`bitlaw report`: one page that needs nothing from outside, written last."""

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from safetensors.numpy import save_file

from bitlaw.cli import report_data
from bitlaw.theory import Normal, lloyd_max
from bitlaw.theory.tables import describe

SMALL = [
    "--sources",
    "normal,student-t:5",
    "--levels",
    "2,4",
    "--rates",
    "1",
    "--bits",
    "4",
    "--workers",
    "1",
]
QUICK = ["report", *SMALL, "--figures", "none"]


class Page(HTMLParser):
    """Links, anchors and images of a page; tags must close in the order in which they open."""

    VOID = ("meta", "link", "img")

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.images, self._open, self.seen = [], set(), [], [], set()
        self.feed(text)
        assert self._open == []

    def handle_startendtag(self, tag, attributes):
        self.seen.add(tag)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.seen.add(tag)
        self.links += [values["href"]] if "href" in values and tag == "a" else []
        self.anchors |= {values["id"]} if "id" in values else set()
        self.images += [values["src"]] if "src" in values else []
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def test_page_needs_nothing_from_outside_and_its_links_lead_somewhere(bitlaw, workspace):
    (workspace / "other").mkdir()
    np.save("other/weights.npy", np.linspace(-1, 1, 100))
    np.save('a b#1%"<.npy', np.linspace(-1, 1, 100))
    files = ["weights.npz", "model.safetensors", "other/weights.npy", 'a b#1%"<.npy']
    outcome = bitlaw(*QUICK, "--data", *files, "--output", "out")
    assert outcome.code == 0
    text = (workspace / "out" / "index.html").read_text()
    page = Page(text)
    assert not re.search(r"https?:|//cdn|@import|url\(", text)
    assert page.seen.isdisjoint({"script", "iframe", "object"})
    assert page.links
    assert (workspace / "out" / "fits" / "weights-2.json").is_file()
    for target in page.links:
        file = workspace / "out" / unquote(target)
        assert target[1:] in page.anchors if target.startswith("#") else file.is_file()


def test_page_shows_the_numbers_of_the_library(bitlaw, workspace):
    bitlaw(*QUICK, "--data", "weights.npz", "--output", "out")
    text = (workspace / "out" / "index.html").read_text()
    row = describe(lloyd_max(Normal(), 4), Normal(), entropy_coded=False)
    assert f"<td>{row.distortion:.6g}</td>" in text
    assert f"<td>{row.gap_bits:.4f}</td>" in text
    fits = json.loads((workspace / "out" / "fits" / "weights.json").read_text())
    (first, *_) = [entry for entry in fits["tensors"] if entry["name"] == "layer0"]
    assert f"{first['comparisons'][0]['measured']:.3g}" in text
    assert "int64 is not one of the supported" in text


def test_pictures_are_part_of_the_page(bitlaw, workspace):
    pytest.importorskip("matplotlib")
    bitlaw("report", *SMALL, "--figures", "normal_cube_root", "--data", "weights.npz", "--output", "out")
    page = Page((workspace / "out" / "index.html").read_text())
    assert [source[:22] for source in page.images] == ["data:image/png;base64,"]
    assert (workspace / "out" / "figures" / "normal_cube_root.pdf").is_file()


def test_text_from_files_cannot_become_markup(bitlaw, workspace):
    np.savez("odd.npz", **{"<script>alert(1)</script>": np.linspace(-1, 1, 200)})
    bitlaw(*QUICK, "--data", "odd.npz", "--output", "out")
    assert "script" not in Page((workspace / "out" / "index.html").read_text()).seen


def test_models_beside_the_checkout_and_measurements_are_found(bitlaw, workspace, monkeypatch):
    model = workspace / "shared" / "models" / "tiny"
    model.mkdir(parents=True)
    save_file({"w": np.random.default_rng(1).standard_normal(500)}, model / "model.safetensors")
    broken = workspace / "shared" / "models" / "broken"
    broken.mkdir()
    (broken / "model.safetensors").write_bytes(b"nothing")
    checkout = workspace / "checkout" / "deep"
    checkout.mkdir(parents=True)
    monkeypatch.chdir(checkout)
    outcome = bitlaw(*QUICK, "--json")
    record = json.loads(outcome.out)
    assert "report/fits/tiny.json" in record["files"]
    text = (checkout / "report" / "index.html").read_text()
    assert "truncated or damaged" in text
    assert "No model was found" not in text


def test_large_model_is_left_out_with_the_reason(workspace, monkeypatch):
    model = workspace / "shared" / "models" / "large"
    model.mkdir(parents=True)
    save_file({"w": np.zeros(500)}, model / "model.safetensors")
    monkeypatch.setattr(report_data, "_LARGEST_MODEL", 1000)
    found, left_out = report_data.find_models(workspace)
    assert found == []
    assert "ask for it with --data" in left_out[0].reason


def test_page_without_models_says_that_there_are_none(bitlaw, workspace):
    measurements = pytest.importorskip("matplotlib")
    assert measurements
    assert bitlaw(*QUICK).code == 0
    text = (workspace / "report" / "index.html").read_text()
    assert "No model was found" in text
    assert "They are not weights of any model" in text
    with np.load(workspace / "report" / "data" / "measurements.npz") as archive:
        assert {"eeg", "relief", "google_daily_returns"} <= set(archive.files)
        for name in archive.files:
            assert np.isfinite(archive[name]).all()
            assert abs(archive[name].mean()) < 0.2 * archive[name].std()


def test_interrupted_run_leaves_no_page(bitlaw, workspace, monkeypatch):
    words = [*QUICK, "--data", "weights.npz", "--output", "out"]
    assert bitlaw(*words).code == 0

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bitlaw.cli.report.analyse_with_progress", interrupt)
    outcome = bitlaw(*words)
    assert outcome.code == 130
    assert outcome.err.endswith("bitlaw: interrupted\n")
    assert not (workspace / "out" / "index.html").exists()


def test_page_of_someone_else_is_not_replaced(bitlaw, workspace):
    (workspace / "index.html").write_text("<p>my site</p>")
    outcome = bitlaw(*QUICK, "--output", ".")
    assert (outcome.code, outcome.out) == (2, "")
    assert "bitlaw did not write it" in outcome.err
    assert (workspace / "index.html").read_text() == "<p>my site</p>"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--figures", "nine"], "unknown figure 'nine'"),
        (["--data", "none.npz"], "none.npz: no such file"),
        (["--data", "nf4.txt"], "unknown kind of file"),
        (["--output", "nf4.txt"], "cannot make the folder"),
    ],
)
def test_wrong_input_is_found_before_any_work(bitlaw, workspace, words, reason):
    outcome = bitlaw("report", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert not (workspace / "report").exists()
