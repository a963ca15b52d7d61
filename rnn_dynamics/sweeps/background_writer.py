"""Write finished chunks in a thread, while this process computes the next ones."""

from concurrent.futures import Future, ThreadPoolExecutor

from .chunk_records import Record, write
from .program import Arrays
from .store import Store


class BackgroundWriter:
    """Write chunks one after the other."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.thread = ThreadPoolExecutor(1, "sweep-writer")
        self.begun: list[Future[Record]] = []

    def close(self) -> None:
        """Wait for what was begun."""
        self.thread.shutdown()

    def begin(self, number: int, data: Arrays, record: Record) -> None:
        """Begin to write a chunk: its data, then its record."""
        self.begun.append(self.thread.submit(write, self.store, number, data, record))

    def written(self) -> list[Record]:
        """Wait for all that was begun; return the records, or raise the first error."""
        records = [future.result() for future in self.begun]
        self.begun = []
        return records
