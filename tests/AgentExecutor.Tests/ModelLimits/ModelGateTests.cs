using AgentExecutor.Core;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Tests.ModelLimits;

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
    public async Task The_circuit_breaker_is_checked_before_the_limits()
    {
        var gates = Gates(new ModelCallSettings { MaxConcurrentCalls = 1, BreakerFailures = 1 });
        Fail(await EnterAsync(gates));
        _time.Advance(TimeSpan.FromSeconds(15));
        using var probe = await EnterAsync(gates); // holds the only permit

        var fault = await Assert.ThrowsAsync<FaultException>(() => EnterAsync(gates, hasFallback: true));

        Assert.Equal((FaultCodes.ModelUnavailable, false), (fault.Code, fault.IsTransient));
    }

    [Fact]
    public async Task A_call_that_was_not_made_returns_what_it_took()
    {
        var gates = Gates(new ModelCallSettings { RequestsPerMinute = 1, TokensPerMinute = 1_000 });
        (await EnterAsync(gates, tokens: 1_000)).Dispose(); // a budget did not cover it

        using var next = await EnterAsync(gates, tokens: 1_000).WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task A_call_that_waits_for_the_concurrency_limit_while_the_server_fails_returns_what_it_took()
    {
        var gates = Gates(
            new ModelCallSettings
            {
                MaxConcurrentCalls = 1,
                RequestsPerMinute = 2,
                BreakerFailures = 1,
            }
        );
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
    public async Task A_timer_that_fires_too_early_does_not_use_up_an_attempt()
    {
        var gates = Gates(new ModelCallSettings { BreakerFailures = 1, BreakerSeconds = 1.0005 });
        Fail(await EnterAsync(gates));
        var next = EnterAsync(gates);

        await _time.PassAsync(TimeSpan.FromMilliseconds(1_001)); // timers round up to whole milliseconds

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task A_server_that_fails_again_during_the_wait_uses_up_one_attempt()
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
    public async Task A_pause_that_the_server_asks_for_delays_all_calls()
    {
        var gates = Gates(new ModelCallSettings());
        await ThrottleAsync(gates, TimeSpan.FromSeconds(20));
        var next = EnterAsync(gates);
        using var elsewhere = await EnterAsync(gates, new ModelAddress("https://other.example", IsOperators: true))
            .WaitAsync(Eventually.Limit, Cancel);

        var fault = await Assert.ThrowsAsync<FaultException>(() => EnterAsync(gates, hasFallback: true));
        Assert.Equal((FaultCodes.ModelRateLimited, false, TimeSpan.FromSeconds(20)), (fault.Code, fault.IsTransient, fault.RetryAfter));
        Assert.False(next.IsCompleted);
        await _time.PassAsync(TimeSpan.FromSeconds(20));

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task A_call_with_fallbacks_waits_for_a_short_pause()
    {
        var gates = Gates(new ModelCallSettings());
        await ThrottleAsync(gates, TimeSpan.FromSeconds(5));
        var next = EnterAsync(gates, hasFallback: true);

        await _time.PassAsync(TimeSpan.FromSeconds(5));

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task A_pause_above_the_maximum_delays_other_calls_only_up_to_the_maximum()
    {
        var gates = Gates(new ModelCallSettings { MaxRetryAfterSeconds = 30 });
        var (one, two) = (await EnterAsync(gates), await EnterAsync(gates));
        Throttle(one, TimeSpan.FromDays(9));
        Throttle(two, TimeSpan.FromSeconds(1)); // does not shorten the pause
        var next = EnterAsync(gates);

        await _time.PassAsync(TimeSpan.FromSeconds(30));

        (await next.WaitAsync(Eventually.Limit, Cancel)).Dispose();
    }

    [Fact]
    public async Task Gates_in_use_and_gates_of_the_operators_servers_are_never_removed()
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
        (await EnterAsync(gates, idle, hasFallback: true)).Dispose(); // its gate was removed
    }

    private ModelGates Gates(ModelCallSettings settings) => new(settings, _time) { Random = () => 0 };

    private async Task ThrottleAsync(ModelGates gates, TimeSpan retryAfter) => Throttle(await EnterAsync(gates), retryAfter);

    private static void Throttle(ModelPermit permit, TimeSpan retryAfter)
    {
        (permit.WasUsed, permit.IsServerUp, permit.RetryAfter) = (true, true, retryAfter);
        permit.Dispose();
    }

    private Task<ModelPermit> EnterAsync(ModelGates gates, long tokens = 1, bool hasFallback = false) =>
        EnterAsync(gates, Server, tokens, hasFallback);

    private Task<ModelPermit> EnterAsync(ModelGates gates, ModelAddress server, long tokens = 1, bool hasFallback = false) =>
        gates.EnterAsync(server, tokens, hasFallback ? null : TimeSpan.MaxValue, _session.WaitAsync, Cancel).AsTask();

    private static void Fail(ModelPermit permit)
    {
        (permit.WasUsed, permit.IsServerUp) = (true, false);
        permit.Dispose();
    }
}
