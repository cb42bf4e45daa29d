using AgentExecutor.Server.Commands.Submitting;

namespace AgentExecutor.Tests.Commands.Submitting;

public sealed class ResultIdTests
{
    [Theory]
    [InlineData("a:12:1764352800000000", "a", true)]
    [InlineData("a:12", "a", true)]
    [InlineData("a:b:12:1764352800000000", "a:b", true)]
    [InlineData("a:b:12:1764352800000000", "a", false)]
    [InlineData("a:5:12:1764352800000000", "a", false)]
    [InlineData("ab:12:1764352800000000", "a", false)]
    [InlineData("a", "a", false)]
    public void A_result_belongs_to_the_job_whose_complete_id_is_its_prefix(string resultId, string jobId, bool isOf) =>
        Assert.Equal(isOf, BusJobSender.IsOf(resultId, jobId));
}
