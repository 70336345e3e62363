"""How the shipped speech files were made: the clips of the commands and the weights of `tiny-wav2vec2`.

No trial runs this code; `python -m ftbench_plugins.speech.provenance.commands` and `….pretraining` make the files
again.
"""
