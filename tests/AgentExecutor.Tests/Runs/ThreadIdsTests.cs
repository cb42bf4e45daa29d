using AgentExecutor.Core;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Runs;

public sealed class ThreadIdsTests
{
    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData(" a")]
    [InlineData("a ")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("../a")]
    [InlineData("a\\b")]
    [InlineData("a\nb")]
    [InlineData("a\0")]
    [InlineData("a\u0085")]
    [InlineData("a\ud83d")]
    [InlineData("\udce6a")]
    [InlineData("a\u200bb")]
    [InlineData("a%2e")]
    [InlineData("a*")]
    [InlineData("a>")]
    public void An_id_that_is_not_safe_in_paths_subjects_or_terminals_is_rejected(string id)
    {
        Assert.False(ThreadIds.IsValid(id));
        Assert.Equal(FaultCodes.InvalidInput, Assert.Throws<FaultException>(() => ThreadIds.Check(id)).Code);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("...")]
    [InlineData(".a")]
    [InlineData("a.")]
    [InlineData("order-7_b.1:x@y")]
    [InlineData("日本語")]
    public void Other_ids_are_accepted(string id) => ThreadIds.Check(id);

    [Fact]
    public void The_length_of_an_id_is_limited()
    {
        ThreadIds.Check(new string('a', ThreadIds.MaxLength));
        Assert.Throws<FaultException>(() => ThreadIds.Check(new string('a', ThreadIds.MaxLength + 1)));
    }

    [Fact]
    public void The_fault_of_a_very_long_id_does_not_repeat_all_of_it()
    {
        var fault = Assert.Throws<FaultException>(() => ThreadIds.Check(new string('a', 1_000_000)));

        Assert.True(fault.Message.Length < 400, $"{fault.Message.Length} characters");
    }
}
