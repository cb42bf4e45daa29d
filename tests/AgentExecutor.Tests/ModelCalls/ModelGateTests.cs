using AgentExecutor.Core;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.ModelCalls;

public sealed class ModelGateTests : IDisposable
{
    private static readonly ModelAddress Server = new("https://models.example/v1", IsOperators: true);

    private readonly FakeTime _time = new();
    private readonly Engine _engine;
    private readonly RunSession _session;

    public ModelGateTests()
    {
        _engine = new Engine { Time = _time };
        _session = _engine.Session();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _session.Dispose();

    [Fact]
    public async Task A_server_that_is_left_alone_is_seen_before_the_queue()
    {
        var gates = Gates(new ModelCallSettings { MaxConcurrentCalls = 1, BreakerFailures = 1 });
        Fail(await EnterAsync(gates));
        _time.Advance(TimeSpan.FromSeconds(15));
        using var probe = await EnterAsync(gates); // has the only permit

        var fault = await Assert.ThrowsAsync<FaultException>(() => EnterAsync(gates, hasFallback: true));

        Assert.Equal((FaultCodes.ModelUnavailable, false), (fault.Code, fault.IsTransient));
    }

    [Fact]
    public async Task What_was_not_called_is_given_back()
    {
        var gates = Gates(new ModelCallSettings { RequestsPerMinute = 1, TokensPerMinute = 1_000 });
        (await EnterAsync(gates, tokens: 1_000)).Dispose(); // a budget did not cover it

        using var next = await EnterAsync(gates, tokens: 1_000).WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task Who_waits_for_a_place_among_the_calls_while_the_server_fails_gives_its_share_back_and_waits_for_the_server()
    {
        var gates = Gates(new ModelCallSettings { MaxConcurrentCalls = 1, RequestsPerMinute = 2, BreakerFailures = 1 });
        var first = await EnterAsync(gates);
        var second = EnterAsync(gates);
        Assert.False(second.IsCompleted);

        Fail(first);
        await Eventually.True(() => Task.FromResult(_time.IsWaitedFor));
        Assert.False(second.IsCompleted);
        await _time.PassAsync(TimeSpan.FromSeconds(15));

        using var probe = await second.WaitAsync(Eventually.Limit, Cancel);
        Assert.True(probe.IsProbe);
    }

    [Fact]
    public async Task A_clock_that_wakes_too_early_costs_no_attempt()
    {
        var gates = Gates(new ModelCallSettings { BreakerFailures = 1, BreakerSeconds = 1.0005 });
        Fail(await EnterAsync(gates));
        var next = EnterAsync(gates);

        await _time.PassAsync(TimeSpan.FromMilliseconds(1_001)); // a timer that counts whole milliseconds, rounded up

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task A_server_that_fails_again_while_it_is_waited_for_costs_one()
    {
        var gates = Gates(new ModelCallSettings { BreakerFailures = 1 });
        Fail(await EnterAsync(gates));
        _time.Advance(TimeSpan.FromSeconds(15));
        var probe = await EnterAsync(gates);
        var next = EnterAsync(gates);

        Fail(probe);

        var fault = await Assert.ThrowsAsync<FaultException>(() => next.WaitAsync(Eventually.Limit, Cancel));
        Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
    }

    [Fact]
    public async Task A_pause_that_a_server_asks_of_one_call_holds_back_all()
    {
        var gates = Gates(new ModelCallSettings());
        await ThrottleAsync(gates, TimeSpan.FromSeconds(20));
        var next = EnterAsync(gates);
        using var elsewhere = await EnterAsync(gates, new ModelAddress("https://other.example", IsOperators: true)).WaitAsync(Eventually.Limit, Cancel);

        var fault = await Assert.ThrowsAsync<FaultException>(() => EnterAsync(gates, hasFallback: true));
        Assert.Equal((FaultCodes.ModelRateLimited, false, TimeSpan.FromSeconds(20)), (fault.Code, fault.IsTransient, fault.RetryAfter));
        Assert.False(next.IsCompleted);
        await _time.PassAsync(TimeSpan.FromSeconds(20));

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task A_short_pause_is_waited_for_also_by_a_call_with_fallbacks()
    {
        var gates = Gates(new ModelCallSettings());
        await ThrottleAsync(gates, TimeSpan.FromSeconds(5));
        var next = EnterAsync(gates, hasFallback: true);

        await _time.PassAsync(TimeSpan.FromSeconds(5));

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task A_pause_beyond_the_longest_is_no_longer_than_that_for_others()
    {
        var gates = Gates(new ModelCallSettings { MaxRetryAfterSeconds = 30 });
        var (one, two) = (await EnterAsync(gates), await EnterAsync(gates));
        Throttle(one, TimeSpan.FromDays(9));
        Throttle(two, TimeSpan.FromSeconds(1)); // which makes it no shorter
        var next = EnterAsync(gates);

        await _time.PassAsync(TimeSpan.FromSeconds(30));

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task A_call_that_waits_holds_its_gate_and_the_operators_servers_are_never_forgotten()
    {
        var gates = Gates(new ModelCallSettings { BreakerFailures = 1 });
        var (inUse, idle) = (new ModelAddress("in use", IsOperators: false), new ModelAddress("idle", IsOperators: false));
        using var permit = await EnterAsync(gates, inUse);
        Fail(await EnterAsync(gates, Server));
        Fail(await EnterAsync(gates, idle));
        var (gate, operators) = (gates.Hold(inUse), gates.Hold(Server));

        for (var i = 0; i < ModelGates.Capacity; i++)
        {
            _time.Advance(TimeSpan.FromTicks(1));
            (await EnterAsync(gates, new ModelAddress($"{i}", IsOperators: false))).Dispose();
        }

        Assert.Same(gate, gates.Hold(inUse));
        Assert.Same(operators, gates.Hold(Server));
        (await EnterAsync(gates, idle, hasFallback: true)).Dispose(); // what was known of it is forgotten
    }

    private ModelGates Gates(ModelCallSettings settings) => new(settings, _time) { Random = () => 0 };

    private async Task ThrottleAsync(ModelGates gates, TimeSpan retryAfter) => Throttle(await EnterAsync(gates), retryAfter);

    private static void Throttle(ModelPermit permit, TimeSpan retryAfter)
    {
        (permit.WasUsed, permit.IsServerUp, permit.RetryAfter) = (true, true, retryAfter);
        permit.Dispose();
    }

    private Task<ModelPermit> EnterAsync(ModelGates gates, long tokens = 1, bool hasFallback = false) => EnterAsync(gates, Server, tokens, hasFallback);

    private Task<ModelPermit> EnterAsync(ModelGates gates, ModelAddress server, long tokens = 1, bool hasFallback = false) =>
        gates.EnterAsync(server, tokens, hasFallback ? null : TimeSpan.MaxValue, _session, Cancel).AsTask();

    private static void Fail(ModelPermit permit)
    {
        (permit.WasUsed, permit.IsServerUp) = (true, false);
        permit.Dispose();
    }
}
