"""How probable a language model holds each action's words.

`scorer` is the way in; `config` are its settings, and `tokens` says what a tokenizer
must do. Below it are the passes of decoder-only models (`causal`) and of T5's kind
(`seq2seq`), how tokens lie in them (`layouts`), what is read from them (`reading`) and
how that becomes scores (`rules`).
"""
