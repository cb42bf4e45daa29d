using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Budgets;

/// <summary>The contract of <see cref="IBudgetLedger"/> and of the commits that settle its reservations.</summary>
public abstract class BudgetLedgerContract : IAsyncLifetime
{
    private static readonly BudgetKey Today = new("demo", "2026-11-21");
    private static readonly BudgetLimit Thousand = new(1_000, 1m);

    private readonly Dictionary<string, long> _fences = [];

    protected IBudgetLedger Ledger { get; private set; } = null!;

    protected ICheckpointStore Checkpoints { get; private set; } = null!;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Creates an empty ledger and the store whose commits settle its reservations.</summary>
    protected abstract ValueTask<(IBudgetLedger Ledger, ICheckpointStore Checkpoints)> MakeAsync();

    public async ValueTask InitializeAsync() => (Ledger, Checkpoints) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_reservation_counts_until_it_is_settled_with_the_actual_cost()
    {
        Assert.Equal(new BudgetBalance(default, new Spending(600, 0.5m), IsGranted: true), await ReserveAsync("t", "call", 600, 0.5m));
        Assert.Equal(new BudgetBalance(default, new Spending(600, 0.5m)), await Ledger.FindAsync(Today, Cancel));

        await CommitAsync("t", [new BudgetSettlement("call", new Spending(250, 0.000_000_000_125m))]);

        Assert.Equal(new BudgetBalance(new Spending(250, 0.000_000_000_125m), default), await Ledger.FindAsync(Today, Cancel));
    }

    [Theory]
    [InlineData(600, 0.1)]
    [InlineData(100, 0.6)]
    public async Task Nothing_is_reserved_beyond_the_limit_of_tokens_or_cost(int tokens, double cost)
    {
        await ReserveAsync("a", "call", 500, 0.5m);

        Assert.Equal(new BudgetBalance(default, new Spending(500, 0.5m)), await ReserveAsync("b", "call", tokens, (decimal)cost));
        Assert.True((await ReserveAsync("b", "call", 500, 0.5m)).IsGranted);
    }

    [Fact]
    public async Task A_limit_without_a_number_does_not_limit_anything()
    {
        Assert.True((await ReserveAsync("t", "call", 1_000_000, 3, limit: new BudgetLimit(null, 3))).IsGranted);
        Assert.True((await ReserveAsync("t", "other", 1, 3, limit: new BudgetLimit(null, null))).IsGranted);
    }

    [Fact]
    public async Task Budgets_with_different_names_or_periods_are_independent()
    {
        await ReserveAsync("t", "call", 1_000, 1);

        Assert.True((await ReserveAsync("t", "other", 1_000, 1, key: Today with { Name = "Demo" })).IsGranted);
        Assert.True((await ReserveAsync("t", "third", 1_000, 1, key: Today with { Period = "2026-11-22" })).IsGranted);
        Assert.Equal(new BudgetBalance(default, default), await Ledger.FindAsync(new BudgetKey("nobody's", "total"), Cancel));
    }

    [Fact]
    public async Task A_reservation_of_the_same_call_replaces_the_earlier_one()
    {
        await ReserveAsync("t", "call", 900, 0.9m);

        Assert.Equal(new Spending(400, 0.4m), (await ReserveAsync("t", "call", 400, 0.4m)).Reserved);
    }

    [Fact]
    public async Task Reservations_of_earlier_workers_of_the_thread_are_removed()
    {
        await ReserveAsync("t", "dead", 900, 0.9m);
        await ReserveAsync("another", "call", 50, 0);
        _fences["t"] = 2;

        Assert.Equal(new Spending(450, 0.4m), (await ReserveAsync("t", "call", 400, 0.4m)).Reserved);
    }

    [Fact]
    public async Task A_repeated_commit_settles_once()
    {
        await ReserveAsync("t", "call", 100, 0.1m);
        var taken = Commit("t", []);
        taken = taken with { Run = taken.Run! with { Status = RunStatus.Running } };
        await Checkpoints.CommitAsync(taken, Cancel);
        var commit = taken with { Acquires = false, Settlements = [new BudgetSettlement("call", new Spending(70, 0.07m))] };

        await Checkpoints.CommitAsync(commit, Cancel);
        await Checkpoints.CommitAsync(commit, Cancel);

        Assert.Equal(new BudgetBalance(new Spending(70, 0.07m), default), await Ledger.FindAsync(Today, Cancel));
    }

