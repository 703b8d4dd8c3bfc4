"""Model files of other programs are found where those keep them, and said to be usable or not."""

import json
from pathlib import Path

import pytest
from tests.catalogue.gguf_files import write_gguf

from jouline.catalogue.card import load_catalogue
from jouline.catalogue.local_stores import OLLAMA_MODEL_LAYER, FoundModel, find_models

FAMILIES = load_catalogue().families
DIGEST = "ab" * 32


def ollama(root: Path, *, host: str = "registry.ollama.ai", namespace: str = "library", tag: str = "1.5b-base") -> Path:
    """Lay out a model as Ollama does; returns the blob."""
    manifest = root / "manifests" / host / namespace / "qwen2.5-coder" / tag
    manifest.parent.mkdir(parents=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "cd" * 32, "size": 1},
        {"mediaType": OLLAMA_MODEL_LAYER, "digest": f"sha256:{DIGEST}", "size": 1},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}), encoding="utf-8")
    return write_gguf(root / "blobs" / f"sha256-{DIGEST}")


def found(home: Path, **environ: str) -> list[FoundModel]:
    """Return what is found in a home and nowhere else."""
    return [model for model in find_models(FAMILIES, home, environ) if home in model.path.parents or environ]


class TestOllama:
    def test_found(self, tmp_path: Path) -> None:
        """The blob that the manifest calls the model is found, by the name that Ollama shows."""
        blob = ollama(tmp_path / ".ollama/models")
        (model,) = found(tmp_path)

        assert (model.program, model.name, model.path) == ("ollama", "qwen2.5-coder:1.5b-base", blob)
        assert (model.family, model.problem, model.size_bytes) == ("qwen-coder", None, blob.stat().st_size)

    def test_other_folder(self, tmp_path: Path) -> None:
        """OLLAMA_MODELS names another folder."""
        ollama(tmp_path / "elsewhere")

        assert [m.name for m in found(tmp_path, OLLAMA_MODELS=str(tmp_path / "elsewhere"))] == [
            "qwen2.5-coder:1.5b-base"
        ]

    @pytest.mark.parametrize(
        ("host", "namespace", "name"),
        [
            ("registry.ollama.ai", "someone", "someone/qwen2.5-coder:q4"),
            ("hf.co", "org", "hf.co/org/qwen2.5-coder:q4"),
        ],
    )
    def test_names(self, tmp_path: Path, host: str, namespace: str, name: str) -> None:
        """Models of others' namespaces and of other registries keep them in their name."""
        ollama(tmp_path / ".ollama/models", host=host, namespace=namespace, tag="q4")

        assert [model.name for model in found(tmp_path)] == [name]

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"layers": [{}]}', '{"layers": []}'])
    def test_strange_manifest(self, tmp_path: Path, text: str) -> None:
        """A manifest that cannot be understood is passed over."""
        manifest = tmp_path / ".ollama/models/manifests/h/n/m/t"
        manifest.parent.mkdir(parents=True)
        manifest.write_text(text, encoding="utf-8")

        assert found(tmp_path) == []

    def test_blob_gone(self, tmp_path: Path) -> None:
        """A manifest whose blob is gone is no model."""
        ollama(tmp_path / ".ollama/models").unlink()

        assert found(tmp_path) == []


class TestLmStudio:
    @pytest.mark.parametrize("folder", [".lmstudio/models", ".cache/lm-studio/models"])
    def test_found(self, tmp_path: Path, folder: str) -> None:
        """Files are found in the present and in the former folder; a vision model's eye is none."""
        path = write_gguf(tmp_path / folder / "publisher" / "coder-GGUF" / "coder.gguf")
        write_gguf(path.with_name("mmproj-f16.gguf"))
        (model,) = found(tmp_path)

        assert (model.program, model.name, model.path) == ("lm-studio", "coder-GGUF/coder.gguf", path)

    def test_not_usable(self, tmp_path: Path) -> None:
        """A model without fill-in-the-middle tokens is shown with the reason."""
        write_gguf(tmp_path / ".lmstudio/models/p/r/chat.gguf", name="Chat 7B", tokens=("a", "b"))
        (model,) = found(tmp_path)

        assert model.family is None
        assert "no fill-in-the-middle tokens" in (model.problem or "")


def test_nothing_there(tmp_path: Path) -> None:
    """A home without either program has no models."""
    assert found(tmp_path) == []
