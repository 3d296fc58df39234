"""Images by address, or as bytes in a Parquet file, as files in the cache.

Nothing else has to know where an image came from. The names of the files are digests: neither an
address nor a server decides a path on this machine.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .columns import nfc
from .errors import BadImage, BadTable, MissingExtra, NotFetched, first_few
from .extras import need
from .files import cache_folder, write_aside
from .paths import as_on_disk

MAX_BYTES = 64 * 2**20
"""The largest image that is fetched, in bytes."""

STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "memory")
"""Protocols of fsspec that are asked: their addresses name neither a host nor a local file."""

WRAPPERS = ("zip", "tar", "simplecache", "filecache", "blockcache")
"""Protocols of fsspec that may stand before ``::`` and one of ``STORES``."""

SERVERS = ("ftp", "sftp", "ssh", "smb", "webhdfs", "hdfs")
"""Protocols of fsspec that are asked only with ``allow_private``: any host can be named."""

LOCAL = ("", "file", "local")

_THREADS = 8
_ROWS = 64  # of a Parquet file that are read at a time


def is_address(name: str) -> bool:
    """Whether an image's name is an address, not a file's name."""
    return "://" in name


def local_image(name: str) -> str | Path:
    """The file of an image that is named by its address; any other name as it is on the disk.

    Raises:
        BadImage: the address gives no image.
        MissingExtra: fsspec, or its package for a protocol, is not installed.
    """
    if not is_address(name):
        return as_on_disk(name)
    found = fetch_images([name], None)[name]
    if isinstance(found, str):
        raise BadImage(
            f"the address gives no image: {found.partition(' (--allow-private')[0]}",
            where=name,
            hint="check the address, or fetch the image yourself and give its file",
        )
    return found


def fetch_images(
    addresses: Iterable[str], root: Path | None, *, allow_private: bool = False
) -> dict[str, Path | str]:
    """The file of each address in the cache; each is fetched once.

    Args:
        addresses: ``http://`` and ``https://``, or an address of fsspec by one of ``STORES``.
        root: the folder of images: local files that an address names must be in it. None
            refuses all of them.
        allow_private: also ask servers that are not public, and by the protocols of ``SERVERS``.

    Returns:
        A file for each address, or the reason why there is none.

    Raises:
        MissingExtra: fsspec, or its package for a protocol, is not installed.
        CannotWrite: the cache cannot be written to.
    """
    wanted = list(dict.fromkeys(addresses))
    if not wanted:
        return {}
    from .web.fetch import Fetcher
    from .web.manners import Manners

    manners = Manners(
        delay_seconds=0.0, max_bytes=MAX_BYTES, retries=2, backoff_seconds=1.0,
        allow_private=allow_private,
    )  # fmt: skip
    fetcher = Fetcher(manners)

    def get(address: str) -> Path | str:
        try:
            if address.lower().startswith(("http://", "https://")):
                return _kept(address, lambda: fetcher.picture(address, heed_robots=False).body)
            return _from_fsspec(address, root, allow_private=allow_private)
        except NotFetched as error:
            return error.what

    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            return dict(zip(wanted, pool.map(get, wanted), strict=True))
        except BaseException:
            fetcher.stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _from_fsspec(address: str, root: Path | None, *, allow_private: bool) -> Path:
    *outer, last = address.split("::")
    protocol, _, place = last.rpartition("://")
    protocol = protocol.lower()
    known = (*STORES, *LOCAL, *(SERVERS if allow_private else ()))
    wrappers = [link.partition("://")[0] for link in outer]
    odd = [name for name in wrappers if name not in WRAPPERS]
    odd += [] if protocol in known else [protocol]
    if odd:
        raise NotFetched(
            f"{first_few(odd)}:// is not a protocol that is asked",
            where=address,
            hint=f"give http://, https://, or one of {', '.join(STORES)}",
        )
    if protocol not in LOCAL:
        return _kept(address, lambda: _read(address), anew=protocol == "memory")
    file = _local(place, root)
    if not outer:
        return file
    about = file.stat()
    whole = "::".join([*outer, f"file://{file}"])
    return _kept(f"{whole} {about.st_size} {about.st_mtime_ns}", lambda: _read(whole))


def _local(name: str, root: Path | None) -> Path:
    """A file in the folder of images, links resolved.

    Raises:
        NotFetched: it lies elsewhere, or is not there.
    """
    if root is None:
        raise NotFetched("it is a local file", where=name, hint="give its path")
    try:
        place, there = (root / name).resolve(), (root / name).is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, or a loop of links
        place, there = root, False
    if not place.is_relative_to(root.resolve()):
        raise NotFetched(
            "it lies outside the folder of images", where=str(root), hint="move it inside"
        )
    if not there:
        raise NotFetched("there is no such file", where=name, hint="check its name")
    return place


def _read(address: str) -> bytes:
    """The bytes at an address of fsspec; its accents may be composed or decomposed."""
    url_to_fs = need("fsspec.core", extra="remote", where=address).url_to_fs
    forms = dict.fromkeys((address, unicodedata.normalize("NFD", address)))
    for form in forms:
        try:
            system, place = url_to_fs(form)
            with system.open(place, "rb") as file:
                content: bytes = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            continue
        except ImportError as error:  # such as: Install s3fs to access S3
            reason = " ".join(str(error).split())
            package = re.search(r"nstall (\w+)", reason)
            raise MissingExtra(
                f"a package that fsspec needs for this address is not installed: {reason[:200]}",
                where=address,
                hint=f"pip install {package[1]}" if package else "install that package",
            ) from error
        except Exception as error:  # the packages behind fsspec raise anything
            reason = " ".join(str(error).split())[:200]
            raise NotFetched(
                f"the address cannot be read: {type(error).__name__}: {reason}",
                where=address,
                hint="check the address, and the keys and endpoint of its service",
            ) from error
        if len(content) > MAX_BYTES:
            raise NotFetched(
                f"the image has more than {MAX_BYTES:,} bytes",
                where=address,
                hint="give a smaller version of it",
            )
        return content
    raise NotFetched("there is nothing at the address", where=address, hint="check the address")


def _kept(key: str, get: Callable[[], bytes], *, anew: bool = False) -> Path:
    """The file in the cache for a key, fetched if it is not there."""
    file = _place(hashlib.sha256(key.encode()).hexdigest())
    if anew or not file.is_file():
        content = get()
        _write(file, content)
    return file


def _write(file: Path, content: bytes) -> None:
    write_aside(file, lambda aside: aside.write_bytes(content), sweep=False)


def _place(name: str) -> Path:
    return cache_folder().absolute() / "images" / name[:2] / name


def bytes_column(path: Path, name: str) -> bool:
    """Whether a column of a table holds images as bytes, as only Parquet files can.

    That is bytes, or a struct of ``bytes`` and ``path``, as Hugging Face datasets write it. A
    column of bytes that are UTF-8 holds names.

    Raises:
        BadTable: the file cannot be read.
    """
    import pyarrow as pa

    if path.suffix.lower() != ".parquet":
        return False
    kind = _schema(path).get(name)
    if kind is None:
        return False
    if pa.types.is_struct(kind):
        return "bytes" in {kind.field(place).name for place in range(kind.num_fields)}
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        return False
    first = next((cell for cell in _cells(path, name) if cell), b"")
    try:
        first.decode()
    except UnicodeDecodeError:
        return True
    return False


def _schema(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except (pa.ArrowException, OSError, ValueError):
        return {}  # the reader of the table says what is wrong
    return dict(zip(schema.names, schema.types, strict=True))


def images_in_parquet(path: Path, name: str) -> list[Path | str | None]:
    """The images of a column of bytes as files in the cache.

    Returns:
        For each row the file; or the name that stands beside empty bytes; or None.

    Raises:
        BadTable: the file cannot be read.
        CannotWrite: the cache cannot be written to.
    """
    about = path.stat()
    key = json.dumps([str(path.absolute()), about.st_size, about.st_mtime_ns, name])
    listing = _place(hashlib.sha256(key.encode()).hexdigest())
    known = _listed(listing)
    if known is not None:
        return known
    seen: Counter[str] = Counter()
    found: list[Path | str | None] = []
    for cell in _cells(path, name):
        content = cell["bytes"] if isinstance(cell, dict) else cell
        if not content:
            other = cell.get("path") if isinstance(cell, dict) else None
            found.append(nfc(other) if isinstance(other, str) else None)
            continue
        digest = hashlib.blake2b(content, digest_size=20).hexdigest()
        seen[digest] += 1  # items that show the same keep files of their own
        place = _place(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
        if not place.is_file() or place.stat().st_size != len(content):
            _write(place, content)
        found.append(place)
    cells = [[one.name] if isinstance(one, Path) else one for one in found]
    _write(listing, json.dumps(cells).encode())
    return found


def _listed(listing: Path) -> list[Path | str | None] | None:
    """The files that were written for a Parquet file before, if all of them are there."""
    try:
        cells = json.loads(listing.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = [_place(cell[0]) if isinstance(cell, list) else cell for cell in cells]
    return found if all(one.is_file() for one in found if isinstance(one, Path)) else None


def _cells(path: Path, name: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, columns=[name]):
                yield from batch.column(0).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadTable(
            f"the table cannot be read: {' '.join(str(error).split())[:200]}",
            where=str(path),
            hint="get the file again",
        ) from error
