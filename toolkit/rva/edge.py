"""The edge of the program: signals, and what an error becomes for people, scripts and the shell."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import NoReturn

from rva import cli, console, errors, shell
from rva.errors import RvaError
from rva.log import Log
from rva.model import to_json


def main() -> NoReturn:
    """Run the program; every ending goes through here."""
    _handle_signals()
    try:
        result = cli.app(standalone_mode=False, prog_name="rva")
        code = result if isinstance(result, int) else 0
    except RvaError as error:
        code = _complain(error)
    except KeyboardInterrupt:
        code = _complain(errors.Interrupted("interrupted"))
    except OSError as error:
        code = _complain(shell.from_os_error(error, "rva"))
    except Exception as error:  # noqa: BLE001 - the last door: a click error, or a fault of rva itself
        code = _last_resort(error)
    sys.stdout.flush()
    if code == errors.Interrupted.code:
        os._exit(code)  # threads may still wait for children that are being ended
    sys.exit(code)


def _last_resort(error: Exception) -> int:
    show = getattr(error, "show", None)
    if callable(show):  # click's own usage errors
        show()
        return errors.UsageError.code
    if type(error).__name__ in ("Abort", "Exit"):
        return int(getattr(error, "exit_code", errors.Interrupted.code))
    record = console.here() / ".rva" / "logs" / "crash.log"
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(traceback.format_exc(), "utf-8")
        where = f"; the traceback is in {record}"
    except OSError:
        where = ""
    return _complain(
        errors.InternalError(
            f"{type(error).__name__}: {error}{where}", fix="this is a fault of rva: please report it with that file"
        )
    )


def _complain(error: RvaError) -> int:
    if "--json" in sys.argv:
        console.print_out(to_json(error.as_json()))
    log = Log()
    log.error(error.what)
    if error.fix:
        log.stream.write(f"  fix: {error.fix}\n")
    return error.code


def _handle_signals() -> None:
    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        shell.stop_all()
        raise errors.Interrupted("interrupted; finished rows are kept, the next run goes on from there")

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
