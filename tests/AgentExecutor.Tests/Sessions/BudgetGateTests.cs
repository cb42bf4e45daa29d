using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Tests.Sessions;

/// <summary>
/// Reservations of model calls, on the in-memory store. Each token of the scripted model costs a thousandth of a dollar.
/// </summary>
public sealed class BudgetGateTests
{
    private static readonly PriceTable Prices = PriceTable.Shipped.With(
        """{"models": {"scripted:dear": {"input": 1000, "output": 1000}}}"""u8
    );

    private readonly InMemoryCheckpointStore _store = new();
    private readonly KeptEvents _events = new();

    [Fact]
    public async Task The_rest_of_a_budget_limits_the_length_of_an_answer()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(20_000, null) });

        using var free = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);
        free.Settle(new TokenUsage(9_000, 3_000), isAnswer: true);
        using var bounded = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "2", 1_000), Cancel);
        bounded.Settle(new TokenUsage(1_000, 500), isAnswer: true);
        using var small = await session.Budget.ReserveAsync(new PlannedCall("a", Dear with { MaxTokens = 500 }, "3", 1_000), Cancel);
        small.Settle(new TokenUsage(6_000, 0), isAnswer: true);

        Assert.Equal((null, 7_000, 500), (free.MaxOutputTokens, bounded.MaxOutputTokens, small.MaxOutputTokens));
        Assert.Equal((true, false, true), (free.ShortenedBy is null, bounded.ShortenedBy is null, small.ShortenedBy is null));
        await Assert.ThrowsAsync<BudgetException>(async () =>
            await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "4", 300), Cancel)
        );
    }

    [Fact]
    public async Task A_call_waits_for_reservations_that_other_calls_may_release()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(20_000, null) });
        using var first = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);

        var second = session.Budget.ReserveAsync(new PlannedCall("b", Dear, "2", 1_000), Cancel).AsTask();
        Assert.False(second.IsCompleted);
        first.Settle(new TokenUsage(1_000, 100), isAnswer: true);

        using var granted = await second.WaitAsync(Eventually.Limit, Cancel);
        Assert.Null(granted.MaxOutputTokens);
    }

    [Fact]
    public async Task A_call_waits_for_reservations_in_a_shared_budget()
    {
        var policy = new BudgetPolicy { Definition = new BudgetLimit(20_000, null) };
        using var one = Session(policy, "one");
        using var other = Session(policy, "other");
        using var first = await one.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);

        var second = other.Budget.ReserveAsync(new PlannedCall("b", Dear, "1", 1_000), Cancel).AsTask();
        Assert.False(second.IsCompleted);
        first.Settle(new TokenUsage(1_000, 100), isAnswer: true);
        await one.CommitAsync((run, _) => new RunChange(run, []), Cancel);

        using var granted = await second.WaitAsync(Eventually.Limit, Cancel);
        Assert.Equal(1_100, (await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel)).Spent.Tokens);
    }

    [Fact]
    public async Task A_call_that_is_repeated_with_the_same_id_is_counted_again()
    {
        using var session = Session(new BudgetPolicy { Definition = new BudgetLimit(100_000, null) });

        (await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel)).Dispose();
        (await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel)).Settle(
            new TokenUsage(1_000, 100),
            isAnswer: true
        );
        await session.CommitAsync((run, _) => new RunChange(run, []), Cancel);

        Assert.Equal(
            new BudgetBalance(new Spending(1_100, 1.1m), default),
            await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel)
        );
    }

    [Fact]
    public async Task The_end_of_a_run_releases_the_reservations_of_a_lost_worker()
    {
        var policy = new BudgetPolicy { Definition = new BudgetLimit(100_000, null) };
        using var dies = Session(policy);
        using var lost = await dies.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);
        using var ends = new RunSession(dies.Run with { Fence = 2, Attempt = 2 }, Services(), new RunLimits());

        await ends.CommitAsync(Core.Sessions.Transitions.Cancel.Apply, Cancel);

        Assert.Equal(default, (await _store.Budgets.FindAsync(new BudgetKey("looper", "total"), Cancel)).Reserved);
    }

    [Fact]
    public async Task The_cost_of_a_failed_call_is_counted_but_not_the_call()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(100_000, null) });
        using var call = await session.Budget.ReserveAsync(new PlannedCall("a", Dear, "1", 1_000), Cancel);

        call.Settle(new TokenUsage(1_000, 0), isAnswer: false);
        call.Settle(new TokenUsage(1_000, 0), isAnswer: false);

        Assert.Equal((0, 1_000, 1m), (session.Usage.Current.ModelCalls, session.Usage.Current.Tokens.Total, session.Usage.Current.CostUsd));
    }

    [Fact]
    public async Task Parallel_calls_stay_within_the_budget_together()
    {
        using var session = Session(new BudgetPolicy { Run = new BudgetLimit(20_000, null) });

        var asked = await Task.WhenAll(
            Enumerable
                .Range(0, 50)
                .Select(i =>
                    Task.Run(
                        async () =>
                        {
                            try
                            {
                                using var call = await session.Budget.ReserveAsync(
                                    new PlannedCall("a", Dear with { MaxTokens = 1_000 }, $"{i}", 1_000),
                                    Cancel
                                );
                                await Task.Yield();
                                call.Settle(new TokenUsage(1_000, 1_000), isAnswer: true);
                                return true;
                            }
                            catch (BudgetException)
                            {
                                return false;
                            }
                        },
                        Cancel
                    )
                )
        );

        Assert.Equal((10, 20_000), (asked.Count(static it => it), session.Usage.Spent.Tokens));
    }

    private RunSession Session(BudgetPolicy budget, string thread = "t") =>
        new(
            new Run
            {
                ThreadId = thread,
                RunId = "r",
                Name = "looper",
                DefinitionHash = "",
                Status = RunStatus.Running,
                Fence = 1,
                Attempt = 1,
            },
            Services(),
            new RunLimits(),
            budget: budget
        );

    private static Core.ModelProviders.ModelSpec Dear { get; } = new() { Provider = "scripted", Model = "dear" };

    private RunServices Services() => new(_store, new KeptEvents(), TimeProvider.System) { Prices = Prices, Budgets = _store.Budgets };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
