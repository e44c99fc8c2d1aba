"""gitops-bot: GitOps on GitHub, from the rendered diff of a pull request to the cluster that follows Git."""

__version__ = "0.1.0"