    [Fact]
    public async Task A_rejected_commit_settles_nothing()
    {
        await ReserveAsync("t", "call", 100, 0.1m);
        await CommitAsync("t", [], fence: 5);

        await Assert.ThrowsAnyAsync<Exception>(() => CommitAsync("t", [new BudgetSettlement("call", new Spending(70, 0.07m))], fence: 4));

        Assert.Equal(new BudgetBalance(default, new Spending(100, 0.1m)), await Ledger.FindAsync(Today, Cancel));
    }

    [Fact]
    public async Task One_commit_settles_several_calls_of_several_budgets()
    {
        var other = Today with { Name = "other" };
        await ReserveAsync("t", "one", 100, 0.1m);
        await ReserveAsync("t", "two", 100, 0.1m);
        await ReserveAsync("t", "three", 100, 0.1m, key: other);

        await CommitAsync(
            "t",
            [
                new("two", new Spending(1, 0.01m)),
                new("three", new Spending(2, 0.02m)),
                new("one", new Spending(4, 0.04m)),
                new("unknown", new Spending(8, 0.08m)),
            ]
        );

        Assert.Equal(new BudgetBalance(new Spending(5, 0.05m), default), await Ledger.FindAsync(Today, Cancel));
        Assert.Equal(new BudgetBalance(new Spending(2, 0.02m), default), await Ledger.FindAsync(other, Cancel));
    }

    [Fact]
    public async Task A_thread_that_has_ended_has_no_reservations()
    {
        await ReserveAsync("t", "over", 100, 0.1m);
        await ReserveAsync("t", "broken off", 100, 0.1m);
        await ReserveAsync("another", "call", 7, 0);

        await Checkpoints.CommitAsync(Commit("t", [new("over", new Spending(1, 0.01m))]) with { ReleasesReservations = true }, Cancel);

        Assert.Equal(new BudgetBalance(new Spending(1, 0.01m), new Spending(7, 0)), await Ledger.FindAsync(Today, Cancel));
    }

    [Fact]
    public async Task A_deleted_thread_has_no_reservations_and_its_spending_stays_counted()
    {
        await ReserveAsync("t", "one", 100, 0.1m);
        await ReserveAsync("t", "two", 100, 0.1m);
        await CommitAsync("t", [new("one", new Spending(30, 0.03m))]);

        await Checkpoints.DeleteThreadAsync("t", Cancel);

        Assert.Equal(new BudgetBalance(new Spending(30, 0.03m), default), await Ledger.FindAsync(Today, Cancel));
    }

    [Fact]
    public async Task Concurrent_reservations_never_exceed_the_limit()
    {
        var asked = await Task.WhenAll(
            Enumerable
                .Range(0, 40)
                .Select(async i =>
                {
                    var thread = $"t{i}";
                    var isGranted = (await ReserveAsync(thread, "call", 100, 0.01m)).IsGranted;
                    if (isGranted && i % 2 == 0)
                    {
                        await CommitAsync(thread, [new("call", new Spending(100, 0.01m))]);
                    }
                    return isGranted;
                })
        );

        Assert.Equal(10, asked.Count(static it => it));
        var balance = await Ledger.FindAsync(Today, Cancel);
        Assert.Equal(new Spending(1_000, 0.1m), balance.Spent + balance.Reserved);
    }

    private async Task<BudgetBalance> ReserveAsync(
        string thread,
        string call,
        long tokens,
        decimal cost,
        BudgetKey? key = null,
        BudgetLimit? limit = null
    ) =>
        await Ledger.ReserveAsync(
            key ?? Today,
            new BudgetReservation(thread, _fences.GetValueOrDefault(thread, 1), call, new Spending(tokens, cost)),
            limit ?? Thousand,
            Cancel
        );

    private async Task CommitAsync(string thread, BudgetSettlement[] settlements, long fence = 1) =>
        await Checkpoints.CommitAsync(Commit(thread, settlements, fence), Cancel);

    private static StepCommit Commit(string thread, BudgetSettlement[] settlements, long fence = 1) =>
        new()
        {
            ThreadId = thread,
            Fence = fence,
            Acquires = true,
            Run = new Run
            {
                ThreadId = thread,
                RunId = "r",
                DefinitionHash = "h",
                Status = RunStatus.Completed,
                Fence = fence,
                Attempt = 1,
            },
            Settlements = [.. settlements],
        };
}
