using AgentExecutor.Adapters.Nats;

namespace AgentExecutor.Tests.Nats;

public sealed class SubjectPatternTests
{
    [Theory]
    [InlineData("a.*", "a.*", true)]
    [InlineData("a.*", "a.b", true)]
    [InlineData("a.>", "a.*", true)]
    [InlineData("a.>", "a.b.c", true)]
    [InlineData(">", "a.*", true)]
    [InlineData("*.*", "a.*", true)]
    [InlineData("a.b", "a.*", false)]
    [InlineData("a.*", "a.>", false)]
    [InlineData("a.>", "a", false)]
    [InlineData("a.*", "a.b.c", false)]
    [InlineData("a.*.c", "a.b", false)]
    [InlineData("b.*", "a.*", false)]
    public void A_pattern_covers_the_subjects_that_it_matches_completely(string pattern, string subject, bool covers) =>
        Assert.Equal(covers, SubjectPattern.Covers(pattern, subject));

    [Theory]
    [InlineData("a.b", "a.*", true)]
    [InlineData("a.>", "a.*.c", true)]
    [InlineData("*.b", "a.*", true)]
    [InlineData("a.b.c", "a.*", false)]
    [InlineData("b.*", "a.*", false)]
    [InlineData("a", "a.>", false)]
    public void Patterns_overlap_if_a_subject_matches_both(string one, string other, bool overlap)
    {
        Assert.Equal(overlap, SubjectPattern.Overlap(one, other));
        Assert.Equal(overlap, SubjectPattern.Overlap(other, one));
    }
}
