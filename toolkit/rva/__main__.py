"""python -m rva"""

from rva.cli import main

main()
