"""How the shipped speech files were made: the commands' clips and the weights of `tiny-wav2vec2`.

Nothing here runs in a trial; `python -m ftbench_speech.provenance.commands` and `….pretraining` make the files again.
"""
