using AgentExecutor.Adapters.ModelServers;

namespace AgentExecutor.Tests.ModelServers;

public sealed class ServerDemandsTests
{
    private static readonly Uri Server = new("http://a/v1"), Other = new("http://b/v1");

    [Fact]
    public void What_a_server_asks_is_known_of_it_and_the_model_alone()
    {
        var demands = new ServerDemands();

        demands.Learn(Server, "m", ServerDemand.NoEffortWithTools);
        demands.Learn(Server, "m", ServerDemand.ThoughtsWithCalls);

        Assert.Equal(ServerDemand.NoEffortWithTools | ServerDemand.ThoughtsWithCalls, demands.Of(Server, "m"));
        Assert.Equal((ServerDemand.None, ServerDemand.None), (demands.Of(Server, "n"), demands.Of(Other, "m")));
    }

    [Fact]
    public void Names_without_end_are_forgotten()
    {
        var demands = new ServerDemands();

        for (var i = 0; i <= 1_000; i++)
        {
            demands.Learn(Server, $"m{i}", ServerDemand.NoEffortWithTools);
        }

        Assert.Equal((ServerDemand.None, ServerDemand.NoEffortWithTools), (demands.Of(Server, "m0"), demands.Of(Server, "m1000")));
    }
}
