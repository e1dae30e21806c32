"""Target -> what is run and what comes out, as data. One module a family; the registry names them."""
