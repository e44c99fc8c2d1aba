"""Whatever is proposed, the file that is written reads as it, and comments never become content."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.manifests import yaml
from gitops_bot.model.settings import Environment, ImageRule, ImageWrite, ModelRule, ModelWrite, Settings
from gitops_bot.writeback.survey.proposed import (
    Proposed,
    ProposedEnvironment,
    ProposedImage,
    ProposedModel,
    ProposedUrl,
)
from gitops_bot.writeback.survey.text import to_yaml

text = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30) | st.sampled_from(
    [
        "no",
        "1e3",
        "0o17",
        "~",
        "v*.*.*",
        "a: b",
        "{environment}",
        "# x",
        "a,b",
        "'",
        '"',
        "- a",
        "2026-01-01",
        "a\nb: c",
    ]
)
why = st.lists(st.text(max_size=200), max_size=3).map(tuple)
maybe = st.none() | text
proposals = st.builds(
    Proposed,
    environments=st.lists(
        st.builds(
            ProposedEnvironment,
            name=text,
            follows=st.builds(Environment, branch=text, applications=maybe, cluster=maybe, protected=st.booleans())
            | st.builds(Environment, tag=text),
            why=why,
        ),
        max_size=3,
        unique_by=lambda each: each.name,
    ).map(tuple),
    images=st.lists(
        st.builds(
            ProposedImage,
            rule=st.builds(
                ImageRule,
                repository=text,
                order=st.sampled_from(["semver", "newest"]),
                write=st.tuples(st.builds(ImageWrite, file=text, path=text, digest=maybe)),
            ),
            why=why,
        ),
        max_size=3,
    ).map(tuple),
    models=st.lists(
        st.builds(
            ProposedModel,
            rule=st.builds(
                ModelRule,
                name=text,
                write=st.tuples(st.builds(ModelWrite, file=text, version=text, path=maybe, data=maybe)),
            ),
            why=why,
        ),
        max_size=2,
    ).map(tuple),
    repositories=st.lists(st.builds(ProposedUrl, url=text, why=st.text(max_size=50)), max_size=2).map(tuple),
    other_images=why,
)


@given(proposals)
def test_what_is_written_reads_as_what_is_proposed(proposed: Proposed) -> None:
    written = to_yaml(proposed)
    assert msgspec.convert(yaml.load(written, strict=True), Settings) == proposed.settings
    assert to_yaml(proposed) == written
