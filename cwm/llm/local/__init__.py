"""Language models that run in this process; needs the extra [local].

`model` is the way in: a `ChatModel` and a `ScoringModel`. Below it are files of a
model (`loading`, `packages`, `config`), its chat template (`templates`), calls that
share a pass (`batching`, `rows`), drawing and reading tokens (`decoding`, `sampling`,
`texts`), what is kept between calls (`caches`, `prefixes`, `trees`), scoring
(`tokenizing`, `scoring`), and training (`adapters`, `training`).
"""
