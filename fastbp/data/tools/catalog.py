"""Public data sets of ``fastbp data download``: files, checksums and mirrors.

The SHA-256 is that of the compressed file. Sources of the checksums:

- MNIST and its variants: torchvision, ``prototype/datasets/_builtin/mnist.py``;
- KMNIST: also TensorFlow Datasets, ``url_checksums/kmnist.txt``;
- EMNIST: NIST's ``gzip.zip`` in an earlier ``EMNIST.jl`` of JuliaML's MLDatasets.jl.
  torchvision has an MD5 of that file, and the SHA-256 of another zip, from the
  university of the authors.

There are no published checksums of the files in EMNIST's archive;
`fastbp.data.tools.emnist` checks names, headers, counts and the CRC of gzip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .emnist import SPLITS

__all__ = ["CATALOG", "Source"]


@dataclass(frozen=True)
class Source:
    """A data set to download.

    Attributes
    ----------
    about
        Authors and licence, one line.
    files
        SHA-256 of each file, in hexadecimal digits, by file name.
    mirrors
        URLs of folders with the files, in the order in which they are tried.
    folder
        Default folder for the files; empty for the name of the data set.
    split
        Split of EMNIST's archive, which is unpacked into a subfolder; or empty.
    """

    about: str
    files: Mapping[str, str]
    mirrors: tuple[str, ...]
    folder: str = ""
    split: str = ""


def _files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str]:
    return {
        "train-images-idx3-ubyte.gz": train_images,
        "train-labels-idx1-ubyte.gz": train_labels,
        "t10k-images-idx3-ubyte.gz": test_images,
        "t10k-labels-idx1-ubyte.gz": test_labels,
    }


CATALOG: dict[str, Source] = {
    "mnist": Source(
        about="MNIST, digits; LeCun, Cortes, Burges (1998); CC BY-SA 3.0",
        files=_files(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": Source(
        about="Fashion-MNIST, clothes; Xiao, Rasul, Vollgraf (2017); MIT",
        files=_files(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
    "kmnist": Source(
        about="KMNIST, cursive Japanese; Clanuwat et al. (2018); CC BY-SA 4.0",
        files=_files(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        mirrors=(
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
    ),
    "qmnist": Source(
        about="QMNIST, digits, 60,000 to test on; Yadav, Bottou (2019); BSD",
        files={
            "qmnist-train-images-idx3-ubyte.gz": (
                "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d"
            ),
            "qmnist-train-labels-idx2-int.gz": (
                "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f"
            ),
            "qmnist-test-images-idx3-ubyte.gz": (
                "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375"
            ),
            "qmnist-test-labels-idx2-int.gz": (
                "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06"
            ),
        },
        mirrors=(
            "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
            "https://github.com/facebookresearch/qmnist/raw/master/",
        ),
    ),
    **{
        f"emnist-{split}": Source(
            about="EMNIST, handwritten letters and digits; Cohen et al. (2017); terms as NIST states them",
            files={"gzip.zip": "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"},
            mirrors=(
                "https://biometrics.nist.gov/cs_links/EMNIST/",
                "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
            ),
            folder="emnist",
            split=split,
        )
        for split in SPLITS
    },
}
