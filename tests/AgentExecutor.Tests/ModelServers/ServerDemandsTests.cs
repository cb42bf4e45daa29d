using AgentExecutor.Adapters.ModelServers;

namespace AgentExecutor.Tests.ModelServers;

public sealed class ServerDemandsTests
{
    private static readonly Uri Server = new("http://a/v1"),
        Other = new("http://b/v1");

    [Fact]
    public void The_demands_of_a_server_apply_to_that_server_and_model_only()
    {
        var demands = new ServerDemands();

        demands.Learn(Server, "m", ServerDemand.NoEffortWithTools);
        demands.Learn(Server, "m", ServerDemand.ReasoningWithCalls);

        Assert.Equal(ServerDemand.NoEffortWithTools | ServerDemand.ReasoningWithCalls, demands.Of(Server, "m"));
        Assert.Equal((ServerDemand.None, ServerDemand.None), (demands.Of(Server, "n"), demands.Of(Other, "m")));
    }

    [Fact]
    public void The_number_of_remembered_names_is_limited()
    {
        var demands = new ServerDemands();

        for (var i = 0; i <= 1_000; i++)
        {
            demands.Learn(Server, $"m{i}", ServerDemand.NoEffortWithTools);
        }

        Assert.Equal((ServerDemand.None, ServerDemand.NoEffortWithTools), (demands.Of(Server, "m0"), demands.Of(Server, "m1000")));
    }
}
