"""python -m rva"""

from rva.edge import main

main()
