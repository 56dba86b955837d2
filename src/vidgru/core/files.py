"""Write files so that a kill at any moment leaves the old or the new one, never half of it."""

import contextlib
import csv
import errno
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from vidgru.core.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # cells that start so are formulas


def check_file(path: Path) -> None:
    """Raise OutputError for a path that cannot be written as a file; it need not exist yet.

    Called before long work, so that this is not found at its end.
    """
    if not path.name or os.path.isdir(path):
        raise OutputError(f"Cannot write {path}: give the name of a file.")
    if os.path.exists(path) and not os.path.isfile(path):  # it would be replaced by a file
        raise OutputError(f"Cannot write {path}: it is a device. Give the name of a file.")
    _check_place(path.parent, f"Cannot write {path}")


def check_folder(path: Path) -> None:
    """Raise OutputError for a folder that cannot be written into; it need not exist yet."""
    if os.path.lexists(path) and not os.path.isdir(path):
        raise OutputError(f"Cannot write to {path}: it is a file, not a folder.")
    _check_place(path, f"Cannot write to {path}")


def _check_place(folder: Path, start: str) -> None:
    """Raise OutputError where a folder, or what would have to be made for it, is refused."""
    there = next(path for path in (folder, *folder.parents, Path()) if os.path.lexists(path))
    if not os.path.isdir(there):
        raise OutputError(f"{start}: {there} is a file, not a folder.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{start}: no permission to write into {there}. Write elsewhere.")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path next to `path`; it replaces `path` when the block succeeds.

    Folders are created as needed. The temporary file has the same suffix, and is removed when the
    block fails. Raises OutputError for what the system refuses: disk full, no permission.
    """
    check_file(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file at once; raises OutputError."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


class UnixLines:
    r"""Takes the rows of a csv.writer and ends them with \n only.

    The writer itself must end them with \r\n: else it does not quote a \r, at which readers would
    divide the row.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, row: str) -> int:
        r"""Write a row that ends with \r\n."""
        return self._file.write(row.removesuffix("\r\n") + "\n")


PATHS = ("source", "file", "Media file name")  # columns of paths


def begin_table(
    file: IO[str], columns: Sequence[str], delimiter: str = ","
) -> Callable[[Sequence[str]], Any]:
    """Write the header of a CSV table that people may open in a spreadsheet; return the row writer.

    Cells that a spreadsheet would compute become plain text: paths, in the columns `source`, `file`
    and `Media file name`, get a ./ and stay paths of the same files; other text gets an apostrophe.
    Numbers stay.
    """
    table = csv.writer(UnixLines(file), delimiter=delimiter)

    def add(row: Sequence[str]) -> None:
        cells = zip(row, columns, strict=True)
        table.writerow([_harmless(cell, column in PATHS) for cell, column in cells])

    table.writerow([_harmless(column, False) for column in columns])
    return add


def _harmless(cell: str, is_path: bool) -> str:
    if is_path:
        return os.path.join(".", cell) if cell.startswith(FORMULA) else cell
    # One more where there is one already: who reads the table takes one away.
    if not cell.lstrip("'").startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Make a folder, and keep it from other processes that ask for the same until the block ends.

    A new one in which nothing was written is removed. Raises OutputError where another process has
    it. On Windows nobody is kept out.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = None if fcntl is None else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    try:
        if opened is not None and not lock(opened):
            raise OutputError(f"Another process is writing to {folder}. Choose another folder.")
        yield
    finally:
        if opened is not None:
            os.close(opened)
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def lock(file: IO[Any] | int) -> bool:
    """Lock an open file against other processes until it is closed; False if one holds the lock.

    True where the file system has no locks, as some network file systems.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
    return True
