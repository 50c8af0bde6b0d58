"""One module per family of export formats; `evidence.registry` lists them."""
