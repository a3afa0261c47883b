"""The page that holds runs against the paper, claim by claim and figure by figure: `python -m keras_evae.reproduction`.

statements    what the paper says, and which claim of `keras_evae.evaluation` decides it
gathering     the claims of several runs in one row each
costs         operations of the network, and what the paper's training takes
page          Markdown, pictures and numbers
"""
