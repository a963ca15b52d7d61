"""beartype as the tests apply it to the package: an int may stand where a float is asked for, as in PEP 484."""

from beartype import BeartypeConf, beartype

strictly = beartype(conf=BeartypeConf(is_pep484_tower=True))
